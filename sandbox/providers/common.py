"""What a provider's part and the server exchange: a call, an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]


@dataclass(slots=True)
class Call:
    """One HTTP request, signed in or not."""

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    partner: int | None = None
    slash: bool = False

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes-or-no parameter in any of the ways clients write it."""
        given = self.query.get(name)
        return default if given is None else given.lower() in ("t", "true", "1", "yes", "y")

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """Return a whole number from 1 on; the default where it is missing or nonsense."""
        given = self.query.get(name, "")
        value = int(given) if given.isascii() and given.isdigit() and int(given) > 0 else default
        return value if most is None else min(value, most)


@dataclass(slots=True)
class Answer:
    """What goes back: a JSON-able body, and the rows inside it for a fault to spoil."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    rows: list[Record] = field(default_factory=list)
    stream: str = ""
    distances: list[Any] = field(default_factory=list)
    raw: bytes | None = None
    content_type: str = ""
