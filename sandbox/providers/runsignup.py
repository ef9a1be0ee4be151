"""RunSignUp's reading API, as its documentation and its clients describe it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from sandbox import names
from sandbox.providers.common import Answer, Call, Record
from sandbox.state import RUNSIGNUP, Changes, Roster, State
from sandbox.world import (
    ADDED,
    BLOCK,
    PARTNERS,
    START,
    START_DAY,
    Distance,
    Entrant,
    Occasion,
    holes_before,
)

EASTERN = ZoneInfo("America/New_York")

RACE_BASE, EVENT_BASE, DAYS_BASE = 50_000, 900_000, 300_000
REGISTRATION_BASE, RESULT_BASE, SET_BASE, SPLIT_BASE = 10_000_000, 2_000_000_000, 400_000, 800_000
USER_BASE, TEAM_BASE = 700_000, 60_000

API_REG, API_REG_SECRET = "p88-sandbox", "sandbox-caller-secret"

MESSAGES = {
    1: "Unknown method.",
    2: "HTTP method not supported.",
    3: "Invalid parameters.",
    6: "Key authentication failed.",
    7: "Permission Denied",
    8: "Not implemented.",
    9: "Invalid date.",
    10: "Response format not supported.",
    14: "Request throttled.",
    201: "Race not found.",
    301: "Event not found.",
}


class RunSignupError(Exception):
    """An error that RunSignUp reports in the body of an HTTP 200."""

    def __init__(self, code: int) -> None:
        """Take one of the documented codes."""
        super().__init__(MESSAGES.get(code, "Unknown error."))
        self.code = code


def error(code: int, message: str | None = None) -> Record:
    """Return the body of an error."""
    return {"error": {"error_code": code, "error_msg": message or MESSAGES.get(code, "Unknown error.")}}


def credentials(partner: int) -> dict[str, str]:
    """Return a partner's key and secret."""
    slug = PARTNERS[partner][1]
    return {"api_key": f"rsu-{slug}-key", "api_secret": f"rsu-{slug}-secret-88"}


