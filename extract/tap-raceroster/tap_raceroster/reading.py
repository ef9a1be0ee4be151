"""How lists of an event are read: whole once a day, in between what changed, until no row can have slipped by."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_raceroster.client import EventUnreadable, Page, pages
from tap_raceroster.directory import MOST_READS, WHOLE_EVERY, Event

if TYPE_CHECKING:
    from tap_raceroster.tap import TapRaceRoster

Mark = dict[str, Any]


@dataclass(slots=True)
class Whole:
    """What reading a list came to, as often as it had to be read."""

    complete: bool = False
    # Rows without a key: any of them may be one that was known under its key before.
    keyless: int = 0
    # As the provider counts, where it does.
    row_count: int | None = None
    clock: datetime | None = None


class RaceRosterStream(HubStream):
    """A stream of this tap."""

    @property
    def tap(self) -> TapRaceRoster:
        """Return the tap by its own type."""
        return cast("TapRaceRoster", self.hub)


class EventStream(RaceRosterStream):
    """Rows of one event after the other."""

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row that names another event than the one asked for."""
        told = record.get("eventId")
        if told and str(told) != row["event_id"]:
            return "event_id", f"of event {told}, asked for {row['event_id']}"
        return None

    def suspects(self, columns: dict[str, list[Any]], records: Sequence[Any]) -> Iterable[int] | None:
        """Do as `check` for all rows of an answer."""
        events = columns["event_id"]
        told = [record.get("eventId") for record in records]
        return [at for at, event in enumerate(told) if event and str(event) != events[at]]

    # --- which events, and how ----------------------------------------------------------------------

    def is_readable(self, event: Event) -> bool:
        """Tell whether there is anything to ask for; override it where an event may have nothing yet."""
        return True

    def plan(self, event: Event, mark: Mark) -> str:
        """Return how to read an event this time, where there is something: whole, changes or skip."""
        raise NotImplementedError

    def due(self) -> Iterator[tuple[Event, Mark, str]]:
        """Yield the events to read; those that cannot have changed are counted as saved."""
        hub, saved = self.tap, 0
        events = {event.id: event for event in hub.directory if hub.is_wanted(event.ends_at)}
        marks = {mark["context"]["event_id"]: mark for mark in self.bookmarks}
        for event_id, mark in marks.items():
            known = event_id in events or event_id in hub.directory.by_id
            if not known and not mark.get("settled") and not mark.get("gone") and hub.directory.is_gone(event_id):
                yield Event(event_id), mark, "gone"
        for event in events.values():
            mark = marks.get(event.id, {})
            how = "whole" if hub.read_everything else self.plan(event, mark)
            if not self.is_readable(event):
                how = "skip"
            if mark.get("settled") and hub.is_over(event.ends_at) and not hub.read_everything:
                how = "skip"
            if how == "skip":
                saved += mark.get("calls", 1)
            else:
                yield event, mark, how
        self.skipped(saved)

    # --- reading ------------------------------------------------------------------------------------

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of the way in which an event is read; None where it has none."""
        raise NotImplementedError

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page | None, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event and remember it; override it."""
        raise NotImplementedError

    def walk(self) -> Iterator[Record]:
        """Yield changed rows of all events that are due."""
        unreadable: list[EventUnreadable] = []
        for (event, mark, how), future in self.hub.ahead.each(self.due(), self.first_page):
            tally = self.tally(scope=event.id, mode="changes" if how == "changes" else "whole")
            snapshot = self.snapshot(mark.get("snapshot"))
            try:
                page = future.result()
                if how == "gone":
                    self.end(event, tally, snapshot)
                else:
                    yield from self.read_event(event, mark, how, page, tally, snapshot)
            except Gone as gone:
                if self.tap.directory.is_gone(event.id):
                    # What this read had written before the event went away is gone as well.
                    snapshot.restart()
                    self.end(event, tally, snapshot)
                else:
                    unreadable.append(EventUnreadable(f"{gone}, although event {event.id} is there: its rows stay"))
            except EventUnreadable as error:
                unreadable.append(error)
        if unreadable:
            # The others were read; now the stream ends as failed.
            for other in unreadable[1:]:
                self.logger.error("STOPPED %s", other)
            raise unreadable[0]

    def read_list(
        self,
        read: Callable[[], Iterable[Page]],
        given: Record,
        tally: Tally,
        snapshot: Snapshot,
        *,
        whole: bool,
        last: bool = False,
    ) -> Generator[Record, None, Whole]:
        """Yield the rows of a list and return what the read came to.

        Pages go by offset, so rows move between them while they are read (raceroster.md, section 4). A count that
        differs between pages, or is higher than the rows met, means that some were missed: the list is read again.
        A count that stays higher than anything met twice holds repeated rows, and is believed no more. In the last
        read of an event a list without rows is asked for twice.
        """
        result = Whole()
        met: set[int] = set()
        for _ in range(MOST_READS):
            keyless, counts, number = tally.keyless_refusals, set(), 0
            snapshot.restart()
            for page in read():
                tally.answered(page.answer)
                yield from self.deliver([(record, given) for record in page.rows], tally, snapshot=snapshot)
                number += 1
                counts.add(page.row_count)
            result.keyless = tally.keyless_refusals - keyless
            found = snapshot.seen + result.keyless
            result.row_count = page.row_count
            result.complete = len(counts) == 1 and (found in met or found >= (result.row_count or 0))
            # Without a count, or with none left, a second read has to agree before anything counts as removed.
            doubtful = found == 0 or (result.row_count is None and number > 1)
            doubted = whole and ((doubtful and bool(snapshot.unseen())) or (found == 0 and last))
            if result.complete and not (doubted and found not in met):
                break
            met.add(found)
        else:
            self.logger.warning(
                "%s: event %s: the list kept moving in %d reads: what was missed is found next time",
                self.hub.where(self.name),
                tally.scope,
                MOST_READS,
            )
        # The first answer's clock counts: what changes while the pages are read is after it.
        result.clock = tally.provider_clock
        return result

    def remember(
        self, event: Event, mark: Mark, tally: Tally, snapshot: Snapshot, read: Whole, *, whole: bool, **more: Any
    ) -> None:
        """Write removals and the read, then put the bookmark after them."""
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        sure = whole and read.complete and read.keyless <= mark.get("keyless", 0)
        tally.mode = "whole" if sure else "changes"
        tally.at_provider = snapshot.seen + read.keyless if sure else None
        # A read that met nothing was made twice.
        value = self.finish_snapshot(snapshot, tally, whole=sure, confirmed_empty=True)
        self.report(tally)
        context = {"event_id": event.id}
        if sure and self.hub.is_over(event.ends_at):
            # It will not be read again, so its rows need not be remembered.
            self.commit(context, settled=True, calls=tally.calls)
            return
        keyless = (read.keyless or None) if whole else mark.get("keyless")
        self.commit(context, snapshot=value, keyless=keyless, calls=tally.calls, **more)

    def end(self, event: Event, tally: Tally, snapshot: Snapshot) -> None:
        """Remove the rows of an event that is gone."""
        tally.at_provider = 0
        value = self.finish_snapshot(snapshot, tally, confirmed_empty=True)
        self.report(tally)
        self.commit({"event_id": event.id}, snapshot=value, gone=True)


