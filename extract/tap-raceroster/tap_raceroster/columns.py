"""How Race Roster writes values: instants with two kinds of offset, and numbers as texts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tap_shared.clock import as_text
from tap_shared.columns import Column, to_date, to_text

# raceroster.md, section 5.2: +00:00 and -0400 were both seen.
OFFSET_WITHOUT_COLON = re.compile(r"([+-]\d{2})(\d{2})$")
# Section 3.4: events and results have public codes of 16 lower-case letters and digits.
CODE = re.compile(r"[0-9a-z]{16}")
# Section 5.2: https://raceroster.com/events/{year}/{number}/{slug}
EVENT_NUMBER = re.compile(r"/events/\d{4}/(\d+)(?:/|$)")


def ident(value: Any) -> str | None:
    """Return an id as text; a blank one is none."""
    return (value if type(value) is str else to_text(value)).strip() or None


def to_moment(value: Any) -> str | None:
    """Return the instant of an ISO text, its offset with or without a colon; blank is null."""
    if value == "":
        return None
    if type(value) is not str:
        raise TypeError(f"expected a time, got {type(value).__name__}")
    moment = datetime.fromisoformat(OFFSET_WITHOUT_COLON.sub(r"\1:\2", value))
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return as_text(moment)


def day(value: Any) -> str | None:
    """Return a day; blank is null."""
    return None if value == "" else to_date(value)


def event_number(url: Any) -> int | None:
    """Return the number of an event that people see, from its public address."""
    found = EVENT_NUMBER.search(url) if type(url) is str else None
    return int(found[1]) if found else None


def results_code(url: Any) -> str | None:
    """Return the code by which the results service knows an event, from `resultsUrl`.

    assumed: raceroster.md names the code and the field, and not that one is a part of the other.
    """
    parts = urlsplit(url).path.split("/") if type(url) is str else ()
    return next((part for part in reversed(parts) if CODE.fullmatch(part)), None)


def key(name: str, path: str, description: str) -> Column:
    """Return an id without which a row is none; text, since some are, and numbers come as text now and then."""
    return Column(name, "text", description, path=path, required=True, convert=ident)


def reference(name: str, path: str, description: str = "", **more: Any) -> Column:
    """Return the id of something else, as text."""
    return Column(name, "text", description, path=path, convert=ident, **({"sent": False} | more))


def of_event() -> Column:
    """Return the event that a row was asked for with."""
    return Column("event_id", "text", "The event it belongs to", given=True)


def text(name: str, path: str = "", description: str = "", **more: Any) -> Column:
    """Return text as sent."""
    return Column(name, "text", description, path=path or name, **({"sent": False} | more))


def integer(name: str, path: str = "", description: str = "", **more: Any) -> Column:
    """Return a whole number, from a text too."""
    return Column(name, "integer", description, path=path or name, **({"sent": False} | more))


def number(name: str, path: str = "", description: str = "", **more: Any) -> Column:
    """Return a number, from a text too."""
    return Column(name, "number", description, path=path or name, **({"sent": False} | more))


def moment(name: str, path: str = "", description: str = "", **more: Any) -> Column:
    """Return an instant."""
    return Column(name, "instant", description, path=path or name, convert=to_moment, **({"sent": False} | more))


def date(name: str, path: str = "", description: str = "", **more: Any) -> Column:
    """Return a day."""
    return Column(name, "date", description, path=path or name, convert=day, **({"sent": False} | more))


def thing(name: str, path: str = "", description: str = "", kind: str = "object", **more: Any) -> Column:
    """Return an object or array as sent."""
    return Column(name, kind, description, path=path or name, **({"sent": False} | more))
