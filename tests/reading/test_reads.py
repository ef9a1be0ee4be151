"""The reads of benchmarks/reading go by index behind row-level security as well, and find the right rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from benchmarks.reading import (
    ANALYST,
    READS,
    Draw,
    Read,
    Readers,
    Sample,
    explain,
    names_of,
    parameters_of,
    take_sample,
)
from benchmarks.reading_season import Size, make
from project88 import db
from project88.publish import publish
from tests.conftest import Server, fresh_database
from tests.publish.candidates import LATER, NOW, execute, make_season

BIG = {"unified_participants", "unified_results", "unified_events"}
# As many events as make an index of them worth while.
SIZE = Size(
    events=4000, runsignup_events=300, participants=40_000, runsignup_participants=2000, largest=4000, results=40_000
)


@pytest.fixture(scope="module", params=["embedded_server", "server15"], ids=["embedded", "15 over TCP"])
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database that holds a season with statistics, for all tests: none changes anything."""
    server: Server = request.getfixturevalue(request.param)
    with fresh_database(server) as made:
        make(made, SIZE)
        yield made


@pytest.fixture(scope="module")
def rows_to_ask_for(dsn: str) -> Sample:
    """Random rows, the same in each run."""
    return take_sample(dsn)


@pytest.fixture
def sample(rows_to_ask_for: Sample) -> Sample:
    """Those rows; a test's draws do not depend on the tests before it."""
    rows_to_ask_for.chance.seed(88)
    return rows_to_ask_for


@pytest.fixture(scope="module")
def readers(dsn: str) -> Iterator[Readers]:
    """A connection for each reading role."""
    with Readers(dsn, names_of(dsn)) as opened:
        yield opened


