"""How lists are read: whole, compared with the last read, and not at all once an event is settled."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tap_shared.columns import Record
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_example.client import Page, pages
from tap_example.directory import Event

if TYPE_CHECKING:
    from tap_example.tap import TapExample

Mark = Mapping[str, Any]


class ExampleStream(HubStream):
    """What the streams of this tap have in common."""

    @property
    def tap(self) -> TapExample:
        """Return the tap by its own type."""
        return cast("TapExample", self.hub)

    def read_whole(
        self, read: Callable[[], Iterable[Page]], given: Record, tally: Tally, snapshot: Snapshot, mark: Mark
    ) -> Generator[Record, None, bool]:
        """Yield the changed rows of a list; return whether what was not met may count as removed.

        Rows may move between two pages, and an answer may be empty by accident: only what is missing twice is gone.
        """
        keyless = 0
        for _ in range(2):
            before = tally.keyless_refusals
            snapshot.restart()
            for page in read():
                tally.answered(page.answer)
                yield from self.deliver([(record, given) for record in page.rows], tally, snapshot=snapshot)
            keyless = tally.keyless_refusals - before
            if not snapshot.unseen():
                break
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = keyless <= mark.get("keyless", 0)
        tally.mode = "whole" if complete else "changes"
        tally.at_provider = snapshot.seen + keyless if complete else None
        return complete


class AccountStream(ExampleStream):
    """The list of events."""

    def walk(self) -> Iterator[Record]:
        """Yield changed events."""
        own, tally = self.bookmarks.own, self.tally()
        snapshot = self.snapshot(own.get("snapshot"))
        complete = yield from self.read_whole(self.tap.directory.read, {}, tally, snapshot, own)
        value = self.finish_snapshot(snapshot, tally, whole=complete, confirmed_empty=True)
        self.report(tally)
        self.commit(None, snapshot=value, keyless=tally.keyless or None)


class EventStream(ExampleStream):
    """Rows of one event after the other.

    TODO: where the provider tells what changed since an instant, ask for that, with the overlap its documentation
    asks for, and read whole now and then; tap-runsignup and tap-letsdothis do.
    """

    # What follows /events/{id}/.
    path: ClassVar[str]

    def walk(self) -> Iterator[Record]:
        """Yield changed rows of all events that are due."""
        listed = self.tap.directory.events()
        for event, future in self.hub.ahead.each(self._due(listed.values()), self._first_page):
            yield from self._event(event, future.result())
        for mark in [*self.bookmarks]:
            # ASSUMED: an event that is no longer listed is gone, and what belongs to it. The gate stops a collapse.
            if mark["context"]["event_id"] not in listed and not mark.get("gone"):
                self._end(mark)

    def _due(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events that can have changed; the others are counted as calls saved."""
        saved = 0
        for event in events:
            settled = self.bookmarks.get({"event_id": event.id}).get("settled") and self.hub.is_over(event.ends_at)
            if settled and not self.hub.read_everything:
                saved += 1
            elif self.hub.is_wanted(event.ends_at):
                yield event
        self.skipped(saved)

    def _first_page(self, event: Event) -> Page:
        return self._fetch(event, 1)

    def _fetch(self, event: Event, number: int) -> Page:
        size = self.tap.config["page_size"]
        return self.tap.client.page(f"events/{event.id}/{self.path}", number, size, stream=self.name)

    def _event(self, event: Event, first: Page) -> Iterator[Record]:
        context = {"event_id": event.id}
        mark, tally = self.bookmarks.get(context), self.tally(scope=event.id)
        snapshot = self.snapshot(mark.get("snapshot"))
        at_hand = [first]

        def read() -> Iterable[Page]:
            return pages(partial(self._fetch, event), self.hub.ahead, at_hand.pop() if at_hand else None)

        complete = yield from self.read_whole(read, dict(context), tally, snapshot, mark)
        value = self.finish_snapshot(snapshot, tally, whole=complete, confirmed_empty=True)
        self.report(tally)
        if complete and self.hub.is_over(event.ends_at):
            # What is not read again needs no memory of its rows.
            self.commit(context, settled=True)
        else:
            self.commit(context, snapshot=value, keyless=tally.keyless or None)

    def _end(self, mark: Mark) -> None:
        """Remove the rows of an event that is gone, as far as they are remembered."""
        tally = self.tally(scope=mark["context"]["event_id"])
        tally.at_provider = 0
        self.finish_snapshot(self.snapshot(mark.get("snapshot")), tally, confirmed_empty=True)
        self.report(tally)
        self.commit(mark["context"], gone=True)
