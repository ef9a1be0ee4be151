"""The streams: what RunSignUp sends, and how little of it has to be asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Column, Record, to_epoch, truth
from tap_shared.errors import Gone, ShapeChanged, StreamStopped
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot, canonical
from tap_shared.stream import HubStream, Pair, Tally

from tap_runsignup.directory import Event
from tap_runsignup.times import day, eastern, epoch, in_race_zone

if TYPE_CHECKING:
    from tap_runsignup.directory import Directory

# The documented maximum.
PAGE = 2500
# Keeps the URL short; no page says how many ids a list may hold.
EVENTS_A_CALL = 50
# How often what was read by its changes is read whole.
WHOLE_EVERY = timedelta(days=1)
# A list that moves while it is read is read again, but not for ever.
MOST_READS = 3
# Results may be tried out in the morning, and start times are entered by hand.
BEFORE_THE_START = timedelta(hours=12)

to_truth = truth(("T",), ("F",))
GENDERS = frozenset({"M", "F", "X"})


def flag(name: str, description: str = "", *, sent: bool = True) -> Column:
    """Return a column of the provider's T and F."""
    return Column(name, "boolean", description, convert=to_truth, sent=sent)


def eastern_time(name: str, description: str = "") -> Column:
    """Return a column of a time in US Eastern."""
    return Column(name, "instant", description, convert=eastern)


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


class Races(RunSignUpStream):
    """One record for each race, which is RunSignUp's word for the occasion that holds the events."""

    name = "races"
    primary_keys = ("timing_partner_id", "race_id")
    replication_key = "last_modified"
    columns = (
        Column("race_id", "integer", required=True),
        Column("name"),
        Column("timezone", description="IANA zone in which the events' times are meant"),
        Column("url"),
        flag("is_draft_race"),
        flag("is_private_race"),
        Column("city", path="address.city"),
        Column("state", path="address.state"),
        Column("zipcode", path="address.zipcode"),
        Column("country_code", path="address.country_code"),
        eastern_time("created"),
        eastern_time("last_modified"),
    )

    def walk(self) -> Iterator[Record]:
        """Yield the races; their events go to their own stream on the way."""
        for owner, row in self.directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)


class Events(RunSignUpStream):
    """One record for each event, which is RunSignUp's word for a distance that can be entered."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    columns = (
        Column("event_id", "integer", required=True),
        Column("race_id", "integer", "The race that holds it", given=True),
        Column("race_event_days_id", "integer", "Groups the events of one edition"),
        Column("name"),
        Column("details"),
        Column("start_time", "instant", "From the race's own zone", within=in_race_zone),
        Column("end_time", "instant", "From the race's own zone", within=in_race_zone),
        eastern_time("registration_opens"),
        Column("age_calc_base_date", "date", convert=day),
        Column("event_type"),
        Column("distance", description="As sent, such as 5K"),
        flag("volunteer"),
        flag("require_dob"),
        flag("require_phone"),
        Column("giveaway", sent=False),
        Column("timezone", description="The race's zone", given=True),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event that ends before it starts."""
        starts, ends = row["start_time"], row["end_time"]
        # Both are UTC in one format, so their texts compare like the instants.
        if starts is not None and ends is not None and ends < starts:
            return "end_time", "ends before it starts"
        return None

    def walk(self) -> Iterator[Record]:
        """Yield the events, unless the races' stream has passed them on already."""
        for owner, row in self.directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)
        if self.directory.events_error is not None:
            raise self.directory.events_error


@dataclass
class Group:
    """Events of one race that one chain of calls reads."""

    race_id: int
    events: list[Event]
    # Unix seconds; None reads all.
    since: int | None

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
                    yield Group(race_id, [event for _, event in part], min(at for at, _ in part) or None)
        self.skipped(saved)

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
        return self.hub.client.get(f"race/{group.race_id}/{self.endpoint}", params, stream=self.name)

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
            for part in group.apart():
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
            pairs = rows_of(answer.data, self, group)
            if len(pairs) > self.page_size and others:
                # A page for each event and not for all together: the highest id of all says nothing then.
                raise AskApart
            coming = None
            if len(pairs) >= self.page_size:
                last = max((r["registration_id"] for r, _ in pairs if _has_id(r)), default=after)
                if last <= after:
                    raise StreamStopped(
                        f"{self.hub.where(self.name)}: {answer.url}: a full page without a higher "
                        "registration_id than the page before: paging would not end; report it to the provider"
                    )
                after = last
                coming = self.hub.ahead.soon(partial(self.fetch, group, after))
            self._asked = frozenset(tallies)
            yield from self.deliver(pairs, tallies, snapshot=memory)
            if coming is None:
                return
            answer = coming.result()

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


