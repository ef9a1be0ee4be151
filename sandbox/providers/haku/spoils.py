"""What the faults of rows do to Haku's records."""

from __future__ import annotations

from sandbox.providers.common import Record, Spoil


def _ends_before_it_starts(event: Record) -> None:
    event["event_date"], event["event_end_date"] = "2026-09-20 08:00:00", "2026-09-19 08:00:00"


def _never_registered(participant: Record) -> None:
    participant["registered_at"] = "2026-13-45 99:00:00"


def _another_registration(registration: Record) -> None:
    registration["registration_number"] = "R-000000"


SPOILS = {
    "events": Spoil("id", ("event_date", {"at": "dawn"}), ("status", "moonlit"), _ends_before_it_starts),
    "participants": Spoil("registration_number", ("age", "young"), ("gender", "Q"), _never_registered),
    "registrations": Spoil(
        "registration_number", ("updated_at", {"at": "noon"}), ("participant.gender", "Q"), _another_registration
    ),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _never_registered),
}
