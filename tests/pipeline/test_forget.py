"""A person who asks to be forgotten: gone from raw to published and out of our files, and no sync brings it back."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from project88 import db
from project88.cycle import Cycle
from project88.errors import ActionNeeded
from project88.persons import forgetting, forgotten, store
from project88.tenancy import acting_as
from tests.pipeline.harness import RELATIONS, Hub
from tests.pipeline.test_who_is_who import of_several

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOG = "logs/runs/earlier/harbour-runsignup-main.log"


@dataclass
class Somebody:
    """A person of partner 1, and what says in a table or a file that it is meant."""

    person: str
    keys: list[str]
    results: list[str] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    @property
    def unlike_others(self) -> set[str]:
        """The words that stand for nothing else in a file: a bare number may."""
        return {one for one in self.words if not one.isdigit()}


def somebody(hub: Hub) -> Somebody:
    """Return a person of partner 1 with entries at both providers."""
    return described(hub, Somebody(*of_several(hub)))


def described(hub: Hub, found: Somebody) -> Somebody:
    """Add the results of a person, and the words by which a table or a file tells of it."""
    keys = found.keys
    rows = hub.ask(
        """
        select p.email, p.phone, p.phone_as_sent, p.first_name || ' ' || p.last_name, p.participant_key, null
        from candidate.unified_participants as p where p.participant_key = any(%s)
        union all
        select null, null, null, r.first_name || ' ' || r.last_name, null, r.result_key
        from candidate.unified_results as r where r.participant_key = any(%s)
        """,
        keys, keys,
    )  # fmt: skip
    found.results = [row[-1] for row in rows if row[-1]]
    found.words = {one for row in rows for one in row if one}
    found.words |= {key.rpartition("/")[2] for key in (*keys, *found.results)}
    return found


def in_tables(hub: Hub, one: Somebody) -> dict[str, list[str]]:
    """Return where any of the words stands by itself, in any column of any table of the database, catalog included."""
    pattern = r"(^|[^\w/-])(" + "|".join(re.escape(word) for word in sorted(one.words)) + r")($|[^\w/-])"
    found = {}
    for schema, table in hub.ask(
        """
        select n.nspname, c.relname from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid
        where c.relkind in ('r', 'm', 'p') and n.nspname !~ '^pg_(toast|temp)'
        """
    ):
        rows = hub.ask(f'select t::text from "{schema}"."{table}" as t where t::text ~* %s', pattern)
        if rows:
            found[f"{schema}.{table}"] = [row[0][:300] for row in rows]
    return found


def in_files(hub: Hub, one: Somebody) -> dict[str, list[str]]:
    """Return where any of the words stands in a file of the local state."""
    found = {}
    for file in (file for file in hub.home.rglob("*") if file.is_file()):
        content = file.read_bytes().decode(errors="ignore").lower()
        if hits := sorted(word for word in one.unlike_others if word.lower() in content):
            found[str(file.relative_to(hub.home))] = hits
    return found


def others(hub: Hub, one: Somebody) -> dict[str, list[str]]:
    """Return what is published of everybody else."""
    mine = [one.person, *(f'"{key}"' for key in (*one.keys, *one.results))]
    return {
        relation: [row for row in rows if not any(word in row or word[1:-1] + "~" in row for word in mine)]
        for relation, rows in hub.published().items()
        if relation != "person_changes"
    }


def scatter(hub: Hub, one: Somebody) -> None:
    """Put words of a person where they come to in a long life: decisions, the gate's reports, quarantine, logs."""
    name, key = next(word for word in one.words if " " in word), one.keys[0]
    with closing(db.connect(hub.dsn)) as connection:
        store.decide_about(connection, "confirm", [one.person], by="ada", reason=f"{name} said so", now=NOW)
    Cycle(hub.dsn).run("decided", now=NOW)
    provider, partner, id_ = key.split("/")
    stream = "entries" if provider == "chronotrack" else "participants"
    hub.ask(
        f"insert into raw_{provider}.rejects (timing_partner_id, stream, reject_id, record_key, reason, record)"
        " values (%s, %s, 'r', %s, 'why', jsonb_build_object('name', %s::text))",
        partner, stream, id_, name,
    )  # fmt: skip
    for relation in (f"raw_{provider}.{stream}", "unified_participants"):
        hub.ask(
            "insert into hub.quarantine (timing_partner_id, source_provider, stage, relation, row_key, rule, reason,"
            " record, resolved_at)"
            " values (1, %s, 'arrival', %s, %s, 'a', 'b', jsonb_build_object('n', %s::text), now())",
            provider, relation, key, name,
        )  # fmt: skip
    hub.ask(
        "insert into hub.gate_results (run_id, stage, relation, rule, success, sample_keys, message)"
        " values ('r', 'candidates', 'unified_participants', 'a', false, array['x', %s], %s)",
        key, f"look at {key}",
    )  # fmt: skip
    hub.ask(
        "insert into hub.runs (run_id, kind, status, error) values ('r', 'run', 'failed', %s)", f"for example {key}, x"
    )
    timed = [key.rpartition("/")[2] for key in one.keys if key.startswith("chronotrack/")]
    hub.ask("insert into due.due_chronotrack_entries select 0, 1, unnest(%s::text[])", timed)
    for file in (LOG, "docs/gate/index.html"):
        (hub.home / file).parent.mkdir(parents=True, exist_ok=True)
        (hub.home / file).write_text(f"before\n{name.upper()} <{key}>\nafter\n")


