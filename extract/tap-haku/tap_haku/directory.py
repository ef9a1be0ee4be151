"""The events of an organisation: read once a run, remembered in the state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone

from tap_haku.client import Page, pages
from tap_haku.columns import ident, span

if TYPE_CHECKING:
    from tap_haku.streams import Events
    from tap_haku.tap import TapHaku

# Only a list of all events shows that one is gone, and that `updated_since` works here is assumed.
WHOLE_EVERY = timedelta(days=1)
# An event that is no longer listed is asked for by itself before it counts as gone.
MOST_ASKED = 50


@dataclass(frozen=True, slots=True)
class Event:
    """What the other streams must know about an event."""

    id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class Directory:
    """The events, from the state and from this run's list."""

    def __init__(self, tap: TapHaku) -> None:
        """Know nothing yet."""
        self._tap = tap
        self._read = False
        self._events: dict[str, Event] = {}

    @property
    def stream(self) -> Events:
        """Return the stream of events."""
        return self._tap.streams["events"]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Event]:
        """Yield the events, those nearest to now first: what is left when the hour's calls are used up matters less."""
        for row in self.walk():
            self.stream.emit(row)
        now = self._tap.now()
        far = timedelta(days=36_500)
        yield from sorted(self._events.values(), key=lambda e: (abs(e.starts_at - now) if e.starts_at else far, e.id))

    def walk(self) -> Iterator[Record]:
        """Yield the changed events, unless this run has."""
        if self._read:
            return
        # Set at once: after a failure the other streams go on with what the state knows.
        self._read = True
        known = self.stream.bookmarks.own.get("known") or {}
        self._events = {key: Event(key, _instant(starts), _instant(ends)) for key, (starts, ends) in known.items()}
        try:
            yield from self._walk()
        except GeneratorExit:
            # Only this reader had enough (`--test` takes one row); the next one needs all.
            self._read = False
            raise

    def fetch(self, number: int, since: datetime | None) -> Page:
        """Return one page of the list."""
        config = self._tap.config
        params: dict[str, Any] = {
            "per_page": config["page_size"],
            "sort_column": "event_date",
            "sort_direction": "desc",
            # Without it events that are over, or switched off, are hidden.
            "show_inactive": "true",
        }
        if config.get("organization_id"):
            params["organization_id"] = config["organization_id"]
        if since is not None:
            params["updated_since"] = self._tap.instant_param(since)
        return self._tap.client.page("events", "events", params, number, "events")

    def _walk(self) -> Iterator[Record]:
        tap, stream = self._tap, self.stream
        own = stream.bookmarks.own
        since, whole_at = _instant(own.get("replication_key_value")), _instant(own.get("whole_at"))
        # Both are the provider's clock: ours may be another.
        whole = tap.read_everything or since is None or whole_at is None or since - whole_at >= WHOLE_EVERY
        since = None if whole else since
        tally = stream.tally(mode="whole" if whole else "changes")
        snapshot = stream.snapshot(own.get("snapshot"))
        for page in pages(self.fetch(1, since), lambda number: self.fetch(number, since), tap.ahead):
            tally.answered(page.answer)
            for record in page.rows:
                self._note(record)
            yield from stream.deliver([(record, {}) for record in page.rows], tally, snapshot=snapshot)
        if whole:
            for event_id in snapshot.unseen()[:MOST_ASKED]:
                tally.calls += 1
                if self._is_gone(event_id):
                    self._events.pop(event_id, None)
                else:
                    snapshot.keep(event_id)
            # Beyond that many nothing counts as gone: that is a list that ended early.
            for event_id in snapshot.unseen():
                if event_id in self._events:
                    snapshot.keep(event_id)
            tally.at_provider = snapshot.seen + tally.keyless
        value = stream.finish_snapshot(snapshot, tally, whole=whole, confirmed_empty=True)
        stream.report(tally)
        clock = tally.provider_clock
        text = own.get("replication_key_value") if clock is None else as_text(clock - tap.overlap)
        stream.commit(
            None,
            replication_key_value=text,
            # An event that was refused is looked at again next time: all else hangs on it.
            whole_at=None if tally.rejected else text if whole else own.get("whole_at"),
            known={e.id: [_text(e.starts_at), _text(e.ends_at)] for e in self._events.values()},
            snapshot=value,
        )

    def _note(self, record: Any) -> None:
        """Remember an event for this run."""
        try:
            event_id = ident(record["id"])
        except (ValueError, TypeError, KeyError):
            return
        if event_id:
            self._events[event_id] = Event(event_id, *span(record, self._tap.zone))

    def _is_gone(self, event_id: str) -> bool:
        # That a single event can be asked for is assumed.
        try:
            self._tap.client.get(f"events/{event_id}", stream="events")
        except Gone:
            return True
        return False


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else as_text(instant)
