"""Copernico's streams, and what only its season can be asked."""

from __future__ import annotations

from typing import Any

from tap_copernico.shapes import athlete_entries
from tap_testing.runs import Target
from tap_testing.season import Record, Season

KEYS = {
    "races": ("race_id",),
    "events": ("event_id",),
    "participants": ("event_id", "participant_id"),
    "results": ("event_id", "participant_id"),
}
STREAMS = tuple(KEYS)


class CopernicoSeason(Season):
    provider = "copernico"

    def holds(self, stream: str, partner: int = 1, **query: Any) -> list[Record]:
        """Return the records that the provider holds, each with the race and event it belongs to beside it."""
        return super().holds(stream, partner, context=1, **query)

    def rows(self, stream: str = "preset", **query: Any) -> dict[str, dict[str, Any]]:
        """Return what the provider holds of each athlete, by event and id."""
        found = {}
        for one in self.holds(stream, **query):
            (record,) = athlete_entries(one["record"])
            found[f"{one['race_id']}:{one['event']}/{record['id']}"] = record
        return found

    def live(self) -> str:
        """Return the race that is on."""
        return next(one["race_id"] for one in self.holds("races") if one["record"]["status"] == "running")

    def finisher(self, event: str = "10K") -> tuple[str, dict[str, Any]]:
        """Return somebody who finished in the race that is on: event_id and the preset's row."""
        race = self.live()
        for one in self.holds("preset"):
            row = one["record"]
            if one["race_id"] == race and row["event"] == event and row["status"] == "finished":
                return f"{race}:{event}", row
        raise AssertionError(event)


class CopernicoTarget(Target):
    keys = KEYS


def expected_results(season: CopernicoSeason) -> set[str]:
    """Return the keys of those who were seen somewhere, or whose status says how it ended."""
    return {
        key
        for key, row in season.rows().items()
        if row["status"] in ("running", "finished", "dnf", "dsq")
        or any(value for name, value in row.items() if name.startswith("times.official"))
    }