@pytest.fixture(scope="module")
def owner(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner, who sees every partner's rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def numbered(query: str) -> Read:
    return next(read for read in READS if read.query == query)


def dictionaries(connection: psycopg.Connection, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(text, parameters).fetchall()


@pytest.mark.parametrize("reader", ["partner", "analyst"])
@pytest.mark.parametrize("generic", [False, True], ids=["these parameters", "any parameters"])
@pytest.mark.parametrize("read", [read for read in READS if read.explained], ids=lambda read: read.query)
def test_no_read_scans_a_relation(readers: Readers, sample: Sample, read: Read, generic: bool, reader: str) -> None:
    draw = read.draw(sample)

    plan = explain(
        readers, draw[0] if reader == "partner" else ANALYST, read.text, parameters_of(draw), generic=generic
    )

    assert not set(re.findall(r"Seq Scan on (\w+)", plan)) & BIG, plan


@pytest.mark.parametrize(
    ("query", "index", "condition"),
    [
        ("start_list", "unified_participants_event_name", r"\(event_key = .*\) AND \(name_key >=? "),
        ("results_page", "unified_results_event_place", r"\(event_key = .*\) AND \(overall_place >=? "),
        ("results_page_of_race", "unified_results_event_place", r"\(race_key = "),
        ("bib_in_event", "unified_participants_bib", r"\(bib_number = .*timing_partner_id = .*event_key = "),
        ("bib_in_partner", "unified_participants_bib", r"\(bib_number = .*timing_partner_id = .*event_key = "),
        ("history", "unified_participants_person", r"\(global_participant_id = "),
        ("last_name", "unified_participants_name", r"\(name_key >= .*\) AND \(name_key < "),
        ("event_list", "unified_events_newest", r"\(timing_partner_id = "),
    ],
)
@pytest.mark.parametrize("generic", [False, True], ids=["these parameters", "any parameters"])
def test_a_partners_read_goes_by_its_index(
    readers: Readers, sample: Sample, query: str, index: str, condition: str, generic: bool
) -> None:
    read = numbered(query)
    # About the largest event, so that a page is a small part of it.
    entry, result = sample.largest_entries[0], sample.largest_results[0]
    partner = entry["timing_partner_id"]
    given = {
        "start_list": {"event_key": entry["event_key"], "after_name": "m", "after_id": 0, "rows": 20},
        "results_page": {"event_key": result["event_key"], "after_place": 100, "after_id": 0, "rows": 20},
        "results_page_of_race": {
            "event_key": result["event_key"], "race_key": result["race_key"], "after_place": 100, "after_id": 0,
            "rows": 20,
        },
        "bib_in_event": {"event_key": entry["event_key"], "bib_number": entry["bib_number"]},
        "bib_in_partner": {
            "bib_number": entry["bib_number"], "since": entry["event_date"], "until": entry["event_date"], "rows": 20,
        },
        "history": {"global_participant_id": entry["global_participant_id"]},
        "last_name": {"beginning": entry["last_name"][:4], "after_name": "", "after_id": 0, "rows": 20},
        "event_list": {"before_date": "2026-01-01", "before_key": "", "rows": 5},
    }[query]  # fmt: skip

    plan = explain(readers, partner, read.text, parameters_of((partner, given)), generic=generic)

    assert re.search(rf"Index (Only )?Scan using {index} |Bitmap Index Scan on {index}\b", plan), plan
    found = plan[plan.index(index) :]
    assert re.search(condition, found[: found.find("\n", found.index("Cond:"))].replace("ROW(", "")), plan


@pytest.mark.parametrize("read", READS, ids=lambda read: read.name)
def test_a_partner_reads_what_the_owner_sees_of_it(
    readers: Readers, owner: psycopg.Connection, sample: Sample, read: Read
) -> None:
    found = 0
    for _ in range(20):
        draw = read.draw(sample)
        rows = readers.read(draw[0], read.text, parameters_of(draw))

        assert rows == owner.execute(read.text, parameters_of(draw)).fetchall()
        assert rows == readers.read(ANALYST, read.text, parameters_of(draw))
        found += len(rows)
    assert found


@pytest.mark.parametrize("read", READS, ids=lambda read: read.name)
def test_asking_for_another_partners_rows_gives_none(readers: Readers, sample: Sample, read: Read) -> None:
    draw = read.draw(sample)
    other = next(partner for partner in range(1, SIZE.partners + 1) if partner != draw[0])

    assert readers.read(other, read.text, parameters_of(draw)) == []


def walked(
    connection: psycopg.Connection, query: str, draw: Draw, further: dict[str, str], page: int
) -> list[dict[str, Any]]:
    """Return all rows of a read, page by page; `further` says which column of the last row goes into a parameter."""
    partner, parameters = draw
    rows: list[dict[str, Any]] = []
    while True:
        got = dictionaries(connection, numbered(query).text, parameters_of((partner, {**parameters, "rows": page})))
        rows += got
        if len(got) < page:
            return rows
        parameters = {**parameters, **{name: got[-1][column] for name, column in further.items()}}


def test_pages_of_a_start_list_are_the_list(readers: Readers, owner: psycopg.Connection, sample: Sample) -> None:
    entry = sample.largest_entries[0]
    partner, event = entry["timing_partner_id"], entry["event_key"]

    rows = walked(
        readers.of(partner), "start_list", (partner, {"event_key": event, "after_name": "", "after_id": 0}),
        {"after_name": "name_key", "after_id": "id"}, page=97,
    )  # fmt: skip

    expected = owner.execute(
        """
        select id from unified.unified_participants
        where event_key = %s and not is_removed
        order by (lower(last_name) || '  ' || lower(first_name)) collate "C", id
        """,
        (event,),
    ).fetchall()
    assert [row["id"] for row in rows] == [row[0] for row in expected]
    assert len(rows) > 1000


@pytest.mark.parametrize("of_race", [False, True], ids=["event", "race"])
def test_pages_of_results_are_all_who_have_a_place(
    readers: Readers, owner: psycopg.Connection, sample: Sample, of_race: bool
) -> None:
    result = sample.small_race_results[0] if of_race else sample.largest_results[0]
    partner, event, race = result["timing_partner_id"], result["event_key"], result["race_key"]
    given = {"event_key": event, "after_place": 0, "after_id": 0} | ({"race_key": race} if of_race else {})

    rows = walked(
        readers.of(partner), "results_page_of_race" if of_race else "results_page", (partner, given),
        {"after_place": "overall_place", "after_id": "id"}, page=89 if not of_race else 2,
    )  # fmt: skip

    expected = owner.execute(
        "select id from unified.unified_results where event_key = %s and (race_key = %s or not %s) "
        "and overall_place is not null order by overall_place, id",
        (event, race, of_race),
    ).fetchall()
    assert [row["id"] for row in rows] == [row[0] for row in expected]
    assert rows


@pytest.mark.parametrize("beginning", ["s", "SMITH", "smith-", "mü", "%", "_", "o'b", "zzz"])
def test_search_finds_last_names_by_their_beginning_in_either_case(
    readers: Readers, owner: psycopg.Connection, beginning: str
) -> None:
    rows = walked(
        readers.of(1), "last_name", (1, {"beginning": beginning, "after_name": "", "after_id": 0}),
        {"after_name": "name_key", "after_id": "id"}, page=50,
    )  # fmt: skip

    expected = owner.execute(
        "select id from unified.unified_participants "
        "where timing_partner_id = 1 and starts_with(lower(last_name), lower(%s)) and not is_removed",
        (beginning,),
    ).fetchall()
    assert sorted(row["id"] for row in rows) == sorted(row[0] for row in expected)
    assert [row["name_key"] for row in rows] == sorted(row["name_key"] for row in rows)


def test_pages_of_the_event_list_are_the_list(readers: Readers, owner: psycopg.Connection) -> None:
    rows = walked(
        readers.of(1), "event_list", (1, {"before_date": "infinity", "before_key": ""}),
        {"before_date": "event_date", "before_key": "event_key"}, page=7,
    )  # fmt: skip

    expected = owner.execute(
        "select event_key from unified.unified_events where timing_partner_id = 1 "
        'order by event_date desc, event_key collate "C" desc'
    ).fetchall()
    assert [row["event_key"] for row in rows] == [row[0] for row in expected]


def test_who_has_no_name_is_at_the_top_and_a_correction_moves_an_entry(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=1, runners=2)
    publish(embedded_dsn, run_id="run-1", now=NOW)
    execute(connection, "update candidate.unified_participants set last_name = 'de la Cruz', first_name = null")
    publish(embedded_dsn, run_id="run-2", now=LATER)

    keys = execute(connection, "select distinct name_key from unified.unified_participants")
    execute(connection, "update candidate.unified_participants set last_name = null, first_name = 'Zoë'")
    publish(embedded_dsn, run_id="run-3", now=LATER)

    assert keys == [("de la cruz  ",)]
    assert execute(connection, "select distinct name_key from unified.unified_participants") == [("  zoë",)]
    connection.close()


def test_published_rows_from_before_the_column_get_it(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=1, runners=2)
    publish(embedded_dsn, run_id="run-1", now=NOW)
    before = execute(connection, "select participant_key, name_key, id from unified.unified_participants order by 1")
    execute(connection, "alter table unified.unified_participants drop column name_key")
    execute(connection, "create index unified_results_event_key on unified.unified_results (event_key)")
    execute(connection, "delete from hub.schema_objects where name = 'unified'")

    done = publish(embedded_dsn, run_id="run-2", now=LATER)

    assert done.changed == 0
    assert execute(connection, "select participant_key, name_key, id from unified.unified_participants order by 1") == (
        before
    )
    assert execute(connection, "select to_regclass('unified.unified_results_event_key')") == [(None,)]
    connection.close()
