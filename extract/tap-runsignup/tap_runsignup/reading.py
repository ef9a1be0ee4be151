"""How registrations are read: several events of a race in one chain of calls, from each event's bookmark on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone, ShapeChanged, StreamStopped
from tap_shared.http import Answer, Known
from tap_shared.snapshot import KnownPage, Snapshot
from tap_shared.stream import HubStream, Pair, Tally

from tap_runsignup.columns import epoch
from tap_runsignup.directory import Event

if TYPE_CHECKING:
    from tap_runsignup.directory import Directory

# Keeps the URL short; no page says how many ids a list may hold.
EVENTS_A_CALL = 50
# How often what was read by its changes is read whole.
WHOLE_EVERY = timedelta(days=1)


class RunSignUpStream(HubStream):
    """What the streams of this tap have in common: the races and events that are there to read."""

    @property
    def directory(self) -> Directory:
        """Return the account's races and events."""
        return self.hub.directory  # type: ignore[attr-defined]

    @property
    def page_size(self) -> int:
        """Return how many rows to ask for at once."""
        return self.hub.config["page_size"]

    @property
    def overlap(self) -> timedelta:
        """Return how far a bookmark stays behind the provider's clock."""
        return timedelta(seconds=self.hub.config["overlap_seconds"])

    def is_settled(self, event: Event, bookmark: Mapping[str, Any]) -> bool:
        """Tell whether the event was read completely after it could no longer change."""
        return bool(bookmark.get("settled")) and self.hub.is_over(event.ends_at) and not self.hub.read_everything


@dataclass
class Group:
    """Events of one race that one chain of calls reads."""

    race_id: int
    events: list[Event]
    # Unix seconds; None reads all.
    since: int | None
    # The pages that the chain was made of when it was last read whole; None where only changes are read.
    known: Known | None = None

    @property
    def ids(self) -> str:
        """Return the ids as the parameter wants them."""
        return ",".join(str(event.event_id) for event in self.events)

    def apart(self) -> list[Group]:
        """Return a group for each event."""
        return [Group(self.race_id, [event], self.since) for event in self.events]


