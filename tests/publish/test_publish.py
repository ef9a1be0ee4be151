"""What passed the gate becomes visible at once, completely, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from project88 import db
from project88.errors import ActionNeeded
from project88.legacy import ensure_legacy_views
from project88.publish import EVERYTHING, MANY_ROWS, Publication, publish
from project88.published import RELATIONS, ensure_published
from project88.tenancy import ensure_tenancy, leaks
from tests.publish.candidates import COLUMNS, LATER, NOW, execute, make_season, published_rows

PARTICIPANT = "runsignup/2/8001"


@pytest.fixture
def hub(embedded_dsn: str) -> Iterator[Connection]:
    """A connection to a database with candidates of two partners and nothing published."""
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=2)
    yield connection
    connection.close()


def go(dsn: str, run_id: str = "run-1", **options: object) -> Publication:
    """Publish with little patience."""
    options = {"now": NOW, "lock_timeout": 0.2, "patience": 2.0, **options}
    return publish(dsn, run_id=run_id, **options)  # type: ignore[arg-type]


def hold_back(connection: Connection, key: str, relation: str = "unified_participants") -> None:
    """Put a candidate row into quarantine."""
    execute(
        connection,
        "insert into hub.quarantine (stage, relation, row_key, rule, reason) values ('candidate', %s, %s, 'r', 'odd')",
        relation,
        key,
    )


def add_participants(connection: Connection, count: int) -> None:
    """Add participants runsignup/1/100001, …"""
    execute(
        connection,
        "insert into candidate.unified_participants"
        " (participant_key, source_provider, timing_partner_id, event_id, event_key, participant_id)"
        " select 'runsignup/1/' || 100000 + n, 'runsignup', 1, '900101', 'runsignup/1/900101', (100000 + n)::text"
        " from generate_series(1, %s) as n",
        count,
    )


def test_everything_that_passed_is_published_and_counted(embedded_dsn: str, hub: Connection) -> None:
    done = go(embedded_dsn)

    assert {name: counts.inserted for name, counts in done.relations.items()} == {
        "unified_events": 4, "unified_races": 4, "unified_divisions": 4, "unified_timing_points": 4,
        "unified_participants": 16, "unified_results": 16, "participant_tracking": 2, "entry_links": 2,
        "results_without_entry": 2, "person_changes": 2,
    }  # fmt: skip
    candidates = execute(hub, "select * from candidate.unified_participants order by 1")
    assert sorted(published_rows(hub)["unified_participants"]) == candidates
    assert execute(hub, "select run_id, inserted, total from hub.publications where relation = %s", EVERYTHING) == [
        ("run-1", 56, 56)
    ]


def test_publishing_again_changes_nothing_and_says_so(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    before = published_rows(hub, with_ids=True)

    done = go(embedded_dsn, "run-2", now=LATER)

    assert done.changed == 0
    assert published_rows(hub, with_ids=True) == before
    assert execute(hub, "select relation, inserted, total from hub.publications where run_id = 'run-2'") == [
        (EVERYTHING, 0, 56)
    ]


def test_only_the_row_that_changed_is_written(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(
        hub,
        "update candidate.unified_participants set bib_number = 'B7', fetched_date = %s where participant_key = %s",
        LATER,
        PARTICIPANT,
    )

    done = go(embedded_dsn, "run-2", now=LATER)

    assert done.changed == done.relations["unified_participants"].updated == 1
    changed = execute(
        hub,
        "select participant_key, bib_number, fetched_date, first_published_at "
        "from unified.unified_participants where published_at = %s",
        LATER,
    )
    assert changed == [(PARTICIPANT, "B7", LATER, NOW)]
    assert execute(hub, "select relation, updated from hub.publications where run_id = 'run-2' order by 1") == [
        (EVERYTHING, 1), ("unified_participants", 1),
    ]  # fmt: skip


def test_reading_a_record_again_or_writing_it_another_way_is_no_change(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(hub, "update candidate.unified_participants set fetched_date = %s, race_fee = 40.5, amount_paid = 42, "
            "provider_fields = (provider_fields::text || ' ')::jsonb", LATER)  # fmt: skip
    execute(hub, "update candidate.unified_results set chip_seconds = 2942.1")

    assert go(embedded_dsn, "run-2", now=LATER).changed == 0


@pytest.mark.parametrize(
    ("relation", "statement"),
    [
        pytest.param(
            "unified_participants",
            "update candidate.unified_participants set middle_name = 'Q' where bib_number = '01'",
            id="a value where there was none",
        ),
        pytest.param(
            "unified_participants",
            "update candidate.unified_participants set email = null where bib_number = '01'",
            id="none where there was a value",
        ),
        pytest.param(
            "unified_participants",
            "update candidate.unified_participants set provider_fields = '{}' where bib_number = '01'",
            id="inside json",
        ),
        pytest.param(
            "participant_tracking",
            "update candidate.participant_tracking set providers_used = '{haku}' where timing_partner_id = 2",
            id="a list",
        ),
    ],
)
def test_a_change_of_any_kind_is_seen(embedded_dsn: str, hub: Connection, relation: str, statement: str) -> None:
    go(embedded_dsn)
    execute(hub, statement)

    done = go(embedded_dsn, "run-2")

    assert done.changed == done.relations[relation].updated == (4 if relation == "unified_participants" else 1)


def test_quarantine_takes_a_row_out_until_it_passes_again(embedded_dsn: str, hub: Connection) -> None:
    hold_back(hub, PARTICIPANT)
    assert go(embedded_dsn).relations["unified_participants"].total == 15
    execute(hub, "update hub.quarantine set resolved_at = now()")
    assert go(embedded_dsn, "run-2").relations["unified_participants"].inserted == 1
    execute(hub, "update hub.quarantine set resolved_at = null")

    done = go(embedded_dsn, "run-3")

    assert (done.changed, done.relations["unified_participants"].deleted) == (1, 1)
    assert execute(hub, "select 1 from unified.unified_participants where participant_key = %s", PARTICIPANT) == []


def test_a_row_held_back_by_two_rules_counts_once_and_a_key_of_two_parts_is_found(
    embedded_dsn: str, hub: Connection
) -> None:
    hold_back(hub, "2/person-2", "participant_tracking")
    execute(hub, "insert into hub.quarantine (stage, relation, row_key, rule, reason) "
            "select stage, relation, row_key, 'another', reason from hub.quarantine")  # fmt: skip

    assert go(embedded_dsn).relations["participant_tracking"].total == 1


def test_a_row_that_is_no_candidate_any_more_goes(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(hub, "delete from candidate.unified_results where result_key = 'chronotrack/1/8001'")

    assert go(embedded_dsn, "run-2").relations["unified_results"].deleted == 1


def test_what_is_noted_as_published_is_what_this_publish_was_built_from(embedded_dsn: str, hub: Connection) -> None:
    execute(hub, "insert into hub.transform_marks (name, changed_xid, pending_xid) "
            "values ('published', 7, 9), ('other', 1, 2)")  # fmt: skip

    go(embedded_dsn)

    assert execute(hub, "select name, changed_xid, pending_xid from hub.transform_marks order by 1") == [
        ("other", 1, 2), ("published", 9, None),
    ]  # fmt: skip


def test_a_hook_belongs_to_the_transaction(embedded_dsn: str, hub: Connection) -> None:
    def note(connection: Connection, run_id: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("insert into hub.runs (run_id, kind) values (%s, 'noted')", (run_id,))

    def fail(connection: Connection, run_id: str) -> None:
        raise ActionNeeded("the baseline could not be kept")

    with pytest.raises(ActionNeeded, match="baseline"):
        go(embedded_dsn, hooks=[note, fail])
    assert (
        execute(hub, "select count(*) from hub.runs") == execute(hub, "select count(*) from hub.publications") == [(0,)]
    )
    go(embedded_dsn, hooks=[note])
    assert execute(hub, "select run_id from hub.runs") == [("run-1",)]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("drop table candidate.unified_races", "candidate.unified_races does not exist; run dbt"),
        ("alter table candidate.unified_races drop distance_m", "candidate.unified_races lacks the column distance_m"),
        ("alter table candidate.unified_races add pace text", "candidate.unified_races has a column pace"),
        ("alter table candidate.unified_races alter distance_m type text", "distance_m is text, not numeric"),
        ("alter table candidate.unified_races drop constraint unified_races_pkey; "
         "insert into candidate.unified_races select * from candidate.unified_races", "unified_races: .*unique"),
        ("alter table candidate.unified_races alter timing_partner_id drop not null; "
         "update candidate.unified_races set timing_partner_id = null", "unified_races: .*timing_partner_id"),
        ("create view unified.all_entries as table unified.unified_participants", "all_entries shows its owner"),
    ],
    ids=["no table", "no column", "another column", "another type", "a key twice", "no partner", "a leaking view"],
)  # fmt: skip
def test_what_cannot_be_published_leaves_everything_as_it_was_and_says_why_in_one_line(
    embedded_dsn: str, hub: Connection, statement: str, says: str
) -> None:
    go(embedded_dsn)
    before = published_rows(hub, with_ids=True)
    execute(hub, "update candidate.unified_events set event_name = 'Renamed'")
    execute(hub, statement)

    with pytest.raises(ActionNeeded, match=says) as stopped:
        go(embedded_dsn, "run-2")

    assert "\n" not in str(stopped.value)
    assert "nothing was published" in str(stopped.value)
    assert [row for rows in published_rows(hub).values() for row in rows if "Renamed" in row] == []
    assert execute(hub, "select count(*) from hub.publications where run_id = 'run-2'") == [(0,)]
    assert len(before["unified_events"]) == 4


def test_a_change_that_was_not_published_is_published_by_the_next_run(embedded_dsn: str, hub: Connection) -> None:
    def fail(connection: Connection, run_id: str) -> None:
        raise ActionNeeded("the baseline could not be kept")

    go(embedded_dsn)
    execute(hub, "update candidate.unified_participants set bib_number = 'X1' where participant_key = %s", PARTICIPANT)
    hold_back(hub, "chronotrack/1/8001", "unified_results")
    with pytest.raises(ActionNeeded, match="baseline"):
        go(embedded_dsn, "run-2", hooks=[fail])

    done = go(embedded_dsn, "run-3")

    assert done.relations["unified_participants"].updated == done.relations["unified_results"].deleted == 1
    assert done.changed == 2
    assert execute(hub, "select count(*) from hub.candidate_changes") == [(0,)]


def test_a_relation_that_was_rebuilt_is_compared_as_a_whole(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(hub, "update candidate.unified_participants set bib_number = 'X1' where participant_key = %s", PARTICIPANT)
    execute(hub, "create table candidate.rebuilt (like candidate.unified_results including all)")
    execute(hub, "insert into candidate.rebuilt select * from candidate.unified_results where timing_partner_id = 1")
    execute(hub, "update candidate.rebuilt set overall_place = 9 where result_key = 'runsignup/1/8001'")
    execute(hub, "drop table candidate.unified_results; alter table candidate.rebuilt rename to unified_results")

    done = go(embedded_dsn, "run-2")

    results = done.relations["unified_results"]
    assert (results.inserted, results.updated, results.deleted, results.total) == (0, 1, 8, 8)
    assert done.relations["unified_participants"].updated == 1


def test_a_change_is_found_without_reading_the_tables(embedded_dsn: str, hub: Connection) -> None:
    """Counted by the server itself: sequential scans of what holds many rows."""
    add_participants(hub, 5000)
    go(embedded_dsn)
    hub.autocommit = True
    with hub.cursor() as cursor:
        cursor.execute("analyze candidate.unified_participants")
    hub.autocommit = False
    execute(hub, "update candidate.unified_participants set bib_number = 'X1' where participant_key = %s", PARTICIPANT)
    hold_back(hub, "runsignup/1/100007")
    execute(hub, "select pg_stat_force_next_flush()")
    before = scans(hub)

    done = go(embedded_dsn, "run-2")

    assert done.changed == 2
    until = time.monotonic() + 20
    # A server process tells what it did when it ends, a moment after its client has gone.
    while (after := scans(hub))["by index"] == before["by index"] and time.monotonic() < until:
        time.sleep(0.05)
    assert after["by index"] > before["by index"]
    assert after["of all"] == before["of all"]


def scans(connection: Connection) -> dict[str, int]:
    """Return how often the participants, candidate and published, have been read by index and from end to end."""
    rows = execute(
        connection,
        "select sum(idx_scan)::bigint, sum(seq_scan)::bigint from pg_stat_user_tables"
        " where relname = 'unified_participants'",
    )
    return dict(zip(("by index", "of all"), rows[0], strict=True))


def test_rows_that_do_not_add_up_with_what_was_counted_stop_the_publish(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(hub, "update hub.published_counts set rows = rows - 1 where relation = 'unified_races'")
    execute(hub, "update candidate.unified_races set race_name = 'Half' where race_key = 'chronotrack/1/77'")

    with pytest.raises(ActionNeeded, match="unified_races: 4 candidate rows are not 3 published and 0 quarantined"):
        go(embedded_dsn, "run-2")


def test_many_rows_fill_an_empty_table_and_its_indexes_are_as_they_were(embedded_dsn: str, hub: Connection) -> None:
    indexes = (
        "select indexdef from pg_indexes where schemaname = 'unified' and tablename = 'unified_participants'"
        " union all select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'unified.unified_participants'::regclass order by 1"
    )
    with hub:
        ensure_published(hub)
    before = execute(hub, indexes)
    add_participants(hub, MANY_ROWS)

    assert go(embedded_dsn).relations["unified_participants"].total == MANY_ROWS + 16
    assert execute(hub, indexes) == before
    order = (
        "select participant_key, lag(participant_key) over (order by id) as before from unified.unified_participants"
    )
    in_order = f"select every(participant_key > before) from ({order}) as filled"  # noqa: S608
    assert execute(hub, in_order) == [(True,)]


def test_somebody_who_reads_the_empty_table_does_not_hold_up_its_filling(embedded_dsn: str, hub: Connection) -> None:
    with hub:
        ensure_published(hub)
        ensure_legacy_views(hub)
        ensure_tenancy(hub)
    execute(
        hub,
        "insert into candidate.unified_events (event_key, source_provider, timing_partner_id, event_id)"
        " select 'runsignup/1/' || n, 'runsignup', 1, n::text from generate_series(1, %s) as n",
        MANY_ROWS,
    )
    reader = db.connect(embedded_dsn)
    with reader.cursor() as cursor:
        cursor.execute("select count(*) from unified.unified_events")

        assert go(embedded_dsn).relations["unified_events"].total == MANY_ROWS + 4
    reader.close()


KILLED = """
import sys, time
from datetime import UTC, datetime
from project88.publish import publish
def wait(connection, run_id):
    print("merged", flush=True)
    time.sleep(60)
