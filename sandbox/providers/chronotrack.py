"""ChronoTrack Live's reading API, as its clients and the readable parts of its documentation describe it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl

from sandbox import names
from sandbox.providers.common import Answer, Call, Record
from sandbox.state import CHRONOTRACK, Changes, State
from sandbox.world import BLOCK, PARTNERS, START, Distance, Entrant, is_hole

EVENT_BASE, RACE_BASE, ENTRY_BASE, ATHLETE_BASE = 40_000, 90_000, 80_000_000, 7_000_000
BRACKET_BASE, INTERVAL_BASE, WAVE_BASE, CHOICE_BASE, TEAM_BASE = 600_000, 500_000, 300_000, 200_000, 30_000
BRACKETS, INTERVALS = 32, 16
TEST_ENTRY = BLOCK - 10
TOKEN_SECONDS = 259_199
MOST = 1000

BANDS = ("U20", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
SEXES = ("F", "M", "X")
# Overall, the sexes, then age groups of women and men.
BRACKET_NAMES: tuple[tuple[str, str], ...] = (
    ("Overall", "OPEN"),
    ("Female", "SEX"),
    ("Male", "SEX"),
    ("Non-binary", "SEX"),
    *((f"{sex}{band}", "AGE") for sex in ("F", "M") for band in BANDS),
)


class ChronoTrackError(Exception):
    """An answer with a status that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        """Take the HTTP status and what the body says."""
        super().__init__(message)
        self.status = status


def error(code: int, message: str) -> Record:
    """Return the body of an error."""
    return {"error": {"code": code, "message": message}}


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's account and its application."""
    slug = PARTNERS[partner][1]
    return {
        "client_id": hashlib.sha256(slug.encode()).hexdigest()[:8],
        "client_secret": f"ct-{slug}-client-secret-88",
        "username": f"timing@{slug}.example",
        "password": f"ct-{slug}-Password-88",
        "refresh_token": f"ct-{slug}-refresh-88",
    }


def duration(tenths: int, style: int) -> str:
    """Return a time as HH:MM:SS or H:MM:SS.t."""
    seconds, tenth = divmod(tenths, 10)
    hours, rest = divmod(seconds, 3600)
    if style:
        return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}.{tenth}"


