"""How ChronoTrack writes: ids, brackets, times, texts and errors."""

from __future__ import annotations

from typing import Any

from sandbox.providers.common import Record
from sandbox.world import BLOCK, Distance

EVENT_BASE, RACE_BASE, ENTRY_BASE, ATHLETE_BASE = 40_000, 90_000, 80_000_000, 7_000_000
BRACKET_BASE, INTERVAL_BASE, WAVE_BASE, CHOICE_BASE, TEAM_BASE = 600_000, 500_000, 300_000, 200_000, 30_000
BRACKETS, INTERVALS = 32, 16

BANDS = ("U20", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
SEXES = ("F", "M", "X")
# Overall, the sexes, then age groups of women and men.
BRACKET_NAMES: tuple[tuple[str, str], ...] = (
    ("Overall", "OPEN"),
    ("Female", "SEX"),
    ("Male", "SEX"),
    ("Non-binary", "SEX"),
    *((f"{sex}{band}", "AGE") for sex in ("F", "M") for band in BANDS),
)

# The status of an entry, by kind of change.
STATUSES = {"cancel": "WD", "refund": "WD", "clear": "WD", "defer": "WD", "transfer": "TRANS", "disqualify": "DQ"}


class ChronoTrackError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        """Take the HTTP status and what the body says."""
        super().__init__(message)
        self.status = status


def error(code: int, message: str) -> Record:
    """Return the body of an error."""
    return {"error": {"code": code, "message": message}}


def event_id(uid: int) -> str:
    """Return an occasion's id."""
    return str(EVENT_BASE + uid)


def race_id(distance: Distance) -> str:
    """Return a race's id."""
    return str(RACE_BASE + distance.uid)


def entry_id(distance: Distance, index: int) -> str:
    """Return an entry's id."""
    return str(ENTRY_BASE + distance.uid * BLOCK + index)


def bracket_id(distance: Distance, bracket: int) -> str:
    """Return a bracket's id."""
    return str(BRACKET_BASE + distance.uid * BRACKETS + bracket)


def interval_id(distance: Distance, interval: int) -> str:
    """Return an interval's id; the last one is the whole course."""
    return str(INTERVAL_BASE + distance.uid * INTERVALS + interval)


def choice_id(distance: Distance) -> str:
    """Return the id of a race's registration option."""
    return str(CHOICE_BASE + distance.uid)


def duration(tenths: int, style: int) -> str:
    """Return a time as HH:MM:SS or H:MM:SS.t."""
    seconds, tenth = divmod(tenths, 10)
    hours, rest = divmod(seconds, 3600)
    if style:
        return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}.{tenth}"


def band_of(age: int | None) -> int:
    """Return the age group's number."""
    return 0 if age is None or age < 20 else min(6, age // 10 - 1)


def text(value: Any) -> str:
    """Return a scalar as ChronoTrack sends all of them."""
    return "" if value is None else str(value)
