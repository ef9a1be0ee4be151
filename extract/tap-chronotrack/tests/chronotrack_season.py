"""ChronoTrack's streams, and what only its season can be asked."""

from __future__ import annotations

from tap_testing.runs import Target
from tap_testing.season import Season

KEYS = {
    "events": ("event_id",),
    "races": ("race_id",),
    "entries": ("entry_id",),
    "brackets": ("bracket_id",),
    "intervals": ("interval_id",),
    "results": ("event_id", "results_entry_id", "results_interval_id"),
}
STREAMS = tuple(KEYS)


class ChronoTrackSeason(Season):
    provider = "chronotrack"

    def event(self, *, over: bool | None = None, ahead: bool | None = None, racing: bool | None = None) -> str:
        """Return an event long over, ahead, or with results that are still coming in."""
        now = self.now.timestamp()
        for event in self.holds("events"):
            start, end = int(event["event_start_time"]), int(event["event_end_time"])
            if (
                (over and end < now - 31 * 86400)
                or (ahead and start > now + 2 * 86400)
                or (racing and start <= now <= end + 86400)
            ):
                event_id: str = event["event_id"]
                return event_id
        raise AssertionError("no such event in this season")


class ChronoTrackTarget(Target):
    keys = KEYS
