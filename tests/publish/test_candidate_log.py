"""What changed in the candidates is known by key, and counted, whatever wrote it; also when the writer dies."""

# ruff: noqa: S608 - the rows are invented here

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812

from project88 import candidate_log, db
from project88.published import RELATIONS
from tests.publish.candidates import LATER, execute, make_season

CHANGES = "select relation, row_key from hub.candidate_changes order by 1, 2"
WHOLES = "select relation from hub.candidate_wholes order by 1"
COUNTS = """
select relation, source_provider, timing_partner_id, rows, present, nulls
from hub.candidate_counts order by 1, 2, 3
"""
MERGE = """
merge into candidate.unified_participants as t
using ({rows}) as s (participant_key, source_provider, timing_partner_id, event_id, first_name, is_removed)
on t.participant_key = s.participant_key
when matched then update set
    source_provider = s.source_provider, timing_partner_id = s.timing_partner_id,
    first_name = s.first_name, is_removed = s.is_removed, fetched_date = now()
when not matched then insert
    (participant_key, source_provider, timing_partner_id, event_id, first_name, is_removed, fetched_date)
    values (s.participant_key, s.source_provider, s.timing_partner_id, s.event_id, s.first_name, s.is_removed, now())
"""


def nothing_pending(connection: Connection) -> None:
    """Begin a log that holds nothing, as after a publish."""
    candidate_log.ensure(connection)
    with connection, connection.cursor() as cursor:
        candidate_log.clear(cursor)


