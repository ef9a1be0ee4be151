"""How Example writes values: what differs from plain JSON is told here, once."""

from __future__ import annotations

from typing import Any

from tap_shared.columns import Column, to_text


def ident(value: Any) -> str | None:
    """Return an id as text; a blank one is none."""
    return to_text(value).strip() or None


def key(name: str, path: str, description: str) -> Column:
    """Return the id without which a row is none."""
    return Column(name, "text", description, path=path, required=True, convert=ident)


def text(name: str, path: str, description: str = "", **more: Any) -> Column:
    """Return text as sent."""
    return Column(name, "text", description, path=path, **({"sent": False} | more))


def value(name: str, kind: str, path: str, description: str = "", **more: Any) -> Column:
    """Return a number, a day, an instant, an object or an array."""
    return Column(name, kind, description, path=path, **({"sent": False} | more))
