"""What the faults of rows do to RunSignUp's records."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.providers.common import Record, Spoil


def _impossible_date(race: Record) -> None:
    race["created"] = "13/45/2025 99:99"


def _ends_before_it_starts(event: Record) -> None:
    event["start_time"], event["end_time"] = "7/4/2026 18:00", "7/4/2026 06:00"


def _other_event(registration: Record) -> None:
    registration["event_id"] += 1


def _never_removed(registration: Record) -> None:
    registration["last_modified_ts"], registration["registration_date"] = "never", "2025-99-99 00:00:00"


def _id_is_a_text(result: Record) -> None:
    result["result_id"] = "not a number"


def _events(race: Record) -> Iterable[Record]:
    found: list[Record] = race.get("events", [])
    return found


SPOILS = {
    "races": Spoil(
        "race_id", ("last_modified", {"at": "yesterday"}), ("is_draft_race", "MAYBE"), _impossible_date
    ),
    "events": Spoil(
        "event_id", ("start_time", "at dawn"), ("event_type", "moon_race"), _ends_before_it_starts,
        within=("races", _events),
    ),
    "participants": Spoil("registration_id", ("last_modified", "yesterday"), ("user.gender", "Q"), _other_event),
    "removed_participants": Spoil(
        "registration_id", ("last_modified_ts", "yesterday"), ("removed_reason", "vanished"), _never_removed
    ),
    "results": Spoil("result_id", ("place", "first"), ("gender", "Q"), _id_is_a_text),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _other_event),
}  # fmt: skip
