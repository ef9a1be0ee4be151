"""Haku's routes: which call gives which records, on which page, bare or in an envelope."""

from __future__ import annotations

from typing import Any

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.haku.records import Records
from sandbox.providers.haku.sign_in import SignIn
from sandbox.providers.haku.wire import ORGANIZATION_BASE, HakuError, gateway, instant, invalid, not_found
from sandbox.state import State
from sandbox.world import PARTNERS, Distance

Place = tuple[Distance, int]


def without_version(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path without the /v1 that the project's notes put before every route."""
    return path[1:] if path[:1] == ("v1",) else path


class Lists:
    """Haku's routes."""

    def __init__(self, state: State, sign_in: SignIn, records: Records, quirks: Record) -> None:
        """Answer from this state, in these records, with these surprises."""
        self.state = state
        self.sign_in = sign_in
        self.records = records
        self.quirks = quirks
        # The order of an event's registrations, worked out once between two changes.
        self._orders: dict[tuple[int, int], tuple[int, list[tuple[int, Place]]]] = {}

    def answer(self, call: Call) -> Answer:
        """Return a token, a list or a record; raise HakuError where Haku answers an error."""
        path, written = without_version(call.path), without_version(call.written)
        if path == ("oauth2", "token"):
            return self.sign_in.token(call)
        match path:
            case ("events",) | ("organizations",):
                made = self._events if path[0] == "events" else self._organizations
            case ("events", _):
                made = self._event
            case ("events", _, "participants") | ("events", _, "registrations", _):
                made = self._participants if len(path) == 3 else self._registration
            case _:
                raise gateway(403, "Missing Authentication Token")
        if call.method != "GET":
            raise gateway(403, "Missing Authentication Token")
        self.sign_in.sign_in(call)
        return made(call, written)

    # -- pages --------------------------------------------------------------------------------------

    def _span(self, call: Call) -> tuple[int, int]:
        """Return where a page begins and how many rows it has at most."""
        cap = self.quirks["haku_page_cap"]
        asked = call.number("per_page", 25)
        if asked > cap and self.quirks["haku_oversize_400"]:
            raise HakuError(400, {"errors": {"per_page": [f"must be at most {cap}"]}})
        size = min(asked, cap)
        return (call.number("page", 1) - 1) * size, size

    def _page(self, call: Call, stream: str, rows: list[Record], total: int) -> Answer:
        body: Any = rows
        if self.quirks["haku_envelope"]:
            body = {stream: rows}
            if self.quirks["haku_pagination"]:
                page = {"page": call.number("page", 1), "per_page": self._span(call)[1], "total": total}
                body["pagination"] = page
        return Answer(body, rows=rows, stream=stream)

    def _since(self, call: Call) -> int | None:
        given = call.query.get("updated_since")
        if not given or self.quirks["haku_ignore_updated_since"]:
            return None
        return instant("updated_since", given)

    # -- events -------------------------------------------------------------------------------------

    def _organizations(self, call: Call, written: tuple[str, ...]) -> Answer:
        partner = call.partner or 0
        rows = [{"id": ORGANIZATION_BASE + partner, "name": f"{PARTNERS[partner][0]} Races"}]
        return Answer(rows, rows=rows, stream="organizations")

    def _events(self, call: Call, written: tuple[str, ...]) -> Answer:
        partner = call.partner or 0
        found = [self.state.season.occasion(uid) for uid in self.records.event_uids(partner)]
        if call.query.get("organization_id", str(ORGANIZATION_BASE + partner)) != str(ORGANIZATION_BASE + partner):
            found = []
        if not call.flag("show_inactive"):
            found = [occasion for occasion in found if self.records.is_active(occasion)]
        since = self._since(call)
        if since is not None:
            found = [o for o in found if self.records.event_updated_at(partner, o) >= since]
        if call.query.get("sort_column", "event_date") != "event_date":
            raise invalid("sort_column", "is not a column")
        found.sort(key=lambda o: (o.start, o.uid), reverse=call.query.get("sort_direction") == "desc")
        start, size = self._span(call)
        rows = [self.records.event(partner, occasion) for occasion in found[start : start + size]]
        return self._page(call, "events", rows, len(found))

    def _asked(self, call: Call, written: tuple[str, ...]) -> int:
        uid = self.records.occasion_uid(written[1])
        if uid is None or not self.state.season.serves(call.partner or 0, uid):
            raise not_found()
        return uid

    def _event(self, call: Call, written: tuple[str, ...]) -> Answer:
        record = self.records.event(call.partner or 0, self.state.season.occasion(self._asked(call, written)))
        return Answer(record, rows=[record], stream="events")

    # -- registrations ------------------------------------------------------------------------------

    def order(self, partner: int, uid: int) -> list[tuple[int, Place]]:
        """Return an event's registrations with when each was touched, the oldest change first."""
        version, found = self._orders.get((partner, uid), (-1, []))
        if version != self.state.version:
            found = [
                (self.records.updated_at(partner, distance, index), (distance, index))
                for distance in self.records.distances(uid)
                for roster in [self.records.roster(partner, distance)]
                for index in roster.slice(0, len(roster))
            ]
            found.sort(key=lambda one: (one[0], one[1][0].uid, one[1][1]))
            self._orders[partner, uid] = self.state.version, found
        return found

    def _participants(self, call: Call, written: tuple[str, ...]) -> Answer:
        uid, partner = self._asked(call, written), call.partner or 0
        found = self.order(partner, uid)
        if call.query.get("sort_column", "updated_at") != "updated_at":
            raise invalid("sort_column", "is not a column")
        if call.query.get("sort_direction") == "desc":
            found = found[::-1]
        since = self._since(call)
        if since is not None:
            found = [one for one in found if one[0] >= since]
        start, size = self._span(call)
        places = [place for _, place in found[start : start + size]]
        rows = [self.records.participant(partner, distance, index) for distance, index in places]
        answer = self._page(call, "participants", rows, len(found))
        answer.distances = list(self.records.distances(uid))
        return answer

    def _registration(self, call: Call, written: tuple[str, ...]) -> Answer:
        uid, partner = self._asked(call, written), call.partner or 0
        place = self.records.locate(written[3])
        if place is None or place[0].uid // 4 != uid or place[1] not in self.records.roster(partner, place[0]):
            raise not_found()
        record = self.records.registration(partner, *place)
        return Answer(record, rows=[record], stream="registrations")
