"""What people decide wins over what is computed, survives whatever comes, and gives way to a later word only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from project88.persons.decisions import Decision, standing
from project88.persons.matching import DECIDED, Change
from tests.persons.registry import Registry
from tests.persons.test_matching import KEYS, clusters_of, partitions, registry_of


def test_a_merge_that_somebody_decided_holds_though_the_clusters_say_otherwise() -> None:
    made = registry_of({"a", "b"}, {"c"})
    older, younger = made.person("a"), made.person("c")

    outcome = made.decide("merge", {"a", "b", "c"})
    made.follow([{"a"}, {"b"}, {"c"}], changed={"a", "b", "c"})

    assert made.people() == {older: {"a", "b", "c"}}
    assert outcome.changes == [Change("merged", younger, older, 1)]
    assert {place.confidence for place in made.places.values()} == {DECIDED}


def test_a_split_that_somebody_decided_holds_though_the_clusters_say_otherwise() -> None:
    made = registry_of({"a", "b", "c"})
    person = made.person("a")

    made.decide("split", {"a"}, {"b", "c"})
    made.follow([{"a", "b", "c"}], changed={"a", "b", "c"})

    assert made.people()[person] == {"b", "c"}
    assert made.groups() == {frozenset("a"), frozenset("bc")}


def test_a_person_that_somebody_confirmed_stays_whole() -> None:
    made = registry_of({"a", "b"})

    made.decide("confirm", {"a", "b"})
    made.follow([{"a"}, {"b", "c"}], changed={"c"})

    assert made.groups() == {frozenset("abc")}


def test_a_later_word_replaces_an_earlier_one() -> None:
    made = registry_of({"a"}, {"b"}, {"c"})

    made.decide("merge", {"a", "b", "c"})
    made.decide("split", {"a"}, {"b", "c"})
    assert made.groups() == {frozenset("a"), frozenset("bc")}
    made.decide("merge", {"a", "b", "c"})
    made.follow([{"a"}, {"b"}, {"c"}])

    assert made.groups() == {frozenset("abc")}


def test_a_record_that_is_new_between_two_who_were_parted_goes_where_its_link_is_much_stronger() -> None:
    made = registry_of({"a", "b"})
    made.decide("split", {"a"}, {"b"})

    made.follow([{"a", "b", "c"}], links=[("a", "c", 12.0), ("b", "c", 5.0), ("a", "b", 9.0)])

    assert made.groups() == {frozenset("ac"), frozenset("b")}


def test_a_record_that_is_new_and_as_near_to_both_who_were_parted_goes_to_neither() -> None:
    made = registry_of({"a", "b"})
    made.decide("split", {"a"}, {"b"})

    made.follow([{"a", "b", "c"}], links=[("a", "c", 9.0), ("b", "c", 8.5)])

    assert made.groups() == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_who_came_to_a_parted_person_since_stays_there() -> None:
    made = registry_of({"a", "b"})
    made.decide("split", {"a"}, {"b"})
    made.follow([{"a", "c"}, {"b"}])

    made.follow([{"a", "b", "c"}])

    assert made.groups() == {frozenset("ac"), frozenset("b")}


def test_a_merge_takes_back_only_as_much_of_a_split_as_it_is_about() -> None:
    stands = standing(
        [
            Decision("split", frozenset("ab"), frozenset("cd")),
            Decision("merge", frozenset("ac")),
        ]
    )

    parted = {frozenset((x, y)) for left, right in stands.apart for x in left for y in right}
    assert parted == {frozenset(pair) for pair in ("bc", "bd", "ad")}
    assert stands.together == (frozenset("ac"),)


words = st.lists(
    st.tuples(st.sampled_from(["merge", "split", "confirm"]), st.sets(st.sampled_from(KEYS), min_size=1), partitions),
    max_size=5,
)


@given(partitions, words)
def test_a_word_holds_from_when_it_was_given_through_any_clusters(first: list[int], history: list) -> None:  # type: ignore[type-arg]
    made = Registry()
    made.follow(clusters_of(first))
    for kind, records, then in history:
        persons = {made.person(key) for key in records}
        all_of_them = {key for person in persons for key in made.people()[person]}
        if kind == "split":
            # As the command does: some records of one person, against his others.
            person = made.person(min(records))
            mine = made.people()[person]
            if not (mine & records) or mine <= records:
                continue
            made.decide("split", mine & records, mine - records)
        else:
            made.decide(kind, all_of_them)

        made.follow(clusters_of(then))

        last = made.decisions[-1]
        if last.kind == "split":
            assert {made.person(key) for key in last.records}.isdisjoint(made.person(key) for key in last.others)
        else:
            assert len({made.person(key) for key in last.records}) == 1
        for left, right in standing(made.decisions).apart:
            assert {made.person(key) for key in left}.isdisjoint(made.person(key) for key in right)


@given(partitions, partitions, words)
def test_decided_clusters_again_change_nothing(first: list[int], then: list[int], history: list) -> None:  # type: ignore[type-arg]
    made = Registry()
    made.follow(clusters_of(first))
    for kind, records, _ in history:
        others = {key for key in KEYS if key not in records} if kind == "split" else set()
        made.decide(kind, records, others)
    made.follow(clusters_of(then))

    again = made.follow(clusters_of(then))

    assert (again.places, again.minted, again.retired, again.changes) == ({}, [], {}, [])
