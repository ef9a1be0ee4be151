"""The events of the account: read once a run, whoever asks first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tap_shared.clock import from_text
from tap_shared.columns import to_instant
from tap_shared.errors import TapError

from tap_example.client import Page, pages
from tap_example.columns import ident

if TYPE_CHECKING:
    from tap_example.tap import TapExample


@dataclass(frozen=True)
class Event:
    """One event, as far as reading the others needs it."""

    id: str
    ends_at: datetime | None = None

    @classmethod
    def of(cls, record: Any) -> Event | None:
        """Return the event of a record; None where it has no id. A time that cannot be read is unknown."""
        try:
            event_id = ident(record["id"])
        except (KeyError, TypeError, ValueError):
            return None
        try:
            ends_at = to_instant(record.get("ends_at") or record.get("starts_at") or "")
        except (TypeError, ValueError):
            ends_at = None
        return cls(event_id, from_text(ends_at) if ends_at else None) if event_id else None


class Directory:
    """What the account lists."""

    def __init__(self, tap: TapExample) -> None:
        """Nothing is read yet."""
        self._tap = tap
        self._events: dict[str, Event] | None = None
        self._failed = False

    def read(self) -> Iterator[Page]:
        """Yield the pages of the list, remembering their events."""
        tap = self._tap
        found: dict[str, Event] = {}
        try:
            for page in pages(
                lambda number: tap.client.page("events", number, tap.config["page_size"], stream="events"), tap.ahead
            ):
                found |= {event.id: event for record in page.rows if (event := Event.of(record)) is not None}
                yield page
        except TapError:
            self._failed = True
            raise
        # A row that moved between two pages was met in one of the reads.
        self._events = (self._events or {}) | found

    def events(self) -> dict[str, Event]:
        """Return the events by their ids."""
        if self._events is None:
            if self._failed:
                raise TapError(
                    f"{self._tap.where()}: the list of events could not be read, so nothing below it was: see above"
                )
            for _ in self.read():
                pass
        return self._events or {}
