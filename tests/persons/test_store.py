"""The registry in Postgres does what the pure matching says, and keeps what must be kept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import psycopg2
import pyarrow as pa
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from project88 import db
from project88.db.schema import ensure_hub
from project88.errors import ActionNeeded
from project88.persons import store
from project88.persons.matching import DECIDED, mint
from project88.persons.schema import ensure
from tests.persons.registry import PARTNER, Registry

NOW = datetime(2026, 6, 6, 12, tzinfo=UTC)
SPACE = UUID("00000000-0000-0000-0000-000000000088")


@pytest.fixture
def hub(embedded_dsn: str) -> Iterator[Connection]:
    """A connection to a database with an empty registry."""
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    ensure(connection)
    ensure(connection)
    yield connection
    connection.close()


def ask(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def found(clusters: list[set[str]], *, gone: set[str] = frozenset(), read: set[str] | None = None) -> store.Found:  # type: ignore[assignment]
    """Return clusters as the linkage tells them; all records were read anew unless told."""
    rows = [(key, number, 0.9) for number, cluster in enumerate(clusters) for key in sorted(cluster)]
    groups = pa.table(
        {
            "record_id": pa.array([row[0] for row in rows], pa.string()),
            "group": pa.array([row[1] for row in rows], pa.int64()),
            "confidence": pa.array([row[2] for row in rows], pa.float64()),
        }
    )
    keys = {row[0] for row in rows} if read is None else read
    return store.Found(groups, {key: str(uuid5(SPACE, key)) for key in keys}, gone)


def follow(connection: Connection, clusters: list[set[str]], partner: int = PARTNER, **more: Any) -> Any:
    """Let the registry follow clusters, in a transaction of its own."""
    with connection, connection.cursor() as cursor:
        return store.follow(cursor, partner, found(clusters, **more), NOW)


def people(connection: Connection) -> dict[str, set[str]]:
    """Return the records of each person."""
    told: dict[str, set[str]] = {}
    for key, person in ask(connection, "select record_key, person_id from hub.person_records"):
        told.setdefault(person, set()).add(key)
    return told


def test_a_long_history_in_the_database_is_the_one_in_memory(hub: Connection) -> None:
    luck = random.Random(88)
    keys = [f"runsignup/1/{number}" for number in range(14)]
    memory = Registry()
    changes: list[tuple[Any, ...]] = []
    for _ in range(25):
        there = set(luck.sample(keys, luck.randint(6, len(keys))))
        numbers = {key: luck.randint(0, 5) for key in there}
        clusters = [{key for key in there if numbers[key] == n} for n in sorted(set(numbers.values()))]
        if memory.places and luck.random() < 0.4:
            person = luck.choice(sorted(memory.people()))
            records = sorted(memory.people()[person])
            other = luck.choice(sorted(memory.people()))
            if len(records) > 1 and luck.random() < 0.5:
                told = store.decide_about(hub, "split", [person], records[:1], by="ada", reason="kin", now=NOW)
                memory.decide("split", records[:1], records[1:])
                assert told.changes
            elif other != person:
                store.decide_about(hub, "merge", [person, other], by="ada", reason="maiden name", now=NOW)
                memory.decide("merge", {*records, *memory.people()[other]})
        gone = set(memory.places) - there

        outcome = memory.follow(clusters, gone=gone, changed=there)
        told = follow(hub, clusters, gone=gone)

        changes += outcome.changes
        assert told is None or told == outcome
        assert people(hub) == memory.people()
        assert dict(ask(hub, "select person_id, since from hub.persons where retired_at is null")) == memory.since
        assert dict(ask(hub, "select person_id, successor_id from hub.person_aliases")) == memory.aliases
        for person in memory.aliases:
            today = memory.today(person)
            with hub, hub.cursor() as cursor:
                if today is None:
                    with pytest.raises(ActionNeeded, match="has ended"):
                        store.today(cursor, person)
                else:
                    assert store.today(cursor, person) == today
    assert len(memory.aliases) > 5


def test_the_first_persons_of_a_partner_are_those_that_the_matching_makes(hub: Connection) -> None:
    clusters = [{"b", "a", "ä"}, {"B"}, {"_", "Z", "z"}]
    memory = Registry()

    memory.follow(clusters)

    assert follow(hub, clusters) is None
    assert people(hub) == memory.people()
    assert dict(ask(hub, "select person_id, since from hub.persons")) == memory.since


def test_two_partners_persons_have_nothing_in_common(hub: Connection) -> None:
    follow(hub, [{"runsignup/1/a"}], partner=1)
    follow(hub, [{"runsignup/2/a"}], partner=2)
    first, second = (mint(partner, f"runsignup/{partner}/a") for partner in (1, 2))

    with pytest.raises(ActionNeeded, match="several timing partners"):
        store.decide_about(hub, "merge", [first, second], by="ada", reason="one", now=NOW)

    assert people(hub) == {first: {"runsignup/1/a"}, second: {"runsignup/2/a"}}
    assert ask(hub, "select timing_partner_id, since from hub.persons order by 1") == [(1, 1), (2, 1)]


def test_loading_twice_writes_nothing(hub: Connection) -> None:
    follow(hub, [{"a", "b"}, {"c"}])
    with hub, hub.cursor() as cursor:
        cursor.execute("delete from hub.person_due")
    before = ask(hub, "select r.*, r.xmin from hub.person_records as r order by 1")

    follow(hub, [{"a", "b"}, {"c"}], read=set())

    assert ask(hub, "select r.*, r.xmin from hub.person_records as r order by 1") == before
    assert ask(hub, "select * from hub.person_due") == []
    assert ask(hub, "select count(*) from hub.persons") == [(2,)]


def test_what_changes_is_due_in_the_candidates(hub: Connection) -> None:
    follow(hub, [{"a", "b"}, {"c"}])
    with hub, hub.cursor() as cursor:
        cursor.execute("delete from hub.person_due")

    follow(hub, [{"a"}, {"b"}], gone={"c"}, read={"b"})

    # a keeps its person and its confidence.
    assert people(hub)[mint(PARTNER, "a")] == {"a"}
    assert ask(hub, "select record_key from hub.person_due order by 1") == [("b",), ("c",)]


def test_a_decision_is_on_record_with_who_when_why_and_never_changed(hub: Connection) -> None:
    follow(hub, [{"a"}, {"b"}, {"c"}])
    one, two = mint(PARTNER, "a"), mint(PARTNER, "b")

    store.decide_about(hub, "merge", [two, "a"], by="ada", reason="maiden name", now=NOW)
    store.decide_about(hub, "confirm", [two], by="ben", reason="asked her", now=NOW)
    follow(hub, [{"a"}, {"b", "c"}])

    assert people(hub) == {one: {"a", "b", "c"}}
    assert ask(
        hub,
        "select kind, records, person_ids, decided_by, reason, decided_at from hub.person_decisions order by 1 desc",
    ) == [
        ("merge", ["a", "b"], [two, one], "ada", "maiden name", NOW),
        ("confirm", ["a", "b"], [one], "ben", "asked her", NOW),
    ]
    assert dict(ask(hub, "select record_key, confidence from hub.person_records"))["b"] == DECIDED
    assert ask(hub, "select kind, person_id, other_person_id, records, is_decided from hub.person_changes") == [
        ("merged", two, one, 1, True),
        ("merged", mint(PARTNER, "c"), one, 1, False),
    ]
    with hub, hub.cursor() as cursor:
        shown = store.look(cursor, two)
    assert (shown.person_id, [key for key, _ in shown.records]) == (one, ["a", "b", "c"])
    assert set(shown.names_before) == {two, mint(PARTNER, "c")}
    assert [row[1:4] for row in shown.decisions] == [("merge", "ada", "maiden name"), ("confirm", "ben", "asked her")]


def test_a_decision_reaches_persons_that_its_records_are_tied_to(hub: Connection) -> None:
    """Only b is touched later; that a was decided to be the same person is known through the decision."""
    follow(hub, [{"a"}, {"b"}, {"c"}, {"d"}])
    store.decide_about(hub, "merge", ["a", "b"], by="ada", reason="one", now=NOW)

    follow(hub, [{"b"}, {"c", "d"}])

    assert {frozenset(records) for records in people(hub).values()} == {frozenset("ab"), frozenset("cd")}


def test_two_who_write_at_once_wait_for_each_other(hub: Connection, embedded_dsn: str) -> None:
    follow(hub, [{"a"}])
    other = psycopg2.connect(embedded_dsn)
    with hub.cursor() as cursor, other, other.cursor() as later:
        store.follow(cursor, PARTNER, found([{"b"}]), NOW)
        later.execute("set local lock_timeout = 100")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            store.follow(later, PARTNER, found([{"c"}]), NOW)
        other.rollback()
    hub.commit()
    other.close()

    assert follow(hub, [{"c"}]).minted[0].since == 3


@pytest.mark.parametrize(
    ("kind", "names", "records", "says"),
    [
        ("merge", ["a", "b"], [], "mean one person already"),
        ("merge", ["a", "nobody"], [], "no person or record nobody"),
        ("split", ["a"], ["c"], "c is no record of"),
        ("split", ["a"], ["a", "b"], "all of its records"),
        ("confirm", ["gone"], [], "no person or record gone"),
    ],
)
def test_what_decides_nothing_is_refused(
    hub: Connection, kind: Any, names: list[str], records: list[str], says: str
) -> None:
    follow(hub, [{"a", "b"}, {"c"}, {"gone"}])
    follow(hub, [], gone={"gone"})

    with pytest.raises(ActionNeeded, match=says):
        store.decide_about(hub, kind, names, records, by="ada", reason="because", now=NOW)

    assert ask(hub, "select * from hub.person_decisions") == []


def test_a_record_that_nobody_read_is_refused(hub: Connection) -> None:
    with pytest.raises(ValueError, match="a is new and has no fingerprint"):
        follow(hub, [{"a"}], read=set())
    follow(hub, [{"a"}])
    with pytest.raises(ValueError, match="b is new and has no fingerprint"):
        follow(hub, [{"b"}], read=set())