@pytest.fixture(scope="module")
def erased(loaded: Hub, copies) -> Iterator[tuple[Hub, Somebody, dict[str, list[str]], str]]:
    """A hub in which somebody was forgotten, who, everybody else before, and what the command said; to be read only."""
    with copies(loaded) as hub, pytest.MonkeyPatch.context() as patch:
        patch.setenv("P88_HOME", str(hub.home))
        one = somebody(hub)
        scatter(hub, one)
        there, written = in_tables(hub, one), in_files(hub, one)
        assert {
            "raw_runsignup.participants", "raw_chronotrack.entries", "raw_chronotrack.results", "hub.person_records",
            "candidate.unified_results", "unified.unified_participants", "unified.participant_tracking",
            "hub.person_decisions", "hub.quarantine", "hub.gate_results", "hub.runs", "pg_catalog.pg_statistic",
        } <= there.keys()  # fmt: skip
        assert {LOG, "docs/gate/index.html"} <= written.keys()
        assert any(file.startswith("persons/") for file in written)
        before = others(hub, one)
        done = hub.p88("person", "forget", one.person, "--partner", "harbour", "--yes")
        yield hub, one, before, done.stdout + done.stderr


@pytest.fixture
def after(erased, copies, monkeypatch) -> Iterator[tuple[Hub, Somebody]]:
    """A hub of one's own in which somebody was forgotten."""
    with copies(erased[0]) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        yield hub, erased[1]


def test_no_table_and_no_file_tells_of_a_forgotten_person(erased):
    hub, one, _, said = erased

    assert in_tables(hub, one) == {}
    assert in_files(hub, one) == {}
    assert not any(word in said for word in one.words)
    assert (hub.home / LOG).read_text().splitlines()[::2] == ["before", "after"]
    assert hub.ask("select sample_keys from hub.gate_results where run_id = 'r'") == [(["x"],)]
    assert hub.ask("select count(*) from hub.forgotten_due") == [(0,)]


def test_readers_are_told_that_the_id_ended_and_nothing_else_changed(erased):
    hub, one, before, _ = erased

    assert others(hub, one) == before
    assert hub.ask(
        "select change_type, global_participant_id, other_global_participant_id, records, is_decided"
        " from unified.person_changes"
    ) == [("forgotten", one.person, None, 0, True)]  # fmt: skip
    assert hub.ask("select person_id, retired_at is not null from hub.persons where person_id = %s", one.person) == [
        (one.person, True)
    ]


def test_nobody_but_the_operator_may_read_what_is_kept(erased):
    hub, *_ = erased
    tables = ("forgotten", "forgotten_persons", "forgotten_salt", "forgotten_due")
    with closing(db.connect(hub.dsn)) as connection, connection.cursor() as cursor:
        for role in (1, 2, None):
            for query in (*(f"select * from hub.{table}" for table in tables), "select hub.forgotten_hash('a')"):
                with acting_as(connection, role), pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(query)
                connection.rollback()


def test_a_second_run_changes_nothing_and_a_rebuild_comes_to_the_same(after):
    hub, one = after
    before, at = hub.published(), hub.published_at()

    hub.p88("run")
    assert hub.published_at() == at
    hub.p88("rebuild")

    assert hub.published() == before
    assert hub.published_at() == {relation: at[relation] for relation in RELATIONS}
    assert in_tables(hub, one) == {}


@pytest.mark.parametrize("loader", ["target-hub", "target-postgres"])
def test_no_loader_brings_back_what_the_provider_still_has(after, loader):
    hub, one = after
    hub.loader = loader
    before, at = hub.published(), hub.published_at()
    for provider, stream in (("runsignup", "participants"), ("chronotrack", "entries")):
        assert one.words & hub.sandbox.holds(provider, 1, stream).keys()

    # All of it is sent again, and again somebody's rows are not stored.
    for _ in range(2):
        hub.p88("run", "--partner", "harbour", "--everything")

        assert in_tables(hub, one) == {}
        assert hub.published() == before
        assert hub.published_at() == at
    hub.assert_raw_equals_holds(partners=[1], besides=forgotten_rows(hub, one))

    for (table,) in hub.ask("select tgrelid::regclass::text from pg_trigger where tgname = %s", forgotten.TRIGGER):
        hub.ask(f"drop trigger {forgotten.TRIGGER} on {table}")
    hub.p88("sync", "--partner", "harbour", "--everything")
    # So it was this that kept it out.
    assert {"raw_runsignup.participants", "raw_chronotrack.entries"} <= in_tables(hub, one).keys()


