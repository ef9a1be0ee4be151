"""How Copernico writes values: milliseconds, mojibake, and texts that may be numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tap_shared.columns import Column, to_date, to_instant, to_integer, to_text

# UTF-8 that was taken for Latin-1 or Windows-1252 begins with one of these (copernico.md, section 1).
GARBLED = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)


def repaired(text: str) -> str:
    """Return a text whose UTF-8 was taken for another encoding as it was meant; any other text as it is."""
    if not GARBLED.search(text):
        return text
    for encoding in ("latin-1", "cp1252"):
        try:
            return text.encode(encoding).decode()
        except UnicodeError:
            continue
    return text


def event_key(race_id: str, name: str) -> str:
    """Return what an event is known by: its race and its name, since Copernico has no id of its own for it.

    No slash in it: keys of several parts are joined with slashes.
    """
    return f"{race_id}:{name.replace('%', '%25').replace('/', '%2F')}"


def event_name(race_id: str, event_id: str) -> str:
    """Return the name of an event of a race."""
    return event_id.removeprefix(f"{race_id}:").replace("%2F", "/").replace("%25", "%")


def ident(value: Any) -> str | None:
    """Return an id as text; a blank one is none."""
    return to_text(value).strip() or None


def readable(value: Any) -> str:
    """Return a text, put right where it is garbled; the record beside it stays as sent."""
    return repaired(to_text(value))


def joined(value: Any) -> str | None:
    """Return a chip, or several joined with commas: an array of numbers or texts (copernico.md, section 5)."""
    if isinstance(value, list):
        return ",".join(to_text(one) for one in value) or None
    return to_text(value) or None


def place(value: Any) -> int | None:
    """Return a place; 0 is not ranked."""
    return None if value is None else to_integer(value) or None


def milliseconds(value: Any) -> int | None:
    """Return a time in milliseconds; null, 0 and blank are not seen (copernico.md, section 5).

    Anything but whole numbers is refused: a team that took times for ISO texts lost a day of splits.
    """
    if value is None or value == "":
        return None
    number = to_integer(value)
    if number is not None and number < 0:
        raise ValueError(f"a time before the gun, got {number}")
    return number or None


def inside(record: Any, *path: str) -> Mapping[str, Any]:
    """Return an object inside a record; empty where there is none. Raise TypeError where it is something else."""
    for name in path:
        record = record.get(name)
        if record is None or record == []:
            # Empty containers may come as either kind.
            return {}
        if not isinstance(record, Mapping):
            raise TypeError(f"expected an object, got {type(record).__name__}")
    return record


def key(name: str, description: str, path: str = "") -> Column:
    """Return an id without which a row is none."""
    return Column(name, "text", description, path=path, required=True, convert=ident)


def given(name: str, kind: str = "text", description: str = "") -> Column:
    """Return a column that the stream supplies: it knows it, or works it out of columns named after splits."""
    return Column(name, kind, description, given=True)


def text(name: str, description: str = "", **more: Any) -> Column:
    """Return text, put right where it is garbled."""
    return Column(name, "text", description, **(dict[str, Any]({"sent": False, "convert": readable}) | more))


def reference(name: str, description: str = "", **more: Any) -> Column:
    """Return the id of something else; null where it is blank."""
    return Column(name, "text", description, **(dict[str, Any]({"sent": False, "convert": ident}) | more))


def integer(name: str, description: str = "", **more: Any) -> Column:
    """Return a whole number."""
    return Column(name, "integer", description, **({"sent": False} | more))


def number(name: str, description: str = "", **more: Any) -> Column:
    """Return a number."""
    return Column(name, "number", description, **({"sent": False} | more))


def instant(name: str, description: str = "", **more: Any) -> Column:
    """Return an instant."""
    return Column(name, "instant", description, **(dict[str, Any]({"sent": False, "convert": to_instant}) | more))


def date(name: str, description: str = "", **more: Any) -> Column:
    """Return a day."""
    return Column(name, "date", description, **(dict[str, Any]({"sent": False, "convert": to_date}) | more))