@pytest.fixture(params=["embedded_dsn", "server15_dsn"], ids=["18", "15"])
def hub(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to candidates of two partners whose changes so far are published; on both servers."""
    connection = db.connect(request.getfixturevalue(request.param))
    make_season(connection, partners=2)
    nothing_pending(connection)
    yield connection
    connection.close()


def test_a_table_without_triggers_is_whole_and_counted(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=2)

    made = candidate_log.ensure(connection)

    assert made == [row[0] for row in execute(connection, WHOLES)] == sorted(RELATIONS)
    counted = "select sum(rows) from hub.candidate_counts where relation = 'unified_participants'"
    assert execute(connection, counted) == [(16,)]
    assert candidate_log.ensure(connection) == []
    connection.close()


def test_every_kind_of_write_is_logged_by_its_key(hub: Connection) -> None:
    execute(hub, "update candidate.unified_events set event_name = 'Quay Run' where timing_partner_id = 1")
    execute(hub, "delete from candidate.participant_tracking where timing_partner_id = 2")
    execute(hub, "insert into candidate.unified_races (race_key, event_id, timing_partner_id, source_provider)"
            " values ('runsignup/2/78', '1', 2, 'runsignup')")  # fmt: skip
    execute(hub, "update candidate.unified_divisions set division_key = 'new' where division_key = 'runsignup/1/77/d1'")

    assert execute(hub, CHANGES) == [
        ("participant_tracking", "2/person-2"),
        ("unified_divisions", "new"),
        ("unified_divisions", "runsignup/1/77/d1"),
        ("unified_events", "chronotrack/1/900101"),
        ("unified_events", "runsignup/1/900101"),
        ("unified_races", "runsignup/2/78"),
    ]


def test_a_row_that_is_merged_as_it_was_or_only_read_again_is_no_change(hub: Connection) -> None:
    execute(hub, "update candidate.unified_results set fetched_date = %s, chip_seconds = 2942.1", LATER)

    assert execute(hub, CHANGES) == []
    newest = "select distinct newest from hub.candidate_counts where relation = 'unified_results'"
    assert execute(hub, newest) == [(LATER,)]


def test_a_merge_logs_what_it_inserts_and_what_it_changes(hub: Connection) -> None:
    rows = """
        select 'runsignup/1/8001', 'runsignup', 1, '900101', 'Changed', false
        union all select participant_key, source_provider, timing_partner_id, event_id, first_name, is_removed
        from candidate.unified_participants where participant_key = 'runsignup/1/8002'
        union all select 'runsignup/1/9', 'runsignup', 1, '900101', null, true
    """
    execute(hub, MERGE.format(rows=rows))

    assert [row[1] for row in execute(hub, CHANGES)] == ["runsignup/1/8001", "runsignup/1/9"]


def test_a_table_that_was_rebuilt_or_emptied_is_whole(hub: Connection) -> None:
    execute(hub, "create table candidate.rebuilt as select * from candidate.unified_results where age is null")
    execute(hub, "drop table candidate.unified_results; alter table candidate.rebuilt rename to unified_results")
    execute(hub, "truncate candidate.unified_participants")

    assert candidate_log.ensure(hub) == ["unified_results"]
    assert execute(hub, WHOLES) == [("unified_participants",), ("unified_results",)]
    assert {row[0] for row in execute(hub, COUNTS)} == set(RELATIONS) - {"unified_participants", "unified_results"}


def test_a_table_with_another_column_is_whole_for_a_change_in_it_was_not_seen(hub: Connection) -> None:
    execute(hub, "alter table candidate.unified_races add pace text default 'even'")

    assert candidate_log.ensure(hub) == ["unified_races"]
    with hub, hub.cursor() as cursor:
        candidate_log.clear(cursor)
    execute(hub, "update candidate.unified_races set pace = 'odd' where race_key = 'runsignup/1/77'")
    assert execute(hub, CHANGES) == [("unified_races", "runsignup/1/77")]


def test_a_statement_that_touches_most_of_a_relation_makes_it_whole_instead_of_a_long_list(hub: Connection) -> None:
    many = candidate_log.WHOLE_ROWS + 1
    execute(
        hub,
        "insert into candidate.unified_events (event_key, source_provider, timing_partner_id, event_id)"
        f" select 'runsignup/1/' || n, 'runsignup', 1, n::text from generate_series(1, {many}) as n",
    )

    assert execute(hub, WHOLES) == [("unified_events",)]
    assert execute(hub, CHANGES) == []
    execute(hub, "update candidate.unified_events set status = 'over' where event_id = '7'")
    assert execute(hub, CHANGES) == []


def test_a_writer_that_dies_leaves_no_trace(hub: Connection) -> None:
    before = execute(hub, COUNTS)
    with hub.cursor() as cursor:
        cursor.execute("delete from candidate.unified_results")
        cursor.execute("update candidate.unified_events set event_name = null")
    hub.rollback()

    assert execute(hub, CHANGES) == []
    assert execute(hub, COUNTS) == before


def test_a_row_of_nobody_is_counted_and_breaks_no_build(hub: Connection) -> None:
    execute(hub, "alter table candidate.unified_results drop constraint unified_results_pkey,"
            " alter result_key drop not null")  # fmt: skip
    execute(hub, "insert into candidate.unified_results (result_key) select null from generate_series(1, 2)")

    nobody = "select rows from hub.candidate_counts where source_provider is null"
    assert execute(hub, nobody) == [(2,)]


def test_what_begins_or_ceases_to_be_held_back_is_logged(hub: Connection) -> None:
    def pending() -> list[str]:
        found = [row[0] for row in execute(hub, "select row_key from hub.quarantine_changes order by 1")]
        execute(hub, "delete from hub.quarantine_changes")
        return found

    held = (
        "insert into hub.quarantine (stage, relation, row_key, rule, reason) values"
        " ('candidate', 'unified_events', 'a', 'r', 'odd'), ('candidate', 'unified_events', 'b', 'r', 'odd')"
        " on conflict (relation, row_key, rule) do update set resolved_at = null, last_seen_at = now()"
    )
    execute(hub, held)
    assert pending() == ["a", "b"]
    execute(hub, held)
    assert pending() == []
    execute(hub, "update hub.quarantine set resolved_at = now() where row_key = 'a'")
    assert pending() == ["a"]
    execute(hub, "update hub.quarantine set last_run_id = 'r9'")
    assert pending() == []
    execute(hub, held)
    assert pending() == ["a"]
    execute(hub, "delete from hub.quarantine where row_key = 'b'")
    assert pending() == ["b"]
    execute(hub, "truncate hub.quarantine")
    assert [row[0] for row in execute(hub, WHOLES)] == sorted(RELATIONS)


NUMBERS = st.integers(1, 12)
ROW = st.tuples(
    NUMBERS, st.sampled_from(["runsignup", "chronotrack"]), st.integers(1, 2),
    st.sampled_from(["Imani", "Zoë", "", None]), st.sampled_from([True, False, None]),
)  # fmt: skip
STEP = st.one_of(
    st.tuples(st.just("merge"), st.lists(ROW, min_size=1, max_size=8, unique_by=lambda row: row[0])),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("rename"), st.tuples(NUMBERS, NUMBERS)),
    st.tuples(st.just("roll back"), NUMBERS),
    st.tuples(st.just("truncate"), st.none()),
)


def _value(value: object) -> str:
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def take(connection: Connection, step: tuple[str, object]) -> None:
    """Write to the candidates as a build might."""
    kind, what = step
    if kind == "merge":
        assert isinstance(what, list)
        rows = " union all ".join(
            f"select 'p/{number}', '{provider}', {partner}, '5', {_value(name)}, {_value(gone)}::boolean"
            for number, provider, partner, name, gone in what
        )
        execute(connection, MERGE.format(rows=rows))
    elif kind == "delete":
        execute(connection, f"delete from candidate.unified_participants where participant_key = 'p/{what}'")
    elif kind == "rename":
        assert isinstance(what, tuple)
        old, new = what
        execute(
            connection,
            f"update candidate.unified_participants set participant_key = 'p/{new}' where participant_key = 'p/{old}'"
            f" and not exists (select from candidate.unified_participants where participant_key = 'p/{new}')",
        )
    elif kind == "roll back":
        with connection.cursor() as cursor:
            cursor.execute(f"delete from candidate.unified_participants where participant_key <> 'p/{what}'")
        connection.rollback()
    else:
        execute(connection, "truncate candidate.unified_participants")


def facts(connection: Connection) -> dict[str, tuple[object, ...]]:
    """Return every participant by key, without when it was read."""
    return {
        row[0]: row
        for row in execute(
            connection,
            "select participant_key, source_provider, timing_partner_id, first_name, is_removed"
            " from candidate.unified_participants",
        )
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=8))
def test_after_any_writes_counts_equal_a_recount_and_every_difference_is_logged(
    hub: Connection, steps: list[tuple[str, object]]
) -> None:
    execute(hub, "truncate candidate.unified_participants")
    nothing_pending(hub)
    take(hub, ("merge", [(n, "runsignup", 1, "Imani", False) for n in range(1, 7)]))
    nothing_pending(hub)
    before = facts(hub)

    for step in steps:
        take(hub, step)

    after = facts(hub)
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    logged = {key for _, key in execute(hub, CHANGES)}
    assert execute(hub, WHOLES) == [("unified_participants",)] or differing <= logged
    kept = execute(hub, COUNTS)
    # Made anew as a rebuilt table's are, by a scan.
    execute(hub, "drop trigger candidate_log_insert on candidate.unified_participants")
    assert candidate_log.ensure(hub) == ["unified_participants"]
    assert execute(hub, COUNTS) == kept


def test_a_key_is_found_again_from_how_it_is_logged(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    first, second = candidate_log.key_parts(("timing_partner_id", "global_participant_id"), "k.row_key")
    asked = f"select {first}, {second} from (values ('12/a/b'), ('x/1'), ('99999999999/1')) as k (row_key)"

    assert execute(connection, asked) == [(12, "a/b"), (None, "1"), (None, "1")]
    assert candidate_log.key_parts(("event_key",), "k.row_key") == ["k.row_key"]
    connection.close()
