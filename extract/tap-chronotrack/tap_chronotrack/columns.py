"""How ChronoTrack writes values: nearly all of them as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tap_shared import lists, together
from tap_shared.columns import Column, to_date, to_epoch, to_text, truth

# assumed (chronotrack.md: missing values are empty text or null): a time of 0 and a day of zeros are not set either.
NO_TIME = frozenset({"", "0", 0, "0.0", "0.00"})
TEXTS_OF_NO_TIME = tuple(value for value in NO_TIME if isinstance(value, str))
NO_DAY = frozenset({"", "0000-00-00"})

flag = truth(("1", 1, "true"), ("0", 0, "false"))


def ident(value: Any) -> str | None:
    """Return an id as text; a blank one is none."""
    return (value if type(value) is str else to_text(value)).strip() or None


def epoch(value: Any) -> str | None:
    """Return the instant of Unix seconds."""
    return None if value in NO_TIME else to_epoch(value)


def epochs(values: Sequence[Any]) -> Any:
    """Do as `epoch` for many."""
    return together.epochs(values, TEXTS_OF_NO_TIME)


def day(value: Any) -> str | None:
    """Return a day."""
    return None if value in NO_DAY else to_date(value)


def days(values: Sequence[Any]) -> Any:
    """Do as `day` for many."""
    return together.days(values, tuple(NO_DAY))


def key(name: str, description: str) -> Column:
    """Return an id without which a row is none."""
    return Column(name, "text", description, required=True, convert=ident, many=lists.trimmed)


def of_event() -> Column:
    """Return the event that a row was asked for with."""
    return Column("event_id", "text", "The event it belongs to", given=True)


def text(name: str, description: str = "", **more: Any) -> Column:
    """Return text as sent, empty where the provider sends it empty."""
    return Column(name, "text", description, **({"sent": False} | more))


def reference(name: str, description: str = "", **more: Any) -> Column:
    """Return the id of something else; null where it is blank."""
    return Column(name, "text", description, convert=ident, many=lists.trimmed, **({"sent": False} | more))


def integer(name: str, description: str = "", **more: Any) -> Column:
    """Return a whole number."""
    return Column(name, "integer", description, **({"sent": False} | more))


def number(name: str, description: str = "", **more: Any) -> Column:
    """Return a number."""
    return Column(name, "number", description, **({"sent": False} | more))


def boolean(name: str, description: str = "", **more: Any) -> Column:
    """Return "1" or "0" as true or false."""
    return Column(name, "boolean", description, convert=flag, **({"sent": False} | more))


def instant(name: str, description: str = "", **more: Any) -> Column:
    """Return Unix seconds as an instant."""
    return Column(name, "instant", description, convert=epoch, many=epochs, **({"sent": False} | more))


def date(name: str, description: str = "", **more: Any) -> Column:
    """Return a day."""
    return Column(name, "date", description, convert=day, many=days, **({"sent": False} | more))
