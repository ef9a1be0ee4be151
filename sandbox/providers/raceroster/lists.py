"""Race Roster's routes: which call gives which records, on which page, in which envelope (section 3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.raceroster.records import Records
from sandbox.providers.raceroster.results import Results
from sandbox.providers.raceroster.sign_in import SignIn
from sandbox.providers.raceroster.wire import (
    RESULT_EVENT_BASE,
    RESULT_SUB_EVENT_BASE,
    RaceRosterError,
    number_of_code,
    public_code,
)
from sandbox.state import State
from sandbox.world import Distance

# Defaults and caps of pages are assumed (section 3.1, 3.3).
PAGE, MOST = 50, 100
RESULT_LIMITS = (50, 100, 250, 500, 1000)


class Lists:
    """Race Roster's routes: the API under `v1`, sign-in under `oauth`, the results service under `v2`."""

    def __init__(self, state: State, sign_in: SignIn, records: Records, results: Results, quirks: Record) -> None:
        """Answer from this state, in these records, with these surprises."""
        self.state = state
        self.sign_in = sign_in
        self.records = records
        self.results = results
        self.quirks = quirks

    def answer(self, call: Call) -> Answer:  # noqa: PLR0911
        """Return a token, a list or a record; raise RaceRosterError where Race Roster answers an error."""
        if call.path in (("oauth", "authorize"), ("v1", "oauth", "token")):
            if call.method != "POST":
                raise RaceRosterError(405, "Method not allowed")
            return self.sign_in.authorize(call)
        if call.method != "GET":
            raise RaceRosterError(405, "Method not allowed")
        if call.path[:2] == ("v2", "api"):
            return self._public(call)
        self.sign_in.sign_in(call)
        if call.path == ("v1", "auth", "validate"):
            return Answer({"data": {"valid": True}})
        if call.path[:2] == ("v1", "events"):
            match call.path[2:]:
                case ():
                    return self._events(call)
                case (_,):
                    return self._event(call)
                case (_, "participants"):
                    return self._participants(call)
                case (_, "registrations"):
                    return self._registrations(call)
                case (_, "results"):
                    return self._account_results(call)
        raise RaceRosterError(404, "Not found")

    # -- what calls ask for -------------------------------------------------------------------------

    @staticmethod
    def _window(call: Call) -> tuple[int, int]:
        offset = call.query.get("offset", "0")
        start = int(offset) if offset.isascii() and offset.isdigit() else 0
        return start, start + call.number("limit", PAGE, MOST)

    @staticmethod
    def _instant(call: Call, *names: str) -> int | None:
        given = next((call.query[name] for name in names if call.query.get(name)), None)
        if given is None:
            return None
        try:
            # A bare plus arrives as a space, which is no instant (section 7, 10).
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise RaceRosterError(400, f"{names[0]} is not a date") from None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())

    def _since(self, call: Call) -> int | None:
        return self._instant(call, "lastModifiedDate", "updated_since")

    def _uid(self, call: Call) -> int:
        uid = self.records.occasion_uid(call.written[2])
        if uid is None:
            raise RaceRosterError(404, "Event not found")
        if not self.state.season.serves(call.partner or 0, uid):
            raise RaceRosterError(403, "This event belongs to somebody else")
        return uid

    # -- events -------------------------------------------------------------------------------------

    def _events(self, call: Call) -> Answer:
        partner = call.partner or 0
        uids = self.records.event_uids(partner)
        if "eventId" in call.query:
            # That ids asked for are answered whatever their day is assumed.
            asked = {self.records.occasion_uid(one) for one in call.query["eventId"].split(",")}
            uids = [uid for uid in uids if uid in asked]
        elif not self.quirks["raceroster_past_listed"]:
            uids = [uid for uid in uids if self.records.is_ahead(partner, uid)]
        since = self._since(call)
        first, last = self._instant(call, "eventDateFrom"), self._instant(call, "eventDateTo")
        starts = {uid: self.state.season.occasion(uid).start for uid in uids}
        uids = [
            uid
            for uid in uids
            if (since is None or self.records.event_modified_at(partner, uid) >= since)
            and (first is None or starts[uid] >= first)
            and (last is None or starts[uid] <= last)
        ]
        key: Callable[[int], int] = starts.__getitem__
        if call.query.get("sort") == "lastModifiedDate":
            key = lambda uid: self.records.event_modified_at(partner, uid)  # noqa: E731
        uids.sort(key=lambda uid: (key(uid), uid), reverse=call.query.get("order", "asc").lower() == "desc")
        start, stop = self._window(call)
        rows = [self.records.event(partner, uid) for uid in uids[start:stop]]
        return Answer({"data": rows}, rows=rows, stream="events")

    def _event(self, call: Call) -> Answer:
        try:
            row = self.records.event(call.partner or 0, self._uid(call))
        except RaceRosterError as error:
            if error.status == 404 and self.quirks["raceroster_unknown_event_empty"]:
                return Answer({"data": []})
            raise
        return Answer({"data": [row] if self.quirks["raceroster_event_in_array"] else row}, rows=[row], stream="events")

    # -- participants -------------------------------------------------------------------------------

    def _found(self, call: Call) -> list[tuple[Distance, int]]:
        partner, uid, since = call.partner or 0, self._uid(call), self._since(call)
        # No order is promised (section 4): newest first, so that a new entry shifts the pages.
        found = list(self.records.listed(partner, uid, newest_first=call.query.get("sort") != "participantId"))
        if since is not None:
            found = [
                (distance, index)
                for distance, index in found
                if self.records.modified_at(self.records.changes(partner, distance), distance, index) >= since
            ]
        sub_event = call.query.get("subEventId")
        if sub_event is not None:
            found = [
                at for at in found if str(self.records.participant(partner, *at)["subEventId"]) in sub_event.split(",")
            ]
        return found

    def _participants(self, call: Call) -> Answer:
        found = self._found(call)
        start, stop = self._window(call)
        rows = [self.records.participant(call.partner or 0, *at) for at in found[start:stop]]
        return Answer({"data": rows, "metadata": {"totalResults": len(found)}}, rows=rows, stream="participants")

    def _registrations(self, call: Call) -> Answer:
        """Answer as the project's older adapter asks (section 3.3): pages by number, another envelope."""
        found, size = self._found(call), call.number("per_page", PAGE, MOST)
        start = (call.number("page", 1) - 1) * size
        rows = [self.records.participant(call.partner or 0, *at) for at in found[start : start + size]]
        return Answer({"registrations": rows, "total": len(found)}, rows=rows, stream="participants")

    # -- results of the account ---------------------------------------------------------------------

    def _account_results(self, call: Call) -> Answer:
        partner, uid = call.partner or 0, self._uid(call)
        asked = call.query.get("resultsRaceId")
        rows = [
            row
            for distance in self.records.distances(uid)
            if asked in (None, str(RESULT_SUB_EVENT_BASE + distance.uid))
            for row in self.results.rows(partner, distance).values()
        ]
        size = call.number("perPage", PAGE, MOST)
        start = (call.number("page", 1) - 1) * size
        rows = [dict(row) for row in rows[start : start + size]]
        return Answer({"data": rows}, rows=rows, stream="results")

    # -- the public results service -----------------------------------------------------------------

    def _owner(self, uid: int | None) -> tuple[int, int]:
        """Return whose event it is, and the event; results are public, so nobody signs in."""
        if uid is None or not self.records.is_known(uid):
            raise RaceRosterError(404, "Not found")
        return self.state.season.occasion(uid).partners[0], uid

    def _numbered(self, text: str, base: int) -> int | None:
        return int(text) - base if text.isascii() and text.isdigit() and int(text) >= base else None

    def _public(self, call: Call) -> Answer:
        match call.path[2:]:
            case ("events", code):
                return self._public_event(*self._owner(number_of_code(code)))
            case ("events", code, "sub-events", number):
                partner, uid = self._owner(number_of_code(code))
                return self._public_sub_event(partner, self._public_distance(uid, number))
            case ("events", code, "participant-search"):
                return self._search(call, *self._owner(number_of_code(code)))
            case ("result-events", number, "sub-events", sub_event, "results"):
                partner, uid = self._owner(self._numbered(number, RESULT_EVENT_BASE))
                return self._public_results(call, partner, self._public_distance(uid, sub_event))
            case ("results", code) | ("events", _, "detail", code):
                return self._detail(code)
        raise RaceRosterError(404, "Not found")

    def _public_distance(self, uid: int, number: str) -> Distance:
        for distance in self.records.distances(uid):
            if number == str(RESULT_SUB_EVENT_BASE + distance.uid):
                return distance
        raise RaceRosterError(404, "Not found")

    def _public_event(self, partner: int, uid: int) -> Answer:
        event = self.records.event(partner, uid)
        listed = [
            {
                "resultSubEventId": RESULT_SUB_EVENT_BASE + distance.uid,
                "name": self.records.sub_event(partner, distance)["name"],
                "hasResults": self.results.has_results(partner, distance),
                "isPublic": True,
            }
            for distance in self.records.distances(uid)
        ]
        about = {"name": event["name"], "resultEventId": RESULT_EVENT_BASE + uid, "uniqueCode": public_code(uid)}
        return Answer({"data": {"event": about, "subEvents": listed}})

    def _public_sub_event(self, partner: int, distance: Distance) -> Answer:
        about = {
            "id": RESULT_SUB_EVENT_BASE + distance.uid,
            "name": self.records.sub_event(partner, distance)["name"],
            "distance": f"{distance.course.metres / 1000:g}",
            "distanceUnit": "km",
            "resultCount": len(self.results.rows(partner, distance)),
            "columns": [],
            "filters": [],
        }
        return Answer({"data": about})

    def _public_results(self, call: Call, partner: int, distance: Distance) -> Answer:
        if "page" in call.query or "offset" in call.query:
            raise RaceRosterError(400, "page and offset are not allowed")
        size = call.number("limit", 50)
        if size not in RESULT_LIMITS:
            raise RaceRosterError(400, "limit must be one of 50, 100, 250, 500, 1000")
        start = int(call.query.get("start", "0") or 0)
        found = list(self.results.rows(partner, distance).values())
        rows = [self.results.listed(row) for row in found[start : start + size]]
        meta: Record = {"filteredResults": len(found), "totalResults": len(found)}
        meta |= {"flattenedColumns": [], "listingColumns": [], "filterColumns": []}
        return Answer({"data": rows, "meta": meta}, rows=rows, stream="results")

    def _search(self, call: Call, partner: int, uid: int) -> Answer:
        phrase = call.query.get("phrase", "").lower()
        found = [row for d in self.records.distances(uid) for row in self.results.rows(partner, d).values()]
        exact = [row for row in found if phrase and row["name"].lower() == phrase]
        other = [row for row in found if phrase and phrase in row["name"].lower() and row not in exact]
        # A text here, a number elsewhere (section 5.4).
        rows = [dict(row) | {"resultSubEventId": str(row["resultSubEventId"])} for row in (*exact, *other)]
        return Answer({"data": {"exact": rows[: len(exact)], "other": rows[len(exact) :]}}, rows=rows, stream="results")

    def _detail(self, code: str) -> Answer:
        located = self.results.locate(code)
        if located is None:
            raise RaceRosterError(404, "Not found")
        distance, index = located
        partner = self.state.season.occasion(distance.uid // 4).partners[0]
        row = self.results.rows(partner, distance).get(index)
        if row is None:
            raise RaceRosterError(404, "Not found")
        row = dict(row)
        return Answer({"data": row}, rows=[row], stream="results")
