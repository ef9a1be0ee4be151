"""One fictional season: who ran what where, computed on demand from a seed.

Nothing here is stored per participant. An occasion (a race day) follows from its number, an entrant from
(occasion, distance, index), a finish from (distance, place), so a page from the far end of a season of
millions costs as much as the first one and memory does not grow with the size.

Some rules are arithmetic instead of luck, so that pages can be addressed by position:
- registration 25k+7 was taken back (removed, cleared, transferred or deferred), the others live;
- finishing places are a permutation of the live entrants, and times rise with the place.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox import names
from sandbox.draws import DISTANCE, ENTRY, OCCASION, PERSON, TIMER_COPY, TIMING, WORD, draws

DAY = 86400
# Saturday of an autumn weekend: 11:30 in New York, races are on.
START = int(datetime(2026, 9, 19, 15, 30, tzinfo=UTC).timestamp())
START_DAY = date(2026, 9, 19)

PARTNERS = {1: ("Harbour Timing", "harbour"), 2: ("Summit Timing", "summit")}

# The providers an occasion can be listed at: where people register, and who times it.
RUNSIGNUP, RACEROSTER, HAKU, LETSDOTHIS = "runsignup", "raceroster", "haku", "letsdothis"
CHRONOTRACK, COPERNICO = "chronotrack", "copernico"
TIMERS = frozenset({CHRONOTRACK, COPERNICO})
# Until all six are there, a season is told by these two.
FIRST_TWO = (RUNSIGNUP, CHRONOTRACK)

# Entries made through the control endpoint get indexes from here on, above every generated one.
ADDED = 30_000
BLOCK = 40_000
HOLE_EVERY, HOLE_AT = 25, 7

SIZES = {"tiny": 400, "small": 8_000, "medium": 200_000}


@dataclass(frozen=True, slots=True)
class Course:
    """What a distance is: metres, the range of finishing times, mats on the way."""

    name: str
    metres: float
    fastest: int
    slowest: int
    fee: int
    splits: tuple[tuple[str, float], ...] = ()


COURSES = {
    course.name: course
    for course in (
        Course("Kids Mile", 1609.3, 340, 1100, 15),
        Course("5K", 5000, 890, 3600, 35),
        Course("10K", 10000, 1850, 5600, 55, (("5K Split", 5000),)),
        Course("Half Marathon", 21097.5, 3980, 11900, 95, (("10K Split", 10000),)),
        Course(
            "Marathon", 42195, 8300, 23400, 165, (("10K Split", 10000), ("Half Split", 21097.5), ("30K Split", 30000))
        ),
        Course("50K", 50000, 12500, 36000, 140, (("Lap 1", 25000),)),
    )
}


@dataclass(slots=True)
class Entrant:
    """One entry as its runner (or a typist) wrote it; `person` is who it really is."""

    person: int
    first: str
    middle: str | None
    last: str
    gender: str
    dob: date | None
    age: int | None
    email: str | None
    phone: str | None
    street: str | None
    city: str
    region: str
    postal: str
    country: str
    bib: str
    account: int
    team: str | None
    luck: tuple[int, ...]
    flaw: int = 0


@dataclass(slots=True)
class Timing:
    """What the mats saw of one athlete, in tenths of a second."""

    gun: int
    offset: int
    flaw: int = 0
    has_gun: bool = True
    has_net: bool = True


@dataclass(slots=True)
class Distance:
    """One startable distance of an occasion: a RunSignUp event, a ChronoTrack race."""

    uid: int
    number: int
    course: Course
    start: int
    own: int
    transfers: int
    walkups: int
    multiplier: int
    shift: int
    modulus: int
    finishers: int = 0
    did_not_finish: int = 0
    disqualified: int = 0
    scored: int = 0  # finishers in when the season starts
    place_step: int = 1
    place_back: int = 1
    place_shift: int = 0
    transfer_from: int | None = None
    from_file: bool = False

    @property
    def registered(self) -> int:
        """Return how many registrations were ever made, transfers in included."""
        return self.own + self.transfers

    @property
    def entered(self) -> int:
        """Return how many entries the timer holds: registrations and walk-ups."""
        return self.own + self.transfers + self.walkups

    @property
    def live(self) -> int:
        """Return how many entrants may start."""
        return self.entered - holes_before(self.own)

    @property
    def name(self) -> str:
        """Return the course's name."""
        return self.course.name


