"""Time: one clock, and the conversions from what providers send to UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


def utc_now() -> datetime:
    """Return the time; the only place where a tap looks at the machine's clock."""
    return datetime.now(UTC)


def as_text(instant: datetime) -> str:
    """Return an aware instant as it leaves a tap: UTC with its offset written out."""
    return instant.astimezone(UTC).isoformat()


def from_text(text: str) -> datetime:
    """Return the instant of an ISO text; one without an offset is UTC."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


# The answers of one second carry the same.
@lru_cache(maxsize=64)
def http_date(text: str | None) -> datetime | None:
    """Return the instant of an HTTP date header, or None when there is none to read."""
    if not text:
        return None
    try:
        instant = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the IANA zone, or raise ValueError naming it."""
    try:
        return ZoneInfo(name)
    except Exception:
        raise ValueError(f"unknown time zone {name[:60]!r}") from None


def wall_to_utc(wall: datetime, where: ZoneInfo) -> datetime:
    """Return the instant of a wall-clock time.

    An hour that happens twice (clocks go back) means the first of the two. An hour that never
    happens (clocks go forward) is read as if the clock had not been changed yet, so 02:30 becomes
    03:30. Both keep order and are the same on every machine.
    """
    return wall.replace(tzinfo=where, fold=0).astimezone(UTC)


def iso_date(value: object) -> str:
    """Return a `YYYY-MM-DD` day as such, or raise what says why not."""
    if not isinstance(value, str):
        raise TypeError(f"expected a date, got {type(value).__name__}")
    return date.fromisoformat(value.strip()[:10]).isoformat()
