"""Let's Do This's reading API, as the vendor's documentation of 2023 and its clients describe it.

`wire` is how it writes values, `sign_in` who may call, `records` what it tells of the season, `lists` which call
gives which of it, `spoils` what faults do to it. It has no results. What is known of events, their days and races
is little: those calls and bodies are assumed, and a switch takes them away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.providers.common import ENTRY_CHANGES, EVENT_CHANGES, Answer, Call, Provider, Record
from sandbox.providers.letsdothis.lists import Lists, cleared
from sandbox.providers.letsdothis.records import DECIDED, Records
from sandbox.providers.letsdothis.sign_in import SignIn, credentials
from sandbox.providers.letsdothis.spoils import SPOILS
from sandbox.providers.letsdothis.wire import (
    PARTICIPANT,
    STATUSES,
    LetsDoThisError,
    error,
    event_id,
    hex_id,
    occurrence_id,
    race_id,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import LETSDOTHIS, Distance

QUIRKS = {
    "letsdothis_event_calls": True,  # the assumed calls for events, races and tickets answer
    "letsdothis_exclusive_cursors": False,  # page[after]=next begins behind the row that next names
    "letsdothis_empty_ends": False,  # "" instead of null where there is no page before or after
    "letsdothis_cursors_never_end": False,  # the last page has a next and a prev nevertheless
    "letsdothis_no_approval_status": False,  # applications lack their two own fields, as in the vendor's examples
    "letsdothis_drop_withdrawn": False,  # entrants who are out leave the list
    "letsdothis_one_r_occurence": False,  # the occurrence's id is spelled as in the vendor's text
}


class LetsDoThis(Provider):
    """Let's Do This over the sandbox's season."""

    name = LETSDOTHIS
    title = "Let's Do This"
    base = "v0"
    streams = ("events", "occurrences", "races", "participants", "applications")
    quirks_at_first = QUIRKS

    spoils = SPOILS
    changes_known = (*ENTRY_CHANGES, *EVENT_CHANGES)
    own_changes = ("decide_application",)
    words = STATUSES
    keeps_withdrawn = True

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn()
        self.records = Records(state, self.quirks)
        self.lists = Lists(state, self.sign_in, self.records, self.quirks)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which account a call comes from."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return whose key a call carries."""
        return self.sign_in.partner_of(call)

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return the address and the key."""
        return {"api_url": f"{root}/{self.base}"}, dict(credentials(partner))

    @classmethod
    def refused(cls) -> Answer:
        """Return a 401."""
        return Answer(error(401, "Invalid or missing API key"), status=401)

    def throttled(self, call: Call, status: int) -> Answer:
        """Return what a call too many meets (assumed)."""
        answer = Answer(error(429, "Rate limit exceeded"), status=status)
        if call.quota is not None:
            answer.headers |= {
                "x-ratelimit-limit": str(call.quota.limit),
                "x-ratelimit-remaining": str(max(0, call.quota.left)),
                "x-ratelimit-reset": str(call.quota.resets_in),
            }
        return answer

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what Let's Do This answers."""
        try:
            answer = self.lists.answer(call)
        except LetsDoThisError as problem:
            answer = Answer(error(problem.status, str(problem), problem.code), status=problem.status)
        answer.content_type = "application/json; charset=utf-8"
        return answer

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer."""
        cleared(answer.body)

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about; a list of the whole account counts as about its first one."""
        match call.path:
            case ("races", number, *_):
                distance = self.records.race(number)
                return self.event_key(distance) if distance else None
            case ("events", number, *_):
                return number
        partner = self.partner_of(call)
        uids = self.records.uids(partner) if partner is not None else []
        return occurrence_id(uids[0]) if uids else None

    def is_later_page(self, call: Call) -> bool:
        """Return whether a call carries a cursor."""
        return "page[after]" in call.query or "page[before]" in call.query

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the races of the event or occurrence named by `event_id`, or of these the one named by `race_id`."""
        uid = self.records.occasion_uid(str(asked.get("event_id", "")))
        distances = self.records.distances(uid) if uid is not None else []
        race = asked.get("race_id")
        return distances if race is None else [d for d in distances if race_id(d) == str(race)]

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where an entry's id belongs, or None; an application's id is as good."""
        return self.records.locate(str(given))

    def entry_key(self, distance: Distance, index: int) -> str:
        """Return an entry's id."""
        return hex_id(PARTICIPANT, distance, index)

    # It has no results; an entry stands for its own.
    result_key = entry_key

    def event_key(self, distance: Distance) -> str:
        """Return the id of the occurrence a race belongs to: it is what entries carry."""
        return occurrence_id(distance.uid // 4)

    def place_key(self, distance: Distance) -> str:
        """Return the id by which a transfer names its target."""
        return race_id(distance)

    @classmethod
    def pushed_id(cls, distance: Distance, index: int) -> str:
        """Return the entry's id as timers get it."""
        return f"LD-{hex_id(PARTICIPANT, distance, index)}"

    # -- entries -----------------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the races of a partner's events."""
        for uid in self.records.uids(partner):
            yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the entries of a race, those taken back included."""
        return self.records.roster(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is, as answers for another entry of theirs."""
        return self.records.identity(partner, distance, index)

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the entries that will start and have no bib yet."""
        roster = self.roster(partner, distance)
        return [i for i in roster.slice(0, len(roster)) if self.records.bib_is_due(partner, distance, i)]

    def bib_patch(self, number: int) -> Record:
        """Return the bib as the text it is here."""
        return {"bibNumber": str(number)}

    def own_change(self, kind: str, changes: Changes, distance: Distance, index: int, fields: Record) -> None:
        """Decide an application: `fields` may name approvalStatus and applicationResolutionType."""
        decided = {"approvalStatus": "APPROVED", "applicationResolutionType": "MANUAL"} | fields
        patch = {name: decided[name] for name in DECIDED}
        changes.patches[index] = changes.patches.get(index, {}) | patch

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        for uid in self.records.uids(partner):
            event = self.records.event(partner, uid)
            around: Record = {"event_id": event_id(uid)}
            if stream == "events":
                yield event, around
            for occurrence in event["occurrences"]:
                if stream == "occurrences":
                    yield occurrence, around
                around |= {"occurrence_id": occurrence["id"]}
                if stream == "races":
                    for race in occurrence["races"]:
                        yield race, around
            distances = self.records.distances(uid)
            rows = []
            if stream == "participants":
                rows = self.lists.participants(partner, distances)
            elif stream == "applications":
                rows = self.lists.applications(partner, distances)
            for row in rows:
                if row.distance is not None:
                    yield row.make(), around | {"race_id": race_id(row.distance)}