@dataclass(slots=True)
class Occasion:
    """One race day at one place, with its distances."""

    uid: int
    partners: tuple[int, ...]
    on: frozenset[str]  # the providers that list it
    name: str
    venue: tuple[str, str, str, str, str]
    zone: ZoneInfo
    start: int
    end: int
    opens: int
    race_uid: int
    distances: list[Distance] = field(default_factory=list)
    is_draft: bool = False
    is_private: bool = False
    is_test: bool = False

    @property
    def closes(self) -> int:
        """Return when the last generated registration was possible."""
        return min(self.start - 2 * DAY, START - 600)

    @property
    def bibs_at(self) -> int | None:
        """Return when bibs were given out; None while that is ahead."""
        at = self.start - 5 * DAY
        return at if at < START else None

    @property
    def phase(self) -> str:
        """Return 'past', 'live' or 'future', as seen when the season starts."""
        if self.end < START:
            return "past"
        return "live" if self.start <= START else "future"


def holes_before(index: int) -> int:
    """Return how many of the first registrations were taken back."""
    return max(0, (index + HOLE_EVERY - 1 - HOLE_AT) // HOLE_EVERY)


def is_hole(index: int) -> bool:
    """Return whether this registration was taken back before the season started."""
    return index % HOLE_EVERY == HOLE_AT


def local(zone: ZoneInfo, day: date, hour: int, minute: int = 0) -> int:
    """Return the instant of a wall-clock time, in epoch seconds."""
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())


def years_between(born: date, day: date) -> int:
    """Return the age in whole years on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def ascii_of(name: str) -> str:
    """Return a name in the letters an e-mail address takes."""
    plain = unicodedata.normalize("NFKD", name.replace("Ł", "L").replace("ø", "o").replace("Ø", "O").replace("Đ", "D"))
    return "".join(c for c in plain.lower() if c.isascii() and c.isalnum())


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fixed about one of the occasions every season has."""

    days: int
    venue: int
    hour: int
    minute: int
    distances: tuple[tuple[str, int, int], ...]  # course, entrants in the tiny season, start after minutes
    title: str
    on: tuple[str, ...] = FIRST_TWO
    draft: bool = False
    private: bool = False
    test: bool = False
    hours: int = 8
    day: date | None = None


def _plans(partner: int) -> tuple[Plan, ...]:
    """Return the occasions every season has, whatever its size."""
    here, there = (names.WEST, names.LONDON) if partner == 1 else (names.LONDON, names.WEST)
    return (
        Plan(0, names.EAST + partner, 8, 30, (("Half Marathon", 16, 0), ("10K", 14, 120)), "Race Day"),
        Plan(-860, names.EAST, 9, 0, (("10K", 13, 0),), "Founders"),
        # The clocks went back during this race: 01:30 came twice.
        Plan(0, names.EAST + 3, 0, 30, (("50K", 14, 0),), "Fall Back Night", day=date(2025, 11, 2), hours=11),
        Plan(-6, here, 7, 30, (("Half Marathon", 14, 0),), "Late Summer"),
        Plan(45, there, 9, 30, (("10K", 12, 0),), "Bonfire"),
        Plan(150, names.EAST + 2, 9, 0, (("5K", 3, 0),), "Unannounced", (RUNSIGNUP,), draft=True),
        Plan(90, names.EAST + 1, 9, 0, (), "Idea for a", (RUNSIGNUP,)),
        Plan(60, names.EAST + 2, 18, 30, (("5K", 4, 0),), "Company", (RUNSIGNUP,), private=True),
        Plan(-30, names.EAST + 1, 6, 0, (("5K", 3, 0),), "Mat Test", (CHRONOTRACK,), test=True),
    )


