"""How Let's Do This writes values: empty texts for null, persons as a list of answers, money in minor units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tap_shared.columns import CONVERTERS, Column, to_array, to_text

FIELDS = "fields"


def ident(value: Any) -> str | None:
    """Return an id as text; a blank one is none."""
    return (value if type(value) is str else to_text(value)).strip() or None


def instant_text(moment: str) -> str:
    """Return an instant of ours (UTC, with its offset) as the provider writes one."""
    whole, _, fraction = moment.partition("+")[0].partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def answer(name: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a converter from a form's `fields` to what was answered to one of them; the first one counts."""

    def find(fields: Any) -> Any:
        for field in to_array(fields):
            if field["id"] == name:
                value = field["value"]
                return None if value is None or value == "" else convert(value)
        return None

    def converted(fields: Any) -> Any:
        try:
            return find(fields)
        except (KeyError, TypeError):
            raise ValueError("expected a list of answers with id and value") from None

    return converted


def all_answers(fields: Any) -> dict[str, Any]:
    """Return the answers by their id, those to the organiser's own questions included."""
    try:
        # The first one counts, as in `answer`.
        return {field["id"]: field["value"] for field in reversed(to_array(fields))}
    except (KeyError, TypeError):
        raise ValueError("expected a list of answers with id and value") from None


def key(name: str, description: str) -> Column:
    """Return the id without which a row is none."""
    return Column(name, "text", description, path="id", required=True, convert=ident)


def text(name: str, path: str, description: str = "", **more: Any) -> Column:
    """Return text as sent."""
    return Column(name, "text", description, path=path, **({"sent": False} | more))


def reference(name: str, path: str, description: str = "", **more: Any) -> Column:
    """Return the id of something else; null where it is blank."""
    return Column(name, "text", description, path=path, convert=ident, **({"sent": False} | more))


def value(name: str, kind: str, path: str, description: str = "", **more: Any) -> Column:
    """Return a number, an instant, an object or an array."""
    return Column(name, kind, description, path=path, **({"sent": False} | more))


def told(name: str, field: str, description: str = "", kind: str = "text", **more: Any) -> Column:
    """Return what somebody answered in the form, under the field's id; blank is null."""
    return Column(name, kind, description, path=FIELDS, convert=answer(field, CONVERTERS[kind]), **more)
