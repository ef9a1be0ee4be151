"""Each rule of the linkage, told as a story of a few records among strangers."""

from __future__ import annotations

from typing import Any

import pytest

from project88 import identity
from tests.identity.town import Stories, persons_of, strangers

HOME = {"city": "Beacon", "region": "NY"}
BORN = {"birth_date": "1984-03-07"}

ONE_PERSON: dict[str, list[dict[str, Any]]] = {
    "the name is written LAST First": [
        {"full_name": "Ada Quillfeather", **BORN, **HOME},
        {"full_name": "QUILLFEATHER Ada", **BORN, **HOME},
        {"full_name": "Quillfeather, Ada M.", **BORN, **HOME},
    ],
    "first and last name changed places": [
        {"first_name": "Ottoline", "last_name": "Marchbanks", **BORN, **HOME},
        {"first_name": "Marchbanks", "last_name": "Ottoline", **BORN, **HOME},
    ],
    "a nickname": [
        {"first_name": "William", "last_name": "Dunkerley", **BORN, **HOME},
        {"first_name": "Bill", "last_name": "Dunkerley", **BORN, **HOME},
    ],
    "a nickname that is not English": [
        {"first_name": "Giuseppe", "last_name": "Tarantola", **BORN, **HOME},
        {"first_name": "Beppe", "last_name": "Tarantola", **BORN, **HOME},
    ],
    "diacritics are lost on the way": [
        {"first_name": "Łukasz", "last_name": "Grønvoldsen", **BORN, **HOME},
        {"first_name": "Lukasz", "last_name": "Gronvoldsen", **BORN, **HOME},
    ],
    "an umlaut is spelled out": [
        {"first_name": "Jürgen", "last_name": "Schönfelder", **BORN, **HOME},
        {"first_name": "Juergen", "last_name": "Schoenfelder", **BORN, **HOME},
    ],
    "mojibake": [
        {"first_name": "José", "last_name": "Ibáñezcano", **BORN, **HOME},
        {"first_name": "JosÃ©", "last_name": "IbÃ¡Ã±ezcano", **BORN, **HOME},
    ],
    "another script": [
        {"first_name": "Дмитрий", "last_name": "Черныховский", **BORN, **HOME},
        {"first_name": "Dmitriy", "last_name": "Chernykhovskiy", **BORN, **HOME},
    ],
    "a double surname and half of it": [
        {"first_name": "Paloma", "last_name": "Garrigues-Tordesillas", **BORN, **HOME},
        {"first_name": "Paloma", "last_name": "Garrigues", **BORN, **HOME},
    ],
    "a surname changed, everything else stayed": [
        {"first_name": "Henrike", "last_name": "Oldenbruch", **BORN, **HOME, "email": "henrike@example.org", "phone": "+1 845 220 1188"},
        {"first_name": "Henrike", "last_name": "Vandermeer", **BORN, **HOME, "email": "henrike@example.org", "phone": "8452201188"},
    ],
    "with and without a middle initial": [
        {"full_name": "Thornwick, Edgar J.", **BORN, **HOME},
        {"full_name": "Thornwick, Edgar", **BORN, **HOME},
    ],
    "a typing slip in the name": [
        {"first_name": "Rosamund", "last_name": "Whittlesey", **BORN, **HOME},
        {"first_name": "Rosamund", "last_name": "Whittelsey", **BORN, **HOME},
    ],
    "a typing slip in the birth date": [
        {"first_name": "Cornelius", "last_name": "Blatherwick", "birth_date": "1984-03-07", **HOME},
        {"first_name": "Cornelius", "last_name": "Blatherwick", "birth_date": "1984-03-01", **HOME},
    ],
    "ages over the years fit one birthday": [
        {"first_name": "Sidonie", "last_name": "Applegarth", "age": 34, "event_date": "2018-05-05", **HOME},
        {"first_name": "Sidonie", "last_name": "Applegarth", "age": "37", "event_date": "2021-10-02", **HOME},
        {"first_name": "Sidonie", "last_name": "Applegarth", **BORN, **HOME},
    ],
    "an age band holds the birth date": [
        {"first_name": "Barnaby", "last_name": "Thistlethwaite", "age_band": "M40-44", "event_date": "2026-05-05", **HOME},
        {"first_name": "Barnaby", "last_name": "Thistlethwaite", **BORN, **HOME},
    ],
    "a home moved, the e-mail stayed": [
        {"first_name": "Clementine", "last_name": "Ravensworth", **BORN, **HOME, "email": "clem.r@example.org"},
        {"first_name": "Clementine", "last_name": "Ravensworth", **BORN, "city": "Astoria", "region": "OR", "email": "clem.r@example.org"},
    ],
    "an organiser's duplicate is marked": [
        {"first_name": "Leopold", "last_name": "Finsterwald", **BORN, **HOME, "event": "dup-10k", "bib": "12"},
        {"first_name": "Leopold", "last_name": "Finsterwald", **BORN, **HOME, "event": "dup-10k", "bib": "99", "is_duplicate": "true"},
    ],
    "an entry and its result have one bib": [
        {"first_name": "Hortensia", "last_name": "Pumphrey", **BORN, **HOME, "event": "half", "bib": "0071"},
        {"first_name": "Hortensia", "last_name": "Pumphrey", "age": "42", "event_date": "2026-05-05", **HOME, "event": "half", "bib": "71"},
    ],
    "the same id of an event at two providers is two events": [
        {"first_name": "Ignatius", "last_name": "Crumplehorn", **BORN, **HOME, "event": "500", "provider": "runsignup", "bib": "1"},
        {"first_name": "Ignatius", "last_name": "Crumplehorn", **BORN, **HOME, "event": "500", "provider": "chronotrack", "bib": "2"},
    ],
}  # fmt: skip

