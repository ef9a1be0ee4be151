"""The dbt project's own tests, on a season that went through the whole path."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from project88 import candidate_log, db, docs_site, pipeline, transform
from project88.errors import ActionNeeded
from project88.published import RELATIONS
from project88.transform import Transformer
from tests.conftest import PASSWORD
from tests.pipeline.harness import CHECKOUT, Hub

PLAIN = CHECKOUT / "benchmarks" / "plain"
FEW = 2000
"""Tables of fewer rows may be read whole: that is cheaper than to look anything up in them."""


@pytest.fixture
def dbt(loaded: Hub, monkeypatch):
    """Run a dbt command against the loaded hub."""
    monkeypatch.setenv("P88_HOME", str(loaded.home))

    def run(*arguments: str):
        return transform.dbt(loaded.dsn, *arguments)

    return run


def test_every_story_of_the_models_holds(dbt):
    done = dbt("test", "--select", "test_type:unit")

    assert done.returncode == 0, done.stdout[-3000:]


def test_the_season_passes_every_data_test_and_equals_a_full_build(dbt):
    done = dbt("test", "--exclude-resource-type", "unit_test")

    assert done.returncode == 0, done.stdout[-3000:]


# what a build costs


@pytest.fixture
def mine(loaded: Hub, copies, monkeypatch) -> Iterator[Hub]:
    """A hub of one's own with the season published, whose local state this process uses."""
    with copies(loaded) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        yield hub


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the dbt project whose rules may be changed."""
    return Path(shutil.copytree(CHECKOUT / "transform", tmp_path / "transform"))


def _as_published(hub: Hub) -> None:
    """Move the mark and empty the log as a publish does."""
    with closing(db.connect(hub.dsn)) as connection:
        candidate_log.ensure(connection)
        with connection, connection.cursor() as cursor:
            candidate_log.clear(cursor)
    hub.ask("update hub.transform_marks set changed_xid = pending_xid where name = 'published'")


def _multiply(hub: Hub, times: int) -> None:
    """Give the season to more partners, as raw rows, with statistics."""
    with closing(db.connect(hub.dsn)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                select table_schema || '.' || table_name, string_agg(quote_ident(column_name), ', ')
                from information_schema.columns
                where
                    starts_with(table_schema, 'raw_') and table_name not in ('reads', 'rejects')
                    and column_name not in ('timing_partner_id', 'inserted_xid', 'changed_xid', 'changed_at')
                group by 1
                """
            )
            for table, columns in cursor.fetchall():
                cursor.execute(
                    f"insert into {table} (timing_partner_id, {columns}) select timing_partner_id + 100 * n, {columns}"  # noqa: S608
                    " from {} cross join generate_series(1, %s) as n".format(table),
                    (times,),
                )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("analyze")


def _rows_read_in_scans(hub: Hub) -> dict[str, int]:
    with closing(db.connect(hub.dsn)) as connection, connection.cursor() as cursor:
        # Other sessions hand in their counts when they end.
        cursor.execute("select pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
        cursor.execute(
            """
            select schemaname || '.' || relname, seq_tup_read from pg_stat_user_tables
            where (starts_with(schemaname, 'raw_') or schemaname = 'candidate') and n_live_tup > %s
            """,
            (FEW,),
        )
        return dict(cursor.fetchall())


def _edit(hub: Hub, table: str, column: str) -> None:
    hub.ask(
        f"update {table} set {column} = coalesce({column}, '') || 'x'"  # noqa: S608
        f" where ctid in (select ctid from {table} where timing_partner_id = 1 limit 2)"
    )


def _change_some_of_each(hub: Hub) -> None:
    for table, column in (
        ("raw_runsignup.races", "name"), ("raw_runsignup.events", "name"), ("raw_runsignup.participants", "last_name"),
        ("raw_runsignup.removed_participants", "last_name"), ("raw_runsignup.results", "bib"),
        ("raw_chronotrack.events", "event_name"), ("raw_chronotrack.races", "race_name"),
        ("raw_chronotrack.entries", "athlete_last_name"), ("raw_chronotrack.brackets", "bracket_name"),
        ("raw_chronotrack.intervals", "interval_name"), ("raw_chronotrack.results", "results_bib"),
    ):  # fmt: skip
        hub.ask(
            f"update {table} set {column} = coalesce({column}, '') || 'x'"  # noqa: S608
            f" where ctid in (select ctid from {table} where timing_partner_id = 1 limit 2)"
        )
    hub.ask(
        "insert into raw_chronotrack.removals (timing_partner_id, stream, record_key, noticed_at)"
        " select timing_partner_id, 'results', concat_ws('/', event_id, results_entry_id, results_interval_id), now()"
        " from raw_chronotrack.results limit 2"
    )


def _candidates(hub: Hub) -> dict[str, list[str]]:
    return {
        relation: sorted(str(row) for (row,) in hub.ask(f"select to_jsonb(r) from candidate.{relation} as r"))  # noqa: S608
        for relation in (*RELATIONS, "reconciliation", "reconciliation_exceptions")
    }


def test_what_is_built_by_due_keys_is_what_a_full_build_makes(mine):
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)
    _change_some_of_each(mine)

    built = transformer.build()

    assert built.nodes > 0
    assert built.rebuilt == ()
    incremental = _candidates(mine)
    transformer.build(everything=True)
    assert _candidates(mine) == incremental


