"""The events of the account: read once a run, remembered in the state, since what is over leaves the list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone, StreamStopped
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_raceroster.client import NotAllowed, Page, pages
from tap_raceroster.columns import ident, results_code, to_moment

if TYPE_CHECKING:
    from tap_raceroster.tap import TapRaceRoster

# What vanishes from the list shows in a whole read only; changes are read in between.
WHOLE_EVERY = timedelta(days=1)
# A list that moves while it is read is read again, but not for ever.
MOST_READS = 4
# Events have no end (raceroster.md, section 5.2): a day after their last start is assumed.
LENGTH = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One event, as far as reading the others needs it."""

    id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    # By which the results service knows it.
    code: str | None = None

    @classmethod
    def of(cls, record: Any) -> Event | None:
        """Return the event of a record; None where it has no id. Times that cannot be read are unknown."""
        try:
            event_id = ident(record["eventId"])
        except (ValueError, TypeError, KeyError):
            return None
        if not event_id:
            return None
        starts = [_instant(record.get("startDate"))]
        starts += [_instant(one.get("customSubEventDate")) for one in sub_events_of(record) if isinstance(one, dict)]
        known = [start for start in starts if start is not None]
        ends_at = max(known) + LENGTH if known else None
        return cls(event_id, min(known, default=None), ends_at, results_code(record.get("resultsUrl")))


def sub_events_of(record: Any) -> list[Any]:
    """Return the sub-events of an event: in an object under `data`, in a bare array, or none."""
    nested = record.get("subEvents") if isinstance(record, dict) else None
    if isinstance(nested, dict):
        nested = nested.get("data")
    return nested if isinstance(nested, list) else []


def _instant(value: Any) -> datetime | None:
    try:
        text = to_moment(value or "")
    except (ValueError, TypeError):
        return None
    return from_text(text) if text else None


