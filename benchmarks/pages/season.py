"""What a season holds: partners, events, how many entries and result rows each, decided before any row is written."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sandbox import names

NOW = int(datetime(2026, 9, 19, 15, 30, tzinfo=UTC).timestamp())
DAY = 86_400
# ChronoTrack's events are further back than this for a full season, and nearer for one that is all under way.
YEARS_BACK = 3
# Of fifty events one ended in the last days, and one is still to come: in a small season, too.
ONE_IN, RECENT, FUTURE = 50, 7, 19
# A bracket for each: overall, the sexes, and seven age groups of women and of men.
BANDS = ("U20", "20-29", "30-39", "40-49", "50-59", "60-69", "70+")
CHRONOTRACK, RUNSIGNUP = "chronotrack", "runsignup"


@dataclass(frozen=True)
class Course:
    """A distance: metres, finishing seconds of the first and the last, and its mats on the way."""

    name: str
    metres: float
    fastest: int
    slowest: int
    splits: tuple[tuple[str, float], ...]

    @property
    def rows(self) -> int:
        """Return how many result rows a finisher has."""
        return len(self.splits) + 1


COURSES = (
    Course("5K", 5000, 890, 3600, (("Halfway", 2500),)),
    Course("10K", 10000, 1850, 5600, (("3K", 3000), ("5K Split", 5000))),
    Course("Half Marathon", 21097.5, 3980, 11900, (("5K Split", 5000), ("10K Split", 10000), ("15K Split", 15000))),
    Course(
        "Marathon",
        42195,
        8300,
        23400,
        (("10K Split", 10000), ("Half Split", 21097.5), ("30K Split", 30000), ("35K Split", 35000), ("40K", 40000)),
    ),
)


@dataclass(slots=True)
class Race:
    """A startable distance of one ChronoTrack event, and how its entries fared."""

    course: int
    entries: int
    not_started: int = 0
    not_finished: int = 0
    disqualified: int = 0
    # Finishers whom the first mat on the way did not see.
    missed: int = 0

    @property
    def finishers(self) -> int:
        """Return how many have a time."""
        return self.entries - self.not_started - self.not_finished - self.disqualified

    @property
    def rows(self) -> int:
        """Return how many result rows it comes to: who drops out has one mat, and a begin on the whole course."""
        return (self.finishers + self.disqualified) * COURSES[self.course].rows + 2 * self.not_finished - self.missed

    def run(self, not_started: float) -> None:
        """Decide how many start, finish, drop out and are disqualified."""
        self.not_started = round(self.entries * not_started)
        started = self.entries - self.not_started
        self.not_finished = started // 50
        self.disqualified = started // 400


@dataclass(slots=True)
class Event:
    """A ChronoTrack event, or a RunSignUp one (then with a single race that stands for its registrations)."""

    number: int
    partner: int
    start: int
    races: list[Race]
    # RunSignUp's race that holds it; editions of one race lie beside each other.
    holder: int = 0
    first_entry: int = 0
    removed: int = 0
    has_results: bool = True

    @property
    def entries(self) -> int:
        """Return how many entries it has."""
        return sum(race.entries for race in self.races)

    @property
    def rows(self) -> int:
        """Return how many result rows it has; RunSignUp has one a finisher, its splits being fields."""
        if self.holder:
            return self.races[0].finishers if self.has_results else 0
        return sum(race.rows for race in self.races) if self.has_results else 0

    @property
    def is_future(self) -> bool:
        """Tell whether it is still to come."""
        return self.start > NOW

    @property
    def end(self) -> int:
        """Return when the last course closes."""
        return self.start + max(COURSES[race.course].slowest for race in self.races) + 3600

    @property
    def venue(self) -> tuple[str, str, str, str, str]:
        """Return city, region, postal code, country and zone."""
        return names.VENUES[(self.holder or self.number) % len(names.VENUES)]

    @property
    def name(self) -> str:
        """Return its title."""
        at = self.holder or self.number
        first, last = names.TITLE_FIRST, names.TITLE_LAST
        return f"{self.venue[0]} {first[at % len(first)]} {last[at // 7 % len(last)]}"


@dataclass(frozen=True)
class Wanted:
    """The size and shape of a season."""

    partners: int = 13
    ct_events: int = 12_882
    ct_entries: int = 2_382_266
    ct_results: int = 7_624_980
    rsu_events: int = 937
    rsu_participants: int = 38_362
    rsu_results: int = 20_000
    largest_event: int = 60_000
    # All events ended within the last days, so that none is settled and each reload reads them again.
    recent: bool = False
    seed: int = 88

    def scaled(self, scale: float) -> Wanted:
        """Return the same shape at another size."""

        def of(number: int, least: int = 1) -> int:
            return max(least, round(number * scale)) if number else 0

        return Wanted(
            partners=min(self.partners, max(1, of(self.ct_events + self.rsu_events) // 4)),
            ct_events=of(self.ct_events, 2),
            ct_entries=of(self.ct_entries, 40),
            ct_results=of(self.ct_results, 100),
            rsu_events=of(self.rsu_events, 2),
            rsu_participants=of(self.rsu_participants, 20),
            rsu_results=of(self.rsu_results),
            largest_event=of(self.largest_event, 20),
            recent=self.recent,
            seed=self.seed,
        )


@dataclass
class Season:
    """Everything that is decided about a season."""

    wanted: Wanted
    ct_events: list[Event] = field(default_factory=list)
    rsu_events: list[Event] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return what there is of everything."""
        ct, rsu = self.ct_events, self.rsu_events
        return {
            "events": len(ct) + len(rsu),
            "participants": sum(e.entries for e in ct) + sum(e.entries for e in rsu),
            "results": sum(e.rows for e in ct) + sum(e.rows for e in rsu),
            "ct_events": len(ct),
            "ct_races": sum(len(e.races) for e in ct),
            "ct_entries": sum(e.entries for e in ct),
            "ct_results": sum(e.rows for e in ct),
            "rsu_races": len({e.holder for e in rsu}),
            "rsu_events": len(rsu),
            "rsu_participants": sum(e.entries for e in rsu),
            "rsu_removed": sum(e.removed for e in rsu),
            "rsu_results": sum(e.rows for e in rsu),
        }