def test_no_two_sessions_drop_the_views_that_are_made_anew(mine):
    """Each would lock what reads its views in an order of its own, and one in twenty rebuilds ended in a deadlock."""
    mine.ask("create table public.dropped (by int, view text)")
    mine.ask(
        """
        create function public.note_dropped() returns event_trigger language plpgsql security definer as $$ begin
            insert into public.dropped
            select pg_backend_pid(), object_identity from pg_event_trigger_dropped_objects() where object_type = 'view';
        end $$
        """
    )
    mine.ask("create event trigger note_dropped on sql_drop execute function public.note_dropped()")

    Transformer(mine.dsn).build(everything=True)

    [(sessions, views)] = mine.ask("select count(distinct by), count(distinct view) from public.dropped")
    assert (sessions, views > 50) == (1, True)


VIEWS = {
    "unified_events": ("int_events_unioned", "event_key"),
    "unified_races": ("int_races_unioned", "race_key"),
    "unified_divisions": ("int_chronotrack_brackets_placed", "division_key"),
    "unified_timing_points": ("int_chronotrack_intervals_placed", "timing_point_key"),
    "unified_participants": ("int_participants_unioned", "participant_key"),
    "unified_results": ("int_results_unioned", "result_key"),
}
PARENTS = {
    "an entry, its result": (
        "unified_results",
        """update raw_chronotrack.entries set entry_status = 'DQ' where (timing_partner_id, entry_id) in (
            select timing_partner_id, participant_id from candidate.unified_results
            where source_provider = 'chronotrack' and participant_key is not null and status = 'finished' limit 1)""",
    ),
    "an event, its entries": (
        "unified_participants",
        "update raw_chronotrack.events set event_start_time = event_start_time - interval '20 years'",
    ),
    "an event, its races": (
        "unified_races",
        "update raw_chronotrack.events set location_time_zone = 'Asia/Tokyo'",
    ),
    "an interval, the results that name it": (
        "unified_results",
        "update raw_chronotrack.intervals set interval_distance_m = 4321",
    ),
    "an interval that went to another event, the results it left": (
        "unified_results",
        "update raw_chronotrack.intervals set event_id = 'elsewhere'",
    ),
    "a race, its intervals": (
        "unified_timing_points",
        "update raw_chronotrack.races set race_course_distance = 4321",
    ),
    "a row no longer found, its result": (
        "unified_results",
        """insert into raw_chronotrack.removals (timing_partner_id, stream, record_key, noticed_at)
        select timing_partner_id, 'results', concat_ws('/', event_id, results_entry_id, results_interval_id), now()
        from raw_chronotrack.results limit 1""",
    ),
    "a race, its events": (
        "unified_events",
        "update raw_runsignup.races set name = 'The Other Series'",
    ),
    "a race, its events' registrations": (
        "unified_participants",
        "update raw_runsignup.races set country_code = case country_code when 'US' then 'CA' else 'US' end",
    ),
    "a registration, its result": (
        "unified_results",
        "update raw_runsignup.participants set bib_num = 'B' || coalesce(bib_num, '')",
    ),
    "a registration on the list of removed ones": (
        "unified_participants",
        "update raw_runsignup.removed_participants set removed_reason = 'abducted'",
    ),
    "a registration no longer found": (
        "unified_participants",
        """insert into raw_runsignup.removals (timing_partner_id, stream, record_key, noticed_at)
        select timing_partner_id, 'participants', registration_id::text, now()
        from raw_runsignup.participants limit 1""",
    ),
}


def _behind(hub: Hub) -> set[str]:
    """Return the relations in which a row is not what the views over everything make of it."""
    # Whose an entry is, the registry says.
    built = "to_jsonb(built) - array['changed_xid', 'fetched_date', 'global_participant_id']"
    held = "to_jsonb(held) - array['fetched_date', 'global_participant_id', 'person_confidence']"
    return {
        relation
        for relation, (view, key) in VIEWS.items()
        if hub.ask(
            f"select 1 from intermediate.{view} as built left join candidate.{relation} as held using ({key})"  # noqa: S608
            f" where {built} is distinct from {held} limit 1"
        )
    }


