"""The events of the account: read once a run, whoever asks first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tap_shared.clock import from_text
from tap_shared.columns import to_epoch, to_text
from tap_shared.errors import Gone, TapError

from tap_chronotrack.client import NotAllowed, Page, pages

if TYPE_CHECKING:
    from tap_chronotrack.tap import TapChronoTrack

# A row that moves from a page not read yet to one already read is missed: read again, but not for ever.
MOST_READS = 4


@dataclass(frozen=True)
class Event:
    """One event, as far as reading the others needs it."""

    id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @classmethod
    def of(cls, record: Any) -> Event | None:
        """Return the event of a record; None where it has no id. Times that cannot be read are unknown."""
        try:
            event_id = to_text(record["event_id"]).strip()
        except (ValueError, TypeError, KeyError):
            return None
        starts_at, ends_at = _instant(record, "event_start_time"), _instant(record, "event_end_time")
        return cls(event_id, starts_at, ends_at or starts_at) if event_id else None


def _instant(record: dict[str, Any], name: str) -> datetime | None:
    try:
        text = to_epoch(record.get(name) or "")
    except ValueError:
        return None
    return from_text(text) if text else None


@dataclass
class Directory:
    """What the account lists, and what single events answered that it no longer lists."""

    hub: TapChronoTrack
    _listed: dict[str, Event] | None = None
    _failed: bool = False
    # Known before, not listed any more: the record when the event still answers, "gone" or "not allowed" otherwise.
    _asked: dict[str, Any] = field(default_factory=dict)

    def read(self) -> Iterator[Page]:
        """Yield the pages of the list, remembering their events."""
        tap = self.hub

        def fetch(number: int) -> Page:
            return tap.client.page("event", "event", {}, number, tap.page_size, "events")

        listed: dict[str, Event] = {}
        try:
            for page in pages(fetch(1), fetch, tap.ahead):
                for record in page.rows or ():
                    if (event := Event.of(record)) is not None:
                        listed[event.id] = event
                yield page
        except TapError:
            self._failed = True
            raise
        self._listed = (self._listed or {}) | listed

    def events(self) -> list[Event]:
        """Return all events that can be read, those included that only answer by themselves."""
        if self._listed is None:
            if self._failed:
                raise TapError(
                    f"{self.hub.where()}: the list of events could not be read, so nothing below it was: see above"
                )
            for _ in self.read():
                pass
        alone = [Event.of(asked) for asked in self._asked.values()]
        return [*(self._listed or {}).values(), *(event for event in alone if event is not None)]

    def ask(self, event_id: str) -> Any:
        """Return the record of an event that is not listed; "gone" or "not allowed" where there is none."""
        if event_id not in self._asked:
            try:
                data = self.hub.client.get(f"event/{event_id}", {"format": "json"}, stream="events").data
            except Gone:
                self._asked[event_id] = "gone"
            except NotAllowed:
                self._asked[event_id] = "not allowed"
            else:
                record = data.get("event") if isinstance(data, dict) else None
                if isinstance(record, list):
                    record = record[0] if record else None
                # 200 without the event: not there, but not said to be gone either.
                self._asked[event_id] = record if isinstance(record, dict) else "not allowed"
        return self._asked[event_id]