def _later_plans(partner: int) -> tuple[Plan, ...]:
    """Return the occasions that are there once one of the later four providers is."""
    home = names.EAST + partner
    return (
        Plan(-13, home, 8, 0, (("Half Marathon", 15, 0), ("10K", 13, 90)), "Orchard", (RACEROSTER, COPERNICO)),
        Plan(-34, home + 1, 9, 0, (("10K", 14, 0),), "Ropewalk", (RACEROSTER, CHRONOTRACK)),
        Plan(52, home, 8, 30, (("Half Marathon", 12, 0), ("5K", 8, 30)), "Advent", (RACEROSTER,)),
        # Today: the half marathon nearly over, half of the 10K in.
        Plan(0, home + 1, 8, 30, (("Half Marathon", 15, 0), ("10K", 14, 120)), "Saltworks", (HAKU, COPERNICO)),
        Plan(-41, names.WEST, 7, 0, (("10K", 13, 0), ("5K", 9, 45)), "Coastline", (HAKU, CHRONOTRACK)),
        Plan(-27, names.LONDON, 9, 30, (("Half Marathon", 14, 0), ("10K", 12, 60)), "Observatory",
             (LETSDOTHIS, COPERNICO)),
        Plan(73, names.LONDON, 10, 0, (("Half Marathon", 11, 0), ("10K", 9, 60)), "Winter Lights", (LETSDOTHIS,)),
        Plan(-48, home, 9, 0, (("10K", 13, 0),), "Windmill", (RUNSIGNUP, COPERNICO)),
    )  # fmt: skip


FIXED = 9
# The later occasions have numbers far behind those of any season, so that no size moves them.
LATER = 6_000
JOINT = Plan(-20, names.EAST + 1, 8, 30, (("10K", 15, 0),), "Two Towns")
WEIGHTS = (0.15, 0.25, 0.35, 0.5, 0.7, 0.9, 1.1, 1.4, 1.9, 2.75)