class ChangingStream(EventStream):
    """Rows that tell when they were touched: changes at each run, all of them once a day."""

    # What follows /events/{id}/, by profile.
    paths: ClassVar[dict[str, str]]

    def plan(self, event: Event, mark: Mark) -> str:
        """Return whole or changes."""
        since, whole_at = mark.get("replication_key_value"), mark.get("whole_at")
        # A row is never removed (assumed): should one be, a whole read finds it. So does the last one of an event.
        if not since or not whole_at or self.hub.is_over(event.ends_at):
            return "whole"
        return "whole" if self.hub.now() - from_text(whole_at) >= WHOLE_EVERY else "changes"

    def fetch(self, event: Event, since: str | None, offset: int) -> Page:
        """Return one page of an event's rows, of all of them or of those touched since."""
        hub, size = self.tap, self.tap.page_size
        params: dict[str, Any] = {} if since is None else {hub.since_parameter: since}
        path = f"events/{event.id}/{self.paths[hub.profile]}"
        if hub.profile == "observed":
            return hub.client.page(path, params, offset, size, self.name, event.id)
        window = {"page": offset // size + 1, "per_page": size}
        answer = hub.client.listed(path, params | window, self.name, event.id)
        return hub.client.page_of(answer, self.paths[hub.profile], offset, size, self.name)

    def first_page(self, unit: tuple[Event, Mark, str]) -> Page | None:
        """Return the first page of all rows, or of those that changed."""
        event, mark, how = unit
        return None if how == "gone" else self.fetch(event, self._since(mark, how), 0)

    @staticmethod
    def _since(mark: Mark, how: str) -> str | None:
        return mark["replication_key_value"] if how == "changes" else None

    def read_event(
        self, event: Event, mark: Mark, how: str, first: Page | None, tally: Tally, snapshot: Snapshot
    ) -> Iterator[Record]:
        """Yield what changed in one event and remember it."""
        whole, since = how == "whole", self._since(mark, how)
        at_hand = [first]

        def reads() -> Iterable[Page]:
            begin = (at_hand.pop() if at_hand else None) or self.fetch(event, since, 0)
            return pages(begin, lambda offset: self.fetch(event, since, offset), self.hub.ahead)

        given = {"event_id": event.id}
        last = self.hub.is_over(event.ends_at)
        read = yield from self.read_list(reads, given, tally, snapshot, whole=whole, last=last)
        # Without the provider's clock, or where the list kept moving, the old bookmark stays.
        moved = read.clock is not None and read.complete
        value = as_text(read.clock - self.tap.overlap) if read.clock and moved else mark.get("replication_key_value")
        whole_at = as_text(read.clock) if read.clock and moved and whole else mark.get("whole_at")
        self.remember(event, mark, tally, snapshot, read, whole=whole, replication_key_value=value, whole_at=whole_at)