def band_of(age: int | None) -> int:
    """Return the age group's number."""
    return 0 if age is None or age < 20 else min(6, age // 10 - 1)


def text(value: Any) -> str:
    """Return a scalar as ChronoTrack sends all of them."""
    return "" if value is None else str(value)


@dataclass(slots=True)
class Rows:
    """A stretch of a race's result rows: one interval, positions a..b-1 of which some are gone."""

    distance: Distance
    interval: int
    start: int
    stop: int
    gone: list[int]
    # Entries with a result that control gave them, beyond the positions.
    extras: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.stop - self.start - len(self.gone) + len(self.extras)

    def slice(self, start: int, stop: int) -> Iterator[int]:
        """Yield positions; extras as -1 - index."""
        position = self.start + start
        for gone in self.gone:
            if gone <= position:
                position += 1
        left, missing = stop - start, set(self.gone)
        while position < self.stop and left > 0:
            if position not in missing:
                yield position
                left -= 1
            position += 1
        first = max(0, start - (self.stop - self.start - len(self.gone)))
        yield from (-1 - index for index in self.extras[first : first + max(0, left)])


class ChronoTrack:
    """ChronoTrack over the sandbox's world."""

    name = CHRONOTRACK
    streams = ("events", "races", "entries", "brackets", "intervals", "results")

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        self.state = state
        self.accounts = {credentials(p)["username"]: p for p in PARTNERS}
        self.clients = {credentials(p)["client_id"]: p for p in PARTNERS}
        self.tokens: dict[str, tuple[int, int]] = {}
        self.issued = 0
        self.repeat_rows = 1
        self._codes: dict[tuple[int, int, int], tuple[bytes, bytes]] = {}

    # -- quirks ------------------------------------------------------------------------------------

    def quirks(self) -> Record:
        """Return the switchable surprises."""
        return {"repeat_rows": self.repeat_rows}

    def set_quirks(self, asked: Record) -> None:
        """Switch surprises: repeat_rows is how many rows of a page come again on the next during live scoring."""
        if "repeat_rows" in asked:
            self.repeat_rows = max(0, int(asked["repeat_rows"]))

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which application a call comes from."""
        given = call.query.get("client_id")
        if given is None and call.path[:1] == ("oauth2",):
            given = self._basic(call)[0]
        return given or "anonymous"

    def partner_of(self, call: Call) -> int | None:
        """Return whose application a call comes from, rightly signed in or not."""
        return self.clients.get(self.credential(call))

    @staticmethod
    def _basic(call: Call) -> tuple[str, str]:
        given = call.headers.get("authorization", "")
        if not given.lower().startswith("basic "):
            return "", ""
        try:
            user, _, password = base64.b64decode(given[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        client = self.clients.get(call.query.get("client_id", ""))
        if client is None:
            raise ChronoTrackError(401, "Unknown client_id")
        header = call.headers.get("authorization", "")
        if header.lower().startswith("bearer "):
            partner, expires = self.tokens.get(header[7:].strip(), (None, 0))
            if expires <= self.state.now:
                partner = None
        elif header.lower().startswith("basic "):
            user, password = self._basic(call)
            partner = self.accounts.get(user)
            if partner is not None and password != credentials(partner)["password"]:
                partner = None
        else:
            partner = self.accounts.get(call.query.get("user_id", ""))
            if partner is not None:
                # Lowercase hex of an unsalted SHA-1 is what this provider takes.
                right = hashlib.sha1(credentials(partner)["password"].encode()).hexdigest()  # noqa: S324
                if call.query.get("user_pass") != right:
                    partner = None
        if partner is None or partner != client:
            raise ChronoTrackError(401, "Invalid credentials")
        call.partner = partner

    def forget_token(self, call: Call) -> None:
        """Let the access token of a call expire."""
        self.tokens.pop(call.headers.get("authorization", "")[7:].strip(), None)

    def _token(self, call: Call) -> Answer:
        client_id, secret = self._basic(call)
        partner = self.clients.get(client_id)
        if partner is None or secret != credentials(partner)["client_secret"]:
            raise ChronoTrackError(401, "Invalid client")
        form = dict(call.query)
        if call.body:
            form |= dict(parse_qsl(call.body.decode("utf-8", "replace")))
        account = credentials(partner)
        match form.get("grant_type"):
            case "password":
                right = (form.get("username"), form.get("password")) == (account["username"], account["password"])
            case "refresh_token":
                right = form.get("refresh_token") == account["refresh_token"]
            case _:
                raise ChronoTrackError(400, "Unsupported grant_type")
        if not right:
            raise ChronoTrackError(401, "Invalid grant")
        self.issued += 1
        token = hashlib.sha256(f"{client_id}/{self.issued}".encode()).hexdigest()[:40]
        self.tokens[token] = (partner, self.state.now + TOKEN_SECONDS)
        body = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": account["refresh_token"],
        }
        return Answer(body, headers={"Cache-Control": "no-store"})

    # -- routes ------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what ChronoTrack answers."""
        try:
            answer = self._token(call) if call.path == ("oauth2", "token") else self._route(call)
        except ChronoTrackError as problem:
            answer = Answer(error(problem.status, str(problem)), status=problem.status)
        answer.content_type = "application/json"
        answer.headers.setdefault("Last-Modified", formatdate(self.state.now, usegmt=True))
        return answer

    def _route(self, call: Call) -> Answer:
        path = list(call.path)
        if path and path[0].endswith(".json"):
            path[0] = path[0][:-5]
        elif call.query.get("format", "json").lower() != "json" or (path and "." in path[0]):
            raise ChronoTrackError(400, "Unsupported format")
        if call.slash:
            raise ChronoTrackError(404, "Not found")
        self.sign_in(call)
        if call.method != "GET":
            raise ChronoTrackError(405, "Method not allowed")
        match path:
            case ["event"]:
                return self._events(call)
            case [resource, number]:
                return self._one(call, resource, number)
            case [("event" | "race" | "bracket" | "interval") as parent, number, "results"]:
                return self._results(call, parent, number)
            case ["entry", number, "results"]:
                return self._entry_results(call, number)
            case [("event" | "race") as parent, number, child]:
                return self._children(call, parent, number, child)
        raise ChronoTrackError(404, "Not found")

    def _page(self, call: Call, key: str, rows: list[Record], total: int, size: int, stream: str) -> Answer:
        rows = [self._shown(call, row) for row in rows]
        headers = {
            "X-Ctlive-Row-Count": str(total),
            "X-Ctlive-Page-Count": str(max(1, -(-total // size))),
            "X-Ctlive-Page-Size": str(size),
            "X-Ctlive-Current-Page": str(call.number("page", 1)),
        }
        return Answer({key: rows}, headers=headers, rows=rows, stream=stream)

    @staticmethod
    def _span(call: Call) -> tuple[int, int]:
        size = call.number("size", 50, MOST)
        return (call.number("page", 1) - 1) * size, size

    @staticmethod
    def _shown(call: Call, row: Record) -> Record:
        """Leave out what a call did not ask for, and empty values unless told to keep them."""
        everything = call.flag("include_all_fields")
        hidden: set[str] = set()
        if not (everything or call.flag("contact_details")):
            hidden |= {"athlete_email", "athlete_home_phone", "athlete_mobile_phone"}
        if not (everything or call.flag("need_athlete_birthdate")):
            hidden.add("athlete_birthdate")
        if call.query.get("columns"):
            wanted = set(call.query["columns"].split(",")) | {"results_entry_id", "results_interval_id"}
            hidden |= {name for name in row if name not in wanted}
        elide = call.flag("elide_json", True)
        return {k: v for k, v in row.items() if k not in hidden and not (elide and v in ("", None))}

    # -- events and races --------------------------------------------------------------------------

    def event_uids(self, partner: int, tests: bool = False) -> list[int]:
        """Return the events of a partner's account."""
        source = self.state.source
        return [
            u
            for u in source.uids(partner)
            if (occasion := source.occasion(u)).on_chronotrack and (tests or not occasion.is_test)
        ]

    def event_id(self, uid: int) -> str:
        """Return an occasion's id."""
        return str(EVENT_BASE + uid)

    def occasion_uid(self, event_id: str) -> int | None:
        """Return the occasion behind an id, or None."""
        if not event_id.isdigit() or not any(self.state.source.serves(p, int(event_id) - EVENT_BASE) for p in PARTNERS):
            return None
        uid = int(event_id) - EVENT_BASE
        return uid if self.state.source.occasion(uid).on_chronotrack else None

    def distances(self, uid: int) -> list[Distance]:
        """Return the races of an event."""
        return self.state.source.occasion(uid).distances

    def race_id(self, distance: Distance) -> str:
        """Return a race's id."""
        return str(RACE_BASE + distance.uid)

    def _distance(self, base: int, number: str, per: int = 1) -> Distance | None:
        if not number.isdigit() or int(number) < base:
            return None
        distance = self.state.source.distance((int(number) - base) // per)
        if distance is None or not self.state.source.occasion(distance.uid // 4).on_chronotrack:
            return None
        return distance

    def _permit(self, call: Call, distance_or_uid: Distance | int) -> int:
        uid = distance_or_uid if isinstance(distance_or_uid, int) else distance_or_uid.uid // 4
        partner = call.partner or 0
        if not self.state.source.serves(partner, uid):
            raise ChronoTrackError(403, "No access to this event")
        return partner

    def event(self, partner: int, uid: int) -> Record:
        """Return an event as ChronoTrack writes it."""
        occasion = self.state.source.occasion(uid)
        changed = self.state.occasion_changes(CHRONOTRACK, partner, occasion)
        city, region, _, country, zone = occasion.venue
        return {
            "event_id": self.event_id(uid),
            "event_name": changed.name or occasion.name,
            "event_type": "run",
            "event_is_published": "0" if occasion.phase == "future" and uid % 4 == 0 else "1",
            "event_start_time": str(occasion.start + changed.shift),
            "event_end_time": str(occasion.end + changed.shift),
            "location_street": "",
            "location_city": city,
            "location_region": region,
            "location_country": country,
            "location_time_zone": zone,
        }

    def race(self, partner: int, distance: Distance) -> Record:
        """Return a race (a distance) as ChronoTrack writes it."""
        occasion = self.state.source.occasion(distance.uid // 4)
        changed = self.state.occasion_changes(CHRONOTRACK, partner, occasion)
        scored = self.state.changes(CHRONOTRACK, partner, distance).scored(distance)
        start = distance.start + changed.shift
        return {
            "race_id": self.race_id(distance),
            "event_id": self.event_id(occasion.uid),
            "race_name": distance.name,
            "race_tag": distance.name.upper().replace(" ", "")[:8],
            "race_type": "running",
            "race_subtype": "",
            "race_course_distance": f"{distance.course.metres:g}",
            "race_pref_distance_unit": "kilometers" if distance.name.endswith("K") else "miles",
            "race_planned_start_time": str(start),
            "race_planned_end_time": str(start + distance.course.slowest + 1800),
            "race_actual_start_time": str(start) if scored or distance.start <= START else "",
            "race_actual_end_time": str(occasion.end + changed.shift) if scored >= distance.finishers else "",
            "race_age_ref_time": str(start),
        }

    def _events(self, call: Call) -> Answer:
        uids = self.event_uids(call.partner or 0, call.flag("include_test_events"))
        start, size = self._span(call)
        rows = [self.event(call.partner or 0, u) for u in uids[start : start + size]]
        return self._page(call, "event", rows, len(uids), size, "events")

    def _one(self, call: Call, resource: str, number: str) -> Answer:
        record: Record | None = None
        stream = ""
        if resource == "event":
            uid = self.occasion_uid(number)
            if uid is not None:
                record, stream = self.event(self._permit(call, uid), uid), "events"
        elif resource == "race":
            distance = self._distance(RACE_BASE, number)
            if distance is not None:
                record, stream = self.race(self._permit(call, distance), distance), "races"
        elif resource == "entry":
            found = self.locate(number)
            if found is not None and found[1] in self.state.entries(self._permit(call, found[0]), found[0]):
                record, stream = self.entry(call.partner or 0, *found), "entries"
                call.query |= {"contact_details": "1", "need_athlete_birthdate": "1"}
        elif resource in ("bracket", "interval"):
            base, per = (BRACKET_BASE, BRACKETS) if resource == "bracket" else (INTERVAL_BASE, INTERVALS)
            distance = self._distance(base, number, per)
            if distance is not None:
                partner = self._permit(call, distance)
                made = self.brackets(partner, distance) if resource == "bracket" else self.intervals(partner, distance)
                record = next((row for row in made if row[f"{resource}_id"] == number), None)
                stream = resource + "s"
        if record is None:
            raise ChronoTrackError(404, f"{resource} not found")
        row = self._shown(call, record)
        return Answer({resource: row}, rows=[row], stream=stream)

    def _scope(self, call: Call, parent: str, number: str) -> list[Distance] | None:
        """Return the races below an event or race; None where there is no such thing."""
        if parent == "event":
            uid = self.occasion_uid(number)
            if uid is None:
                return None
            self._permit(call, uid)
            return self.distances(uid)
        distance = self._distance(RACE_BASE, number)
        if distance is None:
            return None
        self._permit(call, distance)
        return [distance]

    def _children(self, call: Call, parent: str, number: str, child: str) -> Answer:
        distances = self._scope(call, parent, number)
        if distances is None:
            # A bad id answers 200 without the expected key.
            return Answer({"message": f"no such {parent}"})
        partner = call.partner or 0
        key = f"{parent}_{child.replace('-', '_')}"
        start, size = self._span(call)
        if child == "entry":
            return self._entries(call, partner, distances, key)
        rows: list[Record]
        match child:
            case "race":
                rows, stream = [self.race(partner, d) for d in distances], "races"
            case "bracket":
                rows, stream = [b for d in distances for b in self.brackets(partner, d)], "brackets"
            case "interval":
                rows, stream = [i for d in distances for i in self.intervals(partner, d)], "intervals"
            case "wave":
                rows, stream = [w for d in distances for w in self.waves(d)], "waves"
            case "reg-choice":
                rows, stream = [self.choice(d) for d in distances], "choices"
            case _:
                raise ChronoTrackError(404, "Not found")
        return self._page(call, key, rows[start : start + size], len(rows), size, stream)

    def interval_id(self, distance: Distance, interval: int) -> str:
        """Return an interval's id; the last one is the whole course."""
        return str(INTERVAL_BASE + distance.uid * INTERVALS + interval)

    def intervals(self, partner: int, distance: Distance) -> list[Record]:
        """Return the intervals of a race."""
        named = [*distance.course.splits, ("Full Course", distance.course.metres)]
        return [
            {
                "interval_id": self.interval_id(distance, n),
                "interval_name": name,
                "race_id": self.race_id(distance),
                "race_name": distance.name,
                "event_id": self.event_id(distance.uid // 4),
                "interval_iv_distance_m": f"{metres:g}",
                "interval_is_full": "1" if n == len(distance.course.splits) else "0",
            }
            for n, (name, metres) in enumerate(named)
        ]

    def brackets(self, partner: int, distance: Distance) -> list[Record]:
        """Return the brackets of a race."""
        return [
            {
                "bracket_id": str(BRACKET_BASE + distance.uid * BRACKETS + n),
                "bracket_name": name,
                "bracket_type": kind,
                "bracket_wants_leaderboard": "1" if kind != "AGE" else "0",
                "race_id": self.race_id(distance),
                "event_id": self.event_id(distance.uid // 4),
            }
            for n, (name, kind) in enumerate(BRACKET_NAMES)
        ]

    def waves(self, distance: Distance) -> list[Record]:
        """Return the waves of a race."""
        return [
            {
                "wave_id": str(WAVE_BASE + distance.uid * 4 + n),
                "wave_name": f"Wave {n + 1}",
                "wave_start_time": str(distance.start + 600 * n),
                "race_id": self.race_id(distance),
                "race_name": distance.name,
                "event_id": self.event_id(distance.uid // 4),
            }
            for n in range(2)
        ]

    def choice(self, distance: Distance) -> Record:
        """Return the registration option of a race."""
        return {
            "reg_choice_id": str(CHOICE_BASE + distance.uid),
            "reg_choice_name": f"{distance.name} Early",
            "race_id": self.race_id(distance),
            "event_id": self.event_id(distance.uid // 4),
        }

    # -- entries -----------------------------------------------------------------------------------

    def entry_key(self, distance: Distance, index: int) -> str:
        """Return an entry's id."""
        return str(ENTRY_BASE + distance.uid * BLOCK + index)

    def result_key(self, distance: Distance, index: int) -> str:
        """Return what names an athlete's result rows: their entry."""
        return self.entry_key(distance, index)

    def place_key(self, distance: Distance) -> str:
        """Return the id by which a transfer names its target."""
        return self.race_id(distance)

    def event_key(self, distance: Distance) -> str:
        """Return the id of the event a distance belongs to."""
        return self.event_id(distance.uid // 4)

    def locate(self, entry_id: Any) -> tuple[Distance, int] | None:
        """Return where an entry id belongs."""
        number = str(entry_id)
        distance = self._distance(ENTRY_BASE, number, BLOCK)
        return (distance, (int(number) - ENTRY_BASE) % BLOCK) if distance else None

    def entrant(self, partner: int, distance: Distance, index: int) -> Entrant:
        """Return who entered."""
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        return self.state.source.timer_copy(distance, index, changes.persons.get(index))

    def status(  # noqa: PLR0911
        self, changes: Changes, distance: Distance, index: int, flaw: int = 0
    ) -> str:
        """Return an entry's status."""
        if index in changes.status:
            return changes.status[index]
        if flaw == 4:
            return "LOST"
        position = self.state.source.position_of(distance, index)
        scored = changes.scored(distance)
        if position is None:
            if index < distance.own and is_hole(index):
                return "TRANS" if index % 100 == 57 else "WD"
            return "FIN" if index in changes.corrected else "CONF"
        if position < scored or index in changes.corrected:
            return "FIN"
        if scored < distance.finishers:
            return "PEND" if distance.start > START and index % 17 == 4 else "CONF"
        if position < distance.finishers + distance.did_not_finish:
            return "DNF"
        return "DQ" if position < distance.finishers + distance.did_not_finish + distance.disqualified else "DNS"

    def bracket_name(self, entrant: Entrant) -> str:
        """Return the bracket an entry is ranked in first."""
        return f"{entrant.gender}{BANDS[band_of(entrant.age)]}" if entrant.gender in ("F", "M") else "Non-binary"

    def entry(self, partner: int, distance: Distance, index: int) -> Record:
        """Return an entry with all its fields, empty ones included."""
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        occasion = self.state.source.occasion(distance.uid // 4)
        if index >= TEST_ENTRY:
            who = Entrant(0, "Test", None, "Runner", "", None, None, None, None, None, "", "", "", "", "", 0, None, ())
        else:
            who = self.entrant(partner, distance, index)
        first, last = who.first.strip(), who.last.strip()
        status = self.status(changes, distance, index, who.flaw)
        linked = occasion.on_runsignup and index < distance.registered and index % 9 != 4
        record = {
            "entry_id": self.entry_key(distance, index),
            "event_id": self.event_id(occasion.uid),
            "race_id": self.race_id(distance),
            "athlete_id": str(ATHLETE_BASE + who.person * 2 + who.account),
            # Registration platforms push their own id with the entry; a few were typed in by hand.
            "entry_external_id": f"RS-{10_000_000 + distance.uid * BLOCK + index}" if linked else "",
            "entry_name": f"{first} {last}".strip().upper(),
            "entry_type": "TEST" if index >= TEST_ENTRY else "IND",
            "entry_status": status,
            "entry_bib": who.bib,
            "entry_race_age": text(who.age),
            "athlete_first_name": who.first,
            "athlete_last_name": who.last,
            "athlete_sex": who.gender,
            "athlete_birthdate": who.dob.isoformat() if who.dob else "",
            "athlete_email": text(who.email),
            "athlete_home_phone": "",
            "athlete_mobile_phone": text(who.phone),
            "location_street": text(who.street),
            "location_street2": "",
            "location_city": who.city,
            "location_region": who.region,
            "location_postal_code": who.postal,
            "location_country": who.country,
            "bracket_name": self.bracket_name(who),
            "wave_name": f"Wave {1 + index % 2}",
            "race_name": distance.name,
            "reg_choice_id": str(CHOICE_BASE + distance.uid),
            "reg_choice_name": f"{distance.name} Early",
            "team_id": str(TEAM_BASE + names.TEAMS.index(who.team)) if who.team else "",
            "team_name": text(who.team),
        }
        patch = changes.patches.get(index)
        return record | {k: text(v) for k, v in patch.items()} if patch else record

    def _entries(self, call: Call, partner: int, distances: list[Distance], key: str) -> Answer:
        start, size = self._span(call)
        rows: list[Record] = []
        total = 0
        for distance in distances:
            roster = self.state.entries(partner, distance)
            length = len(roster)
            a, b = max(0, start - total), min(length, start + size - total)
            # Entries added since come first: a new one shifts the pages.
            if a < b:
                order = roster.added[::-1][a:b]
                new = len(roster.added)
                order += list(roster.slice(max(0, a - new), max(0, b - new)))[: (b - a) - len(order)]
                rows += [self.entry(partner, distance, index) for index in order]
            total += length
        if call.flag("include_test_entries"):
            tests = [self.entry(partner, distances[0], TEST_ENTRY + n) for n in range(2)]
            rows += tests[max(0, start - total) : max(0, start + size - total)]
            total += len(tests)
        answer = self._page(call, key, rows, total, size, "entries")
        answer.distances = list(distances)
        return answer

    # -- results -----------------------------------------------------------------------------------

    def _lead(self, distance: Distance, interval: int) -> int:
        """Return how many more athletes have passed this mat than have finished."""
        return -(-distance.finishers // 5) * (len(distance.course.splits) - interval)

    def result_rows(self, partner: int, distance: Distance, wanted: list[int]) -> list[Rows]:
        """Return the stretches of result rows of these intervals."""
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        source = self.state.source
        scored = changes.scored(distance)
        full = len(distance.course.splits)
        lost = sorted(
            p for i in {**changes.result_gone, **changes.removed} if (p := source.position_of(distance, i)) is not None
        )
        done = scored >= distance.finishers and scored > 0
        after = distance.finishers + distance.did_not_finish
        last = after + distance.disqualified
        found = []
        for interval in wanted:
            count = min(distance.finishers, scored + self._lead(distance, interval)) if scored else 0
            stretches = [(0, count)]
            if done:
                # Who dropped out passed the first mats only, and has a begin time on the whole course.
                seen = interval == full or interval < (full + 1) // 2
                stretches = [(0, last)] if seen else [(0, distance.finishers), (after, last)]
            end = stretches[-1][1]
            extras: tuple[int, ...] = ()
            if interval == full and changes.corrected:
                extras = tuple(
                    i
                    for i in sorted(changes.corrected)
                    if i not in changes.result_gone
                    and i not in changes.removed
                    and ((p := source.position_of(distance, i)) is None or p >= end)
                )
            for a, b in stretches:
                gone = lost[bisect_left(lost, a) : bisect_left(lost, b)]
                found.append(Rows(distance, interval, a, b, gone, extras if b == end else ()))
        return found

    def modified_at(self, partner: int, distance: Distance, interval: int, position: int, index: int) -> int:
        """Return when a result row was last touched; a re-score touches the whole race."""
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        at = max(changes.rescored_at, changes.result_modified.get(index, 0))
        if position < 0:
            return at or START
        posted = changes.posted_at(distance, position, self._lead(distance, interval))
        if posted is None:
            # Who did not finish was entered when the last one had.
            last = min(position, distance.finishers - 1)
            posted = min(distance.start + self._passed(distance, interval, last) // 10, START)
        return max(at, posted)

    def _passed(self, distance: Distance, interval: int, position: int) -> int:
        source = self.state.source
        if interval < len(distance.course.splits):
            return source.split(distance, position, interval) or 0
        timing = source.timing(distance, position)
        return timing.gun if timing else 0

    def codes(self, partner: int, distance: Distance) -> tuple[bytes, bytes]:
        """Return sex and age group of every finishing position; kept for the last few races asked for."""
        key = (partner, distance.uid, self.state.version)
        if key not in self._codes:
            if len(self._codes) >= 4:
                self._codes.clear()
            changes = self.state.changes(CHRONOTRACK, partner, distance)
            sexes, ages = bytearray(), bytearray()
            for position in range(distance.finishers):
                index = self.state.source.index_at(distance, position)
                who = self.entrant(partner, distance, index)
                sex = str(changes.patches.get(index, {}).get("athlete_sex", who.gender))
                code = SEXES.index(sex) if sex in SEXES else 3
                sexes.append(code)
                ages.append(code * 10 + band_of(who.age) if code < 2 else 20)
            self._codes[key] = bytes(sexes), bytes(ages)
        return self._codes[key]

    def rank(
        self, partner: int, distance: Distance, interval: int, position: int, index: int, codes: bytes | None
    ) -> str:
        """Return the rank of a row in the bracket asked for, with what control changed taken in."""
        source = self.state.source
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        if index in changes.disqualified or changes.status.get(index) == "DQ":
            return ""
        full = interval == len(distance.course.splits)
        corrected = changes.corrected.get(index) if full else None
        if corrected is None and (position < 0 or position >= distance.finishers):
            return ""
        if codes is None and corrected is None and not changes.rescored_at:
            known = source.rank(distance, position)
            if known is not None:
                return str(known)
        code = codes[position] if codes is not None and 0 <= position < len(codes) else None
        mine = corrected if corrected is not None else None
        place = position if mine is None else self._faster(distance, mine)
        ahead = codes.count(code, 0, place) if codes is not None and code is not None else place
        gone = {**changes.result_gone, **changes.removed, **changes.disqualified}
        if full:
            gone |= changes.corrected
        for other in gone:
            at = source.position_of(distance, other)
            if at is not None and at < min(place, distance.finishers) and (codes is None or codes[at] == code):
                ahead -= 1
        if full:
            timing = source.timing(distance, position) if position >= 0 else None
            own = mine if mine is not None else timing.gun if timing else 0
            for other, gun in changes.corrected.items():
                at = source.position_of(distance, other)
                out = other in changes.result_gone or other in changes.removed or other in changes.disqualified
                same = codes is None or (at is not None and at < len(codes) and codes[at] == code)
                if other != index and not out and same and gun < own:
                    ahead += 1
        return str(ahead + 1)

    def _faster(self, distance: Distance, gun: int) -> int:
        low, high = 0, distance.finishers
        while low < high:
            middle = (low + high) // 2
            timing = self.state.source.timing(distance, middle)
            if timing is not None and timing.gun < gun:
                low = middle + 1
            else:
                high = middle
        return low

    def result(
        self, partner: int, distance: Distance, interval: int, position: int, codes: bytes | None = None
    ) -> Record:
        """Return one row: an athlete at an interval."""
        source = self.state.source
        changes = self.state.changes(CHRONOTRACK, partner, distance)
        occasion = source.occasion(distance.uid // 4)
        index = source.index_at(distance, position) if position >= 0 else -1 - position
        who = self.entrant(partner, distance, index)
        full = interval == len(distance.course.splits)
        style = 1 if distance.from_file else occasion.uid % 4 // 2
        name, metres = ("Full Course", distance.course.metres) if full else distance.course.splits[interval]
        timing = source.timing(distance, max(0, position))
        offset = timing.offset if timing is not None else 0
        gun: int | None
        if full:
            gun = changes.corrected.get(index)
            if gun is None and (
                position < 0 or position < distance.finishers or self._was_disqualified(distance, position)
            ):
                gun = timing.gun if timing is not None else None
        else:
            gun = source.split(distance, position, interval)
        shift = self.state.occasion_changes(CHRONOTRACK, partner, occasion).shift
        start = distance.start + shift
        net = max(1, gun - offset) if gun is not None else None
        reached = gun
        if not full and distance.from_file:
            gun, net = None, gun  # files give times on the way from the start mat on
        if full and timing is not None and index not in changes.corrected:
            gun, net = gun if timing.has_gun else None, net if timing.has_net else None
        kilometres = occasion.venue[3] != "US"
        per = metres / (1000 if kilometres else 1609.344)
        record: Record = {
            "results_entry_id": self.entry_key(distance, index),
            "results_bib": who.bib,
            "results_first_name": who.first,
            "results_last_name": who.last,
            "results_sex": who.gender,
            "results_age": text(who.age),
            "results_hometown": ", ".join(part for part in (who.city, who.region, who.country) if part),
            "results_city": who.city,
            "results_state_code": who.region,
            "results_country_code": who.country,
            "results_event_name": occasion.name,
            "results_race_id": self.race_id(distance),
            "results_race_name": distance.name,
            "results_interval_id": self.interval_id(distance, interval),
            "results_interval_name": name,
            "results_interval_full": "1" if full else "0",
            "results_bracket_name": "Overall",
            "results_primary_bracket_id": str(BRACKET_BASE + distance.uid * BRACKETS + self._bracket_number(who)),
            "results_primary_bracket_name": self.bracket_name(who),
            "results_rank": self.rank(partner, distance, interval, position, index, codes),
            "results_time": duration(net, style) if net is not None else "",
            "results_gun_time": duration(gun, style) if gun is not None else "",
            "results_pace": duration(int(net / per) // 10 * 10, 1) if net is not None else "",
            "results_gun_pace": duration(int(gun / per) // 10 * 10, 1) if gun is not None else "",
            "results_pace_unit": "min/km" if kilometres else "min/mi",
            "results_start_time": str(start),
            "results_begin_chip_time": f"{start + offset / 10:.2f}",
            "results_end_chip_time": f"{start + reached / 10:.2f}" if reached is not None else "",
            "results_penalty_time": "",
            "results_time_with_penalty": "",
            "results_gun_time_with_penalty": "",
        }
        if full and timing is not None and timing.flaw and index not in changes.corrected:
            if timing.flaw == 2:
                begin, end = record["results_begin_chip_time"], record["results_end_chip_time"]
                record |= {"results_begin_chip_time": end, "results_end_chip_time": begin}
            else:
                record["results_time"] = "1:6x:22" if timing.flaw == 1 else "-0:03:11"
        for given, shown in SHARED_FIELDS.items():
            if given in changes.patches.get(index, ()):
                record[shown] = text(changes.patches[index][given])
        if full and index in changes.result_patches:
            record |= {k: text(v) for k, v in changes.result_patches[index].items()}
        return record

    @staticmethod
    def _was_disqualified(distance: Distance, position: int) -> bool:
        after = distance.finishers + distance.did_not_finish
        return after <= position < after + distance.disqualified

    def _bracket_number(self, who: Entrant) -> int:
        if who.gender not in ("F", "M"):
            return 3
        return 4 + ("F", "M").index(who.gender) * len(BANDS) + band_of(who.age)

    def _wanted_intervals(self, call: Call, distance: Distance) -> list[int]:
        full = len(distance.course.splits)
        asked = call.query.get("interval")
        if asked is None:
            return [full]
        if asked.upper() == "ALL":
            return list(range(full + 1))
        named = [name for name, _ in distance.course.splits] + ["Full Course"]
        return [
            n for n, name in enumerate(named) if asked.lower() == name.lower() or asked == self.interval_id(distance, n)
        ]

    def _results(self, call: Call, parent: str, number: str) -> Answer:  # noqa: PLR0912
        key = f"{parent}_results"
        if parent in ("bracket", "interval"):
            base, per = (BRACKET_BASE, BRACKETS) if parent == "bracket" else (INTERVAL_BASE, INTERVALS)
            distance = self._distance(base, number, per)
            distances = None if distance is None else [distance]
            if distance is not None:
                self._permit(call, distance)
                call.query[parent] = number
        else:
            distances = self._scope(call, parent, number)
        if distances is None:
            return Answer({"message": f"no such {parent}"})
        partner = call.partner or 0
        stretches = [r for d in distances for r in self.result_rows(partner, d, self._wanted_intervals(call, d))]
        latest = max((self._latest(partner, stretch) for stretch in stretches if len(stretch)), default=None)
        since = self._since(call)
        bracket = call.query.get("bracket", "")
        size = call.number("size", 50, MOST)
        # During live scoring the rows move while they are read: some come again on the next page.
        repeat = min(self.repeat_rows, size - 1) if self._is_live(partner, distances) else 0
        stride = size - repeat
        start = (call.number("page", 1) - 1) * stride
        pairs: list[tuple[Rows, int]]
        if since is None and bracket.upper() in ("", "SEX", "AGE"):
            total = sum(len(stretch) for stretch in stretches)
            pairs, offset = [], 0
            for stretch in stretches:
                a, b = max(0, start - offset), min(len(stretch), start + size - offset)
                if a < b:
                    pairs += [(stretch, position) for position in stretch.slice(a, b)]
                offset += len(stretch)
        else:
            found = list(self._matching(partner, stretches, since, bracket))
            total, pairs = len(found), found[start : start + size]
        rows = []
        for stretch, position in pairs:
            codes = self._rank_codes(partner, stretch.distance, bracket)
            row = self.result(partner, stretch.distance, stretch.interval, position, codes)
            if bracket.upper() == "SEX":
                row["results_bracket_name"] = {"F": "Female", "M": "Male"}.get(row["results_sex"], "Non-binary")
            elif bracket.upper() == "AGE":
                row["results_bracket_name"] = row["results_primary_bracket_name"]
            elif bracket:
                row["results_bracket_name"] = self._named_bracket(stretch.distance, bracket) or ""
            rows.append(row)
        answer = self._page(call, key, rows, total, size, "results")
        pages = 1 + max(0, -(-(total - size) // stride))
        answer.headers["X-Ctlive-Page-Count"] = str(pages)
        if latest is not None:
            answer.headers["Last-Modified"] = formatdate(latest, usegmt=True)
        answer.distances = list(distances)
        return answer

    def _since(self, call: Call) -> int | None:
        given = call.query.get("last_modified")
        if not given:
            return None
        try:
            return int(given) if given.isdigit() else int(parsedate_to_datetime(given).timestamp())
        except ValueError:
            return None

    def _is_live(self, partner: int, distances: list[Distance]) -> bool:
        scored = [(self.state.changes(CHRONOTRACK, partner, d).scored(d), d.finishers) for d in distances]
        return any(0 < count < finishers for count, finishers in scored)

    def _latest(self, partner: int, stretch: Rows) -> int:
        changes = self.state.changes(CHRONOTRACK, partner, stretch.distance)
        touched = [changes.rescored_at, *changes.result_modified.values(), *(at for _, at in changes.posts)]
        last = min(stretch.stop, stretch.distance.finishers) - 1
        if stretch.distance.from_file:
            touched.append(self.state.source.occasion(stretch.distance.uid // 4).end)
        elif last >= 0:
            touched.append(
                min(stretch.distance.start + self._passed(stretch.distance, stretch.interval, last) // 10, START)
            )
        return max(touched)

    def _matching(
        self, partner: int, stretches: list[Rows], since: int | None, bracket: str
    ) -> Iterator[tuple[Rows, int]]:
        for stretch in stretches:
            distance = stretch.distance
            if since is not None and self._latest(partner, stretch) < since:
                continue
            keep = self._bracket_filter(partner, distance, bracket)
            if keep is None:
                continue
            for position in stretch.slice(0, len(stretch)):
                index = self.state.source.index_at(distance, position) if position >= 0 else -1 - position
                if since is not None and self.modified_at(partner, distance, stretch.interval, position, index) < since:
                    continue
                if keep is True or (0 <= position < distance.finishers and keep[0][position] == keep[1]):
                    yield stretch, position

    def _named_bracket(self, distance: Distance, bracket: str) -> str | None:
        for n, (name, _) in enumerate(BRACKET_NAMES):
            if bracket.lower() == name.lower() or bracket == str(BRACKET_BASE + distance.uid * BRACKETS + n):
                return name
        return None

    def _bracket_filter(self, partner: int, distance: Distance, bracket: str) -> Any:
        """Return True for every row, (codes, code) for those of a bracket, None for none."""
        if bracket.upper() in ("", "SEX", "AGE"):
            return True
        name = self._named_bracket(distance, bracket)
        if name is None:
            return None
        if name == "Overall":
            return True
        sexes, ages = self.codes(partner, distance)
        if name in ("Female", "Male", "Non-binary"):
            return sexes, ("Female", "Male", "Non-binary").index(name)
        return ages, SEXES.index(name[0]) * 10 + BANDS.index(name[1:])

    def _rank_codes(self, partner: int, distance: Distance, bracket: str) -> bytes | None:
        if bracket.upper() == "SEX":
            return self.codes(partner, distance)[0]
        if bracket.upper() == "AGE":
            return self.codes(partner, distance)[1]
        kept = self._bracket_filter(partner, distance, bracket)
        return kept[0] if isinstance(kept, tuple) else None

    def _entry_results(self, call: Call, number: str) -> Answer:
        found = self.locate(number)
        if found is None or found[1] not in self.state.entries(self._permit(call, found[0]), found[0]):
            raise ChronoTrackError(404, "entry not found")
        distance, index = found
        partner = call.partner or 0
        position = self.state.source.position_of(distance, index)
        rows = []
        for stretch in self.result_rows(partner, distance, list(range(len(distance.course.splits) + 1))):
            inside = position is not None and stretch.start <= position < stretch.stop and position not in stretch.gone
            if inside and position is not None:
                rows.append(self.result(partner, distance, stretch.interval, position))
            elif index in stretch.extras:
                rows.append(self.result(partner, distance, stretch.interval, -1 - index))
        return self._page(call, "entry_results", rows, len(rows), MOST, "results")

    # -- for control and tests -----------------------------------------------------------------------

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        if len(call.path) < 3:
            return None
        if call.path[0].startswith("race"):
            distance = self._distance(RACE_BASE, call.path[1])
            return self.event_key(distance) if distance else None
        return call.path[1]

    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer."""
        if isinstance(answer.body, dict):
            answer.body = {k: [] if isinstance(v, list) else v for k, v in answer.body.items()}
            if "X-Ctlive-Row-Count" in answer.headers:
                answer.headers |= {"X-Ctlive-Row-Count": "0", "X-Ctlive-Page-Count": "1"}

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is, as fields for another entry of theirs."""
        record = self.entry(partner, distance, index)
        return {k: v for k, v in record.items() if k.startswith(("athlete_", "location_", "entry_name"))}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live entries that have no bib yet."""
        roster = self.state.entries(partner, distance)
        found = []
        for index in roster.slice(0, len(roster)):
            record = self.entry(partner, distance, index)
            if not record["entry_bib"] and record["entry_status"] not in ("WD", "TRANS"):
                found.append(index)
        return found

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        call.query = {"contact_details": "1", "need_athlete_birthdate": "1", "elide_json": "0"} | call.query
        uids = self.event_uids(partner, call.flag("include_test_events"))
        for uid in uids if partner in self._served() else []:
            around: Record = {"event_id": self.event_id(uid)}
            if stream == "events":
                yield self._shown(call, self.event(partner, uid)), around
            for distance in self.distances(uid):
                inner = around | {"race_id": self.race_id(distance)}
                for record in self._held(partner, stream, distance):
                    yield self._shown(call, record), inner

    def _served(self) -> list[int]:
        return [p for p in PARTNERS if self.state.source.uids(p)]

    def _held(self, partner: int, stream: str, distance: Distance) -> Iterator[Record]:
        if stream == "races":
            yield self.race(partner, distance)
        elif stream == "brackets":
            yield from self.brackets(partner, distance)
        elif stream == "intervals":
            yield from self.intervals(partner, distance)
        elif stream == "entries":
            roster = self.state.entries(partner, distance)
            for index in roster.slice(0, len(roster)):
                yield self.entry(partner, distance, index)
        elif stream == "results":
            for stretch in self.result_rows(partner, distance, list(range(len(distance.course.splits) + 1))):
                for position in stretch.slice(0, len(stretch)):
                    yield self.result(partner, distance, stretch.interval, position)

    def people(self, partner: int) -> Iterator[Record]:
        """Yield who is behind each entry."""
        for uid in self.event_uids(partner):
            for distance in self.distances(uid):
                changes = self.state.changes(CHRONOTRACK, partner, distance)
                roster = self.state.entries(partner, distance)
                for index in roster.slice(0, len(roster)):
                    person = changes.persons.get(index)
                    yield {
                        "provider": CHRONOTRACK,
                        "timing_partner_id": partner,
                        "event_id": self.event_id(uid),
                        "id": self.entry_key(distance, index),
                        "person_id": self.state.source.person_of(distance, index) if person is None else person,
                    }


# What an edited entry shows on its result rows too: they are one database.
SHARED_FIELDS = {
    "athlete_first_name": "results_first_name",
    "athlete_last_name": "results_last_name",
    "athlete_sex": "results_sex",
    "entry_bib": "results_bib",
    "entry_race_age": "results_age",
    "location_city": "results_city",
    "location_region": "results_state_code",
    "location_country": "results_country_code",
}
