"""How RunSignUp writes values: T and F, and times in two ways, meant in two zones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tap_shared import together
from tap_shared.clock import wall_to_utc, zone
from tap_shared.columns import Column, truth

# The vendor: event times are in the race's own zone, every other date-time is US Eastern.
EASTERN_NAME = "America/New_York"
EASTERN = zone(EASTERN_NAME)

AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?")


to_truth = truth(("T",), ("F",))
GENDERS = frozenset({"M", "F", "X"})


def wall(text: Any) -> datetime | None:
    """Return the wall-clock time of either style; blank is null."""
    if text == "":
        return None
    if not isinstance(text, str):
        raise TypeError(f"expected a time, got {type(text).__name__}")
    if found := AMERICAN.fullmatch(text):
        month, day, year, hour, minute, second = found.groups()
    elif found := ISO.fullmatch(text):
        year, month, day, hour, minute, second = found.groups()
    else:
        raise ValueError(f"expected a time as M/D/YYYY HH:MM or YYYY-MM-DD HH:MM:SS, got {text[:40]!r}")
    return datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))  # noqa: DTZ001


def eastern(text: Any) -> str | None:
    """Return the UTC instant of a time in US Eastern."""
    if type(text) is not str:
        raise TypeError(f"expected a time, got {type(text).__name__}")
    return _eastern(text)


def easterns(values: Sequence[Any]) -> Any:
    """Do as `eastern` for many."""
    return together.american(values, EASTERN_NAME)


# Entries come in bursts, and their times in whole minutes.
@lru_cache(maxsize=16_384)
def _eastern(text: str) -> str | None:
    time = wall(text)
    return None if time is None else wall_to_utc(time, EASTERN).isoformat()


def in_race_zone(text: Any, given: Mapping[str, Any]) -> str | None:
    """Return the UTC instant of a time in the race's own zone."""
    time = wall(text)
    if time is None:
        return None
    name = given.get("timezone")
    if not name:
        raise ValueError("the race has no time zone")
    return wall_to_utc(time, zone(name)).isoformat()


def day(text: Any) -> str | None:
    """Return the day of either style as an ISO date."""
    time = wall(text)
    return None if time is None else time.date().isoformat()


def eastern_day(instant: datetime) -> str:
    """Return the day that it is in US Eastern."""
    return instant.astimezone(EASTERN).date().isoformat()


def epoch(instant: datetime) -> int:
    """Return Unix seconds, rounded down: a bookmark may be early and never late."""
    return int(instant.astimezone(UTC).timestamp())


def flag(name: str, description: str = "", *, sent: bool = True) -> Column:
    """Return a column of the provider's T and F."""
    return Column(name, "boolean", description, convert=to_truth, sent=sent)


def eastern_time(name: str, description: str = "") -> Column:
    """Return a column of a time in US Eastern."""
    return Column(name, "instant", description, convert=eastern, many=easterns)
