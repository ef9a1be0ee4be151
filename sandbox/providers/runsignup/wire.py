"""How RunSignUp writes: ids, dates, money, times, errors, and the XML for who forgets format=json."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from sandbox.providers.common import Record
from sandbox.world import BLOCK, Distance

EASTERN = ZoneInfo("America/New_York")

RACE_BASE, EVENT_BASE, DAYS_BASE = 50_000, 900_000, 300_000
REGISTRATION_BASE, RESULT_BASE, SET_BASE, SPLIT_BASE = 10_000_000, 2_000_000_000, 400_000, 800_000
USER_BASE, TEAM_BASE = 700_000, 60_000

MESSAGES = {
    1: "Unknown method.",
    2: "HTTP method not supported.",
    3: "Invalid parameters.",
    6: "Key authentication failed.",
    7: "Permission Denied",
    8: "Not implemented.",
    9: "Invalid date.",
    10: "Response format not supported.",
    14: "Request throttled.",
    201: "Race not found.",
    301: "Event not found.",
}

# The reason among removed participants, by kind of change.
REASONS = {
    "cancel": "removed",
    "refund": "removed",
    "clear": "cleared",
    "transfer": "transferred",
    "defer": "deferred",
    "delete": "removed",
}


class RunSignupError(Exception):
    """An error that RunSignUp reports in the body of an HTTP 200."""

    def __init__(self, code: int) -> None:
        """Take one of the documented codes."""
        super().__init__(MESSAGES.get(code, "Unknown error."))
        self.code = code


def error(code: int, message: str | None = None) -> Record:
    """Return the body of an error."""
    return {"error": {"error_code": code, "error_msg": message or MESSAGES.get(code, "Unknown error.")}}


def registration_id(distance: Distance, index: int) -> int:
    """Return a registration's id; ids rise with the index within an event."""
    return REGISTRATION_BASE + distance.uid * BLOCK + index


def result_id(distance: Distance, index: int) -> int:
    """Return the id of an entry's result row."""
    return RESULT_BASE + distance.uid * BLOCK + index


def epoch(query: dict[str, str], name: str) -> int | None:
    """Return an instant from a call's parameters; None where it is not given."""
    given = query.get(name)
    if given is None:
        return None
    if not given.isdigit():
        raise RunSignupError(3)
    return int(given)


def money(cents: int) -> str:
    """Return dollars as RunSignUp writes them."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def wall(at: int, zone: ZoneInfo = EASTERN) -> str:
    """Return M/D/YYYY HH:MM, month and day without zeros."""
    t = datetime.fromtimestamp(at, zone)
    return f"{t.month}/{t.day}/{t.year} {t.hour:02d}:{t.minute:02d}"


def iso(at: int) -> str:
    """Return the other date style, which only removed rows use."""
    return datetime.fromtimestamp(at, EASTERN).strftime("%Y-%m-%d %H:%M:%S")


def padded(day: date) -> str:
    """Return MM/DD/YYYY."""
    return day.strftime("%m/%d/%Y")


def tf(value: bool) -> str:
    """Return T or F."""
    return "T" if value else "F"


def clock(tenths: int, style: int) -> str:
    """Return a race time in one of the three ways timers upload it."""
    seconds, tenth = divmod(tenths, 10)
    hours, rest = divmod(seconds, 3600)
    if style == 2:
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}.{tenth}30"
    text = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"{text}.{tenth}" if style == 1 else text


def number_of(bib: str) -> int | None:
    """Return a bib as the number RunSignUp keeps; it has no place for letters."""
    return int(bib) if bib.isdigit() else None


def merged(record: Record, patch: Record | None) -> Record:
    """Return a record with changed fields, wherever in it they are."""
    for key, value in (patch or {}).items():
        user = record.get("user")
        if isinstance(user, dict) and key in user and key != "address":
            user[key] = value
        elif isinstance(user, dict) and key in user["address"]:
            user["address"][key] = value
        else:
            record[key] = value
    return record


def xml(body: Any, tag: str = "response") -> str:
    """Return the XML form, which callers get who forget format=json."""
    if isinstance(body, dict):
        inner = "".join(xml(value, str(key)) for key, value in body.items())
    elif isinstance(body, list):
        inner = "".join(xml(value, "item") for value in body)
    else:
        inner = "" if body is None else escape(str(body))
    return f"<{tag}>{inner}</{tag}>"
