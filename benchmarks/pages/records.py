"""Records as the providers write them, put together as bytes: a dict a record would take minutes at ten millions."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from benchmarks.pages.season import BANDS, COURSES, DAY, NOW, Course, Event, Race
from sandbox import names

# A list is written in stretches of so many rows, so that an event of sixty thousand needs little memory.
STRETCH = 20_000
SEXES = ("F", "M", "X")
BRACKETS: tuple[tuple[str, str], ...] = (
    ("Overall", "OPEN"),
    ("Female", "SEX"),
    ("Male", "SEX"),
    ("Non-binary", "SEX"),
    *((f"{sex}{band}", "AGE") for sex in "FM" for band in BANDS),
)
EVENT, RACE, ENTRY, ATHLETE = 40_000, 1_000_000, 80_000_000, 7_000_000
BRACKET, INTERVAL, CHOICE = 10_000_000, 5_000_000, 200_000
RSU_RACE, RSU_EVENT, RSU_DAYS = 50_000, 900_000, 300_000
REGISTRATION, RSU_RESULT, RSU_SET, RSU_SPLIT, USER = 10_000_000, 2_000_000_000, 400_000, 800_000, 700_000
EASTERN = ZoneInfo("America/New_York")
LONGEST_SECONDS = 60_000
MIX = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1

Rows = list[bytes]


def quoted(value: Any) -> str:
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


# Times as they are written, made once: H:MM:SS and HH:MM:SS.
SHORT = [f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(LONGEST_SECONDS)]
LONG = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(LONGEST_SECONDS)]
# How finishing times lie between the first and the last: few very fast, many in the middle, a long tail.
SPREAD = [(n / 2047) ** 0.5 * 0.55 + (n / 2047) ** 3 * 0.45 for n in range(2048)]

FIRST = ([first for first, _ in names.FEMALE], [first for first, _ in names.MALE], [f for f, _ in names.FEMALE[20:]])
DAYS = [datetime.fromtimestamp(day * DAY, UTC).date().isoformat() for day in range(-8000, 15_000)]
HOMES = [
    (
        quoted(", ".join(part for part in (city, region, country) if part)),
        quoted(city),
        quoted(region),
        quoted(postal),
        quoted(country),
    )
    for city, region, postal, country in names.HOMES
]
STREETS = [quoted(f"{number} {street}") for street in names.STREETS for number in (3, 14, 27, 118)]


@dataclass(slots=True)
class Person:
    """Somebody of a partner's pool, in JSON already."""

    number: int
    luck: int
    sex: int
    first: str
    last: str
    home: tuple[str, str, str, str, str]
    born: int
    email: str
    phone: str


def person(partner: int, number: int) -> Person:
    """Return the same person for the same number: people come back year after year."""
    luck = ((number * 31 + partner) * MIX) & MASK
    luck ^= luck >> 29
    luck = (luck * MIX) & MASK
    sex = 2 if luck & 127 == 5 else luck >> 7 & 1
    firsts = FIRST[sex]
    first = firsts[(luck >> 8) % len(firsts)]
    last = names.LAST[(luck >> 16) % len(names.LAST)]
    if luck >> 24 & 7 == 3:
        last = f"{last}-{names.LAST[(luck >> 27) % len(names.LAST)]}"
    return Person(
        number,
        luck,
        sex,
        quoted(first),
        quoted(last),
        HOMES[(luck >> 34) % len(HOMES)],
        # Born between 1948 and 2010.
        -8000 + (luck >> 40) % 22_600,
        f'"{first[0].lower() if first.isascii() else "r"}{number}.{partner}@runners.example"',
        f'"555-{(luck >> 44) % 900 + 100}-{(luck >> 50) % 9000 + 1000}"',
    )


