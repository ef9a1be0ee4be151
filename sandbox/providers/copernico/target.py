"""The project's target API (brrm, rankings): nobody has seen it, all of it is assumed, shaped by the real envelope."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.copernico.records import Records, flawed
from sandbox.providers.copernico.standings import Standing, Standings
from sandbox.providers.copernico.wire import (
    CopernicoError,
    athlete_id,
    competition_id,
    envelope,
    instant,
    second,
)
from sandbox.state import State
from sandbox.world import PARTNERS, START, Distance

MOST = 500


class Target:
    """Events, participants and results of the target API."""

    def __init__(self, state: State, records: Records, standings: Standings) -> None:
        """Answer from this state."""
        self.state = state
        self.records = records
        self.standings = standings

    # -- ids ----------------------------------------------------------------------------------------

    @staticmethod
    def event_id(distance: Distance) -> str:
        """Return an event's id: each distance is an event here."""
        return competition_id(distance.uid + 10**9)

    def event_of(self, given: str) -> Distance | None:
        """Return the distance behind an event id."""
        for partner in PARTNERS:
            for uid in self.records.uids(partner):
                for distance in self.records.distances(uid):
                    if self.event_id(distance) == given:
                        return distance
        return None

    # -- records ------------------------------------------------------------------------------------

    def event(self, partner: int, distance: Distance) -> Record:
        """Return an event."""
        occasion = self.state.source.occasion(distance.uid // 4)
        changed = self.records.occasion_changes(partner, occasion)
        city, region, _, country, _ = occasion.venue
        name = changed.name or occasion.name
        return {
            "event_id": self.event_id(distance),
            "event_name": f"{name} {self.records.event_name(partner, distance)}",
            "event_date": instant(self.records.gun(partner, distance)),
            "location": f"{city}, {region}, {country}",
            "discipline": "running",
            "distance": distance.course.metres / 1000,
            "event_status": {"past": "finished", "live": "running", "future": "open"}[occasion.phase],
            "max_participants": None,
            "organization_id": PARTNERS[partner][1],
            "updated_at": second(max(changed.modified, min(occasion.start, START))),
        }

    def participant(self, partner: int, distance: Distance, index: int) -> Record:
        """Return a participant; one that was deleted stays listed as cancelled."""
        standing = self.standings.of(partner, distance).get(index)
        changes = self.records.changes(partner, distance)
        status = "confirmed" if standing and standing.status != "withdrawn" else "cancelled"
        if standing is None:
            who = self.state.source.timer_copy(distance, index, changes.persons.get(index))
            standing = Standing(distance, index, who, "withdrawn")
        fields = self.records.athlete(partner, standing)
        return {
            "participant_id": athlete_id(distance, index),
            "event_id": self.event_id(distance),
            "bib_number": fields["dorsal"] or None,
            "chip": fields["dorsal"] or None,
            "first_name": fields["name"],
            "last_name": fields["surname"],
            "email": fields["e-mail"],
            "gender": fields["gender"],
            "birthdate": fields["birthdate"],
            "age": standing.who.age,
            "nationality": fields["nationality"],
            "club_team": fields["club"] or None,
            "category": fields["category"],
            "license_number": None,
            "registration_status": status,
            "updated_at": second(changes.modified.get(index, min(distance.start, START))),
        }

    def result(self, partner: int, standing: Standing) -> Record:
        """Return a result: of everybody who was seen, or is out."""
        distance, index = standing.distance, standing.index
        changes = self.records.changes(partner, distance)
        gun = self.records.gun(partner, distance)
        _, total = flawed(standing, standing.finish, standing.net(len(distance.course.splits)))
        ranks = standing.ranks[-1]
        touched = max(changes.rescored_at, changes.result_modified.get(index, 0), changes.modified.get(index, 0))
        # Whoever finished since the season began was posted by control.
        touched = max([touched, *(at for _, at in changes.posts)])
        return {
            "participant_id": athlete_id(distance, index),
            "event_id": self.event_id(distance),
            "bib_number": self.records.athlete(partner, standing)["dorsal"] or None,
            "start_time": None if standing.offset is None else instant(gun + standing.offset / 1000),
            "finish_time": None if standing.finish is None else instant(gun + standing.finish / 1000),
            "total_time": total,
            "split_times": [
                {
                    "split": name,
                    "order": mat + 1,
                    "distance": metres,
                    "time": standing.passed[mat],
                    "net_time": standing.net(mat),
                }
                for mat, (name, metres) in enumerate(distance.course.splits)
                if standing.passed[mat] is not None
            ],
            "overall_position": ranks[0] if ranks else None,
            "gender_position": ranks[1] if ranks else None,
            "category_position": ranks[2] if ranks else None,
            "status": standing.status,
            "updated_at": second(touched or min(distance.start, START)),
        }

    # -- which there are ----------------------------------------------------------------------------

    def events(self, partner: int) -> list[Record]:
        """Return all events of a partner."""
        return [self.event(partner, d) for uid in self.records.uids(partner) for d in self.records.distances(uid)]

    def participants(self, partner: int, distance: Distance) -> list[Record]:
        """Return all participants of an event, cancelled ones included."""
        gone = self.records.changes(partner, distance).removed
        indexes = sorted({*self.standings.of(partner, distance), *gone})
        return [self.participant(partner, distance, index) for index in indexes]

    def results(self, partner: int, distance: Distance) -> list[Record]:
        """Return the results of an event: of all who were not simply waiting."""
        there = self.standings.of(partner, distance).values()
        return [self.result(partner, one) for one in there if one.status not in ("notstarted", "withdrawn")]

    # -- answers ------------------------------------------------------------------------------------

    def answer(self, call: Call, partner: int) -> Answer:
        """Return a page of one of the three lists, or one event."""
        path = call.path
        if path[1:3] != ("api", "v1") or path[3:4] != ("events",):
            raise CopernicoError(404, "Not found")
        if path[0] == "brrm-api" and len(path) == 4:
            return self._page(call, self.events(partner), "brrm_events")
        distance = self.event_of(path[4]) if len(path) > 4 else None
        if distance is None or not self.state.source.serves(partner, distance.uid // 4):
            raise CopernicoError(404, "No such event")
        if path[0] == "brrm-api" and len(path) == 5:
            row = self.event(partner, distance)
            return Answer(envelope(0, row), rows=[row], stream="brrm_events")
        asked = (path[0], path[5] if len(path) == 6 else "")
        if asked == ("brrm-api", "participants"):
            return self._page(call, self.participants(partner, distance), "brrm_participants")
        if asked == ("rankings-api", "results"):
            return self._page(call, self.results(partner, distance), "rankings_results")
        raise CopernicoError(404, "Not found")

    @staticmethod
    def _page(call: Call, rows: list[Record], stream: str) -> Answer:
        since = call.query.get("updatedSince")
        if since:
            try:
                from_then = datetime.fromisoformat(since).astimezone(UTC)
            except ValueError:
                raise CopernicoError(400, "updatedSince is no time") from None
            rows = [row for row in rows if datetime.fromisoformat(row["updated_at"]) >= from_then]
        size, page = call.number("pageSize", 100, MOST), call.number("page", 1)
        some = rows[(page - 1) * size : page * size]
        told: dict[str, Any] = {
            "page": page,
            "pageSize": size,
            "totalItems": len(rows),
            "totalPages": -(-len(rows) // size),
        }
        return Answer(envelope(0, some) | {"pagination": told}, rows=some, stream=stream)