def forgotten_rows(hub: Hub, one: Somebody) -> set[str]:
    """Return the ids, as `unlike_holds` joins them, of rows that the provider has of somebody."""
    entries = {key.rpartition("/")[2] for key in one.keys}
    found = set()
    for provider, stream, whose in (
        ("runsignup", "participants", "registration_id"), ("runsignup", "removed_participants", "registration_id"),
        ("runsignup", "results", "registration_id"), ("chronotrack", "entries", "entry_id"),
        ("chronotrack", "results", "results_entry_id"),
    ):  # fmt: skip
        found |= {id_ for id_, row in hub.sandbox.holds(provider, 1, stream).items() if str(row.get(whose)) in entries}
    return found


def test_killed_before_the_linkage_forgot_the_same_command_finishes(loaded, copies, monkeypatch):
    with copies(loaded) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        one = somebody(hub)
        forgetting.forget(hub.dsn, one.keys[0], 1, everywhere=False, by="ada", now=NOW)
        assert in_tables(hub, one).keys() == {"hub.forgotten_due"}
        assert {file.partition("/")[0] for file in in_files(hub, one)} == {"persons"}
        assert hub.ask("select * from unified.unified_participants where global_participant_id = %s", one.person) == []

        done = hub.p88("person", "forget", one.keys[0], "--partner", "1", "--yes")

        assert "was forgotten already, on 2026-11-21" in done.stderr
        assert in_tables(hub, one) == {}
        assert in_files(hub, one) == {}
        assert hub.ask("select change_type from unified.person_changes") == [("forgotten",)]
        again = hub.p88("person", "forget", one.person, "--partner", "1")
        assert again.stderr.count("\n") == 1
        assert "was forgotten already" in again.stderr


def test_nothing_goes_where_the_name_is_nobodys_or_anothers_or_the_answer_is_no(loaded):
    one = somebody(loaded)
    before = loaded.published()
    for name, partner, said in (
        ("nobody", "harbour", "there is no person or record nobody"),
        (one.person, "summit", "is nobody of timing partner 2"),
        (one.person, "elsewhere", "there is no timing partner elsewhere"),
    ):
        done = loaded.p88("person", "forget", name, "--partner", partner, "--yes", check=False)
        assert done.returncode == 1
        assert done.stderr.strip().count("\n") == 0
        assert said in done.stderr
    asked = loaded.p88("person", "forget", one.person, "--partner", "harbour", check=False)

    assert asked.returncode == 1
    assert "unified.unified_participants" in asked.stdout
    assert not one.words & set(re.split(r"\s+", asked.stdout))
    assert loaded.published() == before
    assert loaded.ask("select count(*) from hub.forgotten") == [(0,)]


def test_it_waits_for_no_sync_but_says_so(loaded):
    one = somebody(loaded)
    with closing(db.connect(loaded.dsn)) as holder, holder.cursor() as cursor:
        cursor.execute(
            "select pg_advisory_lock(88, connection_id) from hub.connections where timing_partner_id = 1 limit 1"
        )
        with pytest.raises(ActionNeeded, match="is being synced: nothing was removed"):
            forgetting.forget(loaded.dsn, one.person, 1, everywhere=False, by="ada", now=NOW)
    assert loaded.ask("select count(*) from hub.forgotten") == [(0,)]


def test_everywhere_takes_who_is_the_same_person_at_another_partner(loaded, copies, monkeypatch):
    [(person, other)] = loaded.ask(
        """
        select min(global_participant_id) filter (where timing_partner_id = 1), min(global_participant_id)
            filter (where timing_partner_id = 2)
        from hub.people_across group by people_id having count(*) = 2 order by 1 limit 1
        """
    )
    with copies(loaded) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        forgetting.forget(hub.dsn, person, 1, everywhere=True, by="ada", now=NOW)
        Cycle(hub.dsn).run("r", now=NOW)

        assert hub.ask(
            "select timing_partner_id, change_type, global_participant_id from unified.person_changes order by 1"
        ) == [
            (1, "forgotten", person),
            (2, "forgotten", other),
        ]
        assert hub.ask(
            "select count(*) from unified.participant_tracking where global_participant_id in (%s, %s)", person, other
        ) == [(0,)]


def test_the_example_in_the_help_works(loaded, copies):
    example = loaded.p88("person", "forget", "--help").stdout.partition("Example:")[2].partition("Options:")[0].strip()
    with copies(loaded) as hub:
        done = subprocess.run(
            ["bash", "-c", f"set -eo pipefail\n{example}"], capture_output=True, text=True, check=False, timeout=300,
            env=hub.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )  # fmt: skip

        assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
        assert hub.ask("select count(*) from hub.forgotten_persons") == [(1,)]


def test_a_loader_that_was_not_told_the_key_stores_nothing_of_that_partner(erased):
    hub, *_ = erased
    with closing(db.connect(hub.dsn)) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.RaiseException, match="load with p88 run"):
            cursor.execute("insert into raw_chronotrack.entries (timing_partner_id, entry_id) values (1, 'x')")
        connection.rollback()
        cursor.execute("insert into raw_chronotrack.entries (timing_partner_id, entry_id) values (2, 'x')")
        connection.rollback()
        assert forgotten.SETTING in forgotten.session_options(connection)