def entrants(event: Event, pool: int, seed: int) -> Iterator[Person]:
    """Yield an event's entrants in the order of their entries; nobody twice."""
    pool = max(pool, event.entries + event.removed)
    start = int.from_bytes(hashlib.blake2b(f"{seed} {event.number}".encode(), digest_size=6).digest())
    step = 1 + start % 7919 * 2
    # A step without a divisor in common with the pool meets everybody once before it meets anybody again.
    while _divisor(step, pool) > 1:
        step += 1
    for n in range(event.entries + event.removed):
        yield person(event.partner, (start + n * step) % pool)


def _divisor(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def band(age: int) -> int:
    """Return the age group's number."""
    return 0 if age < 20 else min(6, age // 10 - 1)


def bracket(sex: int, age: int) -> int:
    """Return the number of the bracket that somebody is ranked in first."""
    return 3 if sex == 2 else 4 + sex * len(BANDS) + band(age)


# -- ChronoTrack --------------------------------------------------------------------------------------------------


def ct_event(event: Event) -> bytes:
    """Return an event."""
    city, region, _, country, zone = event.venue
    return orjson.dumps(
        {
            "event_id": str(EVENT + event.number),
            "event_name": event.name,
            "event_type": "run",
            "event_is_published": "1",
            "event_start_time": str(event.start),
            "event_end_time": str(event.end),
            "location_street": "",
            "location_city": city,
            "location_region": region,
            "location_country": country,
            "location_time_zone": zone,
        }
    )


def ct_race_id(event: Event, number: int) -> int:
    """Return a race's id."""
    return RACE + event.number * 4 + number


def ct_races(event: Event) -> Rows:
    """Return the races of an event."""
    rows = []
    for number, race in enumerate(event.races):
        course = COURSES[race.course]
        rows.append(
            orjson.dumps(
                {
                    "race_id": str(ct_race_id(event, number)),
                    "event_id": str(EVENT + event.number),
                    "race_name": course.name,
                    "race_tag": course.name.upper().replace(" ", "")[:8],
                    "race_type": "running",
                    "race_subtype": "",
                    "race_course_distance": f"{course.metres:g}",
                    "race_pref_distance_unit": "kilometers" if course.name.endswith("K") else "miles",
                    "race_planned_start_time": str(event.start),
                    "race_planned_end_time": str(event.start + course.slowest + 1800),
                    "race_actual_start_time": str(event.start) if event.has_results else "",
                    "race_actual_end_time": str(event.end) if event.has_results else "",
                    "race_age_ref_time": str(event.start),
                }
            )
        )
    return rows


def ct_brackets(event: Event) -> Rows:
    """Return the brackets of an event's races."""
    return [
        orjson.dumps(
            {
                "bracket_id": str(BRACKET + ct_race_id(event, number) * 32 + n),
                "bracket_name": name,
                "bracket_type": kind,
                "bracket_wants_leaderboard": "1" if kind != "AGE" else "0",
                "race_id": str(ct_race_id(event, number)),
                "event_id": str(EVENT + event.number),
            }
        )
        for number in range(len(event.races))
        for n, (name, kind) in enumerate(BRACKETS)
    ]


def ct_intervals(event: Event) -> Rows:
    """Return the intervals of an event's races; the last one of a race is the whole course."""
    rows = []
    for number, race in enumerate(event.races):
        course = COURSES[race.course]
        for n, (name, metres) in enumerate([*course.splits, ("Full Course", course.metres)]):
            rows.append(
                orjson.dumps(
                    {
                        "interval_id": str(INTERVAL + ct_race_id(event, number) * 16 + n),
                        "interval_name": name,
                        "race_id": str(ct_race_id(event, number)),
                        "race_name": course.name,
                        "event_id": str(EVENT + event.number),
                        "interval_iv_distance_m": f"{metres:g}",
                        "interval_is_full": "1" if n == len(course.splits) else "0",
                    }
                )
            )
    return rows


class CtWriter:
    """Entries and results of one event: each entrant's part of a row is put together once for all intervals."""

    def __init__(self, event: Event, pool: int, seed: int) -> None:
        """Draw who finishes where."""
        self.event = event
        self.people = list(entrants(event, pool, seed))
        draw = random.Random(f"{seed} ct {event.number}")  # noqa: S311 - repeatable, not secret
        self.draw = draw
        # By race: entries in the order of their places; who did not start is at the end.
        self.orders: list[list[int]] = []
        first = 0
        for race in event.races:
            order = list(range(first, first + race.entries))
            draw.shuffle(order)
            self.orders.append(order)
            first += race.entries
        # Ages of people are on the day of the event.
        self.day = event.start // DAY

    def _age(self, one: Person) -> int:
        return int((self.day - one.born) / 365.25)

    def entries(self) -> Iterator[Rows]:
        """Yield the entries, a stretch at a time."""
        event, first_id = self.event, ENTRY + self.event.first_entry
        statuses = self._statuses()
        rows: Rows = []
        n = 0
        for number, race in enumerate(event.races):
            course, race_id = COURSES[race.course], ct_race_id(event, number)
            head = f'","event_id":"{EVENT + event.number}","race_id":"{race_id}","athlete_id":"'
            choice = (
                f'","race_name":{quoted(course.name)},"reg_choice_id":"{CHOICE + race_id}",'
                f'"reg_choice_name":{quoted(course.name + " Early")},"team_id":"'
            )
            for _ in range(race.entries):
                one = self.people[n]
                age = self._age(one)
                _, city, region, postal, country = one.home
                luck = one.luck
                external = f"RS-{REGISTRATION + event.first_entry + n}" if luck % 3 else ""
                team = names.TEAMS[luck % len(names.TEAMS)] if luck % 11 == 4 else ""
                rows.append(
                    f'{{"entry_id":"{first_id + n}{head}{ATHLETE + one.number * 2}","entry_external_id":"{external}",'
                    f'"entry_name":"{(one.first[1:-1] + " " + one.last[1:-1]).upper()}","entry_type":"IND",'
                    f'"entry_status":"{statuses[n]}","entry_bib":"{n + 1}","entry_race_age":"{age}",'
                    f'"athlete_first_name":{one.first},"athlete_last_name":{one.last},'
                    f'"athlete_sex":"{SEXES[one.sex]}","athlete_birthdate":"{DAYS[one.born + 8000]}",'
                    f'"athlete_email":{one.email},"athlete_home_phone":"","athlete_mobile_phone":{one.phone},'
                    f'"location_street":{STREETS[luck % len(STREETS)]},"location_street2":"","location_city":{city},'
                    f'"location_region":{region},"location_postal_code":{postal},"location_country":{country},'
                    f'"bracket_name":"{BRACKETS[bracket(one.sex, age)][0]}","wave_name":"Wave {1 + n % 2}'
                    f'{choice}{luck % len(names.TEAMS) + 30_000 if team else ""}","team_name":{quoted(team)}}}'.encode()
                )
                n += 1
                if len(rows) >= STRETCH:
                    yield rows
                    rows = []
        yield rows

    def _statuses(self) -> list[str]:
        found = ["CONF"] * self.event.entries
        if self.event.has_results:
            for race, order in zip(self.event.races, self.orders, strict=True):
                after = race.finishers
                for status, count in (("DNF", race.not_finished), ("DQ", race.disqualified), ("DNS", race.not_started)):
                    for n in order[after : after + count]:
                        found[n] = status
                    after += count
                for n in order[: race.finishers]:
                    found[n] = "FIN"
        for n in range(7, len(found), 90):
            # Withdrawn before the start.
            if found[n] in ("CONF", "DNS"):
                found[n] = "WD"
        return found

    def results(self) -> Iterator[Rows]:
        """Yield the result rows by race, interval and place, a stretch at a time."""
        if self.event.has_results:
            for number, race in enumerate(self.event.races):
                yield from self._race(number, race)

    def _race(self, number: int, race: Race) -> Iterator[Rows]:
        event, course = self.event, COURSES[race.course]
        race_id = ct_race_id(event, number)
        order = self.orders[number][: race.entries - race.not_started]
        # One draw a finisher: how long after the gun the start mat was crossed, in tenths.
        latest = min(3000, 20 + race.entries // 20)
        offsets = [self.draw.randrange(latest) for _ in order]
        guns = _guns(course, race.finishers)
        heads = self._heads(order, race_id, course.name)
        full = len(course.splits)
        names_and_metres = [*course.splits, ("Full Course", course.metres)]
        for interval, (name, metres) in enumerate(names_and_metres):
            places = list(range(race.finishers))
            if interval == 0:
                places = places[race.missed :]
            after = race.finishers
            if interval in (0, full):
                places += range(after, after + race.not_finished)
            places += range(after + race.not_finished, after + race.not_finished + race.disqualified)
            stretch = _Stretch(event, course, number, interval, name, metres)
            for start in range(0, len(places), STRETCH):
                yield [stretch.row(heads, guns, offsets, race, place) for place in places[start : start + STRETCH]]

    def _heads(self, order: list[int], race_id: int, race_name: str) -> list[tuple[str, str]]:
        event, first_id = self.event, ENTRY + self.event.first_entry
        of_race = (
            f'"results_event_name":{quoted(event.name)},"results_race_id":"{race_id}",'
            f'"results_race_name":{quoted(race_name)},"results_interval_id":"'
        )
        heads = []
        for n in order:
            one = self.people[n]
            age = self._age(one)
            hometown, city, region, _, country = one.home
            place = bracket(one.sex, age)
            heads.append(
                (
                    f'{{"results_entry_id":"{first_id + n}","results_bib":"{n + 1}","results_first_name":{one.first},'
                    f'"results_last_name":{one.last},"results_sex":"{SEXES[one.sex]}","results_age":"{age}",'
                    f'"results_hometown":{hometown},"results_city":{city},"results_state_code":{region},'
                    f'"results_country_code":{country},{of_race}',
                    f'{BRACKET + race_id * 32 + place}","results_primary_bracket_name":"{BRACKETS[place][0]}"',
                )
            )
        return heads


def _guns(course: Course, finishers: int) -> list[int]:
    """Return the gun times of a race's finishers in tenths, rising."""
    span = (course.slowest - course.fastest) * 10
    scale = 2047 / max(1, finishers)
    return [course.fastest * 10 + int(SPREAD[int(n * scale)] * span) + n % 7 for n in range(finishers)]


class _Stretch:
    """The rows of one race at one interval."""

    def __init__(self, event: Event, course: Course, number: int, interval: int, name: str, metres: float) -> None:
        self.full = interval == len(course.splits)
        self.share = metres / course.metres * (1.0 if self.full else 0.985)
        kilometres = event.venue[3] != "US"
        self.per = metres / (1000 if kilometres else 1609.344) * 10
        self.start = event.start * 10
        # Some timers write tenths, others whole seconds.
        self.tenths = event.number % 3 == 0
        self.after_id = (
            f'{INTERVAL + ct_race_id(event, number) * 16 + interval}","results_interval_name":{quoted(name)},'
            f'"results_interval_full":"{int(self.full)}","results_bracket_name":"Overall",'
            '"results_primary_bracket_id":"'
        )
        unit = "min/km" if kilometres else "min/mi"
        self.after_pace = (
            f'","results_pace_unit":"{unit}","results_start_time":"{event.start}","results_begin_chip_time":"'
        )

    def row(self, heads: list[tuple[str, str]], guns: list[int], offsets: list[int], race: Race, place: int) -> bytes:
        """Return one row."""
        head, primary = heads[place]
        offset = offsets[place]
        begin = self.start + offset
        if place < race.finishers:
            rank, gun = str(place + 1), guns[place]
        else:
            # Out of the race: a mat on the way, or no end of the whole course; disqualified ones have their time.
            rank, gun = "", guns[-1] if guns else 50_000
            if place < race.finishers + race.not_finished and self.full:
                return (
                    f'{head}{self.after_id}{primary},"results_rank":"","results_time":"","results_gun_time":"",'
                    f'"results_pace":"","results_gun_pace":"{self.after_pace}{begin // 10}.{begin % 10}0",'
                    '"results_end_chip_time":"","results_penalty_time":"","results_time_with_penalty":"",'
                    '"results_gun_time_with_penalty":""}'
                ).encode()
        net = int((gun - offset) * self.share) if gun > offset else 600
        gun = net + offset
        end = self.start + gun
        if self.tenths:
            net_text, gun_text = f"{SHORT[net // 10]}.{net % 10}", f"{SHORT[gun // 10]}.{gun % 10}"
        else:
            net_text, gun_text = LONG[net // 10], LONG[gun // 10]
        per = self.per
        return (
            f'{head}{self.after_id}{primary},"results_rank":"{rank}","results_time":"{net_text}",'
            f'"results_gun_time":"{gun_text}","results_pace":"{LONG[int(net / per)]}",'
            f'"results_gun_pace":"{LONG[int(gun / per)]}{self.after_pace}{begin // 10}.{begin % 10}0",'
            f'"results_end_chip_time":"{end // 10}.{end % 10}0","results_penalty_time":"",'
            '"results_time_with_penalty":"","results_gun_time_with_penalty":""}'
        ).encode()


# -- RunSignUp ----------------------------------------------------------------------------------------------------


def wall(at: int, zone: ZoneInfo = EASTERN) -> str:
    """Return M/D/YYYY HH:MM, month and day without zeros."""
    t = datetime.fromtimestamp(at, zone)
    return f"{t.month}/{t.day}/{t.year} {t.hour:02d}:{t.minute:02d}"


def money(cents: int) -> str:
    """Return dollars as RunSignUp writes them."""
    return f"${cents // 100:,}.{cents % 100:02d}"


def rsu_race(events: list[Event]) -> bytes:
    """Return a race with its events."""
    first = events[0]
    city, region, postal, country, zone = first.venue
    day = datetime.fromtimestamp(first.start, UTC).strftime("%m/%d/%Y")
    return orjson.dumps(
        {
            "race_id": RSU_RACE + first.holder,
            "name": first.name,
            "last_date": None if first.is_future else day,
            "last_end_date": None if first.is_future else day,
            "next_date": day if first.is_future else None,
            "next_end_date": day if first.is_future else None,
            "is_draft_race": "F",
            "is_private_race": "F",
            "is_registration_open": "T" if first.is_future else "F",
            "created": wall(first.start - 200 * DAY),
            "last_modified": wall(min(first.start, NOW) - 30 * DAY),
            "description": f"<p>Run with us in {city}. <b>No headphones.</b></p>",
            "url": f"https://runsignup.example/Race/{region.replace(' ', '')}/{first.holder}",
            "external_race_url": None,
            "external_results_url": None,
            "fb_page_id": None,
            "fb_event_id": None,
            "address": {
                "street": f"{1 + first.holder % 90} Finish Line Way",
                "city": city,
                "state": region,
                "zipcode": postal,
                "country_code": country,
            },
            "timezone": zone,
            "logo_url": None,
            "can_use_registration_api": "F",
            "real_time_notifications_enabled": "F",
            "events": [_rsu_event(event) for event in events],
        }
    )


def _rsu_event(event: Event) -> dict[str, Any]:
    course, zone = COURSES[event.races[0].course], ZoneInfo(event.venue[4])
    opens = event.start - 180 * DAY
    return {
        "event_id": RSU_EVENT + event.number,
        "race_event_days_id": RSU_DAYS + event.holder,
        "name": course.name,
        "details": None,
        "start_time": wall(event.start, zone),
        "end_time": wall(event.end, zone),
        "age_calc_base_date": None,
        "registration_opens": wall(opens),
        "event_type": "running_race",
        "distance": course.name,
        "volunteer": "F",
        "require_dob": "T",
        "require_phone": "F",
        "registration_periods": [
            {
                "registration_opens": wall(opens),
                "registration_closes": wall(event.start - 2 * DAY),
                "race_fee": "$55.00",
                "processing_fee": "$3.75",
            }
        ],
        "giveaway": "Race shirt",
        "sub_event_ids": [],
    }


def _user(one: Person) -> str:
    _, city, region, postal, country = one.home
    middle = quoted(names.MIDDLE[one.luck % len(names.MIDDLE)]) if one.luck % 5 == 1 else "null"
    return (
        f'{{"user":{{"user_id":{USER + one.number * 2},"first_name":{one.first},"middle_name":{middle},'
        f'"last_name":{one.last},"email":{one.email},"address":{{"street":{STREETS[one.luck % len(STREETS)]},'
        f'"city":{city},"state":{region},"zipcode":{postal},"country_code":{country}}},'
        f'"dob":"{DAYS[one.born + 8000]}","gender":"{SEXES[one.sex]}","phone":{one.phone},"profile_image_url":null}}'
    )


class RsuWriter:
    """Registrations, removed ones and results of one event."""

    def __init__(self, event: Event, pool: int, seed: int) -> None:
        """Find the people."""
        self.event = event
        self.people = list(entrants(event, pool, seed))
        self.first_id = REGISTRATION + event.first_entry
        self.draw = random.Random(f"{seed} rsu {event.number}")  # noqa: S311 - repeatable, not secret
        self.until = min(event.start, NOW) - 3 * DAY
        self.fee = (35, 55, 95, 165)[event.races[0].course] * 100

    def _registered(self, one: Person) -> int:
        return self.until - (one.luck >> 13) % (150 * DAY)

    def _fees(self, one: Person) -> str:
        fee = self.fee - (1000 if one.luck % 2 else 0)
        processing = fee // 20 + 100
        return (
            f'"race_fee":"{money(fee)}","offline_payment_amount":"$0.00","processing_fee":"{money(processing)}",'
            f'"processing_fee_paid_by_user":"{money(processing)}","processing_fee_paid_by_race":"$0.00",'
            '"partner_fee":"$0.00","affiliate_profit":"$0.00","extra_fees":"$0.00",'
            f'"amount_paid":"{money(fee + processing)}","usatf_discount_amount_in_cents":"$0.00",'
            '"usatf_discount_additional_field":null'
        )

    def participants(self) -> Iterator[Rows]:
        """Yield the live registrations by rising id, a stretch at a time."""
        event, day = self.event, self.event.start // DAY
        event_id = RSU_EVENT + event.number
        for start in range(0, event.entries, STRETCH):
            rows: Rows = []
            for n in range(start, min(start + STRETCH, event.entries)):
                one, number = self.people[n], self.first_id + n
                luck, at = one.luck, self._registered(one)
                team = luck % 11 == 4
                giveaway = luck % len(names.GIVEAWAYS)
                charity = quoted(names.CHARITIES[luck % 3]) if luck % 19 == 4 else "null"
                rows.append(
                    f'{_user(one)},"registration_id":{number},"event_id":{event_id},'
                    f'"rsu_transaction_id":{880_000 + number},"transaction_id":"zz_{number}_0","bib_num":{n + 1},'
                    f'"chip_num":{quoted(f"C{n + 1:05d}") if luck % 4 == 0 else "null"},'
                    f'"age":{int((day - one.born) / 365.25)},"registration_date":"{_wall(at)}",'
                    f'"team_id":{60_000 + luck % len(names.TEAMS) if team else "null"},'
                    f'"team_name":{quoted(names.TEAMS[luck % len(names.TEAMS)]) if team else "null"},'
                    f'"team_type_id":{3 if team else "null"},"team_type":{quoted("Club") if team else "null"},'
                    f'"team_gender":null,"team_bib_num":null,"last_modified":{at + 60},"imported":"F",'
                    f'{self._fees(one)},"giveaway":{quoted(names.GIVEAWAYS[giveaway])},'
                    f'"giveaway_option_id":{31 + giveaway},"fundraiser_id":{4400 if charity != "null" else "null"},'
                    f'"fundraiser_charity_id":{90 + luck % 3 if charity != "null" else "null"},'
                    f'"fundraiser_charity_name":{charity},"team_fundraiser_id":null}}'.encode()
                )
            yield rows

    def removed(self) -> Rows:
        """Return the registrations that were taken back; their ids come after the live ones'."""
        event, day = self.event, self.event.start // DAY
        rows = []
        for n in range(event.entries, event.entries + event.removed):
            one = self.people[n]
            at = self._registered(one)
            taken = datetime.fromtimestamp(at + DAY, EASTERN).strftime("%Y-%m-%d %H:%M:%S")
            registered = datetime.fromtimestamp(at, EASTERN).strftime("%Y-%m-%d %H:%M:%S")
            reason = ("removed", "deferred", "cleared")[one.luck % 3]
            rows.append(
                f'{_user(one)},"registration_id":{self.first_id + n},"age":{int((day - one.born) / 365.25)},'
                f'"registration_date":"{registered}","last_modified":"{taken}","last_modified_ts":{at + DAY},'
                f'"imported":"F",{self._fees(one)},"removed_reason":"{reason}","new_registration_id":null}}'.encode()
            )
        return rows

    def results(self) -> Rows:
        """Return the finishers by place."""
        event, race, day = self.event, self.event.races[0], self.event.start // DAY
        course = COURSES[race.course]
        order = list(range(race.entries))
        self.draw.shuffle(order)
        guns = _guns(course, event.rows)
        rows = []
        for place in range(event.rows):
            n = order[place]
            one = self.people[n]
            _, city, region, _, country = one.home
            gun = guns[place] // 10
            net = gun - self.draw.randrange(20)
            split = "".join(
                f',"split-{RSU_SPLIT + event.number * 8 + at}":"{SHORT[int(net * metres / course.metres)]}"'
                for at, (_, metres) in enumerate(course.splits)
            )
            rows.append(
                f'{{"result_id":{RSU_RESULT + event.first_entry + n},"place":{place + 1},"bib":{n + 1},'
                f'"registration_id":{self.first_id + n},"first_name":{one.first},"last_name":{one.last},'
                f'"gender":"{SEXES[one.sex]}","age":{int((day - one.born) / 365.25)},"city":{city},"state":{region},'
                f'"country_code":{country},"clock_time":"{SHORT[gun]}","chip_time":"{SHORT[net]}",'
                f'"pace":"{SHORT[int(gun / (course.metres / 1609.344))]}"{split}}}'.encode()
            )
        return rows


def rsu_result_set(event: Event) -> dict[str, Any]:
    """Return the heading of an event's result set; the rows go under `results`."""
    course = COURSES[event.races[0].course]
    labels = {
        "place": "Place", "bib": "Bib", "first_name": "First Name", "last_name": "Last Name", "gender": "Gender",
        "age": "Age", "city": "City", "state": "State", "country_code": "Country", "clock_time": "Clock Time",
        "chip_time": "Chip Time", "pace": "Pace",
    }  # fmt: skip
    splits = {f"split-{RSU_SPLIT + event.number * 8 + n}": name for n, (name, _) in enumerate(course.splits)}
    return {
        "individual_result_set_id": RSU_SET + event.number,
        "individual_result_set_name": "Overall Results",
        "public_results": "T",
        "preliminary_results": "F",
        "pace_type": "T",
        "sort_order": 0,
        "team_column_display_type": 1,
        "results_source_name": "Timing",
        "results_source_url": None,
        "alt_event_ids": [],
        "hide_splits_in_results": "F",
        "results_headers": labels | splits,
        "num_finishers": event.rows,
    }


@lru_cache(maxsize=20_000)
def _hour(hour: int) -> str:
    t = datetime.fromtimestamp(hour * 3600, EASTERN)
    return f"{t.month}/{t.day}/{t.year} {t.hour:02d}"


def _wall(at: int) -> str:
    """Return `wall` in US Eastern, an hour looked up once."""
    return f"{_hour(at // 3600)}:{at % 3600 // 60:02d}"
