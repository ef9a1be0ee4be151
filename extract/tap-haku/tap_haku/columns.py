"""How Haku writes values: times mostly without a zone, money as text, a bib in an array."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

from tap_shared.clock import as_text, from_text, wall_to_utc
from tap_shared.columns import Column, Convert, to_date, to_text, truth

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
flag = truth(("true", "True", 1), ("false", "False", 0))


def ident(value: Any) -> str | None:
    """Return an id as text, whether it came as one or as a number; a blank one is none."""
    return (value if type(value) is str else to_text(value)).strip() or None


def instant_in(value: Any, where: Any = UTC) -> str | None:
    """Return the instant of a time; one without a zone is meant in `where` (UTC: assumed, haku.md 5.4)."""
    if type(value) is not str:
        raise TypeError(f"expected a time, got {type(value).__name__}")
    text = value.strip()
    if not text:
        return None
    time = datetime.fromisoformat(text)
    if time.tzinfo is not None:
        return as_text(time)
    return as_text(wall_to_utc(time, where) if isinstance(where, ZoneInfo) else time.replace(tzinfo=UTC))


def time_of(value: Any, where: Any = UTC) -> str | None:
    """Return the instant of what may be a day or a time; None where it is only a day."""
    if type(value) is str and DAY.fullmatch(value.strip()):
        return None
    return instant_in(value, where)


def in_zone(columns: Sequence[Column], where: ZoneInfo) -> tuple[Column, ...]:
    """Return the columns, with times that carry no zone meant in this one."""
    return tuple(
        replace(column, convert=partial(cast("Any", column.convert), where=where))
        if column.type == "instant" and column.convert is not None
        else column
        for column in columns
    )


def day(value: Any) -> str | None:
    """Return a day, of a time as well."""
    return to_date(value.strip()) if type(value) is str else to_date(value)


# --- columns ----------------------------------------------------------------------------------------


def key(name: str, description: str, **more: Any) -> Column:
    """Return an id without which a row is none."""
    return Column(name, "text", description, required=True, convert=ident, **more)


def of_event() -> Column:
    """Return the event that a row was asked for with."""
    return Column("event_id", "text", "The event it belongs to", given=True, required=True)


def text(name: str, description: str = "", **more: Any) -> Column:
    """Return text as sent, empty where the provider sends it empty."""
    return Column(name, "text", description, **({"sent": False} | more))


def integer(name: str, description: str = "", **more: Any) -> Column:
    """Return a whole number."""
    return Column(name, "integer", description, **({"sent": False} | more))


def boolean(name: str, description: str = "", **more: Any) -> Column:
    """Return a yes or no."""
    return Column(name, "boolean", description, convert=flag, **({"sent": False} | more))


def instant(name: str, description: str = "", convert: Convert = instant_in, **more: Any) -> Column:
    """Return a time as an instant."""
    return Column(name, "instant", description, convert=convert, **({"sent": False} | more))


def date(name: str, description: str = "", **more: Any) -> Column:
    """Return a day."""
    return Column(name, "date", description, convert=day, **({"sent": False} | more))


def array(name: str, description: str = "", **more: Any) -> Column:
    """Return a list as sent."""
    return Column(name, "array", description, **({"sent": False} | more))


# --- what is read outside of columns ------------------------------------------------------------------


def span(record: Mapping[str, Any], where: Any = UTC) -> tuple[datetime | None, datetime | None]:
    """Return when an event starts and ends, as far as reading needs to know.

    A day is taken in any zone: from its first hour anywhere to its last hour anywhere. Without an end, it is over a
    day after its start. What cannot be read is unknown.
    """
    starts, _ = _span(record.get("event_date"), where)
    _, ends = _span(record.get("event_end_date"), where)
    if ends is None or (starts is not None and ends < starts):
        _, ends = _span(record.get("event_date"), where)
    return starts, ends


def _span(value: Any, where: Any) -> tuple[datetime | None, datetime | None]:
    try:
        if type(value) is str and DAY.fullmatch(value.strip()):
            midnight = from_text(value.strip())
            return midnight - timedelta(hours=14), midnight + timedelta(hours=36)
        time = instant_in(value, where)
    except (ValueError, TypeError):
        return None, None
    return (from_text(time), from_text(time) + timedelta(days=1)) if time else (None, None)


def categories_of(record: Any) -> list[dict[str, Any]]:
    """Return the categories of a registration that can be used."""
    found = record.get("event_categories") if isinstance(record, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def active_category(record: Any) -> dict[str, Any]:
    """Return the category that a registration is in: the first active one, else the first.

    A client that was seen takes the first of all. After a switch the old one stays with `is_active` false (assumed),
    and its bib with it. A chip's number is never a bib, though that client takes it for one.
    """
    categories = categories_of(record)
    active = [one for one in categories if one.get("is_active") is not False]
    chosen = next(iter(active or categories), {})
    return {
        "category_id": _plain(chosen.get("id")),
        "category_name": _plain(chosen.get("name")),
        "tag_number": _plain(chosen.get("tag_number")),
        "chip_number": _plain(chosen.get("chip_number")),
        "wave_name": _plain(chosen.get("wave_name")),
        "corral_name": _plain(chosen.get("corral_name")),
        "active_categories": len(active),
    }


def _plain(value: Any) -> str | None:
    """Return a text or number as text, anything else as none: the whole array is kept beside it."""
    return (str(value).strip() or None) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