def money(cents: int) -> str:
    """Return dollars as RunSignUp writes them."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def wall(at: int, zone: ZoneInfo = EASTERN) -> str:
    """Return M/D/YYYY HH:MM, month and day without zeros."""
    t = datetime.fromtimestamp(at, zone)
    return f"{t.month}/{t.day}/{t.year} {t.hour:02d}:{t.minute:02d}"


def iso(at: int) -> str:
    """Return the other date style, which only removed rows use."""
    return datetime.fromtimestamp(at, EASTERN).strftime("%Y-%m-%d %H:%M:%S")


def padded(day: date) -> str:
    """Return MM/DD/YYYY."""
    return day.strftime("%m/%d/%Y")


def tf(value: bool) -> str:
    """Return T or F."""
    return "T" if value else "F"


def clock(tenths: int, style: int) -> str:
    """Return a race time in one of the three ways timers upload it."""
    seconds, tenth = divmod(tenths, 10)
    hours, rest = divmod(seconds, 3600)
    if style == 2:
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}.{tenth}30"
    text = f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"
    return f"{text}.{tenth}" if style == 1 else text


def number_of(bib: str) -> int | None:
    """Return a bib as the number RunSignUp keeps; it has no place for letters."""
    return int(bib) if bib.isdigit() else None


def merged(record: Record, patch: Record | None) -> Record:
    """Return a record with changed fields, wherever in it they are."""
    for key, value in (patch or {}).items():
        user = record.get("user")
        if isinstance(user, dict) and key in user and key != "address":
            user[key] = value
        elif isinstance(user, dict) and key in user["address"]:
            user["address"][key] = value
        else:
            record[key] = value
    return record


def xml(body: Any, tag: str = "response") -> str:
    """Return the XML form, which callers get who forget format=json."""
    if isinstance(body, dict):
        inner = "".join(xml(value, str(key)) for key, value in body.items())
    elif isinstance(body, list):
        inner = "".join(xml(value, "item") for value in body)
    else:
        inner = "" if body is None else escape(str(body))
    return f"<{tag}>{inner}</{tag}>"


class RunSignup:
    """RunSignUp over the sandbox's season."""

    name = RUNSIGNUP

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        self.state = state
        self.signs_in = True
        self.partners = {credentials(p)["api_key"]: p for p in PARTNERS}

    # -- signing in --------------------------------------------------------------------------------

    def credential(self, call: Call) -> str:
        """Return which credential a call carries, without its secret."""
        return call.query.get("api_key") or call.query.get("rsu_api_key") or "anonymous"

    def partner_of(self, call: Call) -> int | None:
        """Return whose credential a call carries, right or wrong."""
        return self.partners.get(self.credential(call))

    def sign_in(self, call: Call) -> None:
        """Set the call's partner, or refuse."""
        query, headers = call.query, call.headers
        if "rsu_api_reg" in query or "x-rsu-api-reg-secret" in headers:
            given = query.get("rsu_api_reg"), headers.get("x-rsu-api-reg-secret")
            if given != (API_REG, API_REG_SECRET):
                raise RunSignupError(6)
        if "api_key" in query:
            key, secret = query["api_key"], query.get("api_secret")
        elif "rsu_api_key" in query:
            key, secret = query["rsu_api_key"], headers.get("x-rsu-api-secret")
        else:
            return
        partner = self.partners.get(key) if self.signs_in else None
        if partner is None or secret != credentials(partner)["api_secret"]:
            raise RunSignupError(6)
        call.partner = partner

    # -- routes ------------------------------------------------------------------------------------

    def answer(self, call: Call) -> Answer:
        """Return what RunSignUp answers."""
        form = call.query.get("format", "xml").lower()
        try:
            if form not in ("json", "xml"):
                raise RunSignupError(10)
            answer = self._route(call)
        except RunSignupError as problem:
            answer = Answer(error(problem.code))
        if form == "json":
            answer.content_type = "application/json; charset=utf-8"
        else:
            answer.raw = f'<?xml version="1.0" encoding="UTF-8"?>\n{xml(answer.body)}'.encode()
            answer.content_type = "text/xml; charset=utf-8"
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer

    def _route(self, call: Call) -> Answer:  # noqa: PLR0911
        self.sign_in(call)
        if call.method != "GET":
            raise RunSignupError(8)
        path = call.path
        if path == ("races",):
            return self._races(call)
        if len(path) >= 2 and path[0] == "race" and path[1].isdigit():
            race_uid = int(path[1]) - RACE_BASE
            partner = self._race_partner(call, race_uid)
            match path[2:]:
                case ():
                    record = self.race(partner, race_uid, True)
                    return Answer({"race": record}, rows=[record], stream="races")
                case ("participants",):
                    return self._participants(call, race_uid)
                case ("removed-participants",):
                    return self._removed(call, race_uid)
                case ("participant-counts",):
                    return self._counts(call, race_uid)
                case ("results", "has-result-sets"):
                    found = any(
                        self.has_results(partner, d) for u in self._editions(race_uid) for d in self._distances(u)
                    )
                    return Answer({"has_results": tf(found)})
                case ("results", "get-result-sets"):
                    return self._result_sets(call, partner, race_uid, False)
                case ("results", "get-results"):
                    return self._result_sets(call, partner, race_uid, True)
        raise RunSignupError(1)

    def _editions(self, race_uid: int) -> list[int]:
        return [u for u in self.state.season.editions(race_uid) if self.state.season.occasion(u).on_runsignup]

    def _distances(self, occasion_uid: int) -> list[Distance]:
        return self.state.season.occasion(occasion_uid).distances

    def _race_partner(self, call: Call, race_uid: int) -> int:
        season = self.state.season
        owner = next((p for p in PARTNERS if season.serves(p, race_uid)), None)
        if owner is None or season.race_uid(race_uid) != race_uid or not season.occasion(race_uid).on_runsignup:
            raise RunSignupError(201)
        if call.partner is not None:
            if not season.serves(call.partner, race_uid):
                raise RunSignupError(7)
            return call.partner
        occasion = season.occasion(race_uid)
        if occasion.is_draft or occasion.is_private or "participant" in "".join(call.path[2:]):
            raise RunSignupError(7)
        return owner

    def _asked_events(self, call: Call, race_uid: int) -> list[Distance]:
        given = call.query.get("event_id", "")
        if not given:
            raise RunSignupError(3)
        found = []
        for text in given.split(","):
            if not text.strip().isdigit():
                raise RunSignupError(3)
            distance = self.state.season.distance(int(text) - EVENT_BASE) if int(text) >= EVENT_BASE else None
            if distance is None or distance.uid // 4 not in self._editions(race_uid):
                raise RunSignupError(301)
            found.append(distance)
        return found

    # -- races and events --------------------------------------------------------------------------

    def race_uids(self, partner: int) -> list[int]:
        """Return the races of a partner's account."""
        season = self.state.season
        return [u for u in season.uids(partner) if season.race_uid(u) == u and season.occasion(u).on_runsignup]

    def _races(self, call: Call) -> Answer:
        season, query = self.state.season, call.query
        if call.partner is not None:
            listed = [(call.partner, u) for u in self.race_uids(call.partner)]
        else:
            listed = [(p, u) for p in PARTNERS for u in self.race_uids(p) if u or p == 1]
            listed = [(p, u) for p, u in listed if not (season.occasion(u).is_draft or season.occasion(u).is_private)]
        for name in ("modified_since", "modified_on_or_before", "created_since", "created_on_or_before"):
            if name in query:
                limit = self._date(query[name])
                at = self.race_modified_at if name.startswith("modified") else self._created_at
                after = name.endswith("since")
                listed = [
                    (p, u)
                    for p, u in listed
                    if (datetime.fromtimestamp(at(p, u), EASTERN).date() >= limit if after else
                        datetime.fromtimestamp(at(p, u), EASTERN).date() <= limit)
                ]  # fmt: skip
        if "start_date" in query:
            first = self._date(query["start_date"])
            listed = [(p, u) for p, u in listed if self._last_day(u) >= first]
        if "end_date" in query:
            last = self._date(query["end_date"])
            listed = [(p, u) for p, u in listed if self._first_day(u) <= last]
        for name, place in (("city", 0), ("state", 1), ("country", 3)):
            if name in query:
                listed = [(p, u) for p, u in listed if season.occasion(u).venue[place] == query[name]]
        if "name" in query:
            listed = [(p, u) for p, u in listed if query["name"].lower() in season.occasion(u).name.lower()]
        sort = query.get("sort", "").replace("+", " ").split(" ")
        if sort[0] in ("date", "end_date"):
            listed.sort(key=lambda pu: (self._first_day(pu[1]), pu[1]), reverse=sort[-1].upper() == "DESC")
        elif sort[0] == "name":
            listed.sort(key=lambda pu: (season.occasion(pu[1]).name, pu[1]), reverse=sort[-1].upper() == "DESC")
        size = call.number("results_per_page", 50, 1000)
        start = (call.number("page", 1) - 1) * size
        rows = [self.race(p, u, call.flag("events")) for p, u in listed[start : start + size]]
        return Answer({"races": [{"race": row} for row in rows]}, rows=rows, stream="races")

    @staticmethod
    def _date(text: str) -> date:
        if text == "today":
            return START_DAY
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise RunSignupError(9) from None

    def _day(self, occasion: Occasion) -> date:
        return datetime.fromtimestamp(occasion.start, occasion.zone).date()

    def _first_day(self, race_uid: int) -> date:
        return min(self._day(self.state.season.occasion(u)) for u in self.state.season.editions(race_uid))

    def _last_day(self, race_uid: int) -> date:
        return max(self._day(self.state.season.occasion(u)) for u in self.state.season.editions(race_uid))

    def _created_at(self, partner: int, race_uid: int) -> int:
        return self.state.season.occasion(race_uid).opens - 12 * 86400

    def race_modified_at(self, partner: int, race_uid: int) -> int:
        """Return when a race was last touched."""
        occasion = self.state.season.occasion(race_uid)
        at = min(occasion.opens + 3 * 86400 + race_uid * 60, START - 3600)
        for uid in self.state.season.editions(race_uid):
            changed = self.state.occasion_changes(RUNSIGNUP, partner, self.state.season.occasion(uid))
            at = max(at, changed.modified)
        return at

    def race(self, partner: int, race_uid: int, with_events: bool) -> Record:
        """Return a race as RunSignUp writes it."""
        season = self.state.season
        occasion = season.occasion(race_uid)
        days = sorted(self._day(season.occasion(u)) for u in self._editions(race_uid))
        past, ahead = [d for d in days if d < START_DAY], [d for d in days if d >= START_DAY]
        changed = self.state.occasion_changes(RUNSIGNUP, partner, occasion)
        city, region, postal, country, _ = occasion.venue
        name = changed.name or occasion.name
        record: Record = {
            "race_id": RACE_BASE + race_uid,
            "name": f" {name}" if race_uid % 11 == 3 else name,
            "last_date": padded(past[-1]) if past else None,
            "last_end_date": padded(past[-1]) if past else None,
            "next_date": padded(ahead[0]) if ahead else None,
            "next_end_date": padded(ahead[0]) if ahead else None,
            "is_draft_race": tf(occasion.is_draft),
            "is_private_race": tf(occasion.is_private),
            "is_registration_open": tf(bool(ahead) and not occasion.is_draft),
            "created": wall(self._created_at(partner, race_uid)),
            "last_modified": wall(self.race_modified_at(partner, race_uid)),
            "description": f"<p>Run with us in {city}. <b>No headphones.</b></p>",
            "url": f"https://runsignup.example/Race/{region.replace(' ', '')}/{city.replace(' ', '')}/{race_uid}",
            "external_race_url": None,
            "external_results_url": None,
            "fb_page_id": None,
            "fb_event_id": None,
            "address": {
                "street": f"{1 + race_uid % 90} Finish Line Way",
                "city": city,
                "state": region,
                "zipcode": postal,
                "country_code": country,
            },
            "timezone": occasion.venue[4],
            "logo_url": None,
            "can_use_registration_api": "F",
            "real_time_notifications_enabled": "F",
        }
        if with_events:
            record["events"] = self.events(partner, race_uid)
        return record

    def events(self, partner: int, race_uid: int) -> list[Record]:
        """Return a race's events, past editions included."""
        return [
            self.event(partner, self.state.season.occasion(uid), distance)
            for uid in self._editions(race_uid)
            for distance in self._distances(uid)
        ]

    def event(self, partner: int, occasion: Occasion, distance: Distance) -> Record:
        """Return one event (a distance of one edition)."""
        changed = self.state.occasion_changes(RUNSIGNUP, partner, occasion)
        start = distance.start + changed.shift
        fee = distance.course.fee * 100
        period_end = occasion.opens + (occasion.start - occasion.opens) // 2
        periods = [
            {
                "registration_opens": wall(opens),
                "registration_closes": wall(closes),
                "race_fee": money(amount),
                "processing_fee": money(amount // 20 + 100),
            }
            for opens, closes, amount in (
                (occasion.opens, period_end, fee - 1000),
                (period_end, occasion.start - 2 * 86400, fee),
            )
        ]
        kids = distance.course.name == "Kids Mile"
        return {
            "event_id": EVENT_BASE + distance.uid,
            "race_event_days_id": DAYS_BASE + occasion.uid,
            "name": changed.names.get(distance.number) or distance.name,
            "details": "Under 12 only" if kids else None,
            "start_time": wall(start, occasion.zone),
            "end_time": None if occasion.uid % 4 == 3 else wall(occasion.end + changed.shift, occasion.zone),
            "age_calc_base_date": padded(self._day(occasion)) if occasion.uid % 3 == 0 else None,
            "registration_opens": wall(occasion.opens),
            "event_type": "running_race",
            "distance": {"Kids Mile": "1 Mile", "Half Marathon": "13.1 Miles", "Marathon": "26.2 Miles"}.get(
                distance.course.name, distance.course.name
            ),
            "volunteer": "F",
            "require_dob": "T",
            "require_phone": tf(occasion.uid % 2 == 0),
            "registration_periods": periods,
            "giveaway": None if kids else "Race shirt",
            "sub_event_ids": [],
        }

    # -- participants ------------------------------------------------------------------------------

    def registration_id(self, distance: Distance, index: int) -> int:
        """Return a registration's id; ids rise with the index within an event."""
        return REGISTRATION_BASE + distance.uid * BLOCK + index

    def event_at(self, event_id: int) -> Distance | None:
        """Return the distance behind an event id, or None."""
        distance = self.state.season.distance(event_id - EVENT_BASE) if event_id >= EVENT_BASE else None
        known = distance is not None and self.state.season.occasion(distance.uid // 4).on_runsignup
        return distance if known else None

    def entry_key(self, distance: Distance, index: int) -> int:
        """Return a registration's id."""
        return self.registration_id(distance, index)

    def result_key(self, distance: Distance, index: int) -> int:
        """Return the id of an entry's result row."""
        return RESULT_BASE + distance.uid * BLOCK + index

    def event_key(self, distance: Distance) -> int:
        """Return an event's id."""
        return EVENT_BASE + distance.uid

    place_key = event_key

    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where a registration id belongs; a result's id is as good."""
        if not str(given).isdigit():
            return None
        number = int(given) - (RESULT_BASE if int(given) >= RESULT_BASE else REGISTRATION_BASE)
        distance = self.state.season.distance(number // BLOCK) if number >= 0 else None
        return (distance, number % BLOCK) if distance else None

    def modified_at(self, changes: Changes, distance: Distance, index: int) -> int:
        """Return when a registration was last touched."""
        if index in changes.modified:
            return changes.modified[index]
        return self.state.season.modified_at(distance, index)

    def entrant(self, changes: Changes, distance: Distance, index: int) -> Entrant:
        """Return who registered."""
        return self.state.season.entrant(distance, index, changes.persons.get(index))

    def user(self, entrant: Entrant, supports_nb: bool) -> Record:
        """Return the user part of a registration."""
        gender = None if entrant.gender == "X" and not supports_nb else entrant.gender
        return {
            "user_id": USER_BASE + entrant.person * 2 + entrant.account,
            "first_name": entrant.first,
            "middle_name": entrant.middle,
            "last_name": entrant.last,
            "email": entrant.email,
            "address": {
                "street": entrant.street,
                "city": entrant.city,
                "state": entrant.region,
                "zipcode": entrant.postal,
                "country_code": entrant.country,
            },
            "dob": entrant.dob.isoformat() if entrant.dob else None,
            "gender": "Q" if entrant.flaw == 4 else gender,
            "phone": entrant.phone,
            "profile_image_url": None,
        }

    def fees(self, distance: Distance, index: int, entrant: Entrant) -> Record:
        """Return the dollar texts of a registration."""
        fee = (distance.course.fee - (10 if index < distance.own // 2 else 0)) * 100
        if (index + distance.uid * 13) % 71 == 20:
            fee = 115_000  # a charity place: over a thousand, so with a comma
        processing = fee // 20 + 100
        discount = 200 if entrant.luck[24] < 2000 else 0
        return {
            "race_fee": money(fee),
            "offline_payment_amount": "$0.00",
            "processing_fee": money(processing),
            "processing_fee_paid_by_user": money(processing),
            "processing_fee_paid_by_race": "$0.00",
            "partner_fee": "$0.00",
            "affiliate_profit": "$0.00",
            "extra_fees": "$0.00",
            "amount_paid": money(fee + processing - discount),
            "usatf_discount_amount_in_cents": money(discount),
            "usatf_discount_additional_field": None,
        }

    def participant(self, partner: int, distance: Distance, index: int, supports_nb: bool = True) -> Record:
        """Return a live registration as RunSignUp writes it."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        entrant = self.entrant(changes, distance, index)
        luck = entrant.luck
        number = distance.uid * BLOCK + index
        registered = changes.added_at.get(index) or self.state.season.registered_at(distance, index)
        team = entrant.team
        record: Record = {
            "user": self.user(entrant, supports_nb),
            "registration_id": REGISTRATION_BASE + number,
            "event_id": EVENT_BASE + distance.uid,
            "rsu_transaction_id": None if luck[25] < 1300 else 880_000 + number,
            "transaction_id": f"zz_{number}_0" if luck[26] % 2 else str(5_000_000 + number),
            "bib_num": number_of(entrant.bib),
            "chip_num": f"C{number_of(entrant.bib):05d}" if number_of(entrant.bib) and luck[27] % 4 == 0 else None,
            "age": entrant.age,
            "registration_date": wall(registered),
            "team_id": TEAM_BASE + names.TEAMS.index(team) if team else None,
            "team_name": team,
            "team_type_id": 3 if team else None,
            "team_type": "Club" if team else None,
            "team_gender": None,
            "team_bib_num": None,
            "last_modified": self.modified_at(changes, distance, index),
            "imported": tf(luck[28] < 3000),
            **self.fees(distance, index, entrant),
            "giveaway": names.GIVEAWAYS[luck[29] % len(names.GIVEAWAYS)] if luck[29] % 7 else None,
            "giveaway_option_id": 31 + luck[29] % len(names.GIVEAWAYS) if luck[29] % 7 else None,
        }
        return merged(record, changes.patches.get(index))

    def _participants(self, call: Call, race_uid: int) -> Answer:
        distances = self._asked_events(call, race_uid)
        partner = call.partner or 0
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        chosen = self._chosen(call, partner, distances, start, start + size)
        supports_nb = call.flag("supports_nb")
        rows = [self.participant(partner, distance, index, supports_nb) for distance, index in chosen]
        for row, (distance, index) in zip(rows, chosen, strict=True):
            if call.flag("include_questions"):
                row["question_responses"] = [
                    {
                        "question_id": 7001,
                        "question_text": "Emergency contact",
                        "response": None if index % 3 else "Sam",
                    }
                ]
            if call.flag("include_fundraisers"):
                charity = names.CHARITIES[index % 3] if index % 19 == 4 else None
                row["fundraiser_id"] = 4400 + distance.uid if charity else None
                row["fundraiser_charity_id"] = 90 + index % 3 if charity else None
                row["fundraiser_charity_name"] = charity
                row["team_fundraiser_id"] = None
        shown = list(rows)
        if call.flag("include_template_participant") and start == 0:
            shown.append({"registration_id": -1, "user": None, "event_id": EVENT_BASE + distances[0].uid})
        # The rows of all events asked for hang on the last element, and the inner list is always empty.
        body: list[Record] = [
            {"event": {"event_id": EVENT_BASE + distance.uid, "participants": []}, "participants": []}
            for distance in distances
        ]
        body[-1]["participants"] = shown
        return Answer(body, rows=rows, stream="participants", distances=distances)

    def _chosen(
        self, call: Call, partner: int, distances: list[Distance], start: int, stop: int
    ) -> list[tuple[Distance, int]]:
        query = call.query
        sort = query.get("sort", "").replace("+", " ").split(" ")
        narrow = [
            key
            for key in query
            if key.startswith("search_")
            or key in ("modified_after_timestamp", "registered_after_timestamp", "registered_before_timestamp")
        ]
        by_id = sort[0] in ("", "registration_id", "registration_date")
        if not narrow and by_id:
            # Without a sort no order is promised; newest first, so that a new entry shifts the pages.
            descending = not sort[0] or sort[-1].upper() == "DESC"
            return self._window(call, partner, distances, start, stop, descending)
        found = list(self._matching(call, partner, distances))
        if by_id:
            if sort[0] == "" or sort[-1].upper() == "DESC":
                found.reverse()
        else:
            key = sort[0] if sort[0] != "name" else "last_name"
            found.sort(key=lambda at: self._sort_key(partner, at[0], at[1], key), reverse=sort[-1].upper() == "DESC")
        return found[start:stop]

    def _sort_key(self, partner: int, distance: Distance, index: int, key: str) -> tuple[bool, Any, int]:
        record = self.participant(partner, distance, index)
        value = record["user"].get(key) if key in record["user"] else record.get(key)
        return value is None, value if value is not None else 0, index

    def _bounds(self, call: Call, roster: Roster, distance: Distance) -> tuple[int, int]:
        base = self.registration_id(distance, 0)
        low, high = 0, len(roster)
        after, before = call.query.get("after_registration_id", ""), call.query.get("before_registration_id", "")
        if after.lstrip("-").isdigit():
            low = roster.position(max(0, int(after) - base + 1)) if int(after) - base < BLOCK else high
        if before.isdigit():
            high = roster.position(int(before) - base) if int(before) > base else 0
        return low, max(low, high)

    def _window(
        self, call: Call, partner: int, distances: list[Distance], start: int, stop: int, descending: bool
    ) -> list[tuple[Distance, int]]:
        found: list[tuple[Distance, int]] = []
        offset = 0
        for distance in sorted(distances, key=lambda d: d.uid, reverse=descending):
            roster = self.state.registrations(partner, distance)
            low, high = self._bounds(call, roster, distance)
            a, b = max(0, start - offset), min(high - low, stop - offset)
            if a < b:
                span = roster.slice(high - b, high - a) if descending else roster.slice(low + a, low + b)
                indexes = list(span)
                found += [(distance, i) for i in (reversed(indexes) if descending else indexes)]
            offset += high - low
        return found

    def _matching(self, call: Call, partner: int, distances: list[Distance]) -> Iterator[tuple[Distance, int]]:
        season, query = self.state.season, call.query
        since = self._epoch(query, "modified_after_timestamp")
        from_, until = (self._epoch(query, f"registered_{w}_timestamp") for w in ("after", "before"))
        searched = {k[7:]: v.lower() for k, v in query.items() if k.startswith("search_")}
        for distance in sorted(distances, key=lambda d: d.uid):
            changes = self.state.changes(RUNSIGNUP, partner, distance)
            roster = self.state.registrations(partner, distance)
            low, high = self._bounds(call, roster, distance)
            indexes: Any = roster.slice(low, high)
            if since is not None and since > season.modified_bound(distance):
                # Nothing the season made is that new: only what control touched can be.
                first = roster.at(low) if low < high else 0
                indexes = sorted(i for i in changes.modified if i in roster and i >= first)
            for index in indexes:
                if since is not None and self.modified_at(changes, distance, index) < since:
                    continue
                if from_ is not None or until is not None:
                    at = changes.added_at.get(index) or season.registered_at(distance, index)
                    if at < (from_ or 0) or (until is not None and at > until):
                        continue
                if searched:
                    row = self.participant(partner, distance, index)
                    have = {**row["user"], "bib": row["bib_num"]}
                    if any(str(have.get(k) or "").lower() != v for k, v in searched.items()):
                        continue
                yield distance, index

    @staticmethod
    def _epoch(query: dict[str, str], name: str) -> int | None:
        given = query.get(name)
        if given is None:
            return None
        if not given.isdigit():
            raise RunSignupError(3)
        return int(given)

    def _counts(self, call: Call, race_uid: int) -> Answer:
        rows: list[Record] = [
            {
                "event_id": EVENT_BASE + d.uid,
                "num_participants": len(self.state.registrations(call.partner or 0, d)),
            }
            for d in self._asked_events(call, race_uid)
        ]
        return Answer({"event_counts": rows}, rows=rows)

    # -- removed participants ----------------------------------------------------------------------

    def removed_indexes(self, partner: int, distance: Distance) -> list[int]:
        """Return the registrations of an event that were taken back."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        base = [7 + 25 * n for n in range(holes_before(distance.own)) if 7 + 25 * n not in changes.restored]
        # A removal without a reason left no trace, here as elsewhere.
        return sorted([*base, *(i for i, removal in changes.removed.items() if removal.reason)])

    def _removal(self, changes: Changes, distance: Distance, index: int) -> tuple[str, int, int | None]:
        made = changes.removed.get(index)
        if made is not None:
            return made.reason, made.at, made.new_id
        reason, at, successor = self.state.season.removal(distance, index)
        return reason, at, self.registration_id(*successor) if successor else None

    def removed(self, partner: int, distance: Distance, index: int, supports_nb: bool = True) -> Record:
        """Return a registration that was taken back as RunSignUp writes it."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        entrant = self.entrant(changes, distance, index)
        reason, at, new_id = self._removal(changes, distance, index)
        registered = changes.added_at.get(index) or self.state.season.registered_at(distance, index)
        record: Record = {
            "user": self.user(entrant, supports_nb),
            "registration_id": self.registration_id(distance, index),
            "age": entrant.age,
            "registration_date": iso(registered),
            "last_modified": iso(at),
            "last_modified_ts": at,
            "imported": tf(entrant.luck[28] < 3000),
            **self.fees(distance, index, entrant),
            "removed_reason": reason,
            "new_registration_id": new_id,
        }
        patch = {k: v for k, v in changes.patches.get(index, {}).items() if k != "bib_num"}
        return merged(record, patch)

    def _removed(self, call: Call, race_uid: int) -> Answer:
        distances = self._asked_events(call, race_uid)
        partner = call.partner or 0
        since = self._epoch(call.query, "modified_after_timestamp")
        after = call.query.get("after_registration_id", "")
        found: list[tuple[int, int, Distance, int]] = []
        for distance in distances:
            changes = self.state.changes(RUNSIGNUP, partner, distance)
            for index in self.removed_indexes(partner, distance):
                at = self._removal(changes, distance, index)[1]
                number = self.registration_id(distance, index)
                if (since is None or at >= since) and (not after.isdigit() or number > int(after)):
                    found.append((number, at, distance, index))
        sort = call.query.get("sort", "").replace("+", " ").split(" ")
        key = 1 if sort[0] == "last_modified" else 0
        descending = sort[-1].upper() == "DESC" or not sort[0]
        found.sort(key=lambda row: (row[key], row[0]), reverse=descending)
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        rows = []
        body: list[Record] = [{"event": {"event_id": EVENT_BASE + d.uid, "participants": []}} for d in distances]
        place = {d.uid: element["event"]["participants"] for d, element in zip(distances, body, strict=True)}
        for _, _, distance, index in found[start : start + size]:
            row = self.removed(partner, distance, index, call.flag("supports_nb"))
            place[distance.uid].append(row)
            rows.append(row)
        # One event asked for: one object. A list of them: an array. Clients have seen both.
        shape: Any = body[0] if len(body) == 1 else body
        return Answer(shape, rows=rows, stream="removed_participants", distances=distances)

    # -- results -----------------------------------------------------------------------------------

    def has_results(self, partner: int, distance: Distance) -> bool:
        """Return whether an event has a result set."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        return bool(changes.scored(distance) or changes.corrected)

    def result_set_id(self, distance: Distance) -> int:
        """Return the id of an event's result set."""
        return SET_BASE + distance.uid

    def result_indexes(self, partner: int, distance: Distance) -> list[tuple[int, int | None]]:
        """Return all result rows of an event as (entry, position)."""
        return list(self._result_slice(partner, distance, 0, BLOCK))

    def _finishers(self, partner: int, distance: Distance) -> int:
        """Return how many have finished and kept their result."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        scored = changes.scored(distance)
        places = (self.state.season.position_of(distance, index) for index in changes.result_gone)
        return scored - sum(place is not None and place < scored for place in places)

    def _result_slice(
        self, partner: int, distance: Distance, start: int, stop: int
    ) -> Iterator[tuple[int, int | None]]:
        """Yield result rows by position; those control made for entries without one come last."""
        season = self.state.season
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        scored = changes.scored(distance)
        end = scored
        if scored >= distance.finishers:
            end = distance.finishers + distance.did_not_finish + distance.disqualified
        gone = sorted(p for i in changes.result_gone if (p := season.position_of(distance, i)) is not None and p < end)
        # Skip `start` rows that are still there without looking at each of them.
        position = start
        for p in gone:
            if p <= position:
                position += 1
        left = stop - start
        missing = set(gone)
        while position < end and left > 0:
            if position not in missing:
                yield season.index_at(distance, position), position
                left -= 1
            position += 1
        extras = [
            i
            for i in sorted(changes.corrected)
            if i not in changes.result_gone and ((p := season.position_of(distance, i)) is None or p >= end)
        ]
        first = max(0, start - (end - len(gone)))
        yield from ((i, None) for i in extras[first : first + max(0, left)])

    def result_modified_at(self, partner: int, distance: Distance, index: int, position: int | None) -> int:
        """Return when a result row was last touched."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        if index in changes.result_modified:
            return changes.result_modified[index]
        if position is None:
            return START
        posted = changes.posted_at(distance, position)
        if posted is not None:
            return posted
        return min(distance.start + self.state.season.timing(distance, position).gun // 10 + 1800, START - 60)

    def splits(self, distance: Distance) -> list[tuple[int, str]]:
        """Return the ids and names of an event's splits."""
        return [(SPLIT_BASE + distance.uid * 8 + n, name) for n, (name, _) in enumerate(distance.course.splits)]

    def result(
        self, partner: int, distance: Distance, index: int, position: int | None, supports_nb: bool = True
    ) -> Record:
        """Return a result row as RunSignUp writes it."""
        season = self.state.season
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        entrant = self.entrant(changes, distance, index)
        style = (distance.uid // 4) % 3
        gender = None if entrant.gender == "X" and not supports_nb else entrant.gender
        registered = index < distance.registered or index >= ADDED
        record: Record = {
            "result_id": self.result_key(distance, index),
            "place": None,
            "bib": number_of(entrant.bib),
            "registration_id": self.registration_id(distance, index) if registered else None,
            "first_name": entrant.first,
            "last_name": entrant.last,
            "gender": gender,
            "age": entrant.age,
            "city": entrant.city,
            "state": entrant.region,
            "country_code": entrant.country,
            "clock_time": "",
            "chip_time": "",
            "pace": "",
        }
        timing = season.timing(distance, position if position is not None else distance.finishers - 1)
        gun = changes.corrected.get(index, timing.gun)
        finished = position is not None and position < distance.finishers
        if index in changes.corrected or finished:
            record["place"] = position + 1 if position is not None else None
            record["clock_time"] = clock(gun, style)
            # Some timers upload gun times only; the chip time is then an empty text.
            untimed = (distance.uid // 4) % 7 == 3
            record["chip_time"] = "" if untimed else clock(max(1, gun - timing.offset), style)
            record["pace"] = clock(int(gun / (distance.course.metres / 1609.344)) // 10 * 10, 0)
            if timing.flaw and index not in changes.corrected:
                record["clock_time"] = ("1:6x:22", "0:00:07", "-0:03:11")[timing.flaw - 1]
                record["chip_time"] = record["clock_time"] if record["chip_time"] else ""
        else:
            text = "DNF" if position is not None and position < distance.finishers + distance.did_not_finish else "DQ"
            record["clock_time"] = text
        if index in changes.disqualified:
            record["place"], record["clock_time"], record["chip_time"] = None, "DQ", ""
        for number, (split_id, _) in enumerate(self.splits(distance)):
            passed = position is not None and (finished or number == 0)
            split = season.split(distance, position, number) if passed and position is not None else None
            record[f"split-{split_id}"] = clock(max(1, split - timing.offset), style) if split is not None else ""
        patch = changes.result_patches.get(index)
        if patch:
            record.update(patch)
        return record

    def result_set(self, partner: int, distance: Distance) -> Record:
        """Return the heading of an event's result set."""
        changes = self.state.changes(RUNSIGNUP, partner, distance)
        labels = {
            "place": "Place", "bib": "Bib", "first_name": "First Name", "last_name": "Last Name", "gender": "Gender",
            "age": "Age", "city": "City", "state": "State", "country_code": "Country", "clock_time": "Clock Time",
            "chip_time": "Chip Time", "pace": "Pace",
        }  # fmt: skip
        labels |= {f"split-{split_id}": name for split_id, name in self.splits(distance)}
        return {
            "individual_result_set_id": self.result_set_id(distance),
            "individual_result_set_name": "Overall Results",
            "public_results": "T",
            "preliminary_results": tf(changes.scored(distance) < distance.finishers),
            "pace_type": "T",
            "sort_order": 0,
            "team_column_display_type": 1,
            "results_source_name": PARTNERS[partner][0],
            "results_source_url": None,
            "alt_event_ids": [],
            "hide_splits_in_results": "F",
            "results_headers": labels,
        }

    def _result_sets(self, call: Call, partner: int, race_uid: int, with_rows: bool) -> Answer:
        distances = self._asked_events(call, race_uid)
        wanted = call.query.get("individual_result_set_id")
        sets: list[Record] = []
        rows: list[Record] = []
        size = call.number("results_per_page", 50, 2500)
        start = (call.number("page", 1) - 1) * size
        since = self._epoch(call.query, "modified_after_timestamp")
        for distance in distances:
            if not self.has_results(partner, distance) or (wanted and wanted != str(self.result_set_id(distance))):
                continue
            made = self.result_set(partner, distance)
            if call.flag("include_total_finishers"):
                made["num_finishers"] = self._finishers(partner, distance)
            sets.append(made)
            if not with_rows:
                continue
            if since is None and not self._narrows(call):
                chosen = list(self._result_slice(partner, distance, start, start + size))
            else:
                everything = self._result_slice(partner, distance, 0, BLOCK)
                matching = (
                    (i, p)
                    for i, p in everything
                    if (since is None or self.result_modified_at(partner, distance, i, p) >= since)
                    and self._wanted(call, self.result(partner, distance, i, p))
                )
                chosen = list(matching)[start : start + size]
            made["results"] = [self.result(partner, distance, i, p, call.flag("supports_nb")) for i, p in chosen]
            rows += made["results"]
        stream = "results" if with_rows else "result_sets"
        return Answer({"individual_results_sets": sets}, rows=rows, stream=stream, distances=distances)

    @staticmethod
    def _narrows(call: Call) -> bool:
        return any(k in call.query for k in ("first_name", "last_name", "gender", "bib_num", "registration_id"))

    @staticmethod
    def _wanted(call: Call, row: Record) -> bool:
        for name in ("first_name", "last_name"):
            if name in call.query and call.query[name].lower() not in str(row[name]).lower():
                return False
        for name, have in (("gender", "gender"), ("bib_num", "bib"), ("registration_id", "registration_id")):
            if name in call.query and str(row[have]) != call.query[name]:
                return False
        return True

    # -- for tests ---------------------------------------------------------------------------------

    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""
        supports_nb = call.flag("supports_nb", True)
        for race_uid in self.race_uids(partner):
            around: Record = {"race_id": RACE_BASE + race_uid}
            if stream == "races":
                yield self.race(partner, race_uid, False), around
            elif stream == "events":
                for event in self.events(partner, race_uid):
                    yield event, around
            for uid in self._editions(race_uid):
                for distance in self._distances(uid):
                    around = {"race_id": RACE_BASE + race_uid, "event_id": EVENT_BASE + distance.uid}
                    if stream == "participants":
                        roster = self.state.registrations(partner, distance)
                        for index in roster.slice(0, len(roster)):
                            yield self.participant(partner, distance, index, supports_nb), around
                    elif stream == "removed_participants":
                        for index in self.removed_indexes(partner, distance):
                            yield self.removed(partner, distance, index, supports_nb), around
                    elif stream == "results":
                        set_id = {"result_set_id": self.result_set_id(distance)}
                        for index, position in self.result_indexes(partner, distance):
                            yield self.result(partner, distance, index, position, supports_nb), around | set_id

    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about."""
        return call.query.get("event_id", "").split(",")[0] or None

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

    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who registered, as fields for another registration of theirs."""
        user = dict(self.participant(partner, distance, index)["user"])
        return {**user.pop("address"), **user}

    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live registrations that have no bib yet."""
        roster = self.state.registrations(partner, distance)
        return [i for i in roster.slice(0, len(roster)) if self.participant(partner, distance, i)["bib_num"] is None]

    def people(self, partner: int) -> Iterator[Record]:
        """Yield who is behind each registration, those taken back included."""
        for race_uid in self.race_uids(partner):
            for distance in (d for u in self._editions(race_uid) for d in self._distances(u)):
                changes = self.state.changes(RUNSIGNUP, partner, distance)
                roster = self.state.registrations(partner, distance)
                for index in (*roster.slice(0, len(roster)), *self.removed_indexes(partner, distance)):
                    person = changes.persons.get(index)
                    yield {
                        "provider": RUNSIGNUP,
                        "timing_partner_id": partner,
                        "event_id": EVENT_BASE + distance.uid,
                        "id": self.registration_id(distance, index),
                        "person_id": self.state.source.person_of(distance, index) if person is None else person,
                    }

    streams = ("races", "events", "participants", "removed_participants", "results")