def test_a_change_takes_along_what_is_made_from_it(mine):
    transformer = Transformer(mine.dsn)
    # What the timer left empty comes from the registration.
    mine.ask("update raw_runsignup.results set bib = null")
    transformer.build()

    for named, (relation, change) in PARENTS.items():
        _as_published(mine)
        mine.ask(change)
        if relation not in _behind(mine):
            pytest.fail(f"{named}: nothing in {relation} depends on this")

        built = transformer.build()

        assert built.rebuilt == (), named
        assert _behind(mine) == set(), named


def test_a_build_reads_no_table_whole(mine):
    """Counted by the server over all that the build does: hooks and tests as well as models."""
    _multiply(mine, 40)
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)
    for table, column in (
        ("raw_runsignup.participants", "last_name"), ("raw_runsignup.removed_participants", "last_name"),
        ("raw_runsignup.results", "bib"), ("raw_chronotrack.entries", "athlete_last_name"),
        ("raw_chronotrack.brackets", "bracket_name"), ("raw_chronotrack.results", "results_bib"),
    ):  # fmt: skip
        _edit(mine, table, column)
    before = _rows_read_in_scans(mine)

    built = transformer.build()

    read = {table: rows - before[table] for table, rows in _rows_read_in_scans(mine).items() if table in before}
    assert built.nodes > 0
    assert {"raw_runsignup.participants", "raw_chronotrack.results", "candidate.unified_results"} <= set(read)
    assert {table: rows for table, rows in read.items() if rows} == {}


def test_nothing_is_run_where_nothing_changed(mine):
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)

    built = transformer.build()

    assert built.nodes == 0


def test_a_person_without_an_entry_left_is_gone_though_a_build_was_killed_in_between(mine, project):
    """What participant_tracking must know is noted with the entries, not found out afterwards."""
    transformer = Transformer(mine.dsn, project)
    tracking = project / "models" / "marts" / "participant_tracking.sql"
    rules = tracking.read_text(encoding="utf-8")
    transformer.build()
    _as_published(mine)
    [(key, person)] = mine.ask(
        "select participant_key, global_participant_id from candidate.unified_participants as p"
        " where source_provider = 'chronotrack' and not is_removed"
        " and 1 = (select count(*) from candidate.unified_participants as q"
        " where q.timing_partner_id = p.timing_partner_id and q.global_participant_id = p.global_participant_id)"
        # A result without an entry keeps its person.
        " and not exists (select from candidate.results_without_entry as w"
        " where w.global_participant_id = p.global_participant_id)"
        " order by 1 limit 1"
    )
    _, partner, entry = key.split("/")
    change = (
        "insert into raw_chronotrack.removals (timing_partner_id, stream, record_key, noticed_at)"
        " values (%s, 'entries', %s, now())"
    )
    tracking.write_text(rules.replace("count(distinct", "1 / 0 + count(distinct"), encoding="utf-8")
    mine.ask(change, partner, entry)
    with pytest.raises(ActionNeeded, match=r"participant_tracking.*division by zero"):
        # Said to have been built already, so that it is merged into and not made anew.
        _built_by_these_rules(mine, transformer)
    tracking.write_text(rules, encoding="utf-8")
    _built_by_these_rules(mine, transformer, build=False)

    assert transformer.build().rebuilt == ()

    people = "select count(*) from candidate.participant_tracking where global_participant_id = %s"
    assert mine.ask(people, person) == [(0,)]
    assert mine.ask("select count(*) from due.people_before") == [(0,)]


def _built_by_these_rules(hub: Hub, transformer: Transformer, *, build: bool = True) -> None:
    transformer.warm()
    with closing(db.connect(hub.dsn)) as connection:
        transform.note_rules(connection, transformer.rules)
    if build:
        transformer.build()


def test_a_partner_that_is_renamed_is_renamed_in_all_its_persons(mine):
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)
    mine.ask("update hub.timing_partners set company_name = 'Lighthouse Timing' where timing_partner_id = 1")

    transformer.build()

    names = "select distinct timing_partner_id, timing_partner_name from candidate.participant_tracking order by 1"
    assert mine.ask(names)[0] == (1, "Lighthouse Timing")
    assert len(mine.ask(names)) == 2


# rules


def _tables(hub: Hub) -> dict[str, int]:
    return dict(
        hub.ask(
            "select relname::text, oid::bigint from pg_class"
            " where relnamespace = 'candidate'::regnamespace and relkind = 'r'"
        )
    )


