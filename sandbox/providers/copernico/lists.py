"""Copernico's routes: which call gives which records, in which envelope or in none."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.copernico.records import Records
from sandbox.providers.copernico.sign_in import SignIn, credentials
from sandbox.providers.copernico.standings import Standing, Standings
from sandbox.providers.copernico.target import Target
from sandbox.providers.copernico.wire import GENDERS, CopernicoError, competition_id, envelope
from sandbox.world import PARTNERS, Distance

# full: all columns that one can choose; basic: those of the page's sample, no id among them; people, times: halves of
# full, for a race that is too large to be read in one piece.
PRESETS = ("full", "basic", "people", "times")


class Lists:
    """Copernico's routes."""

    def __init__(self, sign_in: SignIn, records: Records, standings: Standings, target: Target, quirks: Record) -> None:
        """Answer in these records, with these surprises."""
        self.sign_in = sign_in
        self.records = records
        self.standings = standings
        self.target = target
        self.quirks = quirks

    def answer(self, call: Call) -> Answer:
        """Return an answer; raise CopernicoError where Copernico answers an error."""
        if call.method != "GET":
            raise CopernicoError(405, "Method not allowed")
        path, written = call.path, call.written
        if path[:1] in (("brrm-api",), ("rankings-api",)):
            if not self.quirks["copernico_target_api"]:
                raise CopernicoError(404, "Not found")
            return self.target.answer(call, self.sign_in.sign_in(call))
        if path[:2] == ("prod", "competitions"):
            return self._file(written)
        if path[:2] != ("api", "races"):
            raise CopernicoError(404, "Not found")
        if len(path) == 2:
            partner = self.sign_in.sign_in(call)
            rows = [self.records.race(partner, uid) for uid in self.records.uids(partner)]
            return Answer(envelope(1, rows), rows=rows, stream="races")
        uid = self.records.uid_of(written[2])
        if uid is None:
            raise CopernicoError(404, "Race not found")
        owner = self.records.owner(uid)
        match path[3:4]:
            case ("preset",) if len(path) in (5, 6):
                return self._preset(owner, uid, written[4], written[5] if len(path) == 6 else None)
            case ("leaders",) if len(path) == 6:
                return self._leaders(call, owner, uid, written[4], written[5])
            case ("athlete",) if len(path) in (5, 6):
                return self._athlete(call, owner, uid, written[4])
        raise CopernicoError(404, "Not found")

    # -- who ----------------------------------------------------------------------------------------

    def everybody(self, partner: int, distances: list[Distance]) -> Iterator[Standing]:
        """Yield the athletes of some events."""
        for distance in distances:
            yield from self.standings.of(partner, distance).values()

    def _preset(self, partner: int, uid: int, wanted: str, event: str | None) -> Answer:
        login, _, preset = wanted.partition(":::")
        distances = self.records.distances(uid)
        if event is not None:
            found = self.records.event_at(partner, uid, event)
            distances = [found] if found else []
        if login != credentials(partner)["login"] or preset not in PRESETS or not distances:
            # A name that does not fit exactly gives an empty array.
            return Answer([], stream="preset")
        rows = [self.records.preset_row(partner, one, preset) for one in self.everybody(partner, distances)]
        limit = self.quirks["copernico_preset_limit_bytes"]
        if limit and len(orjson.dumps(rows)) > limit:
            # assumed: documented is only that larger ones fail
            raise CopernicoError(413, "Payload too large")
        body: object = rows
        if self.quirks["copernico_preset_object"]:
            gun = self.records.gun(partner, distances[0]) * 1000
            body = {"data": rows, "gunTime": gun}
        return Answer(body, rows=rows, stream="preset")

    def _leaders(self, call: Call, partner: int, uid: int, event: str, wanted: str) -> Answer:
        distance = self.records.event_at(partner, uid, event)
        if distance is None:
            raise CopernicoError(404, "Event not found")
        rows = self.leaders(partner, distance, wanted)
        for name in call.query.get("fields", "").split(","):
            for row, one in rows:
                more = self.records.athlete(partner, one) | {"status": one.status, "event": event}
                if name in more:
                    row[name] = more[name]
        return Answer([row for row, _ in rows], rows=[row for row, _ in rows], stream="leaders")

    def leaders(self, partner: int, distance: Distance, wanted: str) -> list[tuple[Record, Standing]]:
        """Return the finishers that a filter such as gender:male lets in, in order."""
        field, _, value = wanted.partition(":")
        there = [one for one in self.everybody(partner, [distance]) if one.ranks and one.ranks[-1]]
        kept = [
            one
            for one in there
            if (field == "gender" and GENDERS[one.who.gender] == value)
            or (field == "category" and self.records.athlete(partner, one)["category"] == value)
        ]
        kept.sort(key=lambda one: (one.finish or 0, one.index))
        return [(self.records.leader(partner, one, place), one) for place, one in enumerate(kept, 1)]

    def _athlete(self, call: Call, owner: int, uid: int, given: str) -> Answer:
        partner = self.sign_in.sign_in(call)
        if partner != owner:
            raise CopernicoError(403, "Forbidden")
        found = self.records.locate(given)
        standing = self.records.standing_of(partner, *found) if found and found[0].uid // 4 == uid else None
        if standing is None:
            raise CopernicoError(404, "Athlete not found")
        row = self.records.full(partner, standing)
        # Both codes are success; which one comes says nothing.
        return Answer(envelope(standing.index % 2, row), rows=[row], stream="athletes")

    def _file(self, written: tuple[str, ...]) -> Answer:
        if len(written) != 5 or written[4] != "participants.json":
            raise CopernicoError(404, "Not found")
        for partner in PARTNERS:
            for uid in self.records.uids(partner):
                distance = self.records.event_at(partner, uid, written[3])
                if competition_id(uid) == written[2] and distance is not None:
                    rows = [self.records.file_row(partner, one) for one in self.everybody(partner, [distance])]
                    return Answer(rows, rows=rows, stream="ranking_files")
        raise CopernicoError(404, "Not found")