publish(sys.argv[1], run_id="killed", now=datetime.now(UTC), hooks=[wait])
"""


def test_a_publish_killed_half_way_leaves_the_old_rows_and_the_next_one_goes_through(
    embedded_dsn: str, hub: Connection
) -> None:
    go(embedded_dsn)
    before = published_rows(hub, with_ids=True)
    execute(hub, "update candidate.unified_participants set bib_number = 'X1'")
    child = subprocess.Popen([sys.executable, "-c", KILLED, embedded_dsn], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "merged\n"

    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)

    assert published_rows(hub, with_ids=True) == before
    assert go(embedded_dsn, "run-2", patience=20.0).relations["unified_participants"].updated == 16


def test_publishes_at_the_same_time_end_the_same(embedded_dsn: str, hub: Connection) -> None:
    done: list[Publication] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(go(embedded_dsn, f"run-{n}", patience=30.0))) for n in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(one.changed for one in done) == [0, 0, 0, 56]
    assert {relation: len(rows) for relation, rows in published_rows(hub).items()} == {
        relation: counts.total for relation, counts in done[0].relations.items()
    }


def test_a_publish_gives_up_waiting_for_another_one(embedded_dsn: str, hub: Connection) -> None:
    other = db.connect(embedded_dsn)
    with other.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended('publish', 88))")

    with pytest.raises(ActionNeeded, match="another publish"):
        go(embedded_dsn, patience=0.2)
    other.close()


def test_a_long_reader_sees_the_old_rows_and_holds_nobody_up(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    reader = db.connect(embedded_dsn)
    reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with reader.cursor() as cursor:
        cursor.execute("select count(*) from unified.unified_participants where bib_number = 'X1'")
        execute(hub, "update candidate.unified_participants set bib_number = 'X1'")

        done = go(embedded_dsn, "run-2")

        cursor.execute("select count(*) from unified.unified_participants where bib_number = 'X1'")
        assert cursor.fetchone() == (0,)
    assert done.relations["unified_participants"].updated == 16
    reader.close()


def test_a_long_reader_keeps_a_new_partners_policies_waiting_but_not_the_data(
    embedded_dsn: str, hub: Connection
) -> None:
    go(embedded_dsn)
    execute(hub, "insert into hub.timing_partners (timing_partner_id, company_name, slug) values (3, 'New', 'new')")
    execute(hub, "update candidate.unified_participants set bib_number = 'X1'")
    reader = db.connect(embedded_dsn)
    with reader.cursor() as cursor:
        cursor.execute("select count(*) from unified.unified_participants")

        assert go(embedded_dsn, "run-2").relations["unified_participants"].updated == 16

    reader.close()
    policies = "select count(*) from pg_policies where policyname = 'partner_3'"
    assert execute(hub, policies) == [(0,)]
    go(embedded_dsn, "run-3")
    assert execute(hub, policies) == [(17,)]


def test_who_locks_the_tables_is_named_in_the_end(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)
    execute(hub, "update candidate.unified_participants set bib_number = 'X1'")
    other = db.connect(embedded_dsn)
    with other.cursor() as cursor:
        cursor.execute("lock table unified.unified_participants in exclusive mode")
    began = time.monotonic()

    with pytest.raises(ActionNeeded, match=f"session {other.info.backend_pid} of postgres"):
        go(embedded_dsn, "run-2", patience=1.0)

    assert time.monotonic() - began < 10
    other.close()


def test_where_nothing_has_changed_no_lock_is_taken_that_keeps_readers_out(embedded_dsn: str, hub: Connection) -> None:
    go(embedded_dsn)

    with hub, hub.cursor() as cursor:
        ensure_published(hub)
        ensure_legacy_views(hub)
        ensure_tenancy(hub)
        assert leaks(hub) == []
        cursor.execute(
            "select relation::regclass::text, mode from pg_locks "
            "where pid = pg_backend_pid() and relation is not null and mode <> 'AccessShareLock'"
        )
        assert cursor.fetchall() == []


def test_the_relations_are_those_of_the_contract(embedded_dsn: str, hub: Connection) -> None:
    assert list(COLUMNS) == list(RELATIONS)
    go(embedded_dsn)
    columns = execute(hub, "select indexdef from pg_indexes where schemaname = 'unified' order by 1")
    found = "\n".join(
        row[0].split("USING btree ")[0].split(" ON ")[1] + row[0].split("USING btree ")[1] for row in columns
    )

    for expected in (
        "unified.unified_participants (timing_partner_id, event_id)",
        "unified.unified_participants (email)",
        "unified.unified_participants (bib_number, timing_partner_id, event_key)",
        "unified.unified_participants (event_key, name_key)",
        "unified.unified_participants (timing_partner_id, name_key)",
        "unified.unified_results (timing_partner_id, event_id)",
        "unified.unified_results (event_key, overall_place, race_key)",
        "unified.unified_events (starts_at)",
        "unified.unified_events (event_date)",
    ):
        assert expected in found