def _change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "rebuilt"),
    [
        pytest.param(
            "macros/building.sql", "join(', ') or 'null'", "join(',') or 'null'", {"participant_tracking"}, id="a macro"
        ),
        pytest.param(
            "models/intermediate/int_chronotrack_brackets_placed.sql", "'removed_at'", "'gone_at'",
            {"unified_divisions", "reconciliation", "reconciliation_exceptions"}, id="a model and what follows from it",
        ),
        pytest.param("models/marts/unified_events.yml", "One row per", "There is a row per", set(), id="a text"),
    ],
)  # fmt: skip
def test_a_changed_rule_rebuilds_what_it_touches(mine, project, file, old, new, rebuilt):
    transformer = Transformer(mine.dsn, project)
    transformer.build()
    _as_published(mine)
    before = _tables(mine)
    _change(project / file, old, new)

    built = transformer.build()

    after = _tables(mine)
    assert set(built.rebuilt) == rebuilt
    assert {table for table in before if after[table] != before[table]} == rebuilt
    assert transformer.build().rebuilt == ()


def test_a_mart_asked_for_is_rebuilt_with_what_follows_and_an_unknown_one_is_refused(mine):
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)

    built = transformer.build(marts=["unified_participants"])

    assert set(built.rebuilt) == {
        "unified_participants", "participant_tracking", "reconciliation", "reconciliation_exceptions", "entry_links",
    }  # fmt: skip
    with pytest.raises(ActionNeeded, match=r"no mart is called unified_people; there are .*unified_participants"):
        transformer.build(marts=["unified_people"])


def test_what_was_dropped_by_hand_is_made_again(mine):
    transformer = Transformer(mine.dsn)
    transformer.build()
    _as_published(mine)
    expected = _candidates(mine)
    mine.ask("drop table candidate.unified_events cascade")
    mine.ask("drop schema staging cascade")
    mine.ask("drop schema due cascade")

    transformer.build()

    assert _candidates(mine) == expected


# dbt in this process


def test_many_builds_in_one_process_leave_nothing_behind(mine, capfd):
    transformer = Transformer(mine.dsn)
    process = psutil.Process()
    transformer.build()
    environment, open_files = dict(os.environ), None

    for number in range(6):
        mine.ask("update raw_runsignup.participants set bib_num = %s where timing_partner_id = 1", str(number))
        assert transformer.build().nodes > 0
        open_files = open_files or process.num_fds()

    assert process.num_fds() <= open_files
    assert dict(os.environ) == environment
    assert mine.ask("select count(*) from pg_stat_activity where application_name = 'p88 dbt'") == [(0,)]
    assert capfd.readouterr() == ("", "")


def test_an_older_server_is_built_too_and_the_password_is_in_no_file(server15_dsn, tmp_path, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(tmp_path))
    pipeline.prepare(server15_dsn)
    transformer = Transformer(server15_dsn)
    transformer.build()
    with closing(db.connect(server15_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("update hub.transform_marks set changed_xid = pending_xid where name = 'published'")
        cursor.execute(
            "insert into raw_runsignup.events (timing_partner_id, event_id, name) values (1, 7, 'Harbour 10K')"
        )

    assert transformer.build().rebuilt == ()

    with closing(db.connect(server15_dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select event_key, event_name from candidate.unified_events")
        assert cursor.fetchall() == [("runsignup/1/7", "Harbour 10K")]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 1
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


# the same in plain SQL


def test_the_plain_sql_of_the_benchmarks_makes_the_same_rows(mine):
    Transformer(mine.dsn).build()

    with closing(db.connect(mine.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create schema plain")
        cursor.execute("set local search_path = plain")
        for file in sorted(PLAIN.glob("*.sql")):
            cursor.execute(file.read_text(encoding="utf-8"))
        for relation in (*RELATIONS, "reconciliation", "reconciliation_exceptions"):
            found = {}
            for schema in ("plain", "candidate"):
                cursor.execute(
                    f"select count(*), sum(hashtextextended(to_jsonb(r)::text, 88)) from {schema}.{relation} as r"  # noqa: S608
                )
                found[schema] = cursor.fetchone()
            assert found["plain"] == found["candidate"], relation
            # After one publish nobody's id has changed.
            assert (found["plain"][0] > 0) == (relation != "person_changes"), relation


# what is read


def test_the_docs_site_holds_every_published_relation_and_the_gate_s_reports(loaded, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(loaded.home))

    folder = docs_site.build(loaded.dsn)

    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    assert (folder / "index.html").stat().st_size > 100_000
    assert (folder / "gate" / "index.html").is_file()
    for relation in ("unified_events", "unified_participants", "unified_results", "participant_tracking"):
        assert f"model.project88.{relation}" in manifest
