"""How lists are read: whole, compared with the last read, and only where something can have changed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tap_shared.columns import Record
from tap_shared.errors import Gone
from tap_shared.http import Known
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_chronotrack.client import EventUnreadable, Page, pages
from tap_chronotrack.directory import MOST_READS, Event

if TYPE_CHECKING:
    from tap_chronotrack.tap import TapChronoTrack

# Events that vanish from the list are asked for one by one; a list that suddenly ends is not worth a thousand calls.
MOST_ASKED = 50

Mark = dict[str, Any]


@dataclass(slots=True)
class Whole:
    """What a whole read came to."""

    complete: bool = False
    # Rows without a key: any of them may be one that was known under its key before.
    keyless: int = 0
    # As the provider counts, where it does.
    row_count: int | None = None
    first: Page | None = None


class ChronoTrackStream(HubStream):
    """Reads a list until no row can have slipped between its pages."""

    @property
    def tap(self) -> TapChronoTrack:
        """Return the tap by its own type."""
        return cast("TapChronoTrack", self.hub)

    def deliver_rows(self, page: Page, given: Record, tally: Tally, snapshot: Snapshot) -> Iterator[Record]:
        """Yield the changed rows of a page."""
        tally.answered(page.answer)
        if page.rows is None and self.skip(page.answer, tally, snapshot):
            return
        rows = self.rows_of(page) if page.rows is None else page.rows
        yield from self.deliver_page(page.answer, [(record, given) for record in rows], tally, snapshot)

    def rows_of(self, page: Page) -> list[Any]:
        """Return the rows of a page that was left undecoded; override it where such are asked for."""
        raise NotImplementedError

    def read_whole(
        self,
        read: Callable[[], Iterable[Page]],
        given: Record,
        tally: Tally,
        snapshot: Snapshot,
        keyless_before: int = 0,
        *,
        last: bool = False,
    ) -> Generator[Record, None, Whole]:
        """Yield all rows and return what the read came to.

        Rows move between pages while they are read. A count that differs between pages, or is higher
        than the rows met, means that some were missed: the list is read again. A count that stays
        higher than anything met twice holds repeated rows, and is believed no more. In the last read
        of an event a list without rows is asked for twice.
        """
        whole = Whole()
        met: set[int] = set()
        for _ in range(MOST_READS):
            keyless, counts = tally.keyless_refusals, set()
            whole.keyless = number = 0
            snapshot.restart()
            for page in read():
                yield from self.deliver_rows(page, given, tally, snapshot)
                number = page.number
                counts.add(page.row_count)
                # The first answer's headers count: what changes while the pages are read is after it.
                whole.first = whole.first or page
            whole.keyless = tally.keyless_refusals - keyless
            found = snapshot.seen + whole.keyless
            whole.row_count = page.row_count
            tally.at_provider = found
            whole.complete = len(counts) == 1 and (found in met or found >= (whole.row_count or 0))
            # Without a count, or with none left, a second read has to agree before anything counts as removed.
            doubtful = found == 0 or (whole.row_count is None and number > 1)
            # What is empty by accident in the last read would stay so.
            doubted = (doubtful and snapshot.unseen()) or (found == 0 and last)
            if whole.complete and not (doubted and found not in met):
                break
            met.add(found)
        if not whole.complete:
            tally.mode, tally.at_provider = "changes", None
            self.logger.warning(
                "%s: event %s: the list kept moving in %d reads: what was missed or removed is found next time",
                *(self.hub.where(self.name), tally.scope or "-", MOST_READS),
            )
        elif whole.keyless > keyless_before:
            # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
            whole.complete = False
            tally.mode, tally.at_provider = "changes", None
        return whole


class AccountStream(ChronoTrackStream):
    """The list of events."""

    def walk(self) -> Iterator[Record]:
        """Yield changed events."""
        directory = self.tap.directory
        tally = self.tally()
        snapshot = self.snapshot(self.bookmarks.own.get("snapshot"))
        keyless = self.bookmarks.own.get("keyless", 0)
        whole = yield from self.read_whole(directory.read, {}, tally, snapshot, keyless)
        # A missing event may be one that this account lost the right to: its own address tells.
        for number, event_id in enumerate(snapshot.unseen()):
            record = directory.ask(event_id) if number < MOST_ASKED else "not asked"
            tally.calls += number < MOST_ASKED
            if isinstance(record, dict):
                yield from self.deliver([(record, {})], tally, snapshot=snapshot)
            elif record != "gone":
                self.logger.warning(
                    "%s: event %s is no longer listed (%s): its rows stay", self.hub.where(self.name), event_id, record
                )
                snapshot.keep(event_id)
        # What is gone was asked for by its own address, so an empty list is no longer doubtful.
        value = self.finish_snapshot(snapshot, tally, whole=whole.complete, confirmed_empty=True)
        self.report(tally)
        self.commit(None, snapshot=value, keyless=whole.keyless or None)


class EventStream(ChronoTrackStream):
    """Rows of one event after the other, read whole each time: no filter shows changes (chronotrack.md)."""

    # What follows /event/{id}/; the rows are under event_<path>.
    path: ClassVar[str]

    def params(self) -> dict[str, str]:
        """Return what to ask for beside the page."""
        return {}

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row that names another event than the one asked for."""
        told = record.get("event_id")
        if told and str(told) != row["event_id"]:
            return "event_id", f"of event {told}, asked for {row['event_id']}"
        return None

    def suspects(self, columns: dict[str, Any], records: Sequence[Any]) -> Iterable[int] | None:
        """Do as `check` for all rows of an answer."""
        if type(self).check is not EventStream.check:
            return None
        return self.strangers(columns, records)

    @staticmethod
    def strangers(columns: dict[str, Any], records: Sequence[Any]) -> list[int]:
        """Return the places of rows that name another event than the one asked for."""
        events = columns["event_id"]
        told = [record.get("event_id") for record in records]
        if set(events) >= set(told) and len(set(events)) == 1:
            return []
        return [at for at, event in enumerate(told) if event and str(event) != events[at]]

    # --- which events, and how ----------------------------------------------------------------------

    def plan(self, event: Event, mark: Mark) -> str:
        """Return how to read an event this time: whole, or skip."""
        return "whole"

    def due(self) -> Iterator[tuple[Event, Mark, str]]:
        """Yield the events to read; those that cannot have changed are counted as saved."""
        hub, saved = self.tap, 0
        listed = {event.id: event for event in hub.directory.events()}
        events = {event.id: event for event in listed.values() if hub.is_wanted(event.ends_at)}
        marks = {mark["context"]["event_id"]: mark for mark in self.bookmarks}
        unlisted = [
            event_id
            for event_id, mark in marks.items()
            if event_id not in listed and not mark.get("settled") and not mark.get("gone")
        ]
        for event_id in unlisted[:MOST_ASKED]:
            record = hub.directory.ask(event_id)
            event = Event.of(record)
            if record == "gone":
                yield Event(event_id), marks[event_id], "gone"
            elif event is not None and hub.is_wanted(event.ends_at):
                events[event_id] = event
        for event in events.values():
            mark = marks.get(event.id, {})
            how = "whole" if hub.read_everything else self.plan(event, mark)
            if mark.get("settled") and hub.is_over(event.ends_at) and not hub.read_everything:
                how = "skip"
            if how == "skip":
                saved += mark.get("calls", 1)
            else:
                yield event, mark, how
        self.skipped(saved)

    # --- reading ------------------------------------------------------------------------------------

    def rows_of(self, page: Page) -> list[Any]:
        """Return the rows of a page that was left undecoded."""
        return self.tap.client.rows_of(page.answer, f"event_{self.path}", self.name)

    def known_of(self, event: Event, mark: Mark) -> Known:
        """Return the pages that an event's list was made of when it was last read whole."""
        return self.known(event.id, mark.get("snapshot"))

    def fetch(
        self, event: Event, number: int, size: int | None = None, known: Known | None = None, **more: str
    ) -> Page:
        """Return one page of an event's rows."""
        size = size or self.tap.page_size
        asked = self.params() | more
        path = f"event/{event.id}/{self.path}"
        return self.tap.client.page(path, f"event_{self.path}", asked, number, size, self.name, event.id, known)

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of the way in which an event is read."""
        event, mark, how = unit
        return None if how == "gone" else self.fetch(event, 1, known=self.known_of(event, mark))

    def walk(self) -> Iterator[Record]:
        """Yield changed rows of all events that are due."""
        unreadable: list[EventUnreadable] = []
        for (event, mark, how), future in self.hub.ahead.each(self.due(), self.first_page):
            context = {"event_id": event.id}
            tally = self.tally(scope=event.id)
            snapshot = self.snapshot(mark.get("snapshot"))
            try:
                page = future.result()
                if page is None:
                    self.end(context, tally, snapshot)
                else:
                    yield from self.read_event(event, mark, how, page, tally, snapshot)
            except Gone as gone:
                if self.tap.directory.ask(event.id) == "gone":
                    # What this read had written before the event went away is gone as well.
                    snapshot.restart()
                    self.end(context, tally, snapshot)
                else:
                    unreadable.append(EventUnreadable(f"{gone}, although event {event.id} is there: its rows stay"))
            except EventUnreadable as error:
                unreadable.append(error)
        if unreadable:
            # The others were read; now the stream ends as failed.
            for other in unreadable[1:]:
                self.logger.error("STOPPED %s", other)
            raise unreadable[0]

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event and remember it."""
        given = {"event_id": event.id}
        keyless = mark.get("keyless", 0)
        last = self.hub.is_over(event.ends_at)
        # The first read of an event that is over is its last one: there is nothing to compare with, before or after.
        snapshot.only_keys = last and not mark
        whole = yield from self.read_whole(
            self.reads_of(event, mark, first), given, tally, snapshot, keyless, last=last
        )
        self.remember(event, mark, tally, snapshot, whole)

    def reads_of(self, event: Event, mark: Mark, first: Page | None) -> Callable[[], Iterable[Page]]:
        """Return a function that reads all pages; the first time it begins with the page at hand."""
        at_hand = [first] if first is not None else []
        known = self.known_of(event, mark)

        def fetch(number: int) -> Page:
            return self.fetch(event, number, known=known)

        def read() -> Iterable[Page]:
            return pages(at_hand.pop() if at_hand else fetch(1), fetch, self.hub.ahead)

        return read

    def remember(self, event: Event, mark: Mark, tally: Tally, snapshot: Snapshot, whole: Whole) -> None:
        """Write removals and the read, then put the bookmark after them."""
        # A read that met nothing was made twice.
        settled = whole.complete and self.hub.is_over(event.ends_at)
        value = self.finish_snapshot(snapshot, tally, whole=whole.complete, confirmed_empty=True, settled=settled)
        self.report(tally)
        context = {"event_id": event.id}
        if settled:
            # It will not be read again, so its rows need not be remembered.
            self.commit(context, settled=True, calls=tally.calls)
        else:
            self.commit(context, snapshot=value, calls=tally.calls, **self.more_to_remember(mark, whole))

    def more_to_remember(self, mark: Mark, whole: Whole) -> dict[str, Any]:
        """Return what else to remember of a whole read."""
        return {"keyless": whole.keyless or None}

    def end(self, context: dict[str, str], tally: Tally, snapshot: Snapshot) -> None:
        """Remove the rows of an event that is gone."""
        tally.at_provider = 0
        value = self.finish_snapshot(snapshot, tally, confirmed_empty=True)
        self.report(tally)
        self.commit(context, snapshot=value, gone=True)