class Season:
    """The fictional season of one seed and size."""

    def __init__(
        self,
        participants: int,
        seed: int = 88,
        bad_rate: float | None = None,
        providers: Collection[str] = FIRST_TWO,
    ) -> None:
        """Lay out a season of about this many records of people, over both partners and the first two providers.

        The later occasions come on top: one is there if at least one of `providers` beyond the first two lists it.
        """
        self.participants = participants
        self.seed = seed
        # The tiny season is clean, so that a test can compare what arrived with what was sent.
        self.bad_rate = (0.01 if participants > 1000 else 0.0) if bad_rate is None else bad_rate
        self._bad_below = int(self.bad_rate * WORD)
        self.population = max(150, int(participants * 0.45))
        account = participants // 4
        self.scale = 1 if participants <= 1000 else max(1, min(20, account // 285))
        self.big = min(20_000, account // 10) if participants >= 50_000 else 0
        self._mean = 160 if participants < 50_000 else 280
        rest = account - 108 * self.scale - self.big
        self.extra = max(0, round(1.25 * rest / self._mean)) + (1 if self.big else 0)
        self.occasion: Callable[[int], Occasion] = lru_cache(maxsize=1024)(self._occasion)
        self.place_count = FIXED + self.extra
        if self.place_count > LATER:
            raise ValueError(f"a season of {participants} is too large: its occasions would run into the later ones")
        later = frozenset(providers) - frozenset(FIRST_TWO)
        self.later = [k for k, plan in enumerate(_later_plans(1), LATER + 1) if later.intersection(plan.on)]

    # -- occasions ---------------------------------------------------------------------------------

    def uids(self, partner: int) -> list[int]:
        """Return the numbers of all occasions a partner serves; 0 is the one both serve."""
        return [0, *(2 * k + partner - 1 for k in (*range(1, self.place_count + 1), *self.later))]

    def serves(self, partner: int, uid: int) -> bool:
        """Return whether a partner serves this occasion."""
        k, other = uid >> 1, uid & 1
        return uid == 0 or (self._exists(k) and other == partner - 1)

    def _exists(self, k: int) -> bool:
        return 1 <= k <= self.place_count or k in self.later

    def race_uid(self, uid: int) -> int:
        """Return the occasion whose RunSignUp race holds this one: some races have an earlier edition."""
        k = uid >> 1
        return uid - 2 if FIXED + 2 < k <= self.place_count and k % 6 == 5 else uid

    def editions(self, race_uid: int) -> list[int]:
        """Return the occasions of one RunSignUp race."""
        following = race_uid + 2
        if race_uid and (following >> 1) <= self.place_count and self.race_uid(following) == race_uid:
            return [race_uid, following]
        return [race_uid]

    def distance(self, uid: int) -> Distance | None:
        """Return a distance by its number, or None."""
        occasion_uid = uid // 4
        if occasion_uid and not self._exists(occasion_uid >> 1):
            return None
        occasion = self.occasion(occasion_uid)
        return occasion.distances[uid % 4] if uid % 4 < len(occasion.distances) else None

    def _occasion(self, uid: int) -> Occasion:
        partner, k = (uid & 1) + 1, uid >> 1
        if uid == 0:
            return self._planned(JOINT, 0, (1, 2))
        if k <= FIXED:
            return self._planned(_plans(partner)[k - 1], uid, (partner,))
        if k > LATER:
            return self._planned(_later_plans(partner)[k - LATER - 1], uid, (partner,))
        return self._drawn(uid, partner, k)

    def _planned(self, plan: Plan, uid: int, partners: tuple[int, ...]) -> Occasion:
        venue = names.VENUES[plan.venue % len(names.VENUES)]
        zone = ZoneInfo(venue[4])
        start = local(zone, plan.day or START_DAY + timedelta(days=plan.days), plan.hour, plan.minute)
        occasion = Occasion(
            uid, partners, frozenset(plan.on), f"{plan.title} {venue[0]} Classic", venue, zone, start,
            start + plan.hours * 3600, min(start - 150 * DAY, START - 30 * DAY), uid,
            is_draft=plan.draft, is_private=plan.private, is_test=plan.test,
        )  # fmt: skip
        for number, (course, size, after) in enumerate(plan.distances):
            scale = 1 if plan.draft or plan.test or plan.private else self.scale
            self._add_distance(occasion, number, COURSES[course], size * scale, after)
        return self._with_transfers(occasion)

    def _drawn(self, uid: int, partner: int, k: int) -> Occasion:
        race_uid = self.race_uid(uid)
        first = draws(self.seed, OCCASION, race_uid)
        luck = draws(self.seed, OCCASION, uid)
        # Far places are rarer: most races of a timer are near home.
        venue = names.VENUES[(first[0] % 4 if first[1] < WORD * 0.6 else first[0] % len(names.VENUES))]
        zone = ZoneInfo(venue[4])
        is_big = bool(self.big) and k == FIXED + 1  # one city race, over and with both providers
        days = -8 - first[2] % 700 if is_big or first[3] < WORD * 0.82 else 4 + first[2] % 230
        day = START_DAY + timedelta(days=days)
        day -= timedelta(days=(day.weekday() - 5) % 7)  # a Saturday
        if race_uid != uid:
            day -= timedelta(days=364)
        start = local(zone, day, 7 + first[4] % 3, 30 * (first[5] % 2))
        both = 0 if is_big else first[6]
        on = FIRST_TWO if both < WORD * 0.7 else (RUNSIGNUP,) if both < WORD * 0.85 else (CHRONOTRACK,)
        title = " ".join(
            words[word % len(words)] for words, word in ((names.TITLE_FIRST, first[7]), (names.TITLE_LAST, first[8]))
        )
        occasion = Occasion(
            uid, (partner,), frozenset(on), f"{venue[0]} {title}", venue, zone, start, start + 8 * 3600,
            min(start - 150 * DAY, START - 30 * DAY), race_uid,
        )  # fmt: skip
        if is_big:
            self._add_distance(occasion, 0, COURSES["Marathon"], self.big, 0)
            return self._with_transfers(occasion)
        total = max(6, int(self._mean * WEIGHTS[luck[9] % len(WEIGHTS)]))
        sets: tuple[tuple[str, ...], ...] = (
            ("5K",), ("10K",), ("Half Marathon",), ("10K", "5K"), ("Half Marathon", "10K"),
            ("5K", "Kids Mile"), ("Marathon", "Half Marathon", "10K"), ("50K", "Half Marathon"),
        )  # fmt: skip
        chosen = sets[first[10] % len(sets)]
        for number, course in enumerate(chosen):
            self._add_distance(occasion, number, COURSES[course], max(3, total // len(chosen)), 30 * number)
        return self._with_transfers(occasion)

    def _add_distance(self, occasion: Occasion, number: int, course: Course, size: int, after: int) -> None:
        uid = occasion.uid * 4 + number
        luck = draws(self.seed, DISTANCE, uid)
        multiplier = 1 + luck[0] % (self.population - 1)
        while math.gcd(multiplier, self.population) != 1:
            multiplier += 1
        walkups = max(1, size // 14) if occasion.on & TIMERS and occasion.phase != "future" else 0
        occasion.distances.append(
            Distance(
                uid,
                number,
                course,
                occasion.start + after * 60,
                size,
                0,
                walkups,
                multiplier,
                (luck[1] * WORD + luck[2]) % self.population,
                self.population,
            )
        )

    def _with_transfers(self, occasion: Occasion) -> Occasion:
        count = len(occasion.distances)
        for number, distance in enumerate(occasion.distances):
            if count > 1:
                source = occasion.distances[(number - 1) % count]
                distance.transfer_from = source.number
                # Registrations 57, 157, 257, … went over to the next distance.
                distance.transfers = (source.own + 42) // 100
            live = distance.live
            distance.finishers = max(1, int(live * 0.9)) if live > 3 else live
            distance.did_not_finish = min(live - distance.finishers, max(1, live // 30)) if live > 3 else 0
            left = live - distance.finishers - distance.did_not_finish
            distance.disqualified = min(left, 1 + live // 150) if left > 0 else 0
            luck = draws(self.seed, DISTANCE, distance.uid, 1)
            step = 1 + (luck[0] * WORD + luck[1]) % max(1, live)
            while math.gcd(step, live) != 1:
                step += 1
            distance.place_step = step
            distance.place_back = pow(step, -1, live) if live > 1 else 0
            distance.place_shift = luck[2] % max(1, live)
            if occasion.phase == "past":
                distance.scored = distance.finishers
            elif occasion.phase == "live":
                distance.scored = self._scored_after(distance, START - distance.start)
        return occasion

    def _scored_after(self, distance: Distance, seconds: int) -> int:
        low, high = 0, distance.finishers
        while low < high:
            middle = (low + high) // 2
            if self.gun_time(distance, middle) <= seconds * 10:
                low = middle + 1
            else:
                high = middle
        return low

    # -- places ------------------------------------------------------------------------------------

    def index_at(self, distance: Distance, position: int) -> int:
        """Return who finished at a position (0 is the winner), as an entry's index."""
        live = distance.live
        rank = (position * distance.place_step + distance.place_shift) % live if live > 1 else 0
        own_live = distance.own - holes_before(distance.own)
        if rank < own_live:
            return rank + (rank + HOLE_EVERY - 1 - HOLE_AT) // (HOLE_EVERY - 1)
        return distance.own + rank - own_live

    def position_of(self, distance: Distance, index: int) -> int | None:
        """Return the position of an entry in the order of finish; None for one that cannot start."""
        if index >= distance.entered or (index < distance.own and is_hole(index)):
            return None
        rank = index - holes_before(min(index, distance.own))
        live = distance.live
        return (rank - distance.place_shift) * distance.place_back % live if live > 1 else 0

    def gun_time(self, distance: Distance, position: int) -> int:
        """Return the gun time at a position, in tenths; it rises with the position."""
        return self.timing(distance, position).gun

    def timing(self, distance: Distance, position: int) -> Timing:
        """Return what the mats saw of the athlete at a position."""
        luck = draws(self.seed, TIMING, distance.uid, position)
        course = distance.course
        if position < distance.finishers:
            x = (position + luck[0] / WORD) / distance.finishers
        else:
            x = 0.2 + 0.75 * luck[0] / WORD
        curve = 0.18 * math.sqrt(x) + 0.47 * x + 0.35 * x**4
        gun = int(10 * (course.fastest + (course.slowest - course.fastest) * curve))
        offset = int(x * (5 + luck[1] / WORD) * min(200, 4 + distance.finishers / 8))
        flaw = 1 + luck[3] % 3 if luck[2] < self._bad_below and position < distance.finishers else 0
        return Timing(gun, offset, flaw)

    def split(self, distance: Distance, position: int, split: int) -> int | None:
        """Return the gun time at a mat on the way, in tenths."""
        part = distance.course.splits[split][1] / distance.course.metres
        return int(self.timing(distance, position).gun * part * (0.96 + 0.04 * part))

    def rank(self, distance: Distance, position: int) -> int | None:
        """Return a place that is known from elsewhere: none here, places follow from the times."""
        return None

    # -- people ------------------------------------------------------------------------------------

    def origin(self, distance: Distance, index: int) -> tuple[Distance, int]:
        """Return where an entry began: one that was transferred in began in another distance."""
        if distance.own <= index < distance.registered and distance.transfer_from is not None:
            source = self.occasion(distance.uid // 4).distances[distance.transfer_from]
            return source, 100 * (index - distance.own) + 57
        return distance, index

    def person_of(self, distance: Distance, index: int) -> int:
        """Return who really is behind an entry."""
        source, i = self.origin(distance, index)
        return (source.multiplier * i + source.shift) % source.modulus

    def entrant(self, distance: Distance, index: int, person: int | None = None) -> Entrant:
        """Return an entry as the runner wrote it when signing up."""
        source, i = self.origin(distance, index)
        who = (source.multiplier * i + source.shift) % source.modulus if person is None else person
        p = draws(self.seed, PERSON, who)
        luck = draws(self.seed, ENTRY, source.uid, i)
        occasion = self.occasion(distance.uid // 4)

        gender = "X" if who % 53 == 5 else "F" if p[0] % 2 else "M"
        pool = names.FEMALE if p[0] % 2 else names.MALE
        first, short = pool[p[1] % len(pool)]
        last = names.LAST[p[2] % len(names.LAST)]
        email = f"{ascii_of(first)}.{ascii_of(last)}{who % 1000}@example.org"
        born = date(1945 + p[3] % 66, 1 + p[4] % 12, 1 + p[5] % 28)
        home = p[6]
        # A third of the people moved once during these years.
        if p[7] % 3 == 0 and occasion.start > START - (100 + p[8] % 700) * DAY:
            home = p[9]
        city, region, postal, country = names.HOMES[home % len(names.HOMES)]
        middle: str | None = names.MIDDLE[p[10] % len(names.MIDDLE)] if p[11] % 3 == 0 and luck[0] % 2 else None

        if short and luck[1] < WORD * 0.14:
            first = short
        if luck[2] < WORD * 0.02 and len(last) > 4:
            at = 1 + luck[3] % (len(last) - 3)
            last = last[:at] + last[at + 1] + last[at] + last[at + 2 :]
        if luck[4] < WORD * 0.02:
            first, last = first.upper(), last.upper()
        elif luck[4] > WORD * 0.99:
            last += " "
        if luck[5] < WORD * 0.12:
            email = f"{ascii_of(last)}{who % 1000}@example.com"
        given_email: str | None = None if luck[6] < WORD * 0.03 else email
        dob: date | None = None if luck[7] < WORD * 0.03 else born
        phone = None if luck[8] < WORD * 0.3 else f"555-{p[12] % 900 + 100}-{p[13] % 10000:04d}"
        street = None if luck[9] < WORD * 0.15 else f"{1 + p[14] % 240} {names.STREETS[p[15] % len(names.STREETS)]}"

        day = datetime.fromtimestamp(occasion.start, occasion.zone).date()
        age: int | None = years_between(born, day)
        salt = i + source.uid * 13
        if salt % 83 == 9:
            age = (age or 0) + 10  # typed by hand, whatever the birth date says
        flaw = 1 + luck[31] % 4 if luck[30] < self._bad_below else 0
        if flaw == 1:
            dob, age = None, 142
        elif flaw == 2:
            dob, age = date(1871, 3, 5), 155
        elif flaw == 3:
            dob, age = date(2031, 5, 1), -5
        team = names.TEAMS[p[16] % len(names.TEAMS)] if luck[10] < WORD * 0.12 else None
        return Entrant(
            who, first, middle, last, gender, dob, age, given_email, phone, street, city, region,
            f"{postal}{p[17] % 100:02d}" if country == "US" else postal, country,
            self.bib(distance, index), 1 if luck[11] < WORD * 0.1 else 0, team, luck, flaw,
        )  # fmt: skip

    def timer_copy(self, distance: Distance, index: int, person: int | None = None) -> Entrant:
        """Return the same entry as it stands at the timer: partly typed by hand, partly pushed over."""
        entrant = self.entrant(distance, index, person)
        luck = draws(self.seed, TIMER_COPY, distance.uid, index)
        if luck[0] < WORD * 0.02 and len(entrant.last) > 4:
            entrant.last = entrant.last[:-2] + entrant.last[-1]
        if luck[1] < WORD * 0.05:
            entrant.email = None
        elif luck[1] > WORD * 0.985:
            entrant.email = f"none+{distance.uid}-{index}@example.org"
        if luck[2] < WORD * 0.06:
            entrant.dob = None
        if luck[3] < WORD * 0.04:
            entrant.phone = None
        return entrant

    def bib(self, distance: Distance, index: int) -> str:
        """Return a bib as printed, or nothing where none was given out."""
        occasion = self.occasion(distance.uid // 4)
        if occasion.bibs_at is None or (index < distance.own and is_hole(index)) or index >= ADDED:
            return ""
        salt = index + distance.uid * 7
        if salt % 67 == 11:
            return ""
        # A few bibs were given out twice.
        number = index if index and salt % 101 == 16 and not is_hole(index - 1) else index + 1
        return self.printed(distance, number, salt)

    def printed(self, distance: Distance, number: int, salt: int) -> str:
        """Return a bib number in the occasion's own style."""
        if salt % 97 == 3:
            return f"E{number}"
        wide = 5 if distance.entered >= 900 else 4
        value = distance.number * 10 ** (wide - 1) + number
        return f"{value:0{wide}d}" if (distance.uid // 4) % 4 < 2 else str(value)

    # -- registrations -----------------------------------------------------------------------------

    def registered_at(self, distance: Distance, index: int) -> int:
        """Return when a registration was made; it rises with the index."""
        occasion = self.occasion(distance.uid // 4)
        if index >= distance.own:
            return occasion.closes + index - distance.own
        luck = draws(self.seed, ENTRY, distance.uid, index)
        part = ((index + luck[20] / WORD) / max(1, distance.own)) ** 0.6
        return occasion.opens + int((occasion.closes - occasion.opens) * part)

    def modified_at(self, distance: Distance, index: int) -> int:
        """Return when a live registration was last touched before the season starts."""
        occasion = self.occasion(distance.uid // 4)
        at = self.registered_at(distance, index)
        luck = draws(self.seed, ENTRY, distance.uid, index)
        if luck[21] < WORD * 0.08:
            at += luck[22] * 20
        if occasion.bibs_at is not None:
            at = max(at, occasion.bibs_at + index % 600)
        return min(at, START - 60)

    def modified_bound(self, distance: Distance) -> int:
        """Return an instant after which no registration of a distance was touched."""
        occasion = self.occasion(distance.uid // 4)
        at = occasion.closes + distance.transfers + 20 * WORD
        if occasion.bibs_at is not None:
            at = max(at, occasion.bibs_at + 600)
        return min(at, START - 60)

    def removal(self, distance: Distance, index: int) -> tuple[str, int, tuple[Distance, int] | None]:
        """Return how (as a kind of change) and when a registration was taken back, and where it went."""
        occasion = self.occasion(distance.uid // 4)
        luck = draws(self.seed, ENTRY, distance.uid, index)
        at = min(self.registered_at(distance, index) + luck[23] * 30, occasion.closes, START - 60)
        nth = index // HOLE_EVERY
        kind = ("cancel", "clear", "transfer", "defer")[nth % 4]
        if kind != "transfer":
            return kind, at, None
        targets = self.occasion(distance.uid // 4).distances
        if len(targets) < 2:
            return "cancel", at, None
        target = targets[(distance.number + 1) % len(targets)]
        return kind, at, (target, target.own + nth // 4)