class RegistrationStream(RunSignUpStream):
    """Registrations of several events of a race in one chain of calls, from each event's bookmark on."""

    primary_keys = ("timing_partner_id", "registration_id")
    replication_key = "last_modified"
    # Pages come in order of registration_id, so last_modified jumps about: a bookmark taken half-way
    # would skip entries. It is taken from the provider's clock, at the end.
    is_sorted = False
    endpoint: ClassVar[str] = ""
    flags: ClassVar[dict[str, str]] = {}
    # The events that the answer at hand was asked about.
    _asked: frozenset[int] = frozenset()

    def groups(self) -> Iterator[Group]:
        """Yield what is to be read: of each race the events to read whole, and those to read changes of."""
        saved = 0
        for race_id, events in self.directory:
            by_since: dict[bool, list[tuple[int, Event]]] = {}
            for event in events:
                if not self.hub.is_wanted(event.ends_at):
                    continue
                bookmark = self.bookmarks.get({"event_id": event.event_id})
                if self.is_settled(event, bookmark):
                    saved += 1
                else:
                    since = self.since(event, bookmark)
                    by_since.setdefault(since is None, []).append((since or 0, event))
            for marked in by_since.values():
                marked.sort(key=lambda item: item[1].event_id)
                for start in range(0, len(marked), EVENTS_A_CALL):
                    part = marked[start : start + EVENTS_A_CALL]
                    yield self._known_of(
                        Group(race_id, [event for _, event in part], min(at for at, _ in part) or None)
                    )
        self.skipped(saved)

    def _known_of(self, group: Group) -> Group:
        """Give a group that is read whole the pages that all of its events remember."""
        if group.since is None:
            marks = [self.bookmarks.get({"event_id": event.event_id}) for event in group.events]
            group.known = self.known(f"{group.race_id}/{group.ids}", *(mark.get("snapshot") for mark in marks))
        return group

    def since(self, event: Event, bookmark: Mapping[str, Any]) -> int | None:
        """Return from when on changes are enough; None where a whole read is due."""
        value, whole_at = bookmark.get("replication_key_value"), bookmark.get("whole_at")
        if self.hub.read_everything or not value or not whole_at:
            return None
        # Once a day, and a last time before the event is settled: whatever an increment did not
        # show (an answer that was empty by accident, a row that was taken away without a trace)
        # is found then.
        if self.hub.is_over(event.ends_at) or self.hub.now() - from_text(whole_at) >= WHOLE_EVERY:
            return None
        return epoch(from_text(value))

    def fetch(self, group: Group, after: int | None = None) -> Answer:
        """Call for one page: what has a higher id than the last one of the page before."""
        # By id and not by page number: a registration that is added or removed between two calls
        # would shift all pages after it, and one row would never be seen.
        params: dict[str, Any] = {
            "event_id": group.ids,
            "results_per_page": self.page_size,
            "sort": "registration_id ASC",
            **self.flags,
        }
        if after is not None:
            params["after_registration_id"] = after
        if group.since is not None:
            params["modified_after_timestamp"] = group.since
        path = f"race/{group.race_id}/{self.endpoint}"
        return self.hub.client.get(path, params, stream=self.name, known=group.known)

    def walk(self) -> Iterator[Record]:
        """Yield the registrations of every event that may have changed."""
        for group, first in self.hub.ahead.each(self.groups(), self.fetch):
            yield from self._group(group, first)

    def _group(self, group: Group, first: Future[Answer]) -> Iterator[Record]:
        contexts = {event.event_id: {"event_id": event.event_id} for event in group.events}
        bookmarks = {number: self.bookmarks.get(context) for number, context in contexts.items()}
        memory = ByEvent({number: self.snapshot(found.get("snapshot")) for number, found in bookmarks.items()})
        whole = group.since is None
        tallies = {number: self.tally(str(number), "whole" if whole else "changes") for number in contexts}
        for other in list(tallies.values())[1:]:
            other.saved = 1
        try:
            yield from self._pages(group, first, tallies, memory)
            if whole and memory.is_doubtful():
                # Empty where there was something, or at the very first sight: ask again before believing it.
                yield from self._pages(group, self.hub.ahead.soon(partial(self.fetch, group)), tallies, memory)
        except AskApart:
            for part in map(self._known_of, group.apart()):
                yield from self._group(part, self.hub.ahead.soon(partial(self.fetch, part)))
            return
        except Gone as gone:
            self.logger.warning("%s; left out", gone)
            return
        keyless = sum(tally.keyless for tally in tallies.values())
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = whole and keyless <= sum(found.get("keyless", 0) for found in bookmarks.values())
        for event in group.events:
            number = event.event_id
            tally, snapshot = tallies[number], memory.by_event[number]
            tally.mode = "whole" if complete else "changes"
            tally.at_provider = snapshot.seen + tally.keyless if complete else None
            value = self.finish_snapshot(
                snapshot,
                tally,
                whole=complete,
                confirmed_empty=True,
                elsewhere=partial(self._is_in_another, group, event, memory),
            )
            self.report(tally)
            known = tally.keyless if whole else bookmarks[number].get("keyless")
            self._commit(event, tally, bookmarks[number] | {"keyless": known}, value, whole=complete)

    def _pages(
        self, group: Group, first: Future[Answer], tallies: dict[int, Tally], memory: ByEvent
    ) -> Iterator[Record]:
        tally, *others = tallies.values()
        try:
            answer = first.result()
        except Gone:
            if others:
                # One of several: asked for one by one it shows which.
                raise AskApart from None
            raise
        for other in others:
            other.provider_clock = other.provider_clock or answer.provider_clock
        after = -1
        while True:
            tally.answered(answer)
            pairs: list[Pair] = []
            if known := self._skip_page(answer, tallies, memory):
                number, last = known.rows, known.note
            else:
                pairs = rows_of(answer.read(), self, group)
                number = len(pairs)
                last = max((r["registration_id"] for r, _ in pairs if _has_id(r)), default=after)
            if number > self.page_size and others:
                # A page for each event and not for all together: the highest id of all says nothing then.
                raise AskApart
            coming = None
            if number >= self.page_size:
                if last <= after:
                    raise StreamStopped(
                        f"{self.hub.where(self.name)}: {answer.url}: a full page without a higher "
                        "registration_id than the page before: paging would not end; report it to the provider"
                    )
                after = last
                coming = self.hub.ahead.soon(partial(self.fetch, group, after))
            self._asked = frozenset(tallies)
            if known is None:
                yield from self._deliver_page(answer, pairs, tallies, memory, last)
            if coming is None:
                return
            answer = coming.result()

    def _skip_page(self, answer: Answer, tallies: Mapping[int, Tally], memory: ByEvent) -> KnownPage | None:
        """Do as `skip` for an answer about several events, each of which knows its own rows of it."""
        digest, snapshots = answer.digest, memory.by_event
        if answer.unread is None or digest is None:
            return None
        pages = {number: snapshot.skippable(digest) for number, snapshot in snapshots.items()}
        if None in pages.values():
            return None
        known = KnownPage(0)
        for number, page in pages.items():
            if page is not None:
                snapshots[number].skip(digest)
                tallies[number].received += page.rows
                known.rows, known.note = known.rows + page.rows, page.note
        next(iter(tallies.values())).known_pages += 1
        return known

    def _deliver_page(
        self, answer: Answer, pairs: Sequence[Pair], tallies: Mapping[int, Tally], memory: ByEvent, last: int
    ) -> Iterator[Record]:
        """Do as `deliver_page` for an answer about several events."""
        snapshots = memory.by_event.values()
        for snapshot in snapshots:
            snapshot.begin_page()
        yield from self.deliver(pairs, tallies, snapshot=memory)
        # None of the rows was refused, and none came twice.
        if answer.digest is not None and pairs and sum(one.on_page for one in snapshots) == len(pairs):
            for snapshot in snapshots:
                snapshot.end_page(answer.digest, snapshot.on_page, last)

    def _is_in_another(self, group: Group, event: Event, memory: ByEvent, key: str) -> bool:
        """Tell whether a registration moved to another event of its race: then it is not gone."""
        for other in self.directory.by_race.get(group.race_id, []):
            if other.event_id == event.event_id:
                continue
            if other.event_id not in memory.by_event:
                context = {"event_id": other.event_id}
                memory.others[other.event_id] = memory.others.get(other.event_id) or self.snapshot(
                    self.bookmarks.get(context).get("snapshot")
                )
                if key in memory.others[other.event_id]:
                    return True
            elif key in memory.by_event[other.event_id]:
                return True
        return False

    def _commit(self, event: Event, tally: Tally, bookmark: Mapping[str, Any], snapshot: str, *, whole: bool) -> None:
        clock = tally.provider_clock
        # Without the provider's clock the old bookmark stays: later than it ours might be.
        value = bookmark.get("replication_key_value") if clock is None else as_text(clock - self.overlap)
        whole_at = (None if clock is None else as_text(clock)) if whole else bookmark.get("whole_at")
        # What is not read again needs no memory of its rows: all of them would be megabytes of state.
        settled = whole and self.hub.is_over(event.ends_at)
        self.commit(
            {"event_id": event.event_id},
            replication_key_value=value,
            whole_at=None if settled else whole_at,
            snapshot=None if settled else snapshot,
            keyless=None if settled else bookmark.get("keyless") or None,
            settled=True if settled else None,
        )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row of another event than asked for."""
        own = record.get("event_id")
        if type(own) is int:
            # Rows of several events may hang on any of them; what the row says itself counts.
            row["event_id"] = own
        if row["event_id"] not in self._asked:
            return "event_id", "of another event than asked for"
        return None

    def scope_of(self, record: Record, given: Mapping[str, Any]) -> Any:
        """Return the event that `check` would find."""
        own = record.get("event_id")
        return own if type(own) is int else given["event_id"]

    def suspects(self, columns: dict[str, list[Any]], records: Sequence[Any]) -> Iterable[int]:
        """Do as `check` for all rows of an answer."""
        columns["event_id"] = events = [
            own if type(own := record.get("event_id")) is int else event
            for record, event in zip(records, columns["event_id"], strict=True)
        ]
        return [at for at, event in enumerate(events) if event not in self._asked]


class AskApart(Exception):  # noqa: N818 - what is to be done
    """The events of a group have to be asked for one by one."""


class ByEvent:
    """The snapshots of several events behind the face of one."""

    def __init__(self, by_event: dict[int, Snapshot]) -> None:
        """Hold one snapshot for each event of a group."""
        self.by_event = by_event
        self.others: dict[int, Snapshot] = {}

    def changed(self, key: str, row: Mapping[str, Any], content: bytes) -> bool:
        """Compare with the snapshot of the row's event."""
        return self.by_event[row["event_id"]].changed_content(key, content)

    def part(self, scope: Any) -> Snapshot | None:
        """Return the snapshot of an event."""
        return self.by_event.get(scope)

    def keep(self, key: str) -> None:
        """Keep a rejected row where it was."""
        for snapshot in self.by_event.values():
            snapshot.keep(key)

    def is_doubtful(self) -> bool:
        """Tell whether an event lost all its rows, or none of them has any."""
        lost = any(len(snapshot) and not snapshot.seen for snapshot in self.by_event.values())
        return lost or not any(len(snapshot) or snapshot.seen for snapshot in self.by_event.values())