class Participants(RegistrationStream):
    """One record for each active registration; a runner in two events appears twice."""

    name = "participants"
    endpoint = "participants"
    # supports_nb: without it a non-binary runner's gender is null. The transferred ones are left to
    # removed_participants, which says where they went.
    flags: ClassVar = {"supports_nb": "T", "include_profile_image_url": "T", "include_fundraisers": "T"}
    columns = (
        Column("registration_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", "Changes when the runner moves to another event", required=True),
        Column("user_id", "integer", path="user.user_id"),
        Column("first_name", path="user.first_name"),
        Column("middle_name", path="user.middle_name"),
        Column("last_name", path="user.last_name"),
        Column("email", path="user.email"),
        Column("street", path="user.address.street"),
        Column("city", path="user.address.city"),
        Column("state", path="user.address.state"),
        Column("zipcode", path="user.address.zipcode"),
        Column("country_code", path="user.address.country_code"),
        Column("dob", "date", path="user.dob"),
        Column("gender", path="user.gender", known=GENDERS),
        Column("phone", path="user.phone"),
        Column("profile_image_url", path="user.profile_image_url", sent=False),
        Column("bib_num"),
        Column("chip_num"),
        Column("age", "integer", "At registration or at the event's age_calc_base_date"),
        eastern_time("registration_date"),
        Column("last_modified", "instant", convert=to_epoch),
        flag("imported"),
        Column("transaction_id"),
        Column("team_id", "integer"),
        Column("team_name"),
        Column("giveaway", sent=False),
        Column("race_fee", description="Dollar text as sent"),
        Column("processing_fee", description="Dollar text as sent"),
        Column("amount_paid", description="Dollar text as sent"),
        Column("fundraiser_charity_name", sent=False),
    )


class RemovedParticipants(RegistrationStream):
    """One record for each registration that was refunded, transferred, deferred or undone."""

    name = "removed_participants"
    endpoint = "removed-participants"
    flags: ClassVar = {"supports_nb": "T"}
    columns = (
        Column("registration_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", "The event that it was removed from", given=True, required=True),
        Column("first_name", path="user.first_name"),
        Column("last_name", path="user.last_name"),
        Column("email", path="user.email"),
        Column("dob", "date", path="user.dob"),
        Column("gender", path="user.gender", known=GENDERS),
        Column("age", "integer"),
        Column("removed_reason", known=frozenset({"cleared", "removed", "transferred", "deferred"})),
        Column("new_registration_id", "integer", "Its successor after a transfer"),
        eastern_time("registration_date"),
        Column("last_modified", "instant", path="last_modified_ts", convert=to_epoch),
    )


@dataclass
class Whole:
    """What a whole read of an event's results came to."""

    pages: int = 0
    rows: int = 0
    # The total differed between two pages: rows came or went while they were turned.
    moved: bool = False
    sets: dict[str, str] = field(default_factory=dict)
    finishers: int | None = None


