"""Haku's reading API, as one public client shows it in use; nobody outside the vendor has its documentation.

`wire` is how it writes values, `sign_in` who may call, `records` what it tells of the season, `lists` which call gives
which of them, `spoils` what faults do to them. What no client shows is marked as assumed where it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.providers.common import Answer, Call, Provider, Record
from sandbox.providers.haku.lists import Lists, without_version
from sandbox.providers.haku.records import Records
from sandbox.providers.haku.sign_in import SignIn, credentials
from sandbox.providers.haku.spoils import SPOILS
from sandbox.providers.haku.wire import (
    WITHDRAWN,
    HakuError,
    category_id,
    event_id,
    gateway,
    not_found,
    registration_number,
)
from sandbox.state import Changes, Roster, State
from sandbox.world import HAKU, Distance

QUIRKS: Record = {
    # Pages have so many rows at most, silently, whatever is asked for (observed second-hand; silence is assumed).
    "haku_page_cap": 25,
    # Or a page too large is refused.
    "haku_oversize_400": False,
    # {"events": [...]} in place of a bare array, and with the counts beside it.
    "haku_envelope": False,
    "haku_pagination": False,
    "haku_ignore_updated_since": False,
    "haku_bearer_allowed": False,
    # Whether the rows of the participants' list tell when they were touched.
    "haku_thin_updated_at": True,
    "haku_fractional_times": False,
    "haku_null_address": False,
    "haku_two_active_categories": False,
}


class Haku(Provider):
    """Haku over the sandbox's season."""

    name = HAKU
    title = "Haku"
    streams = ("events", "participants", "registrations")
    quirks_at_first = QUIRKS
    # All of Haku's secrets travel in headers.
    secret_parameters = ("api_key", "api_secret", "client_secret", "access_token")

    spoils = SPOILS
    own_faults = ("detail_404", "cancelled_before_detail")
    own_changes = ("switch_category",)
    changes_known = (
        "add_entry", "edit_entry", "cancel", "refund", "clear", "transfer", "defer", "delete", "restore",
        "assign_bibs", "move_event", "rename_event",
    )  # fmt: skip
    words = WITHDRAWN
    keeps_withdrawn = True

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn(state, self.quirks)
        self.records = Records(state, self.quirks)
        self.lists = Lists(state, self.sign_in, self.records, self.quirks)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which organisation's client a call comes from."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return whose client a call comes from, rightly signed in or not."""
        return self.sign_in.partner_of(call)

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return what an organisation was given; the two partners come in by the two doors."""
        given = credentials(partner)
        if partner == 1:
            settings = {"api_url": root, "auth_method": "token", "token_url": f"{root}/oauth2/token"}
            return settings | {"client_id": given["client_id"]}, {"client_secret": given["client_secret"]}
        return {"api_url": f"{root}/v1", "auth_method": "api_key"}, {
            name: given[name] for name in ("api_key", "api_secret")
        }

    @classmethod
    def refused(cls) -> Answer:
        """Return the gateway's 401."""
        return _answer(gateway(401, "Unauthorized"))

    def expired(self, call: Call) -> Answer:
        """Let the access token of a call expire."""
        self.sign_in.forget_token(call)
        return _answer(gateway(401, "The incoming token has expired"))

    def throttled(self, call: Call, status: int) -> Answer:
        """Return the gateway's answer to a call too many."""
        return _answer(gateway(status, "Too Many Requests"))

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what Haku answers."""
        try:
            answer = self.lists.answer(call)
        except HakuError as problem:
            answer = _answer(problem)
        answer.content_type = "application/json"
        return answer

    def own_fault(self, kind: str, call: Call) -> Answer:
        """Answer a call for one registration as if it had gone, or been cancelled, since the list was read."""
        path = without_version(call.written)
        place = self.records.locate(path[3]) if len(path) == 4 else None
        if kind == "detail_404":
            return _answer(not_found())
        partner = self.partner_of(call)
        if place is not None and partner is not None:
            changes = self.state.changing(self.name, partner, place[0])
            changes.status[place[1]], changes.modified[place[1]] = self.words["cancel"], self.state.now
            self.state.version += 1
        return self.answer(call)

    def route(self, call: Call) -> str:
        """Return a call's path with `{id}` for every id."""
        path = list(without_version(call.path))
        path[1:4:2] = ["{id}"] * len(path[1:4:2]) if path[:1] == ["events"] else path[1:4:2]
        return "/".join(path)

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer."""
        if isinstance(answer.body, list):
            answer.body = []
        elif answer.stream == "registrations" or answer.body in answer.rows:
            answer.body = {}
        elif answer.stream:
            answer.body = {key: [] if isinstance(value, list) else value for key, value in answer.body.items()}

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        path = without_version(call.path)
        return path[1] if len(path) > 2 else None

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the categories of the event named by `event_id`, or of these the one named by `category_id`."""
        uid = self.records.occasion_uid(asked.get("event_id", ""))
        distances = self.records.distances(uid) if uid is not None else []
        category = asked.get("category_id")
        return distances if category is None else [d for d in distances if str(category_id(d)) == str(category)]

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a registration number belongs, or None."""
        return self.records.locate(given)

    def entry_key(self, distance: Distance, index: int) -> str:
        """Return a registration's number."""
        return registration_number(distance, index)

    # There are no results.
    result_key = entry_key

    def event_key(self, distance: Distance) -> int:
        """Return the id of the event a distance belongs to."""
        return event_id(distance.uid // 4)

    def place_key(self, distance: Distance) -> int:
        """Return the id by which a transfer names its target: the category's."""
        return category_id(distance)

    @classmethod
    def pushed_id(cls, distance: Distance, index: int) -> str:
        """Return the registration's number as timers get it."""
        return f"HK-{registration_number(distance, index)}"

    # -- registrations -----------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the categories of a partner's events."""
        for uid in self.records.event_uids(partner):
            yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the registrations of a category: cancelled ones stay."""
        return self.records.roster(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who registered, as fields for another registration of theirs."""
        who = dict(self.records.registration(partner, distance, index)["participant"])
        kept = ("first_name", "middle_initial", "last_name", "email", "phone", "dob", "gender")
        return {**(who["address"] or {}), **{name: who[name] for name in kept}}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live registrations that have no bib yet."""
        roster = self.roster(partner, distance)
        rows = ((i, self.records.participant(partner, distance, i)) for i in roster.slice(0, len(roster)))
        return [i for i, row in rows if row["bib"] is None and not row["is_cancelled"]]

    def bib_patch(self, number: int) -> Record:
        """Return the bib as it stands in a category."""
        return {"tag_number": str(number)}

    def own_change(self, kind: str, changes: Changes, distance: Distance, index: int, fields: Record) -> None:
        """Switch to another category under the same number: the first other one, or `fields.event_category_id`."""
        others = [category_id(d) for d in self.records.distances(distance.uid // 4) if d.uid != distance.uid]
        wanted = fields.get("event_category_id", others[0] if others else None)
        changes.patches[index] = changes.patches.get(index, {}) | {"event_category_id": wanted}

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        for uid in self.records.event_uids(partner) if partner in self.partners() else []:
            around: Record = {"event_id": event_id(uid)}
            if stream == "events":
                yield self.records.event(partner, self.state.season.occasion(uid)), around
                continue
            made = self.records.participant if stream == "participants" else self.records.registration
            for distance in self.records.distances(uid):
                roster = self.roster(partner, distance)
                for index in roster.slice(0, len(roster)):
                    yield made(partner, distance, index), around


def _answer(problem: HakuError) -> Answer:
    return Answer(problem.body, status=problem.status, content_type="application/json")
