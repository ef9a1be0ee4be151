"""Let's Do This's lists: which call gives which records, on which page, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.letsdothis.records import Records
from sandbox.providers.letsdothis.sign_in import SignIn
from sandbox.providers.letsdothis.wire import APPLICATION, PARTICIPANT, LetsDoThisError, event_id, hex_id, race_id
from sandbox.state import State
from sandbox.world import Distance

LARGEST = 500
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A record that can be listed: enough to order, to filter and to make it."""

    id: str
    created: str
    updated: str
    make: Callable[[], Record]
    distance: Distance | None = None


class Lists:
    """Let's Do This's routes."""

    def __init__(self, state: State, sign_in: SignIn, records: Records, quirks: Record) -> None:
        """Answer from this state, in these records."""
        self.state = state
        self.sign_in = sign_in
        self.records = records
        self.quirks = quirks
        # Where a cursor that was given out stood then: what it points at may have moved since, or be gone.
        self._places: dict[tuple[int, str, str], Key] = {}

    def answer(self, call: Call) -> Answer:  # noqa: PLR0911 - one line a route
        """Sign a call in and return its list; raise LetsDoThisError where Let's Do This answers an error."""
        partner = self.sign_in.sign_in(call)
        if call.method != "GET":
            raise LetsDoThisError(404, f"Route {call.method}:/v0/{'/'.join(call.path)} not found")
        match call.path:
            case ("participants",):
                return self._page(call, self.participants(partner, self._own(partner)), "participants")
            case ("applications",):
                return self._page(call, self.applications(partner, self._own(partner)), "applications")
            case ("races", number, "participants"):
                return self._page(call, self.participants(partner, [self._race(partner, number)]), "participants")
            case ("events", number, "applications"):
                distances = self.records.distances(self._event(partner, number))
                return self._page(call, self.applications(partner, distances), "applications")
        if self.quirks["letsdothis_event_calls"]:
            match call.path:
                case ("events",):
                    return self._page(call, self.events(partner), "events")
                case ("events", number):
                    record = self.records.event(partner, self._event(partner, number))
                    return Answer({"data": record}, rows=[record], stream="events")
                case ("races", number):
                    distance = self._race(partner, number)
                    record = self.records.race_record(partner, distance) | self._around(distance)
                    return Answer({"data": record}, rows=[record], stream="races")
                case ("events", number, "tickets"):
                    tickets = [self.records.ticket(d) for d in self.records.distances(self._event(partner, number))]
                    return Answer({"data": tickets}, rows=tickets, stream="tickets")
        raise LetsDoThisError(404, f"Route GET:/v0/{'/'.join(call.path)} not found")

    def _around(self, distance: Distance) -> Record:
        occurrence = self.records.occurrence
        return {
            "eventId": event_id(distance.uid // 4),
            "eventOccurrenceId": occurrence(1 + distance.uid // 4 % 2, distance.uid // 4)["id"],
        }

    # -- whose --------------------------------------------------------------------------------------

    def _own(self, partner: int) -> list[Distance]:
        return [distance for uid in self.records.uids(partner) for distance in self.records.distances(uid)]

    def _event(self, partner: int, number: str) -> int:
        uid = self.records.occasion_uid(number, partner)
        # Another organiser's id is as unknown as any (assumed).
        if uid is None or number != event_id(uid):
            raise LetsDoThisError(404, f"Event {number} not found")
        return uid

    def _race(self, partner: int, number: str) -> Distance:
        distance = self.records.race(number)
        if distance is None or distance.uid // 4 not in self.records.uids(partner) or number != race_id(distance):
            raise LetsDoThisError(404, f"Race {number} not found")
        return distance

    # -- rows ---------------------------------------------------------------------------------------

    def participants(self, partner: int, distances: Iterable[Distance]) -> list[Row]:
        """Return the entrants of races."""
        rows, records = [], self.records
        for distance in distances:
            changes = records.changes(partner, distance)
            for index in records.listed(partner, distance):
                created, updated, _ = records.stamps(changes, distance, index)
                make = partial(records.participant, partner, distance, index)
                rows.append(Row(hex_id(PARTICIPANT, distance, index), created, updated, make, distance))
        return rows

    def applications(self, partner: int, distances: Iterable[Distance]) -> list[Row]:
        """Return the applicants for races."""
        rows, records = [], self.records
        for distance in distances:
            changes = records.changes(partner, distance)
            for index in records.applicants(distance):
                created, updated, _ = records.application_stamps(changes, distance, index)
                make = partial(records.application, partner, distance, index)
                rows.append(Row(hex_id(APPLICATION, distance, index), created, updated, make, distance))
        return rows

    def events(self, partner: int) -> list[Row]:
        """Return the events of an account."""
        rows = []
        for uid in self.records.uids(partner):
            record = self.records.event(partner, uid)
            rows.append(
                Row(record["id"], record["createdAt"], record["updatedAt"], partial(self.records.event, partner, uid))
            )
        return rows

    # -- pages --------------------------------------------------------------------------------------

    def _page(self, call: Call, rows: list[Row], stream: str) -> Answer:
        query = call.query
        size = self._size(query)
        by, falling = self._sort(query)
        rows = [row for row in rows if self._wanted(query, row)]

        def key(row: Row) -> Key:
            return (row.updated if by == "updatedAt" else row.created, row.id)

        rows.sort(key=key, reverse=falling)
        start = self._start(call, rows, key, by, size, falling=falling)
        shown = rows[start : start + size]
        page = self._cursors(rows, start, size)
        for cursor, row in ((page["next"], start + size), (page["prev"], start - size)):
            if cursor and 0 <= row < len(rows):
                self._places[call.partner or 0, by, cursor] = key(rows[row])
        made = [row.make() for row in shown]
        distances = [row.distance for row in shown if row.distance is not None]
        return Answer({"data": made, "page": page}, rows=made, stream=stream, distances=distances)

    def _cursors(self, rows: list[Row], start: int, size: int) -> Record:
        nothing = "" if self.quirks["letsdothis_empty_ends"] else None
        page: Record = {"totalResults": len(rows), "first": None, "last": None, "prev": nothing, "next": nothing}
        if rows:
            page |= {"first": rows[0].id, "last": rows[-1].id}
            if start > 0:
                page["prev"] = rows[max(0, start - size)].id
            if start + size < len(rows):
                page["next"] = rows[start + size].id
            elif self.quirks["letsdothis_cursors_never_end"]:
                page["prev"], page["next"] = rows[min(start, len(rows) - 1)].id, rows[-1].id
        return page

    def _start(
        self, call: Call, rows: list[Row], key: Callable[[Row], Key], by: str, size: int, *, falling: bool
    ) -> int:
        after, before = call.query.get("page[after]"), call.query.get("page[before]")
        cursor = after or before
        if not cursor:
            return 0
        place = self._places.get((call.partner or 0, by, cursor))
        place = place or next((key(row) for row in rows if row.id == cursor), None)
        if place is None:
            raise invalid("page/after must be a cursor")
        at = sum((key(row) > place) if falling else (key(row) < place) for row in rows)
        if not after:
            return max(0, at - size)
        # The vendor's text allows both: `next` is the start of the next page, `after` what comes after.
        standing = at < len(rows) and key(rows[at]) == place
        return at + (self.quirks["letsdothis_exclusive_cursors"] and standing)

    @staticmethod
    def _size(query: dict[str, str]) -> int:
        given = query.get("page[size]", "100")
        if not given.isascii() or not given.isdigit():
            raise invalid("page/size must be integer")
        if not 1 <= int(given) <= LARGEST:
            raise invalid(f"page/size must be {'<= 500' if int(given) else '>= 1'}")
        return int(given)

    @staticmethod
    def _sort(query: dict[str, str]) -> tuple[str, bool]:
        for name in ("updatedAt", "createdAt"):
            given = query.get(f"sort[{name}]")
            if given is not None:
                if given not in ("1", "-1"):
                    raise invalid(f"sort/{name} must be equal to one of the allowed values")
                return name, given == "-1"
        return "createdAt", False

    @staticmethod
    def _wanted(query: dict[str, str], row: Row) -> bool:
        for name, value in (("createdAt", row.created), ("updatedAt", row.updated)):
            after, before = moment(query, name, "after"), moment(query, name, "before")
            # Strictly after: what shares the instant is left out.
            if after is not None and not value > after:
                return False
            if before is not None and not value < before:
                return False
        return True


def moment(query: dict[str, str], name: str, side: str) -> str | None:
    """Return an instant from a call's parameters in the form in which records have theirs."""
    given = query.get(f"{name}[{side}]")
    if given is None:
        return None
    try:
        datetime.strptime(given, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        raise invalid(f'{name}/{side} must match format "date-time"') from None
    return given


def invalid(what: str) -> LetsDoThisError:
    """Return what a parameter meets that is none (assumed: the framework's own form)."""
    return LetsDoThisError(400, f"querystring/{what}", "FST_ERR_VALIDATION")


def cleared(body: Any) -> None:
    """Take every row out of an answer and keep its shape."""
    if isinstance(body, dict) and "data" in body:
        body["data"] = [] if isinstance(body["data"], list) else {}
        if "page" in body:
            body["page"] = {"totalResults": 0, "first": None, "last": None, "prev": None, "next": None}
