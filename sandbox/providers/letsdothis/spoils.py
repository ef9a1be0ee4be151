"""What the faults of rows do to Let's Do This's records."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.providers.common import Record, Spoil


def _impossible_date(row: Record) -> None:
    row["createdAt"] = "2026-13-45T99:00:00.000Z"


def _ends_before_it_starts(occurrence: Record) -> None:
    occurrence["startDate"], occurrence["endDate"] = "2026-07-04T18:00:00.000Z", "2026-07-03T06:00:00.000Z"


def _starts_at_no_time(race: Record) -> None:
    race["startTime"] = "at dawn"


def _occurrences(event: Record) -> Iterable[Record]:
    found: list[Record] = event.get("occurrences", [])
    return found


def _races(event: Record) -> Iterable[Record]:
    return [race for occurrence in _occurrences(event) for race in occurrence.get("races", [])]


SPOILS = {
    "events": Spoil("id", ("createdAt", {"at": "yesterday"}), ("status", "MAYBE"), _impossible_date),
    "occurrences": Spoil(
        "id", ("startDate", "at dawn"), ("timezone", "Mars/Olympus"), _ends_before_it_starts,
        within=("events", _occurrences),
    ),
    "races": Spoil(
        "id", ("startTime", {"at": "dawn"}), ("distance.unit", "furlongs"), _starts_at_no_time,
        within=("events", _races),
    ),
    "participants": Spoil("id", ("createdAt", "yesterday"), ("incrementalStatus", "MAYBE"), _impossible_date),
    "applications": Spoil("id", ("createdAt", "yesterday"), ("approvalStatus", "PERHAPS"), _impossible_date),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _impossible_date),
}  # fmt: skip
