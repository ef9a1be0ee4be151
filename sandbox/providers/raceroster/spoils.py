"""What the faults of rows do to Race Roster's records."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.providers.common import Record, Spoil


def _closes_before_it_opens(event: Record) -> None:
    event["registrationOpenDate"], event["registrationCloseDate"] = "2026-07-04T18:00:00+00:00", "2026-07-04T06:00:00Z"


def _youngest_is_older(sub_event: Record) -> None:
    sub_event["participantMinAge"], sub_event["participantMaxAge"] = "80", "12"


def _other_event(row: Record) -> None:
    row["eventId"] = "00000000-0000-00"


def _gun_after_the_chip(result: Record) -> None:
    result["gunTimeSec"], result["chipTimeSec"] = 600, 4000


def _sub_events(event: Record) -> Iterable[Record]:
    nested = event.get("subEvents")
    found: list[Record] = (nested.get("data") if isinstance(nested, dict) else nested) or []
    return found


SPOILS = {
    "events": Spoil("eventId", ("startDate", "at dawn"), ("type", "moon_race"), _closes_before_it_opens),
    "sub_events": Spoil(
        "subEventId", ("participantMinAge", "young"), ("distanceType", "parsec"), _youngest_is_older,
        within=("events", _sub_events),
    ),
    "participants": Spoil("participantId", ("lastModifiedDate", "yesterday"), ("registrationStatus", "lost"),
                          _other_event),
    "results": Spoil("id", ("overallPlace", "first"), ("raceStatus", "LOST"), _gun_after_the_chip),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _other_event),
}  # fmt: skip