class Results(RunSignUpStream):
    """One record for each row of a result set, with the splits of its time."""

    name = "results"
    primary_keys = ("timing_partner_id", "result_id")
    columns = (
        Column("result_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", given=True),
        Column("result_set_id", "integer", given=True),
        Column("result_set_name", given=True),
        Column("is_public", "boolean", given=True),
        Column("is_preliminary", "boolean", given=True),
        Column("registration_id", "integer", sent=False),
        Column("bib"),
        Column("place", "integer", description="Null for who did not finish"),
        Column("first_name"),
        Column("last_name"),
        Column("gender", known=GENDERS, sent=False),
        Column("age", "integer", sent=False),
        Column("city", sent=False),
        Column("state", sent=False),
        Column("country_code", sent=False),
        Column("clock_time", description="As sent: a time, DNF, DNS, DQ or DNQ"),
        Column("chip_time", description="As sent; empty where untimed"),
        Column("pace", sent=False),
        Column("splits", "array", "id, name and time of each split, in the order of the headers", given=True),
    )

    def walk(self) -> Iterator[Record]:
        """Yield the results of every event that has begun and may still change."""
        for event, first in self.hub.ahead.each(self.events(), self.begin):
            try:
                yield from self._event(event, first)
            except Gone as gone:
                self.logger.warning("%s; left out", gone)

    def events(self) -> Iterator[Event]:
        """Yield the events to read."""
        saved = 0
        now = self.hub.now()
        for _, events in self.directory:
            for event in events:
                if not self.hub.is_wanted(event.ends_at):
                    continue
                begun = event.starts_at is None or now >= event.starts_at - BEFORE_THE_START
                if begun and not self.is_settled(event, self.bookmarks.get({"event_id": event.event_id})):
                    yield event
                else:
                    saved += 1
        self.skipped(saved)

    def since(self, event: Event) -> int | None:
        """Return from when on changes are enough; None where only a whole read will do."""
        bookmark = self.bookmarks.get({"event_id": event.event_id})
        if self.hub.read_everything or not bookmark.get("probe") or not bookmark.get("replication_key_value"):
            return None
        if self.hub.is_over(event.ends_at):
            # The last one: afterwards the event is settled.
            return None
        if bookmark.get("rows", 0) < self.page_size:
            # One call either way, and only the whole shows what was deleted.
            return None
        now, whole_at = self.hub.now(), bookmark.get("whole_at")
        # Corrections grow rarer: an hour apart on the day, a tenth of the event's age later.
        age = now - event.ends_at if event.ends_at is not None else timedelta()
        if whole_at is None or now - from_text(whole_at) >= max(timedelta(hours=1), age / 10):
            return None
        return epoch(from_text(bookmark["replication_key_value"]))

    def begin(self, event: Event) -> Answer:
        """Call for the first page of what is needed."""
        return self.fetch(event, self.since(event), 1)

    def fetch(self, event: Event, since: int | None, page: int) -> Answer:
        """Call for one page of all result sets of an event."""
        params: dict[str, Any] = {
            "event_id": event.event_id,
            "page": page,
            "results_per_page": self.page_size,
            # The number of rows that the whole set holds tells a deletion, which no increment shows.
            "include_total_finishers": "T",
            "supports_nb": "T",
        }
        if since is not None:
            params["modified_after_timestamp"] = since
        return self.hub.client.get(f"race/{event.race_id}/results/get-results", params, stream=self.name)

    def _event(self, event: Event, first: Future[Answer]) -> Iterator[Record]:
        context = {"event_id": event.event_id}
        bookmark = self.bookmarks.get(context)
        since = self.since(event)
        tally = self.tally(str(event.event_id), "whole" if since is None else "changes")
        snapshot = self.snapshot(bookmark.get("snapshot"))
        read = Whole()
        yield from self._pages(event, since, first, tally, snapshot, read)
        probe = True
        if since is not None:
            value = self.finish_snapshot(snapshot, tally, whole=False)
            rows = len(self.snapshot(value)) if tally.received else len(snapshot)
            unchanged = read.sets == (bookmark.get("sets") or {})
            if unchanged and read.finishers is not None and rows - read.finishers == bookmark.get("unranked"):
                self.report(tally)
                self._commit(event, tally, dict(bookmark) | {"rows": rows}, snapshot=value)
                return
            # A set was renamed, made official or taken back, or rows are fewer than they should be.
            counted = read.finishers
            tally.mode = "whole"
            before, read = tally.sent, Whole()
            snapshot = self.snapshot(value)
            yield from self._pages(event, None, self._soon(event, 1), tally, snapshot, read)
            found_nothing = tally.sent == before and snapshot.seen == len(snapshot)
            # Where the number of a filtered answer is no total, asking for it saves nothing.
            probe = not (unchanged and found_nothing and counted != read.finishers)
        over = self.hub.is_over(event.ends_at)
        doubtful = (snapshot.unseen() and (read.pages > 1 or snapshot.seen == 0)) or (over and snapshot.seen == 0)
        for _ in range(MOST_READS):
            if not (doubtful or read.moved):
                break
            # Rows may have moved across a page's edge between two calls, and an empty answer may be
            # an accident: only what is missing twice is gone.
            doubtful, read = False, Whole()
            yield from self._pages(event, None, self._soon(event, 1), tally, snapshot, read)
        # Rows that moved about: one that went away in the middle may have been met before that.
        probe = probe and read.rows == snapshot.seen + tally.keyless
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = tally.keyless <= bookmark.get("keyless", 0) and not read.moved
        value = self.finish_snapshot(snapshot, tally, whole=complete, confirmed_empty=True)
        tally.mode = "whole" if complete else "changes"
        tally.at_provider = snapshot.seen + tally.keyless if complete else None
        self.report(tally)
        clock = tally.provider_clock
        self._commit(
            event,
            tally,
            {
                "rows": snapshot.seen,
                "sets": read.sets,
                "unranked": None if read.finishers is None else snapshot.seen - read.finishers,
                "whole_at": None if clock is None else as_text(clock),
                # Without a count a changed row says nothing about deleted ones.
                "probe": True if complete and probe and read.finishers is not None and clock is not None else None,
                "keyless": tally.keyless or None,
                "settled": True if over and complete else None,
            },
            snapshot=value,
        )

    def _commit(self, event: Event, tally: Tally, fields: dict[str, Any], *, snapshot: str) -> None:
        clock = tally.provider_clock
        fields.pop("context", None)
        fields |= {"replication_key_value": None if clock is None else as_text(clock - self.overlap)}
        if fields.get("settled"):
            # What is not read again needs no memory of its rows: all of them would be megabytes of state.
            fields = {"settled": True, "replication_key_value": fields["replication_key_value"]}
        else:
            fields["snapshot"] = snapshot
        self.commit({"event_id": event.event_id}, **fields)

    def _soon(self, event: Event, page: int) -> Future[Answer]:
        return self.hub.ahead.soon(partial(self.fetch, event, None, page))

    def _pages(
        self,
        event: Event,
        since: int | None,
        first: Future[Answer],
        tally: Tally,
        snapshot: Snapshot,
        read: Whole,
    ) -> Iterator[Record]:
        answer = first.result()
        while True:
            tally.answered(answer)
            read.pages += 1
            sets = self._sets(answer.data, event)
            pairs: list[Pair] = []
            finishers = 0
            counted = bool(sets)
            for result_set in sets:
                pairs += self._rows(result_set, event)
                read.sets[str(result_set.get("individual_result_set_id"))] = _face(result_set)
                number = result_set.get("num_finishers")
                counted = counted and type(number) is int
                finishers += number if type(number) is int else 0
            read.rows += len(pairs)
            if read.pages == 1:
                read.finishers = finishers if counted else None
            elif counted and finishers != read.finishers:
                read.moved = True
            coming = None
            # Whether a page is counted over all sets or for each, it is the last one when it is not full.
            if len(pairs) >= self.page_size:
                coming = self.hub.ahead.soon(partial(self.fetch, event, since, read.pages + 1))
            yield from self.deliver(pairs, tally, snapshot=snapshot)
            if coming is None:
                return
            answer = coming.result()

    def _sets(self, data: Any, event: Event) -> list[dict[str, Any]]:
        sets = data.get("individual_results_sets") if isinstance(data, dict) else None
        if sets is None and isinstance(data, dict) and not data:
            sets = []
        if not isinstance(sets, list) or not all(isinstance(item, dict) for item in sets):
            raise ShapeChanged(
                f"{self.hub.where(self.name)}: the answer about event {event.event_id} holds no list of "
                "result sets: the provider changed its shape; read its release notes and update the tap"
            )
        return sets

    def _rows(self, result_set: dict[str, Any], event: Event) -> list[Pair]:
        rows = result_set.get("results")
        if rows is None:
            return []
        headers = result_set.get("results_headers")
        if not isinstance(rows, list) or not isinstance(headers, (dict, list, type(None))):
            raise ShapeChanged(
                f"{self.hub.where(self.name)}: a result set of event {event.event_id} holds no list of "
                "results: the provider changed its shape; read its release notes and update the tap"
            )
        given = {
            "race_id": event.race_id,
            "event_id": event.event_id,
            "result_set_id": result_set.get("individual_result_set_id"),
            "result_set_name": result_set.get("individual_result_set_name"),
            "is_public": _flag(result_set.get("public_results")),
            "is_preliminary": _flag(result_set.get("preliminary_results")),
        }
        splits = split_labels(headers if isinstance(headers, dict) else {})
        return [(row, given | {"splits": _splits(row, splits)}) for row in rows]


SPLIT = re.compile(r"split-(\d+)")


def split_labels(headers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, id, label) of each split: ids differ between sets of the same course, labels do not."""
    found = ((key, SPLIT.fullmatch(key), label) for key, label in headers.items())
    return [(key, match[1], str(label)) for key, match, label in found if match]


def _splits(row: Any, splits: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    if not isinstance(row, dict):
        return []
    return [{"id": number, "name": label, "time": row.get(key) or None} for key, number, label in splits]


def _flag(value: Any) -> bool | None:
    return {"T": True, "F": False}.get(value) if isinstance(value, str) else None


def _face(result_set: Mapping[str, Any]) -> str:
    """Return what every row of a set takes from it, so that a change of it is noticed."""
    parts = (result_set.get(name) for name in ("individual_result_set_name", "public_results", "preliminary_results"))
    headers = result_set.get("results_headers")
    labels = split_labels(headers) if isinstance(headers, dict) else []
    return hashlib.blake2b(canonical([*parts, labels]), digest_size=6).hexdigest()
