"""ChronoTrack Live's reading API, as its clients and the readable parts of its documentation describe it.

`wire` is how it writes values, `sign_in` who may call, `records`, `results` and `ranks` what it tells of the world,
`lists` which call gives which of them, `spoils` what faults do to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from sandbox.providers.chronotrack.lists import Lists
from sandbox.providers.chronotrack.records import Records
from sandbox.providers.chronotrack.results import Results
from sandbox.providers.chronotrack.sign_in import SignIn, credentials
from sandbox.providers.chronotrack.spoils import SPOILS
from sandbox.providers.chronotrack.wire import RACE_BASE, STATUSES, ChronoTrackError, entry_id, error, event_id, race_id
from sandbox.providers.common import Answer, Call, Provider, Record
from sandbox.state import Roster, State
from sandbox.world import CHRONOTRACK, Distance

# repeat_rows: how many rows of a page come again on the next one during live scoring.
QUIRKS = {"repeat_rows": 1}


class ChronoTrack(Provider):
    """ChronoTrack over the sandbox's world."""

    name = CHRONOTRACK
    title = "ChronoTrack"
    base = "api"
    streams = ("events", "races", "entries", "brackets", "intervals", "results")
    reads_files = True
    secret_parameters = ("user_pass", "password", "client_secret", "refresh_token", "client_id", "user_id")
    quirks_at_first = QUIRKS

    spoils = SPOILS
    words = STATUSES
    keeps_withdrawn = True
    entries_show_on_results = True

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.sign_in = SignIn(state)
        self.records = Records(state)
        self.results = Results(state, self.records)
        self.lists = Lists(state, self.sign_in, self.records, self.results, self.quirks)

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which application a call comes from."""
        return self.sign_in.credential(call)

    def partner_of(self, call: Call) -> int | None:
        """Return whose application a call comes from, rightly signed in or not."""
        return self.sign_in.partner_of(call)

    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return an application and its account; the two partners sign in in different ways."""
        account = credentials(partner)
        settings = {
            "api_url": f"{root}/{self.base}",
            "auth_method": "simple" if partner == 1 else "oauth2_password",
            "client_id": account["client_id"],
            "username": account["username"],
        }
        return settings, {name: account[name] for name in ("password", "client_secret", "refresh_token")}

    @classmethod
    def refused(cls) -> Answer:
        """Return a 401."""
        return Answer(error(401, "Invalid credentials"), status=401)

    def expired(self, call: Call) -> Answer:
        """Let the access token of a call expire."""
        self.sign_in.forget_token(call)
        return Answer(error(401, "The access token expired"), status=401)

    def throttled(self, call: Call, status: int) -> Answer:
        """Return the error of a call too many."""
        return Answer(error(429, "Too many requests"), status=status)

    # -- answering ---------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what ChronoTrack answers."""
        try:
            answer = self.lists.answer(call)
        except ChronoTrackError as problem:
            answer = Answer(error(problem.status, str(problem)), status=problem.status)
        answer.content_type = "application/json"
        answer.headers.setdefault("Last-Modified", formatdate(self.state.now, usegmt=True))
        return answer

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer."""
        if isinstance(answer.body, dict):
            answer.body = {k: [] if isinstance(v, list) else v for k, v in answer.body.items()}
            if "X-Ctlive-Row-Count" in answer.headers:
                answer.headers |= {"X-Ctlive-Row-Count": "0", "X-Ctlive-Page-Count": "1"}

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        if len(call.path) < 3:
            return None
        if call.path[0].startswith("race"):
            distance = self.records.numbered(RACE_BASE, call.path[1])
            return self.event_key(distance) if distance else None
        return call.path[1]

    # -- ids ---------------------------------------------------------------------------------------

    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the races of the event named by `event_id`, or of these the one named by `race_id`."""
        uid = self.records.occasion_uid(str(asked.get("event_id", "")))
        distances = self.records.distances(uid) if uid is not None else []
        race = asked.get("race_id")
        return distances if race is None else [d for d in distances if race_id(d) == str(race)]

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where an entry id belongs, or None."""
        return self.records.locate(given)

    def entry_key(self, distance: Distance, index: int) -> str:
        """Return an entry's id."""
        return entry_id(distance, index)

    def result_key(self, distance: Distance, index: int) -> str:
        """Return what names an athlete's result rows: their entry."""
        return entry_id(distance, index)

    def event_key(self, distance: Distance) -> str:
        """Return the id of the event a distance belongs to."""
        return event_id(distance.uid // 4)

    def place_key(self, distance: Distance) -> str:
        """Return the id by which a transfer names its target."""
        return race_id(distance)

    # -- entries -----------------------------------------------------------------------------------

    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the races of a partner's events, test events left out."""
        for uid in self.records.event_uids(partner):
            yield from self.records.distances(uid)

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the entries of a race: withdrawn ones stay."""
        return self.records.roster(partner, distance)

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is, as fields for another entry of theirs."""
        record = self.records.entry(partner, distance, index)
        return {k: v for k, v in record.items() if k.startswith(("athlete_", "location_", "entry_name"))}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live entries that have no bib yet."""
        roster = self.roster(partner, distance)
        found = []
        for index in roster.slice(0, len(roster)):
            record = self.records.entry(partner, distance, index)
            if not record["entry_bib"] and record["entry_status"] not in ("WD", "TRANS"):
                found.append(index)
        return found

    def bib_patch(self, number: int) -> Record:
        """Return the bib as the text it is here."""
        return {"entry_bib": str(number)}

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        call.query = {"contact_details": "1", "need_athlete_birthdate": "1", "elide_json": "0"} | call.query
        uids = self.records.event_uids(partner, call.flag("include_test_events"))
        for uid in uids if partner in self.partners() else []:
            around: Record = {"event_id": event_id(uid)}
            if stream == "events":
                yield self.lists.shown(call, self.records.event(partner, uid)), around
            for distance in self.records.distances(uid):
                inner = around | {"race_id": race_id(distance)}
                for record in self._held(partner, stream, distance):
                    yield self.lists.shown(call, record), inner

    def _held(self, partner: int, stream: str, distance: Distance) -> Iterator[Record]:
        if stream == "races":
            yield self.records.race(partner, distance)
        elif stream == "brackets":
            yield from self.records.brackets(partner, distance)
        elif stream == "intervals":
            yield from self.records.intervals(partner, distance)
        elif stream == "entries":
            roster = self.roster(partner, distance)
            for index in roster.slice(0, len(roster)):
                yield self.records.entry(partner, distance, index)
        elif stream == "results":
            for stretch in self.results.stretches(partner, distance, list(range(len(distance.course.splits) + 1))):
                for position in stretch.slice(0, len(stretch)):
                    yield self.results.result(partner, distance, stretch.interval, position)
