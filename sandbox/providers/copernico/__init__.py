"""Copernico's reading APIs, as their documentation and clients describe them, and the target API that is assumed.

`wire` is how it writes values, `sign_in` who may call, `standings` who was seen where, `records` what it tells of the
world, `target` the assumed API, `lists` which call gives which of them, `spoils` what faults do to them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import orjson

from sandbox.providers.common import CHANGES, Answer, Call, Provider, Record
from sandbox.providers.copernico.lists import Lists
from sandbox.providers.copernico.records import Records
from sandbox.providers.copernico.sign_in import SignIn, credentials
from sandbox.providers.copernico.spoils import SPOILS
from sandbox.providers.copernico.standings import RETRACTED, Standings
from sandbox.providers.copernico.target import Target
from sandbox.providers.copernico.wire import STATUSES, CopernicoError, athlete_id, envelope, error
from sandbox.state import Changes, Roster, State
from sandbox.world import COPERNICO, PARTNERS, Distance

QUIRKS = {
    # Names whose UTF-8 was taken for Latin-1 once.
    "copernico_mojibake": True,
    # The demo puts the sporting fields on the athlete itself, production into `events`.
    "copernico_demo_nesting": False,
    # A preset may answer an object with `data` instead of an array.
    "copernico_preset_object": False,
    # Larger presets fail. 0 lets all through.
    "copernico_preset_limit_bytes": 6_000_000,
    # Answers come compressed although nobody asked for it, and without a header that says so.
    "copernico_unasked_gzip": False,
    # Fields of a race beyond id, name, status and date: assumed.
    "copernico_rich_races": False,
    # The project's target API: assumed from end to end.
    "copernico_target_api": False,
}


class Copernico(Provider):
    """Copernico over the sandbox's world: whole snapshots, names as keys, milliseconds."""

    name = COPERNICO
    title = "Copernico"
    streams = (
        "races", "preset", "athletes", "leaders", "ranking_files", "brrm_events", "brrm_participants",
        "rankings_results",
    )  # fmt: skip
    quirks_at_first = QUIRKS

    spoils = SPOILS
    words = STATUSES
    keeps_withdrawn = True
    event_is_distance = True
    entries_show_on_results = True
    changes_known = CHANGES
    # What was seen last of an athlete goes back to null.
    own_changes = ("retract_split",)

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn()
        self.standings = Standings(state)
        self.records = Records(state, self.standings, self.quirks)
        self.target = Target(state, self.records, self.standings)
        self.lists = Lists(self.sign_in, self.records, self.standings, self.target, self.quirks)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return whose key a call carries, or whose preset it reads."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return who calls; for open addresses, whose race is read."""
        partner = self.sign_in.partner_of(call)
        if partner is None and call.path[:2] == ("api", "races") and len(call.written) > 2:
            uid = self.records.uid_of(call.written[2])
            return None if uid is None else self.records.owner(uid)
        return partner

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return a partner's addresses, its login with the presets it made, and its key."""
        account = credentials(partner)
        settings = {
            "api_url": f"{root}/api",
            "public_api_url": f"{root}/api",
            "ranking_files_url": f"{root}/prod/competitions",
            "target_api_url": root,
            "login": account["login"],
            "presets": "full",
        }
        return settings, {"api_key": account["api_key"]}

    @classmethod
    def refused(cls) -> Answer:
        """Return a 401."""
        return Answer(error("Invalid api key"), status=401)

    def throttled(self, call: Call, status: int) -> Answer:
        """Return the error of a call too many; a limit is not documented."""
        return Answer(error("Too many requests"), status=status)

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what Copernico answers."""
        try:
            answer = self.lists.answer(call)
        except CopernicoError as problem:
            answer = Answer(error(str(problem)), status=problem.status)
        answer.content_type = "application/json; charset=utf-8"
        if self.quirks["copernico_unasked_gzip"]:
            answer.raw = gzip.compress(orjson.dumps(answer.body), mtime=0)
        return answer

    def route(self, call: Call) -> str:
        """Return a call's path with `{id}` for every id or name."""
        path = call.path
        if path[:2] == ("api", "races"):
            parts = [*path[:2], *("{id}" for _ in path[2:3]), *path[3:4], *("{id}" for _ in path[4:])]
        elif path[:2] == ("prod", "competitions"):
            parts = [*path[:2], "{id}", "{id}", *path[4:]]
        else:
            parts = [*path[:4], *("{id}" for _ in path[4:5]), *path[5:]]
        return "/".join(parts)

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer; code 1 without data is how Copernico says that nothing was found."""
        answer.raw = None
        body = answer.body
        if isinstance(body, list):
            answer.body = []
        elif isinstance(body, dict) and "result" in body and "data" in body:
            answer.body = body | envelope(1, [] if isinstance(body["data"], list) else {})
            if "pagination" in body:
                answer.body["pagination"] = body["pagination"] | {"totalItems": 0, "totalPages": 0}
        elif isinstance(body, dict) and "data" in body:
            answer.body = body | {"data": []}

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about: only the target API has pages between which it can change."""
        if len(call.path) < 5 or call.path[0] not in ("brrm-api", "rankings-api"):
            return None
        distance = self.target.event_of(call.path[4])
        return None if distance is None else self.event_key(distance)

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the event named by `event_id`, race:event, or all events of a race; by its first name or today's."""
        slug, _, name = str(asked.get("event_id", "")).partition(":")
        uid = self.records.uid_of(slug)
        if uid is None:
            return []
        distances, owner = self.records.distances(uid), self.records.owner(uid)
        return [d for d in distances if not name or name in (d.name, self.records.event_name(owner, d))]

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where an athlete's id belongs, or None."""
        return self.records.locate(given)

    def entry_key(self, distance: Distance, index: int) -> str:
        """Return an athlete's id."""
        return athlete_id(distance, index)

    result_key = entry_key

    def event_key(self, distance: Distance) -> str:
        """Return race:event, as named at first: Copernico itself has no id for an event."""
        return f"{self.records.slug(distance.uid // 4)}:{distance.name}"

    place_key = event_key

    # -- entries -----------------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the events of a partner's races."""
        for uid in self.records.uids(partner):
            yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the athletes of an event: who withdrew stays."""
        return self.standings.roster(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an athlete is, as fields for another entry of theirs."""
        standing = self.records.standing_of(partner, distance, index)
        if standing is None:
            return {}
        record = self.records.athlete(partner, standing)
        return {name: record[name] for name in ("name", "surname", "gender", "birthdate", "e-mail", "phone")}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the athletes that have no bib yet and did not withdraw."""
        there = self.standings.of(partner, distance)
        return [
            index
            for index, one in there.items()
            if one.status != "withdrawn" and not self.records.athlete(partner, one)["dorsal"]
        ]

    def bib_patch(self, number: int) -> Record:
        """Return the bib as the text it is here."""
        return {"dorsal": str(number)}

    def own_change(self, kind: str, changes: Changes, distance: Distance, index: int, fields: Record) -> None:
        """Take back what was seen of an athlete last."""
        patch = changes.result_patches.setdefault(index, {})
        patch[RETRACTED] = patch.get(RETRACTED, 0) + int(fields.get("splits", 1))
        changes.result_modified[index] = self.state.now

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        for uid in self.records.uids(partner) if partner in PARTNERS else []:
            around: Record = {"race_id": self.records.slug(uid)}
            if stream == "races":
                yield self.records.race(partner, uid), around
            for distance in self.records.distances(uid):
                inner = around | {"event": self.records.event_name(partner, distance)}
                for record in self._held(partner, stream, distance, call.query.get("preset", "full")):
                    yield record, inner

    def _held(self, partner: int, stream: str, distance: Distance, preset: str) -> Iterator[Record]:
        there = list(self.standings.of(partner, distance).values())
        if stream == "preset":
            yield from (self.records.preset_row(partner, one, preset) for one in there)
        elif stream == "athletes":
            yield from (self.records.full(partner, one) for one in there)
        elif stream == "leaders":
            for gender in ("female", "male", "mixed"):
                yield from (row for row, _ in self.lists.leaders(partner, distance, f"gender:{gender}"))
        elif stream == "ranking_files":
            yield from (self.records.file_row(partner, one) for one in there)
        elif stream == "brrm_events":
            yield self.target.event(partner, distance)
        elif stream == "brrm_participants":
            yield from self.target.participants(partner, distance)
        elif stream == "rankings_results":
            yield from self.target.results(partner, distance)
