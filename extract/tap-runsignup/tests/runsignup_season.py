"""RunSignUp's streams, and when somebody is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tap_testing.runs import Target
from tap_testing.season import Record, Season

KEYS = {
    "races": ("race_id",),
    "events": ("event_id",),
    "participants": ("registration_id",),
    "removed_participants": ("registration_id",),
    "results": ("result_id",),
}
STREAMS = tuple(KEYS)


class RunSignUpSeason(Season):
    provider = "runsignup"

    def by_id(self, stream: str, partner: int = 1) -> dict[int, Record]:
        """Return the records that the provider holds, by id."""
        (key,) = KEYS[stream]
        return {record[key]: record for record in self.holds(stream, partner)}


class RunSignUpTarget(Target):
    keys = KEYS

    def by_id(self, stream: str) -> dict[int, Record]:
        """Return the provider's records that are there, by id."""
        rows = self.table(stream)
        if stream == "participants":
            removed = self.table("removed_participants")
            # Who is in the other list is gone, unless touched again after that.
            rows = {
                key: row
                for key, row in rows.items()
                if key not in removed or removed[key]["last_modified"] < row["last_modified"]
            }
        return {int(key): row["record"] for key, row in rows.items()}

    def assert_holds(self, season: Season, partner: int = 1, streams: Sequence[str] = ()) -> None:
        """Compare with what the provider holds; a record may have more fields than the sandbox knows of."""
        for stream in streams or KEYS:
            there, here = cast("RunSignUpSeason", season).by_id(stream, partner), self.by_id(stream)
            assert set(here) == set(there), stream
            for key, record in there.items():
                assert record.items() <= here[key].items(), (stream, key)