def shares(partners: int) -> list[float]:
    """Return each partner's part of the season: the first has half of it."""
    if partners == 1:
        return [1.0]
    weights = [1 / (n + 2) for n in range(partners - 1)]
    return [0.5, *(weight / sum(weights) / 2 for weight in weights)]


def divided(total: int, weights: list[float], least: int = 0) -> list[int]:
    """Return whole numbers in proportion to the weights that add up to the total."""
    if not weights:
        return []
    room = total - least * len(weights)
    if room < 0:
        raise ValueError(f"{total} cannot be divided into {len(weights)} parts of at least {least}")
    scale = room / sum(weights)
    parts = [least + int(weight * scale) for weight in weights]
    by_size = sorted(range(len(parts)), key=lambda n: -weights[n])
    for n in range(total - sum(parts)):
        parts[by_size[n % len(parts)]] += 1
    return parts


def plan(wanted: Wanted) -> Season:
    """Decide a season; the same wishes give the same one."""
    draw = random.Random(f"{wanted.seed} season")  # noqa: S311 - repeatable, not secret
    season = Season(wanted)
    part = shares(wanted.partners)
    ct_counts = divided(wanted.ct_events, part, 1)
    ct_sizes = divided(wanted.ct_entries, part, 20)
    for partner in range(1, wanted.partners + 1):
        largest = wanted.largest_event if partner == 1 else 0
        for size in _sizes(draw, ct_counts[partner - 1], ct_sizes[partner - 1], largest):
            number = len(season.ct_events) + 1
            event = Event(number, partner, _start(draw, number, wanted.recent), _races(draw, size))
            event.has_results = not event.is_future
            season.ct_events.append(event)
    if season.ct_events:
        _run(draw, season)
    _registrations(draw, season, part)
    first = 0
    for event in season.ct_events:
        event.first_entry, first = first, first + event.entries
    first = 0
    for event in season.rsu_events:
        event.first_entry, first = first, first + event.entries + event.removed
    return season