@dataclass
class Directory:
    """What the account lists, what its owner named, and what was listed once."""

    hub: TapRaceRoster
    by_id: dict[str, Event] = field(default_factory=dict)
    # Events that this run found to be gone.
    gone: set[str] = field(default_factory=set)
    # Kept until the sub-events' own turn, so that it is that stream which stops.
    sub_events_error: StreamStopped | None = None
    _read: bool = False
    _failed: bool = False

    @property
    def events(self) -> HubStream:
        """Return the stream of events."""
        return self.hub.streams["events"]  # type: ignore[return-value]

    @property
    def sub_events(self) -> HubStream:
        """Return the stream of sub-events."""
        return self.hub.streams["sub_events"]  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Event]:
        """Yield all events that can be read, in a fixed order."""
        for owner, row in self.walk():
            owner.emit(row)
        if self._failed:
            # Better the events known than none; the run ends with an error either way.
            self.hub.logger.warning(
                "%s: the list of events was not read: going on with the %d known from before",
                self.hub.where(),
                len(self.by_id),
            )
        yield from (self.by_id[event_id] for event_id in sorted(self.by_id))

    def is_gone(self, event_id: str) -> bool:
        """Tell whether an event is gone, by its own address."""
        if event_id not in self.gone and self._ask(event_id, None) == "gone":
            self.gone.add(event_id)
        return event_id in self.gone

    def walk(self) -> Iterator[tuple[HubStream, Record]]:
        """Yield the rows of both streams, unless this run has read them."""
        if self._read:
            return
        # Set at once: after a failure the other streams go on with what the state knows.
        self._read = True
        known = self.events.bookmarks.own.get("known") or {}
        self.by_id = {
            event_id: Event(event_id, from_text(starts) if starts else None, from_text(ends) if ends else None, code)
            for event_id, (starts, ends, code, _) in known.items()
        }
        try:
            yield from self._walk(known)
        except GeneratorExit:
            # Only this reader had enough (`--test` takes one row); the next one needs all.
            self._read = False
            raise
        except BaseException:
            self._failed = True
            raise

    def _walk(self, known: dict[str, list[Any]]) -> Iterator[tuple[HubStream, Record]]:
        hub, events = self.hub, self.events
        own = events.bookmarks.own
        whole_at, since = own.get("whole_at"), own.get("replication_key_value")
        tally = events.tally()
        first: Page | None
        first, params = self._begin(since, whole_at, tally)
        whole = not params
        tally.mode = "whole" if whole else "changes"
        below = self.sub_events.tally(mode=tally.mode)
        snapshot = events.snapshot(own.get("snapshot"))
        settled = {event_id for event_id, (*_, over) in known.items() if over}
        listed: set[str] = set()
        complete = False
        for _ in range(MOST_READS):
            before, full = set(listed), False
            begin, first = first or self._page(params, 0), None
            for page in pages(begin, partial(self._page, params), hub.ahead):
                tally.answered(page.answer)
                full = full or not page.is_last
                yield from self._deliver(page.rows, tally, below, snapshot, listed)
            # One page shows everything at once; of several a second read has to find the same.
            complete = not full or before == listed
            if complete:
                break
        for event_id in self._unlisted(listed, settled, whole):
            record = self._ask(event_id, tally)
            if isinstance(record, dict):
                refused = tally.rejected + below.rejected
                yield from self._deliver([record], tally, below, snapshot, set())
                event = self.by_id.get(event_id)
                if event and hub.is_over(event.ends_at) and tally.rejected + below.rejected == refused:
                    settled.add(event_id)
            elif record == "gone":
                self.gone.add(event_id)
                if self.by_id.pop(event_id, None) is None:
                    hub.logger.warning("%s: there is no event %s: check setting event_ids", hub.where(), event_id)
                self._end(event_id, below)
            else:
                hub.logger.warning("%s: event %s is not shown to this account", hub.where("events"), event_id)
        for event_id in snapshot.unseen():
            if event_id not in self.gone:
                # Past or unpublished events leave the list: that is no removal (raceroster.md, section 4).
                snapshot.keep(event_id)
        tally.at_provider = snapshot.seen + tally.keyless if whole and complete else None
        value = events.finish_snapshot(snapshot, tally, whole=whole and complete, confirmed_empty=True)
        events.report(tally)
        self.sub_events.report(below)
        if self.sub_events_error is None:
            clock = tally.provider_clock
            text = since if clock is None or not complete else as_text(clock - hub.overlap)
            # What was refused is looked at again next time: all else hangs on it.
            refused = tally.rejected + below.rejected > 0
            events.commit(
                None,
                replication_key=events.replication_key,
                replication_key_value=text,
                whole_at=None if refused else text if whole and complete else whole_at,
                snapshot=value,
                known={
                    one.id: [_text(one.starts_at), _text(one.ends_at), one.code, one.id in settled]
                    for one in self.by_id.values()
                },
            )

    def _begin(self, since: str | None, whole_at: str | None, tally: Tally) -> tuple[Page, dict[str, Any]]:
        """Return the first page of what is to be read and what is asked for: changes, or nothing for all of them."""
        hub = self.hub
        if hub.read_everything or not (whole_at and since):
            return self._page({}, 0), {}
        params = {hub.since_parameter: since}
        first = self._page(params, 0)
        # Whether a day has gone by is told by the provider's clock, which comes with an answer: ours may be another.
        if hub.now() - from_text(whole_at) < WHOLE_EVERY:
            return first, params
        tally.answered(first.answer)
        return self._page({}, 0), {}

    def _page(self, params: dict[str, Any], offset: int) -> Page:
        hub = self.hub
        asked = {"sort": "startDate", "order": "asc", **params}
        return hub.client.page("events", asked, offset, hub.page_size, "events")

    def _unlisted(self, listed: set[str], settled: set[str], whole: bool) -> list[str]:
        """Return the events to ask for by themselves: those named and never seen, those that are over, not long ago.

        Between whole reads only such as are new, or have begun and not told yet where their results are.
        """
        hub = self.hub
        found = [event_id for event_id in hub.named_events if event_id not in self.by_id]
        for event in self.by_id.values():
            if event.id in listed or (event.id in settled and not hub.read_everything):
                continue
            awaited = event.code is None and event.starts_at is not None and event.starts_at <= hub.now()
            if whole or (awaited and not hub.is_over(event.ends_at)):
                found.append(event.id)
        return found

    def _ask(self, event_id: str, tally: Tally | None) -> Any:
        """Return the record of an event; "gone" or "not allowed" where there is none to see."""
        if tally is not None:
            tally.calls += 1
        try:
            record = self.hub.client.event(event_id)
        except Gone:
            return "gone"
        except NotAllowed:
            return "not allowed"
        # 200 without the event: unknown, which live answers say in this way too.
        return record if record is not None else "gone"

    def _deliver(
        self, records: list[Any], tally: Tally, below: Tally, snapshot: Snapshot, listed: set[str]
    ) -> Iterator[tuple[HubStream, Record]]:
        """Yield the changed events of an answer with their sub-events, and remember them."""
        for row in self.events.deliver([(record, {}) for record in records], tally, snapshot=snapshot):
            yield self.events, row
        for record in records:
            event = Event.of(record)
            if event is None:
                continue
            listed.add(event.id)
            if not self.hub.is_wanted(event.ends_at):
                continue
            self.by_id[event.id] = event
            context = {"event_id": event.id}
            inside = self.sub_events.snapshot(self.sub_events.bookmarks.get(context).get("snapshot"))
            keyless = below.keyless
            try:
                pairs = [(one, context) for one in sub_events_of(record)]
                for row in self.sub_events.deliver(pairs, below, snapshot=inside):
                    yield self.sub_events, row
            except StreamStopped as error:
                self.sub_events_error = self.sub_events_error or error
                continue
            # A row that lost its key looks like one removed and one rejected, and no sub-events at all are no answer.
            whole = below.keyless == keyless and inside.seen > 0
            self._keep(event.id, below, inside, whole=whole)

    def _keep(self, event_id: str, below: Tally, inside: Snapshot, *, whole: bool = True) -> None:
        below.scope = event_id
        value = self.sub_events.finish_snapshot(inside, below, whole=whole, confirmed_empty=True)
        below.scope = ""
        self.sub_events.commit({"event_id": event_id}, snapshot=value)

    def _end(self, event_id: str, below: Tally) -> None:
        """Remove the sub-events of an event that is gone."""
        mark = self.sub_events.bookmarks.get({"event_id": event_id})
        self._keep(event_id, below, self.sub_events.snapshot(mark.get("snapshot")))


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else as_text(instant)