SEPARATE: dict[str, list[dict[str, Any]]] = {
    "two entries of one event": [
        {"first_name": "Augustin", "last_name": "Pellworthy", **BORN, **HOME, "event": "autumn", "bib": "4"},
        {"first_name": "Augustin", "last_name": "Pellworthy", **BORN, **HOME, "event": "autumn", "bib": "5"},
    ],
    "placeholders": [
        {"first_name": "Anonymous", "last_name": "Runner", **BORN, **HOME},
        {"first_name": "Anonymous", "last_name": "Runner", **BORN, **HOME},
        {"full_name": "Unknown Runner", **BORN, **HOME},
        {"full_name": "N.N.", **BORN, **HOME},
        {"full_name": "N.N.", **BORN, **HOME},
        {"first_name": "Test", "last_name": "Entry", **BORN, **HOME},
        {"first_name": "Test", "last_name": "Entry", **BORN, **HOME},
    ],
    "a relay team": [
        {"full_name": "Fairbrother/Glasspoole", **BORN, **HOME},
        {"full_name": "Fairbrother/Glasspoole", **BORN, **HOME},
        {"full_name": "Team Fairbrother", **BORN, **HOME},
        {"full_name": "Team Fairbrother", **BORN, **HOME},
    ],
    "nothing usable": [{}, {}, {"email": "lonely@example.org"}, {"first_name": " ", "last_name": "-"}],
    "a name alone": [
        {"first_name": "Peregrine", "last_name": "Oxenbridge"},
        {"first_name": "Peregrine", "last_name": "Oxenbridge"},
    ],
    "birth dates that contradict": [
        {"first_name": "Mortimer", "last_name": "Stapleforth", "birth_date": "1971-02-14"},
        {"first_name": "Mortimer", "last_name": "Stapleforth", "birth_date": "1978-11-30"},
    ],
    "ages that no birthday fits": [
        {"first_name": "Gwendoline", "last_name": "Harbottle", "age": "25", "event_date": "2024-05-05", **HOME},
        {"first_name": "Gwendoline", "last_name": "Harbottle", "age": "31", "event_date": "2024-06-05", **HOME},
    ],
    "twins": [
        {"first_name": "Castor", "last_name": "Ellingham", **BORN, **HOME, "email": "ellinghams@example.org", "phone": "8455550100"},
        {"first_name": "Rufus", "last_name": "Ellingham", **BORN, **HOME, "email": "ellinghams@example.org", "phone": "8455550100"},
    ],
    "twins with names nearly alike": [
        {"first_name": "Anna", "last_name": "Wolstenholme", "birth_date": "1999-09-09", **HOME, "email": "w@example.org"},
        {"first_name": "Hanna", "last_name": "Wolstenholme", "birth_date": "1999-09-09", **HOME, "email": "w@example.org"},
    ],
    "parent and child with one name": [
        {"first_name": "Lysander", "last_name": "Bickerstaff", "birth_date": "1958-06-21", **HOME, "email": "bick@example.org", "phone": "8455551234"},
        {"first_name": "Lysander", "last_name": "Bickerstaff", "birth_date": "1989-01-30", **HOME, "email": "bick@example.org", "phone": "8455551234"},
    ],
    "parent and child by their ages": [
        {"first_name": "Ezekiel", "last_name": "Mudgeworth", "age": "58", "event_date": "2026-05-05", **HOME, "email": "mudge@example.org"},
        {"first_name": "Ezekiel", "last_name": "Mudgeworth", "age": "27", "event_date": "2026-05-05", **HOME, "email": "mudge@example.org"},
    ],
    "junior and senior": [
        {"full_name": "Hieronymus Catterick Sr.", **HOME, "email": "catt@example.org"},
        {"full_name": "Hieronymus Catterick Jr.", **HOME, "email": "catt@example.org"},
    ],
    "one e-mail for a family": [
        {"first_name": "Philomena", "last_name": "Rustington", "birth_date": "1980-01-02", **HOME, "email": "rust@example.org"},
        {"first_name": "Bartholomew", "last_name": "Rustington", "birth_date": "1979-05-06", **HOME, "email": "rust@example.org"},
        {"first_name": "Ottilie", "last_name": "Rustington", "birth_date": "2010-07-08", **HOME, "email": "rust@example.org"},
    ],
}  # fmt: skip