def _has_id(record: Any) -> bool:
    return isinstance(record, dict) and type(record.get("registration_id")) is int


def rows_of(data: Any, stream: HubStream, group: Group) -> list[Pair]:
    """Return the registrations of an answer, wherever in it they hang.

    Active ones hang beside `event`, whose own list is always empty; removed ones hang under `event`.
    One object may come instead of an array of them. Rows of several events may hang on any element.
    """
    elements = [data] if isinstance(data, dict) else data
    pairs: list[Pair] = []
    usable = isinstance(elements, list)
    for element in elements if usable else ():
        if not isinstance(element, dict) or not ("event" in element or "participants" in element):
            usable = False
            break
        event = element.get("event")
        inside = event if isinstance(event, dict) else {}
        event_id = inside.get("event_id")
        if event_id is None and len(group.events) == 1:
            event_id = group.events[0].event_id
        given = {"race_id": group.race_id, "event_id": event_id}
        for rows in (element.get("participants"), inside.get("participants")):
            if rows is None:
                continue
            if not isinstance(rows, list):
                usable = False
                break
            pairs += [(row, given) for row in rows]
    if not usable:
        raise ShapeChanged(
            f"{stream.hub.where(stream.name)}: the answer about race {group.race_id} holds no lists of "
            "participants: the provider changed its shape; read its release notes and update the tap"
        )
    return pairs
