"""What the faults of rows do to Copernico's records."""

from __future__ import annotations

from sandbox.providers.common import Record, Spoil


def _no_day(race: Record) -> None:
    race["date"] = "2026-13-45"


def _born_never(row: Record) -> None:
    row["birthdate"] = "1990-02-31"


def _events_are_a_text(athlete: Record) -> None:
    athlete["events"] = "10K"


def _passed_before_the_gun(row: Record) -> None:
    row["time"] = -4000


def _times_are_a_text(row: Record) -> None:
    row["times"] = "52:10"


def _no_time(row: Record) -> None:
    row["updated_at"] = "soon"


def _total_is_a_text(result: Record) -> None:
    result["total_time"] = "52:10"


SPOILS = {
    "races": Spoil("id", ("date", {"changed": True}), ("status", "postponed"), _no_day),
    "preset": Spoil("id", ("dorsal", {"changed": True}), ("status", "abducted"), _born_never),
    "athletes": Spoil("id", ("name", {"changed": True}), ("gender", "Q"), _events_are_a_text),
    "leaders": Spoil("id", ("time", "fast"), ("category", "?"), _passed_before_the_gun),
    "ranking_files": Spoil("id", ("dorsal", {"changed": True}), ("status", "abducted"), _times_are_a_text),
    "brrm_events": Spoil("event_id", ("distance", "far"), ("event_status", "dreamt"), _no_time),
    "brrm_participants": Spoil("participant_id", ("age", "young"), ("registration_status", "lost"), _born_never),
    "rankings_results": Spoil(
        "participant_id", ("overall_position", "first"), ("status", "abducted"), _total_is_a_text
    ),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _no_time),
}
