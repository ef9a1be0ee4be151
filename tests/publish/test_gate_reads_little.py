"""A cycle finds what changed by keys: neither gate nor publish reads a table that holds many rows from end to end."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from expectations.runner import GateReport, accept_baseline, run_gate
from project88 import db
from project88.publish import publish
from tests.publish.candidates import execute, make_season

MANY = 6000
NOW = datetime(2026, 6, 6, 12, tzinfo=UTC)


@pytest.fixture
def hub(embedded_dsn: str) -> Iterator[Connection]:
    """A connection to a database with one large event, checked and published, and statistics of it."""
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=2)
    execute(
        connection,
        "create table candidate.reconciliation"
        " (timing_partner_id int, source_provider text, stream text, received bigint, unaccounted bigint)",
    )
    for relation, key in (("unified_participants", "participant_key"), ("unified_results", "result_key")):
        columns = [
            row[0]
            for row in execute(
                connection,
                "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attname <> %s",
                f"candidate.{relation}", key,
            )
        ]  # fmt: skip
        # Entries of one race that share a bib would all be judged when one of them changes.
        own = ("participant_id", "bib_number")
        shown = ", ".join("(20000 + n)::text" if name in own else f"t.{name}" for name in columns)
        # Four events and more: an index is of use for one of them only.
        execute(
            connection,
            f"insert into candidate.{relation} ({key}, {', '.join(columns)})"  # noqa: S608 - our own names
            f" select t.source_provider || '/' || t.timing_partner_id || '/' || 20000 + n, {shown}"
            f" from generate_series(1, {MANY}) as n inner join candidate.{relation} as t on t.{key} = case n %% 4"
            " when 0 then 'runsignup/1/8001' when 1 then 'runsignup/2/8001' when 2 then 'chronotrack/1/8001'"
            " else 'chronotrack/2/8001' end".replace("%%", "%"),
        )
    cycle(embedded_dsn, "r0")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    connection.autocommit = False
    yield connection
    connection.close()


def cycle(dsn: str, run_id: str, hours: int = 0) -> GateReport:
    """Check and publish what dbt would have left."""
    at = NOW + timedelta(hours=hours)
    report = run_gate(dsn, "candidates", run_id, at, None)
    assert report.passed, report.failures
    publish(dsn, run_id=run_id, now=at, hooks=[accept_baseline])
    return report


def scans(connection: Connection) -> dict[str, dict[str, int]]:
    """Return how often each large table has been read by an index and from end to end, by who has left."""
    # A server process tells what it read when it ends, and Great Expectations leaves some to the garbage collector.
    gc.collect()
    until = time.monotonic() + 20
    others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    while execute(connection, others) != [(0,)] and time.monotonic() < until:
        time.sleep(0.05)
    rows = execute(
        connection,
        "select schemaname || '.' || relname, idx_scan, seq_scan from pg_stat_user_tables"
        " where relname in ('unified_participants', 'unified_results') order by 1",
    )
    return {"by index": {row[0]: row[1] for row in rows}, "from end to end": {row[0]: row[2] for row in rows}}


def test_a_cycle_reads_no_large_table_from_end_to_end(embedded_dsn: str, hub: Connection) -> None:
    execute(hub, "update candidate.unified_participants set age = 200 where participant_key = 'runsignup/1/20004'")
    execute(hub, "update candidate.unified_results set overall_place = 7 where result_key = 'runsignup/1/20008'")
    execute(hub, "update candidate.unified_races set distance_m = 9000 where race_key = 'runsignup/1/77'")
    execute(hub, "select pg_stat_force_next_flush()")
    before = scans(hub)

    report = cycle(embedded_dsn, "r1", 1)

    after = scans(hub)
    assert report.quarantined == 1
    assert all(after["by index"][table] > count for table, count in before["by index"].items())
    assert after["from end to end"] == before["from end to end"]


def test_an_event_that_is_held_back_takes_its_rows_out_of_what_is_published_and_gives_them_back(
    embedded_dsn: str, hub: Connection
) -> None:
    def published() -> tuple[int, ...]:
        return execute(
            hub,
            "select (select count(*) from unified.unified_participants where event_key = 'runsignup/1/900101'),"
            " (select count(*) from unified.unified_results where event_key = 'runsignup/1/900101'),"
            " (select count(*) from unified.unified_participants)",
        )[0]

    before = published()
    execute(hub, "update candidate.unified_events set time_zone = 'Nowhere' where event_key = 'runsignup/1/900101'")
    execute(hub, "insert into hub.gate_waivers (rule, reason, until, created_at)"
            " select r, 'expected', %s, %s from unnest(array['count_collapse', 'suddenly_empty']) as r",
            NOW + timedelta(days=1), NOW)  # fmt: skip
    cycle(embedded_dsn, "r1", 1)
    assert published() == (0, 0, before[2] - before[0])

    execute(hub, "update candidate.unified_events set time_zone = 'UTC' where event_key = 'runsignup/1/900101'")
    report = cycle(embedded_dsn, "r2", 2)

    assert published() == before
    assert report.quarantined == 0
