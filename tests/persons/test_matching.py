"""Ids that last, whatever the clusters do: each promise with examples, and in histories that hypothesis makes up."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from project88.persons.matching import Change, Known, Place, match, mint
from tests.persons.registry import PARTNER, Registry

KEYS = [f"runsignup/1/{number}" for number in range(9)]

partitions = st.lists(st.integers(0, 4), min_size=len(KEYS), max_size=len(KEYS))
"""Which cluster each record is in."""
present = st.sets(st.sampled_from(KEYS), min_size=1)


def clusters_of(partition: list[int], among: set[str] | None = None) -> list[set[str]]:
    """Return the clusters that a partition names."""
    found: dict[int, set[str]] = {}
    for key, number in zip(KEYS, partition, strict=True):
        if among is None or key in among:
            found.setdefault(number, set()).add(key)
    return list(found.values())


def registry_of(*clusters: set[str]) -> Registry:
    """Return a registry that has followed clusters, one after another: so their order of age is this."""
    made = Registry()
    for cluster in clusters:
        made.follow([cluster])
    return made


# by example


def test_a_new_person_is_named_after_partner_and_first_record_and_tells_neither() -> None:
    made = registry_of({"b", "a"})

    assert made.person("a") == made.person("b") == mint(PARTNER, "a")
    assert mint(1, "a") != mint(2, "a")
    assert len(mint(1, "a")) == 32


def test_a_record_that_joins_changes_nobody() -> None:
    made = registry_of({"a", "b"})

    outcome = made.follow([{"a": 0.9, "b": 0.9, "A": 0.97}], changed={"A"})

    assert set(outcome.places) == {"A"}
    assert (outcome.minted, outcome.retired, outcome.changes) == ([], {}, [])
    assert made.person("A") == mint(PARTNER, "a")


def test_a_merge_keeps_the_older_id_though_the_younger_has_more_records() -> None:
    made = registry_of({"z"}, {"a", "b", "c"})
    older, younger = made.person("z"), made.person("a")

    outcome = made.follow([{"a", "b", "c", "z"}])

    assert set(made.people()) == {older}
    assert outcome.retired == {younger: older}
    assert outcome.changes == [Change("merged", younger, older, 3)]


def test_a_split_leaves_the_id_with_the_larger_part() -> None:
    made = registry_of({"a", "b", "c"})
    person = made.person("a")

    outcome = made.follow([{"a"}, {"b", "c"}])

    assert made.people()[person] == {"b", "c"}
    assert outcome.changes == [Change("split", person, made.person("a"), 1)]
    # a was the first record of its old person: the new id must not be that one's.
    assert made.person("a") == mint(PARTNER, "a", 1)


def test_records_that_go_over_to_another_person_are_told() -> None:
    made = registry_of({"a", "b", "c"}, {"x", "y"})
    one, two = made.person("a"), made.person("x")

    outcome = made.follow([{"a", "b"}, {"c", "x", "y"}])

    assert made.people() == {one: {"a", "b"}, two: {"c", "x", "y"}}
    assert outcome.changes == [Change("moved", one, two, 1)]


def test_a_person_without_records_ends_and_is_nobody_else_afterwards() -> None:
    made = registry_of({"a"})
    person = made.person("a")

    outcome = made.follow([], gone={"a"})
    made.follow([{"a"}])

    assert outcome.retired == {person: None}
    assert outcome.changes == [Change("ended", person, None, 0)]
    assert made.person("a") != person
    assert made.today(person) is None


def test_what_a_look_at_the_touched_does_not_name_stays_together() -> None:
    made = registry_of({"a", "b", "c"})
    person = made.person("a")

    made.follow([{"a"}])

    assert made.people()[person] == {"b", "c"}


def test_confidences_of_a_person_that_nothing_touched_are_not_written() -> None:
    made = registry_of({"a", "b"}, {"c"})

    assert made.follow([{"a": 0.91, "b": 0.91}, {"c": 0.5}]).places == {}
    assert made.follow([{"a": 0.91, "b": 0.92}], changed={"b"}).places.keys() == {"a", "b"}


def test_a_record_in_two_clusters_is_refused() -> None:
    try:
        match(PARTNER, [{"a": 1.0}, {"a": 1.0}], Known())
    except ValueError as error:
        assert "a is in two clusters" in str(error)
    else:
        raise AssertionError("two clusters were taken")


# whatever the history


@given(partitions, st.randoms(use_true_random=False))
def test_the_order_in_which_clusters_and_records_come_changes_nothing(partition: list[int], luck: object) -> None:
    first, second = Registry(), Registry()
    clusters = clusters_of(partition)
    shuffled = [luck.sample(sorted(one), len(one)) for one in clusters]  # type: ignore[attr-defined]
    luck.shuffle(shuffled)  # type: ignore[attr-defined]

    first.follow(clusters)
    second.follow(shuffled)

    assert first.places == second.places
    assert first.since == second.since


@given(st.lists(partitions, min_size=1, max_size=4))
def test_the_same_clusters_again_create_nobody_and_change_nothing(history: list[list[int]]) -> None:
    made = Registry()
    for partition in history:
        made.follow(clusters_of(partition))

    again = made.follow(clusters_of(history[-1]), changed=KEYS)

    assert (again.places, again.minted, again.retired, again.changes) == ({}, [], {}, [])


@given(st.lists(st.tuples(partitions, present), min_size=1, max_size=6))
def test_ids_are_never_used_again_and_every_record_is_one_persons(history: list[tuple[list[int], set[str]]]) -> None:
    made = Registry()
    for partition, there in history:
        clusters = clusters_of(partition, there)
        before = {key: place.person_id for key, place in made.places.items()}

        outcome = made.follow(clusters, gone=set(KEYS) - there)

        assert made.groups() == {frozenset(one) for one in clusters}
        assert set(made.since) == set(made.people())
        assert len(set(made.ever)) == len(made.ever)
        assert not set(made.aliases) & set(made.people())
        # Whoever lived then is still to be found, or has no record left.
        for person in before.values():
            today = made.today(person)
            assert today is None or today in made.people()
        moved = {key for key in before if key in made.places and made.person(key) != before[key]}
        told = sum(change.records for change in outcome.changes)
        assert told == len(moved)


@given(partitions, partitions)
def test_a_cluster_of_one_persons_records_and_new_ones_keeps_that_person(before: list[int], after: list[int]) -> None:
    made = Registry()
    made.follow(clusters_of(before, set(KEYS[:6])))
    was = {key: made.person(key) for key in KEYS[:6]}

    made.follow(clusters_of(after))

    for cluster in clusters_of(after):
        old = {was[key] for key in cluster if key in was}
        whole = all(key in cluster for key in was if was[key] in old)
        if len(old) == 1 and whole:
            assert {made.person(key) for key in cluster} == old


@given(partitions, partitions)
def test_a_merge_always_keeps_the_oldest(before: list[int], after: list[int]) -> None:
    made = Registry()
    for cluster in clusters_of(before):
        made.follow([cluster])
    was = {key: made.person(key) for key in KEYS}
    age = dict(made.since)

    made.follow(clusters_of(after))

    for cluster in clusters_of(after):
        old = {was[key] for key in cluster}
        if all(key in cluster for key in was if was[key] in old):
            assert {made.person(key) for key in cluster} == {min(old, key=lambda one: age[one])}


@given(partitions, st.integers(0, 4), partitions)
def test_a_split_always_leaves_the_id_with_a_largest_part(before: list[int], which: int, after: list[int]) -> None:
    made = Registry()
    made.follow(clusters_of(before))
    clusters = clusters_of(before)
    victim = clusters[which % len(clusters)]
    person = made.person(min(victim))
    rest = [one for one in clusters if one is not victim]

    made.follow([*rest, *clusters_of(after, victim)])

    assert len(made.people()[person]) == max(len(part) for part in clusters_of(after, victim))
    assert made.people()[person] <= victim


@given(partitions, partitions, st.sets(st.sampled_from(KEYS)))
@settings(max_examples=200)
def test_a_look_at_the_touched_finds_what_a_look_at_all_finds(
    before: list[int], after: list[int], moved: set[str]
) -> None:
    """Clusters in which nothing moved need not be given, nor their persons be known."""
    whole, partly = Registry(), Registry()
    for one in (whole, partly):
        one.follow(clusters_of(before))
    # Whoever is not moved stays where he was, as far as he is with the same.
    numbers = {key: (("new", after[n]) if key in moved else ("old", before[n])) for n, key in enumerate(KEYS)}
    by_number: dict[object, set[str]] = {}
    for key, number in numbers.items():
        by_number.setdefault(number, set()).add(key)
    clusters = list(by_number.values())
    touched = [cluster for cluster in clusters if frozenset(cluster) not in partly.groups()]
    persons = {partly.person(key) for cluster in touched for key in cluster}

    first = whole.follow(clusters)
    second = partly.follow(touched, persons=persons)

    assert whole.places == partly.places
    assert (first.changes, first.retired) == (second.changes, second.retired)


def test_a_place_says_how_sure_it_is() -> None:
    outcome = match(PARTNER, [{"a": 0.97}], Known())

    assert outcome.places == {"a": Place(mint(PARTNER, "a"), 0.97)}
