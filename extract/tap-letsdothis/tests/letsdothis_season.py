"""Let's Do This's streams, and how their records are told apart."""

from __future__ import annotations

from collections.abc import Sequence

from tap_testing.runs import Target
from tap_testing.season import Season

KEYS = {
    "events": ("event_id",),
    "occurrences": ("occurrence_id",),
    "races": ("race_id",),
    "participants": ("participant_id",),
    "applications": ("application_id",),
}
STREAMS = tuple(KEYS)
# Occurrences of the tiny season: four weeks ago, and in December with a ballot.
PAST, AHEAD = "4410012012", "4410012014"


class LetsDoThisSeason(Season):
    provider = "letsdothis"


class LetsDoThisTarget(Target):
    keys = KEYS

    def assert_holds(self, season: Season, partner: int = 1, streams: Sequence[str] = ()) -> None:
        """Compare with what the provider holds; whatever a row calls its key, in the record it is always `id`."""
        super().assert_holds(season, partner, streams)
        for stream in streams or KEYS:
            assert all(row["record"]["id"] == key for key, row in self.table(stream).items()), stream
