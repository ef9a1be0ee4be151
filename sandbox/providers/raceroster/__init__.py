"""Race Roster's reading API and its public results service, as clients of them and the documentation describe them.

`wire` is how it writes values, `sign_in` who may call, `records` and `results` what it tells of the season,
`lists` which call gives which of them, `spoils` what faults do to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sandbox.providers.common import CHANGES, Answer, Call, Provider, Record
from sandbox.providers.raceroster.lists import Lists
from sandbox.providers.raceroster.records import Records
from sandbox.providers.raceroster.results import Results
from sandbox.providers.raceroster.sign_in import SignIn, credentials
from sandbox.providers.raceroster.spoils import SPOILS
from sandbox.providers.raceroster.wire import (
    RESULT_EVENT_BASE,
    STATUSES,
    RaceRosterError,
    error,
    event_id,
    number_of_code,
    oauth_error,
    participant_id,
    sub_event_id,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import RACEROSTER, Distance

# token_in_array, token_bare: the token's envelope. event_in_array: a single event's. sub_events_bare: no object around
# them. ids_as_text: numbers of sub-events. past_listed: the list keeps what is over. unknown_event_empty: 200 without
# data instead of 404. The last three are the doors of the sign-in.
QUIRKS = {
    "raceroster_token_in_array": False,
    "raceroster_token_bare": False,
    "raceroster_event_in_array": False,
    "raceroster_sub_events_bare": False,
    "raceroster_ids_as_text": False,
    "raceroster_past_listed": False,
    "raceroster_unknown_event_empty": False,
    "raceroster_timer_login": True,
    "raceroster_client_credentials": True,
    "raceroster_static_key": True,
}
VERSION = re.compile(r"v[12]")


class RaceRoster(Provider):
    """Race Roster over the sandbox's season."""

    name = RACEROSTER
    title = "Race Roster"
    base = "api"
    streams = ("events", "sub_events", "participants", "results")
    secret_parameters = ("access_token",)
    quirks_at_first = QUIRKS

    spoils = SPOILS
    changes_known = tuple(kind for kind in CHANGES if kind != "clear")
    own_changes = ("swap_sub_event", "refund_part")
    words = STATUSES
    keeps_withdrawn = True

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn(state, self.quirks)
        self.records = Records(state, self.quirks)
        self.results = Results(state, self.records)
        self.lists = Lists(state, self.sign_in, self.records, self.results, self.quirks)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which OAuth client a call comes from."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return whose OAuth client a call comes from, rightly signed in or not."""
        return self.sign_in.partner_of(call)

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return an OAuth client and a login; the two partners sign in as observed and in the project's way.

        Events that are over are not listed, so the account's owner names them.
        """
        account = credentials(partner)
        over = [uid for uid in self.records.event_uids(partner) if not self.records.is_ahead(partner, uid)]
        settings = {
            "api_url": f"{root}/{self.base}/v1",
            "results_url": f"{root}/v2/api",
            "auth_method": "timer_login" if partner == 1 else "client_credentials",
            "client_id": account["client_id"],
            "username": account["username"],
            "event_ids": ",".join(event_id(uid) for uid in over),
        }
        return settings, {name: account[name] for name in ("client_secret", "password", "api_key")}

    @classmethod
    def refused(cls) -> Answer:
        """Return a 401."""
        return Answer(error(401, "Unauthenticated."), status=401)

    def expired(self, call: Call) -> Answer:
        """Let the access token of a call expire."""
        self.sign_in.forget_token(call)
        return self.refused()

    def throttled(self, call: Call, status: int) -> Answer:
        """Return the error of a call too many; its headers are assumed (section 6)."""
        headers = {}
        if call.quota is not None:
            headers = {
                "X-RateLimit-Limit": str(call.quota.limit),
                "X-RateLimit-Remaining": str(max(0, call.quota.left)),
                "X-RateLimit-Reset": str(self.state.now + call.quota.resets_in),
            }
        return Answer(error(429, "Too many requests"), status=status, headers=headers)

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what Race Roster answers."""
        try:
            answer = self.lists.answer(call)
        except RaceRosterError as problem:
            told = oauth_error(problem.oauth, str(problem)) if problem.oauth else error(problem.status, str(problem))
            answer = Answer(told, status=problem.status)
        answer.content_type = "application/json"
        return answer

    def route(self, call: Call) -> str:
        """Return a call's path with `{id}` for every id; ids are opaque, so whatever has a digit is one."""
        return "/".join(
            part if VERSION.fullmatch(part) or not any(c.isdigit() for c in part) else "{id}" for part in call.path
        )

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer; one that is about a single event keeps it without sub-events."""
        if not answer.rows or not isinstance(answer.body, dict):
            return
        for name in ("data", "registrations"):
            if name in answer.body:
                answer.body[name] = []
        if "metadata" in answer.body:
            answer.body["metadata"] = {"totalResults": 0}
        if "meta" in answer.body:
            answer.body["meta"] |= {"filteredResults": 0, "totalResults": 0}
        answer.rows.clear()

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        if call.path[:2] == ("v1", "events") and len(call.path) > 2:
            return call.written[2]
        if call.path[:3] == ("v2", "api", "result-events") and len(call.path) > 3 and call.path[3].isdigit():
            return event_id(int(call.path[3]) - RESULT_EVENT_BASE)
        if call.path[:3] == ("v2", "api", "events") and len(call.path) > 3:
            uid = number_of_code(call.path[3])
            return event_id(uid) if uid is not None else None
        return None

    def is_later_page(self, call: Call) -> bool:
        """Return whether a call asks for a page after the first, by number or by offset."""
        return super().is_later_page(call) or any(
            call.query.get(name, "0") not in ("", "0") for name in ("offset", "start")
        )

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the distances of the event named by `event_id`, or of these the one named by `sub_event_id`."""
        uid = self.records.occasion_uid(str(asked.get("event_id", "")))
        distances = self.records.distances(uid) if uid is not None else []
        given = asked.get("sub_event_id", asked.get("race_id"))
        return distances if given is None else [d for d in distances if str(sub_event_id(d)) == str(given)]

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a participant's id belongs, or None; a result's public id is as good."""
        return self.records.locate(given) or self.results.locate(str(given))

    def entry_key(self, distance: Distance, index: int) -> int:
        """Return a participant's id."""
        return participant_id(distance, index)

    def result_key(self, distance: Distance, index: int) -> str:
        """Return the public id of an entry's result."""
        return self.results.code(distance, index)

    def event_key(self, distance: Distance) -> str:
        """Return the id of the event a distance belongs to."""
        return event_id(distance.uid // 4)

    def place_key(self, distance: Distance) -> int:
        """Return the id by which a transfer names its target."""
        return sub_event_id(distance)

    @classmethod
    def pushed_id(cls, distance: Distance, index: int) -> str:
        """Return the participant's id as timers get it."""
        return f"RR-{participant_id(distance, index)}"

    # -- participants ------------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the distances of a partner's events."""
        for uid in self.records.event_uids(partner):
            yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the participants of a sub-event: withdrawn ones stay."""
        return self.records.roster(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is; products carry over, so the customs go along."""
        record = self.records.participant(partner, distance, index)
        names = (
            "firstName", "lastName", "emailAddress", "phone", "dateOfBirth", "gender", "age", "addressLine1", "city",
            "provinceState", "postalCode", "country", "customFields",
        )  # fmt: skip
        return {name: record[name] for name in names}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live participants that have no bib yet."""
        roster = self.roster(partner, distance)
        records = ((i, self.records.participant(partner, distance, i)) for i in roster.slice(0, len(roster)))
        return [i for i, row in records if not row["bibNumber"] and row["registrationStatus"] in ("active", "pending")]

    def bib_patch(self, number: int) -> Record:
        """Return the bib as the text it is here."""
        return {"bibNumber": str(number)}

    def own_change(self, kind: str, changes: Changes, distance: Distance, index: int, fields: Record) -> None:
        """Move a participant to another sub-event under the same id, or give part of the money back (section 4)."""
        patch = changes.patches.get(index, {})
        if kind == "swap_sub_event":
            others = [d for d in self.records.distances(distance.uid // 4) if d.uid != distance.uid]
            to = fields.get("to_sub_event_id")
            target = next((d for d in others if to is None or str(sub_event_id(d)) == str(to)), distance)
            patch = patch | {"subEventId": sub_event_id(target), "subEventName": target.name}
        else:
            patch = patch | {"paymentStatus": "partially_refunded", "amountPaid": 10.0}
        changes.patches[index] = patch

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        for uid in self.records.event_uids(partner):
            around: Record = {"event_id": event_id(uid)}
            if stream == "events":
                yield self.records.event(partner, uid), around
            elif stream == "sub_events":
                yield from ((row, around) for row in self.records.sub_events(partner, uid))
            elif stream == "participants":
                listed = self.records.listed(partner, uid)
                yield from ((self.records.participant(partner, *at), around) for at in listed)
            elif stream == "results":
                for distance in self.records.distances(uid):
                    inner = around | {"sub_event_id": sub_event_id(distance)}
                    yield from ((dict(row), inner) for row in self.results.rows(partner, distance).values())
