"""What the registry promises of a town whose people run season after season, linked by the linkage itself."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from project88.persons.linkage import Groups, Linkage
from project88.persons.records import COLUMNS
from sandbox import names
from tests.identity.town import TOWNS
from tests.persons.registry import Registry

NAMES = ["record_id", "timing_partner", *COLUMNS, "fingerprint"]
SEASONS = 17


# What happens to people in a year. In the US 11.5 in 100 move, a third of them to another county (Census Bureau,
# 2013/14); with those who go to the next town of their county about 6 in 100 write another town. Of 1,000 people some
# 7 women marry (CDC, rates of the 2010s), 14 of 1,000 women; 79 % of them take the husband's name (Pew, 2023), and some
# go back to their own after a divorce: 1.3 % of women. How often an e-mail address changes is our guess.
MOVES, NEW_SURNAME_OF_WOMEN, NEW_EMAIL = 0.06, 0.013, 0.05


def town(people: int = 600, seed: int = 88) -> list[list[dict[str, Any]]]:
    """Return the entries of each season; people move, marry, change mailboxes and leave their birth date out."""
    luck = random.Random(seed)
    lives = []
    for number in range(people):
        city, region = luck.choice(TOWNS)
        is_woman = luck.random() < 0.5
        lives.append(
            {
                "first_name": luck.choice(names.FEMALE if is_woman else names.MALE)[0],
                "last_name": luck.choice(names.LAST), "is_woman": is_woman,
                "born": (luck.randint(1945, 2000), luck.randint(1, 12), luck.randint(1, 28)), "city": city,
                "region": region, "email": f"runner{number}@example.org",
            }
        )  # fmt: skip
    seasons = []
    for season in range(SEASONS):
        entries = []
        for number, one in enumerate(lives):
            if luck.random() < MOVES:
                one["city"], one["region"] = luck.choice([town for town in TOWNS if town[0] != one["city"]])
            if one["is_woman"] and luck.random() < NEW_SURNAME_OF_WOMEN:
                one["last_name"] = luck.choice(names.LAST)
            if luck.random() < NEW_EMAIL:
                one["email"] = f"runner{number}-{season}@example.org"
            if luck.random() < 0.5:
                continue
            year, month, day = one["born"]
            has_birth_date = luck.random() < 0.8
            entries.append(
                {
                    "record_id": f"runsignup/1/{season:02d}{number:04d}", "timing_partner": "1",
                    "provider": "runsignup", "event": f"runsignup/1/{season}",
                    "first_name": one["first_name"],
                    "last_name": one["last_name"].upper() if luck.random() < 0.1 else one["last_name"],
                    "birth_date": f"{year}-{month:02d}-{day:02d}" if has_birth_date else None,
                    "age": None if has_birth_date else str(2010 + season - year - (month > 6)),
                    "event_date": None if has_birth_date else f"{2010 + season}-06-30",
                    "email": one["email"] if luck.random() < 0.7 else None,
                    "city": one["city"], "region": one["region"],
                    "bib": str(number), "is_duplicate": "f",
                }
            )  # fmt: skip
        seasons.append(entries)
    return seasons


def table(entries: list[dict[str, Any]]) -> pa.Table:
    """Return entries as the step reads them."""
    return pa.table({name: pa.array([one.get(name) for one in entries], pa.string()) for name in NAMES})


class Hub:
    """A registry that follows the linkage, without a database."""

    def __init__(self, folder: Path) -> None:
        self.linkage, self.registry = Linkage(folder), Registry()
        self.state: dict[str, Any] | None = None
        self.entries: dict[str, dict[str, Any]] = {}

    def load(self, entries: list[dict[str, Any]]) -> None:
        """Take entries in, as one cycle."""
        self.entries |= {one["record_id"]: one for one in entries}
        found = self.linkage.look(table(entries), [], lambda: table(list(self.entries.values())), self.state)
        self.follow(found, {one["record_id"] for one in entries})

    def follow(self, found: Groups, changed: set[str]) -> None:
        """Let the registry follow, and tell the linkage."""
        clusters: dict[str, dict[str, float]] = defaultdict(dict)
        columns = (found.groups.column(name).to_pylist() for name in ("record_id", "group", "confidence"))
        for record, group, confidence in zip(*columns, strict=True):
            clusters[group][record] = confidence
        touched = {self.registry.person(key) for one in clusters.values() for key in one if key in self.registry.places}
        self.registry.follow(clusters.values(), persons=touched, changed=changed)
        self.state = found.state
        self.linkage.kept()


def mates(hub: Hub, among: set[str]) -> dict[str, frozenset[str]]:
    """Return with whom each record is, among some."""
    return {key: frozenset(group & among) for group in hub.registry.groups() for key in group & among}


@pytest.fixture(scope="module")
def sixteen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Hub, list[list[dict[str, Any]]]]:
    """A hub with sixteen seasons, loaded at once, and all seventeen."""
    seasons = town()
    hub = Hub(tmp_path_factory.mktemp("sixteen"))
    hub.load([entry for season in seasons[:-1] for entry in season])
    return hub, seasons


def test_a_season_more_changes_the_pairs_of_few_old_records_and_loading_it_twice_creates_nobody(sixteen) -> None:
    hub, seasons = sixteen
    old = set(hub.entries)
    before, persons = mates(hub, old), {key: hub.registry.person(key) for key in old}

    hub.load(seasons[-1])

    after = mates(hub, old)
    assert sum(before[key] != after[key] for key in old) < 0.005 * len(old)
    # An id changes with its pairs alone.
    moved = {key for key in old if hub.registry.person(key) != persons[key]}
    assert len(moved) < 0.005 * len(old)

    minted, places = list(hub.registry.ever), dict(hub.registry.places)
    hub.load(seasons[-1])
    hub.load([entry for season in seasons for entry in season])
    assert (hub.registry.ever, hub.registry.places) == (minted, places)


def test_in_whatever_order_seasons_come_the_pairs_are_the_same(sixteen, tmp_path: Path) -> None:
    hub, seasons = sixteen
    hub.load(seasons[-1])
    other = Hub(tmp_path)
    luck = random.Random(88)
    order = luck.sample(seasons, len(seasons))
    # The first load teaches the weights: half of it, as a hub begins with years of history.
    other.load([entry for season in order[:9] for entry in season])
    for season in order[9:]:
        other.load(season)

    everybody = set(hub.entries)
    one, two = mates(hub, everybody), mates(other, everybody)
    pairs = [{(a, b) for a, group in found.items() for b in group if a < b} for found in (one, two)]
    assert len(pairs[0] & pairs[1]) / len(pairs[0] | pairs[1]) >= 0.99


def test_a_process_that_died_after_the_linkage_has_no_effect_on_what_comes_out(sixteen, tmp_path: Path) -> None:
    _, seasons = sixteen
    disturbed, calm = Hub(tmp_path / "disturbed"), Hub(tmp_path / "calm")
    for hub in (disturbed, calm):
        hub.load([entry for season in seasons[:3] for entry in season])

    # The linkage has taken it in; nobody wrote down what it said.
    disturbed.entries |= {one["record_id"]: one for one in seasons[3]}
    disturbed.linkage.look(table(seasons[3]), [], lambda: table(list(disturbed.entries.values())), disturbed.state)
    for hub in (disturbed, calm):
        hub.load(seasons[3])

    assert disturbed.registry.groups() == calm.registry.groups()
    assert disturbed.registry.places.keys() == calm.registry.places.keys()
    assert {key: place.person_id for key, place in disturbed.registry.places.items()} == {
        key: place.person_id for key, place in calm.registry.places.items()
    }


def test_what_changed_while_a_process_died_and_changed_back_since_is_as_it_was(sixteen, tmp_path: Path) -> None:
    _, seasons = sixteen
    hub = Hub(tmp_path)
    hub.load([entry for season in seasons[:3] for entry in season])
    before = mates(hub, set(hub.entries))
    one = min(key for key, group in before.items() if len(group) > 1)

    # The linkage has taken in that it is somebody else; the registry never heard of it and sees nothing to tell.
    other = hub.entries[one] | {"first_name": "Quillon", "last_name": "Featherstonehaugh", "email": None}
    hub.linkage.look(table([other]), [], lambda: table(list(hub.entries.values())), hub.state)
    hub.load(seasons[3])

    assert before[one] <= mates(hub, set(hub.entries))[one]


def test_a_file_of_another_hub_is_not_used(sixteen, tmp_path: Path) -> None:
    _, seasons = sixteen
    one, two = Hub(tmp_path), Hub(tmp_path)
    one.load(seasons[0])
    two.load(seasons[1])

    one.load(seasons[2])

    assert set(one.registry.places) == {entry["record_id"] for season in (0, 2) for entry in seasons[season]}
