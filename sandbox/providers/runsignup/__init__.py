"""RunSignUp's reading API, as its documentation and its clients describe it.

`wire` is how it writes values, `sign_in` who may call, `records` and `results` what it tells of the season,
`lists` which call gives which of them, `spoils` what faults do to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.providers.common import Answer, Call, Limit, Provider, Record
from sandbox.providers.runsignup.lists import Lists
from sandbox.providers.runsignup.records import Records
from sandbox.providers.runsignup.results import Results
from sandbox.providers.runsignup.sign_in import API_REG, API_REG_SECRET, SignIn, credentials
from sandbox.providers.runsignup.spoils import SPOILS
from sandbox.providers.runsignup.wire import (
    EVENT_BASE,
    RACE_BASE,
    REASONS,
    REGISTRATION_BASE,
    RESULT_BASE,
    RunSignupError,
    error,
    registration_id,
    result_id,
    xml,
)
from sandbox.state import Roster, State
from sandbox.world import BLOCK, RUNSIGNUP, Distance


class RunSignup(Provider):
    """RunSignUp over the sandbox's season."""

    name = RUNSIGNUP
    title = "RunSignUp"
    base = "rest"
    streams = ("races", "events", "participants", "removed_participants", "results")
    limit = Limit(in_flight=2, status=200)
    secret_parameters = ("api_secret", "api_key", "rsu_api_reg")

    spoils = SPOILS
    own_faults = ("code_14",)
    words = REASONS
    keeps_withdrawn = False
    event_is_distance = True

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn()
        self.records = Records(state)
        self.results = Results(state, self.records)
        self.lists = Lists(state, self.sign_in, self.records, self.results)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which key a call carries."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return whose key a call carries, right or wrong."""
        return self.sign_in.partner_of(call)

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return a key and its secret; the two partners sign in in the two ways there are."""
        keys = credentials(partner)
        settings = {
            "api_url": f"{root}/{self.base}",
            "auth_style": "key" if partner == 1 else "v2_key",
            "api_key": keys["api_key"],
            "api_reg": API_REG,
        }
        return settings, {"api_secret": keys["api_secret"], "api_reg_secret": API_REG_SECRET}

    @classmethod
    def refused(cls) -> Answer:
        """Return code 6, at HTTP 200."""
        return Answer(error(6))

    def throttled(self, call: Call, status: int) -> Answer:
        """Return code 14."""
        return Answer(error(14), status=status)

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what RunSignUp answers; errors come with HTTP 200."""
        form = call.query.get("format", "xml").lower()
        try:
            if form not in ("json", "xml"):
                raise RunSignupError(10)
            answer = self.lists.answer(call)
        except RunSignupError as problem:
            answer = Answer(error(problem.code))
        if form == "json":
            answer.content_type = "application/json; charset=utf-8"
        else:
            answer.raw = f'<?xml version="1.0" encoding="UTF-8"?>\n{xml(answer.body)}'.encode()
            answer.content_type = "text/xml; charset=utf-8"
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def own_fault(self, kind: str, call: Call) -> Answer:
        """Return code 14 at HTTP 200, whatever the limits say."""
        return self.throttled(call, 200)

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer."""
        for row in answer.body if isinstance(answer.body, list) else [answer.body]:
            for key in ("participants", "races"):
                if key in row:
                    row[key] = []
            if "event" in row:
                row["event"]["participants"] = []
            for made in row.get("individual_results_sets", ()):
                made["results"] = []

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        return call.query.get("event_id", "").split(",")[0] or None

    def is_later_page(self, call: Call) -> bool:
        """Return whether a call asks for more than the first registrations, by page or by id."""
        return super().is_later_page(call) or call.query.get("after_registration_id", "0") not in ("", "0")

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the event named by `event_id`."""
        text = str(asked.get("event_id", ""))
        distance = self.records.event_at(int(text)) if text.isdigit() else None
        return [distance] if distance else []

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a registration id belongs, or None; a result's id is as good."""
        if not str(given).isdigit():
            return None
        number = int(given) - (RESULT_BASE if int(given) >= RESULT_BASE else REGISTRATION_BASE)
        distance = self.state.season.distance(number // BLOCK) if number >= 0 else None
        return (distance, number % BLOCK) if distance else None

    def entry_key(self, distance: Distance, index: int) -> int:
        """Return a registration's id."""
        return registration_id(distance, index)

    def result_key(self, distance: Distance, index: int) -> int:
        """Return the id of an entry's result row."""
        return result_id(distance, index)

    def event_key(self, distance: Distance) -> int:
        """Return an event's id."""
        return EVENT_BASE + distance.uid

    place_key = event_key

    @classmethod
    def pushed_id(cls, distance: Distance, index: int) -> str:
        """Return the registration's id as timers get it."""
        return f"RS-{registration_id(distance, index)}"

    # -- registrations -----------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the events of a partner's races."""
        for race_uid in self.records.race_uids(partner):
            for uid in self.records.editions(race_uid):
                yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the registrations that are listed as participants."""
        return self.records.roster(partner, distance)

    def entries_known(self, partner: int, distance: Distance) -> Iterator[int]:
        """Yield the participants and the removed participants."""
        yield from super().entries_known(partner, distance)
        yield from self.records.removed_indexes(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who registered, as fields for another registration of theirs."""
        user = dict(self.records.participant(partner, distance, index)["user"])
        return {**user.pop("address"), **user}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live registrations that have no bib yet."""
        roster = self.roster(partner, distance)
        return [
            i for i in roster.slice(0, len(roster)) if self.records.participant(partner, distance, i)["bib_num"] is None
        ]

    def bib_patch(self, number: int) -> Record:
        """Return the bib as the number it is here."""
        return {"bib_num": number}

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        supports_nb = call.flag("supports_nb", True)
        for race_uid in self.records.race_uids(partner):
            around: Record = {"race_id": RACE_BASE + race_uid}
            if stream == "races":
                yield self.records.race(partner, race_uid, False), around
            elif stream == "events":
                for event in self.records.events(partner, race_uid):
                    yield event, around
            for uid in self.records.editions(race_uid):
                for distance in self.records.distances(uid):
                    around = {"race_id": RACE_BASE + race_uid, "event_id": EVENT_BASE + distance.uid}
                    if stream == "participants":
                        roster = self.roster(partner, distance)
                        for index in roster.slice(0, len(roster)):
                            yield self.records.participant(partner, distance, index, supports_nb), around
                    elif stream == "removed_participants":
                        for index in self.records.removed_indexes(partner, distance):
                            yield self.records.removed(partner, distance, index, supports_nb), around
                    elif stream == "results":
                        set_id = {"result_set_id": self.results.result_set_id(distance)}
                        for index, position in self.results.indexes(partner, distance):
                            yield self.results.result(partner, distance, index, position, supports_nb), around | set_id