def _sizes(draw: random.Random, count: int, total: int, largest: int) -> list[int]:
    """Return event sizes: many small, few large, and one of a given size."""
    has_largest = largest and count > 1 and largest < total - 2 * count
    count -= bool(has_largest)
    total -= largest if has_largest else 0
    # Beyond some twelve times the mean only the largest goes.
    weights = [min(draw.lognormvariate(0, 1.1), 12.0) for _ in range(count)]
    sizes = divided(total, weights, min(3, total // count))
    if has_largest:
        sizes.insert(draw.randrange(len(sizes) + 1), largest)
    return sizes


def _start(draw: random.Random, number: int, recent: bool) -> int:
    """Return a morning: most of them long ago, one in fifty in the last days and one to come."""
    fate = number % ONE_IN
    if recent or fate == RECENT:
        # The tap leaves alone what ended two weeks ago: within ten days none is settled even a few days later.
        days = -draw.randint(2, 9)
    elif fate == FUTURE:
        days = draw.randint(5, 120)
    else:
        days = -draw.randint(20, YEARS_BACK * 365)
    return NOW - NOW % DAY + days * DAY + 3600 * draw.randint(11, 14)


def _races(draw: random.Random, size: int) -> list[Race]:
    number = 1 if size < 60 else 2 if size < 500 else 3 if size < 5000 else 4
    courses = sorted(draw.sample(range(len(COURSES)), number))
    entries = divided(size, [draw.uniform(1, 3) for _ in courses], 1)
    return [Race(course, count) for course, count in zip(courses, entries, strict=True)]


def _run(draw: random.Random, season: Season) -> None:
    """Let the races be run, so that their result rows come to what is wanted."""
    races = [race for event in season.ct_events if event.has_results for race in event.races]
    wanted = season.wanted.ct_results
    # Somewhat more than wanted; missed mats take the rest off.
    aim = round(wanted * 1.01)

    def most() -> int:
        return sum(race.entries * COURSES[race.course].rows for race in races)

    # Longer or shorter courses, until a usual share of entries that do not start gives that number.
    for low, high, step in ((1.06, 99.0, 1), (0.0, 1.12, -1)):
        order = draw.sample(races, len(races))
        total = most()
        for race in order:
            if low * aim <= total <= high * aim:
                break
            course = race.course + step
            if 0 <= course < len(COURSES):
                total += race.entries * (COURSES[course].rows - COURSES[race.course].rows)
                race.course = course
    few, many = 0.0, 0.5
    for _ in range(30):
        share = (few + many) / 2
        for race in races:
            race.run(share)
        if sum(race.rows for race in races) > aim:
            few = share
        else:
            many = share
    surplus = sum(race.rows for race in races) - wanted
    finishers = sum(race.finishers for race in races) or 1
    for race in races:
        race.missed = min(race.finishers, surplus * race.finishers // finishers) if surplus > 0 else 0
    left = sum(race.rows for race in races) - wanted
    for race in races:
        if left <= 0:
            break
        more = min(left, race.finishers - race.missed)
        race.missed, left = race.missed + more, left - more


def _registrations(draw: random.Random, season: Season, part: list[float]) -> None:
    wanted = season.wanted
    if not wanted.rsu_events:
        return
    counts = divided(wanted.rsu_events, part)
    sizes = divided(wanted.rsu_participants, part)
    holder = 0
    for partner in range(1, wanted.partners + 1):
        if not counts[partner - 1]:
            # The first partner takes what is left over of a small season.
            sizes[0] += sizes[partner - 1]
            sizes[partner - 1] = 0
    for partner in range(1, wanted.partners + 1):
        left = 0
        if not counts[partner - 1]:
            continue
        for size in _sizes(draw, counts[partner - 1], sizes[partner - 1], 0):
            if not left:
                holder, left, start = holder + 1, draw.randint(1, 4), _start(draw, holder, wanted.recent)
            left -= 1
            event = Event(
                len(season.rsu_events) + 1, partner, start, [Race(draw.randrange(len(COURSES)), size)], holder
            )
            event.removed = size // 50
            event.has_results = False
            season.rsu_events.append(event)
    left = wanted.rsu_results
    for event in season.rsu_events:
        if left <= 0:
            break
        if event.is_future:
            continue
        race = event.races[0]
        # One row a finisher here: splits are fields of it.
        race.not_started = max(0, race.entries - left)
        event.has_results, left = True, left - (race.entries - race.not_started)