# Stories that a pair cannot tell: which records belong together, by their place.
PARTED: dict[str, tuple[list[dict[str, Any]], list[set[int]]]] = {
    "a record without birth date between a parent and a child": (
        [
            {"first_name": "Theobald", "last_name": "Grimsdyke", "birth_date": "1955-08-19", **HOME},
            {"first_name": "Theobald", "last_name": "Grimsdyke", "birth_date": "1987-04-02", **HOME},
            {"first_name": "Theobald", "last_name": "Grimsdyke", **HOME},
        ],
        [{0}, {1}, {2}],
    ),
    "an initial between two sisters": (
        [
            {"first_name": "Florence", "last_name": "Ashdown", "birth_date": "1990-01-04", **HOME, "email": "ashdown@example.org"},
            {"first_name": "Frederica", "last_name": "Ashdown", "birth_date": "1992-10-11", **HOME, "email": "ashdown@example.org"},
            {"first_name": "F.", "last_name": "Ashdown", **HOME, "email": "ashdown@example.org"},
        ],
        [{0}, {1}, {2}],
    ),
    "a middle name tells two people of one name apart": (
        [
            {"full_name": "Winterbotham, Hugo A.", "age": "40", "event_date": "2024-05-05", **HOME},
            {"full_name": "Winterbotham, Hugo A.", "age": "41", "event_date": "2025-05-05", **HOME},
            {"full_name": "Winterbotham, Hugo K.", "age": "40", "event_date": "2024-05-05", **HOME},
        ],
        [{0, 1}, {2}],
    ),
    "a third entry does not make one of two in an event": (
        [
            {"first_name": "Evangeline", "last_name": "Sprockett", **BORN, **HOME, "event": "winter", "bib": "7", "email": "eva@example.org"},
            {"first_name": "Evangeline", "last_name": "Sprockett", **BORN, **HOME, "event": "winter", "bib": "8"},
            {"first_name": "Evangeline", "last_name": "Sprockett", **BORN, **HOME, "event": "spring", "bib": "9", "email": "eva@example.org"},
        ],
        [{0, 2}, {1}],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told() -> tuple[Stories, identity.Linked]:
    """Tell all stories at once, among strangers, and link them."""
    stories = Stories()
    for name, records in {**ONE_PERSON, **SEPARATE}.items():
        stories.tell(name, *records)
    for name, (records, _) in PARTED.items():
        stories.tell(name, *records)
    return stories, identity.link([*strangers(), *stories.records])


@pytest.mark.parametrize("story", ONE_PERSON)
def test_one_person(story: str, told: tuple[Stories, identity.Linked]) -> None:
    stories, linked = told

    assert len(set(persons_of(linked, stories.ids[story]))) == 1


@pytest.mark.parametrize("story", SEPARATE)
def test_several_people(story: str, told: tuple[Stories, identity.Linked]) -> None:
    stories, linked = told

    assert len(set(persons_of(linked, stories.ids[story]))) == len(stories.ids[story])


@pytest.mark.parametrize("story", PARTED)
def test_a_group_is_parted(story: str, told: tuple[Stories, identity.Linked]) -> None:
    stories, linked = told
    persons = persons_of(linked, stories.ids[story])

    assert sorted(map(sorted, ({n for n, p in enumerate(persons) if p == one} for one in set(persons)))) == sorted(
        map(sorted, PARTED[story][1])
    )


def test_strangers_stay_strangers_and_meet_themselves(told: tuple[Stories, identity.Linked]) -> None:
    _, linked = told
    ids = [record["record_id"] for record in strangers()]
    persons = dict(zip(ids, persons_of(linked, ids), strict=True))

    assert {persons[one] for one in ids} == {one for one in ids if one.endswith("-0")}


def test_every_record_comes_out_once_in_its_order(told: tuple[Stories, identity.Linked]) -> None:
    stories, linked = told

    assert linked.persons.column("record_id").to_pylist() == [
        one["record_id"] for one in [*strangers(), *stories.records]
    ]


def test_links_say_what_agreed_and_how_sure_they_are(told: tuple[Stories, identity.Linked]) -> None:
    stories, linked = told
    ids = set(stories.ids["a home moved, the e-mail stayed"])

    (link,) = [one for one in linked.links.to_pylist() if one["record_id"] in ids]

    assert {link["record_id"], link["other_record_id"]} == ids
    assert link["agreed"] == "first_name, last_name, birth, email"
    assert link["disagreed"] == "place"
    assert 0.95 <= link["probability"] <= 1
    assert link["score"] > 4


def test_confidence_is_a_probability(told: tuple[Stories, identity.Linked]) -> None:
    _, linked = told

    assert all(0 <= one <= 1 for one in linked.persons.column("confidence").to_pylist())
