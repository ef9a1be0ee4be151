"""dbt in this process: what changed is built again, by rules that are noted with what they built.

A Transformer keeps dbt's manifest between builds, so that a live process does not read the project anew every minute.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from project88 import candidate_log, db, raw, settings
from project88.errors import ActionNeeded
from project88.persons.schema import ensure as ensure_persons
from project88.published import ensure_published

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

PROJECT = settings.CHECKOUT / "transform"
RULES = "rules:"
"""Prefix of the names under which hub.transform_marks keeps by which rules a node was built."""
VIEWS = f"{RULES}views"
BEFORE = ("due.people_before", "due.results_without_entry")
"""Tables of the models' own that no model is called after; each build makes them."""
PERSONS = "persons"
"""Tag of what follows from who is who."""
MATERIALIZATIONS = "macro.project88.materialization_"
LOOKING_UP = 4
"""How many models look up due rows at once: they wait for the disk. What is built whole keeps a core busy each."""
# dbt keeps its flags, adapters and connections in the process, not in the runner: one at a time.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Built:
    """What a build did."""

    nodes: int
    """How many models, seeds and tests ran; 0 where nothing was due."""
    rebuilt: tuple[str, ...] = ()
    """Marts that were built whole."""


def environment(dsn: str, project: Path = PROJECT) -> dict[str, str]:
    """Return the environment dbt's profile reads its database from, as a child process needs it."""
    return settings.child_environment() | {
        **_database(dsn),
        "DBT_TARGET_PATH": str(settings.private_folder("dbt", "target")),
        "DBT_LOG_PATH": str(settings.private_folder("dbt", "logs")),
        "DBT_PROFILES_DIR": str(project),
        "DBT_PROJECT_DIR": str(project),
    }


def _database(dsn: str) -> dict[str, str]:
    parts = db.parts(dsn)
    return {
        "P88_PG_HOST": parts["host"] or "localhost",
        "P88_PG_PORT": parts["port"] or "5432",
        "P88_PG_USER": parts["user"],
        "P88_PG_PASSWORD": parts["password"],
        "P88_PG_DATABASE": parts["dbname"],
    }


def dbt(dsn: str, *arguments: str, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """Run a dbt command in a child process and return how it ended, output included."""
    return subprocess.run(
        [settings.executable("dbt"), "--no-use-colors", *arguments],
        capture_output=True,
        text=True,
        env=environment(dsn, project),
        cwd=project,
        check=False,
    )


class Transformer:
    """Builds the candidate relations of one database; keeps what is costly to read between builds."""

    def __init__(self, dsn: str, project: Path = PROJECT) -> None:
        self.dsn = dsn
        self.project = project
        self.rules: dict[str, str] = {}
        """By which rules each table is built today, by the names of marks; empty until the project was read."""
        self._manifest: Any = None
        self._read_at_state = ""

    def warm(self) -> None:
        """Read the project, so that the next build need not. Raises ActionNeeded where it cannot be read."""
        with _one_at_a_time:
            self._read()

    def build(self, *, everything: bool = False, marts: Collection[str] = (), persons: bool = True) -> Built:
        """Bring the candidate relations up to date.

        Built whole are marts whose rules changed since they were built, those in `marts`, and what is built from them;
        with `everything`, or before the first publish, all. Others take what changed since the last publish. Without
        `persons` those are left to `build_persons` that follow from who is who.
        The caller sees to it that nobody else builds. Raises ActionNeeded naming the first model or test that failed.
        """
        with _one_at_a_time, contextlib.closing(db.connect(self.dsn)) as connection:
            self._read()
            if unknown := set(marts) - self._marts():
                raise ActionNeeded(
                    f"no mart is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(self._marts()))}"
                )
            candidate_log.make(connection)
            ensure_persons(connection)
            with connection:
                ensure_published(connection)
            noted = _noted_rules(connection)
            stale = {name for name, rules in self.rules.items() if noted.get(name) != rules}
            missing = self._missing(connection)
            mark = _note_pending(connection)
            # Before the models read: what is counted, they see.
            (raw.recount if everything else raw.count)(connection)
            if everything or mark is None or missing & self._marts():
                stale = set(self.rules)
            rebuilt = self._with_what_follows({name.removeprefix(RULES) for name in stale} | set(marts))
            remake_views = VIEWS in stale or "view" in missing
            anything = rebuilt or missing or remake_views or mark is None or _anything_due(connection, mark)
            if not anything:
                return Built(0)
            _refresh_statistics(connection)
            if remake_views:
                self._drop_views(connection)
            if persons:
                nodes = self._run(rebuilt, remake_views)
                note_rules(connection, self.rules)
            else:
                later = self._of_persons()
                # Known to be stale until they are built, also by the run after one that is killed in between.
                _forget_rules(connection, rebuilt & later)
                nodes = self._run(rebuilt, remake_views, "--exclude", "tag:nightly", f"tag:{PERSONS}")
                waiting = {f"{RULES}{name}" for name in rebuilt & later}
                note_rules(connection, {name: rules for name, rules in self.rules.items() if name not in waiting})
        return Built(nodes, tuple(sorted(rebuilt & self._marts())))

    def build_persons(self) -> Built:
        """Bring up to date what follows from who is who, after `build` without it. Raises as `build` does."""
        with _one_at_a_time, contextlib.closing(db.connect(self.dsn)) as connection:
            self._read()
            noted = _noted_rules(connection)
            later = self._of_persons()
            rebuilt = {name for name in later if noted.get(f"{RULES}{name}") != self.rules[f"{RULES}{name}"]}
            nodes = self._run(rebuilt, False, "--exclude", "tag:nightly", "--select", f"tag:{PERSONS}")
            note_rules(connection, {f"{RULES}{name}": self.rules[f"{RULES}{name}"] for name in later})
        return Built(nodes, tuple(sorted(rebuilt & self._marts())))

    # the project

    def _read(self) -> None:
        """Read the project where its files changed since it was last read."""
        state = _state_of(self.project)
        if self._manifest is not None and state == self._read_at_state:
            return
        result = self._invoke(None, "parse")
        self._manifest = result.result
        self._read_at_state = state
        self.rules = fingerprints(self._manifest)

    def _marts(self) -> set[str]:
        return {node.name for node in self._manifest.nodes.values() if _kind(node) == "candidate"}

    def _of_persons(self) -> set[str]:
        """Return the tables that follow from who is who."""
        return {
            node.name
            for node in self._manifest.nodes.values()
            if _kind(node) in {"candidate", "due"} and PERSONS in node.tags
        }

    def _with_what_follows(self, names: set[str]) -> set[str]:
        """Return tables, by name, that are built from any of these."""
        tables = {key for key, node in self._manifest.nodes.items() if _kind(node) in {"candidate", "due"}}
        reached = {key for key in tables if self._manifest.nodes[key].name in names}
        waiting = list(reached)
        while waiting:
            for child in self._manifest.child_map[waiting.pop()]:
                if child in tables and child not in reached:
                    reached.add(child)
                    waiting.append(child)
        return {self._manifest.nodes[key].name for key in reached}

    def _missing(self, connection: Connection) -> set[str]:
        """Return marts that the database lacks, and `view` or `due` where it lacks one of those."""
        wanted = {
            f"{node.schema}.{node.alias}": {"candidate": node.name, "seed": "view"}.get(_kind(node), _kind(node))
            for node in self._manifest.nodes.values()
            if _kind(node)
        } | dict.fromkeys(BEFORE, "due")
        with connection, connection.cursor() as cursor:
            cursor.execute("select name from unnest(%s) as name where to_regclass(name) is null", (list(wanted),))
            return {wanted[name] for (name,) in cursor.fetchall()}

    def _drop_views(self, connection: Connection) -> None:
        """Take away the views that are made anew, all in one statement.

        dbt drops each old one with all that reads it: two threads that do so lock the same views in different orders.
        """
        views = [
            sql.Identifier(node.schema, node.alias) for node in self._manifest.nodes.values() if _kind(node) == "view"
        ]
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("drop view if exists {} cascade").format(sql.SQL(", ").join(views)))

    # dbt

    def _run(self, rebuilt: set[str], remake_views: bool, *chosen: str) -> int:
        arguments = ["build", "--exclude-resource-type", "unit_test", *(chosen or ("--exclude", "tag:nightly"))]
        if not remake_views and "--select" not in chosen:
            # Views stand as they are: only what holds rows is built.
            arguments += ["--select", "path:models/due", "path:models/marts"]
        if rebuilt:
            arguments += ["--vars", json.dumps({"rebuild": sorted(rebuilt)})]
        else:
            arguments += ["--threads", str(LOOKING_UP)]
        result = self._invoke(self._manifest, *arguments)
        return len(result.result.results)

    def _invoke(self, manifest: Any, *arguments: str) -> Any:
        """Run a dbt command in this process and return its result. Raises ActionNeeded where it failed."""
        from dbt.cli.main import dbtRunner

        logs = settings.private_folder("dbt", "logs")
        given = [
            *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
            *("--target-path", str(settings.private_folder("dbt", "target")), "--log-path", str(logs)),
            # Nothing to the screen. Files of results are of no use here and slow to write: they come as objects.
            *("--log-level", "none", "--log-level-file", "info", "--no-write-json", "--no-use-colors"),
        ]
        with contextlib.ExitStack() as lent:
            lent.enter_context(_environment(_database(self.dsn)))
            # dbt copies the environment before it tells of its first event. What else this process starts meanwhile
            # shall not inherit the password.
            runner = dbtRunner(manifest=manifest, callbacks=[lambda event: lent.close()])
            result = runner.invoke([*arguments[:1], *given, *arguments[1:]])
        if result.success:
            return result
        if result.exception is not None and not isinstance(result.exception, Exception):
            # dbt catches Ctrl-C as well.
            raise result.exception
        raise ActionNeeded(f"dbt: {_first_failure(result)} (log: {logs / 'dbt.log'}); nothing was published")


def build(dsn: str, *, everything: bool = False) -> Built:
    """Build the candidate relations once. Raises ActionNeeded naming the first model or test that failed."""
    return Transformer(dsn).build(everything=everything)


# rules


def fingerprints(manifest: Any) -> dict[str, str]:
    """Return a hash for each table over all that makes it, and one over all views and seeds, by the names of marks.

    What makes a table: its own code, columns and settings, those of its ancestors, the macros they use and the seeds
    they read. Not the files: a comment beside the models changes nothing.
    """
    own = {key: _own_parts(manifest, node) for key, node in manifest.nodes.items()}
    found = {}
    for key, node in manifest.nodes.items():
        if _kind(node) in {"candidate", "due"}:
            found[f"{RULES}{node.name}"] = _digest(own[one] for one in _ancestors(manifest, key))
    found[VIEWS] = _digest(own[key] for key, node in manifest.nodes.items() if _kind(node) in {"view", "seed"})
    return found


def _kind(node: Any) -> str:
    """Return how a node is kept: view, due, candidate or seed; empty text for tests and the like."""
    return str(node.config.materialized) if node.resource_type in {"model", "seed"} else ""


def _ancestors(manifest: Any, key: str) -> set[str]:
    """Return a node and all that it is made from, sources apart."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if one in manifest.nodes and one not in found:
            found.add(one)
            waiting.extend(manifest.nodes[one].depends_on_nodes)
    return found


def _own_parts(manifest: Any, node: Any) -> str:
    macros: set[str] = set()
    waiting = list(getattr(node.depends_on, "macros", ()))
    if _kind(node) in {"candidate", "due"}:
        # Found by dbt when it runs, and named by no model.
        waiting += [key for key in manifest.macros if key.startswith(f"{MATERIALIZATIONS}{_kind(node)}_")]
    while waiting:
        key = waiting.pop()
        if key in macros or key not in manifest.macros or not key.startswith("macro.project88."):
            continue
        macros.add(key)
        waiting.extend(manifest.macros[key].depends_on.macros)
    return json.dumps(
        [
            node.unique_id,
            # A seed's checksum is that of its rows.
            node.checksum.checksum if node.resource_type == "seed" else node.raw_code,
            [(key, manifest.macros[key].macro_sql) for key in sorted(macros)],
            {name: (column.data_type, str(column.constraints)) for name, column in node.columns.items()},
            {key: value for key, value in sorted(node.config.to_dict().items()) if key not in {"meta", "tags", "docs"}},
        ],
        default=str,
    )


def _digest(parts: Any) -> str:
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _state_of(project: Path) -> str:
    """Return what changes when a file of the project does: names, sizes and times of writing."""
    digest = hashlib.sha256()
    parts = [one for part in ("models", "macros", "seeds", "tests") for one in (project / part).rglob("*")]
    for file in sorted([*project.glob("*.yml"), *parts]):
        seen = file.stat()
        digest.update(f"{file}:{seen.st_size}:{seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _noted_rules(connection: Connection) -> dict[str, str]:
    with connection, connection.cursor() as cursor:
        cursor.execute("select name, rules_hash from hub.transform_marks where starts_with(name, %s)", (RULES,))
        return dict(cursor.fetchall())


def _forget_rules(connection: Connection, names: Collection[str]) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from hub.transform_marks where name = any(%s)", ([f"{RULES}{name}" for name in names],))


def note_rules(connection: Connection, rules: Mapping[str, str]) -> None:
    """Note that the candidates are now built by these rules."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.transform_marks as noted (name, rules_hash, at)
            select name, rules_hash, now() from unnest(%s, %s) as given (name, rules_hash)
            on conflict (name) do update set rules_hash = excluded.rules_hash, at = excluded.at
            where noted.rules_hash is distinct from excluded.rules_hash
            """,
            (list(rules), list(rules.values())),
        )


# marks


def _note_pending(connection: Connection) -> int | None:
    """Note up to where this build sees all changes, and return the mark of the last publish; None before the first.

    A transaction still open now may commit later under a smaller number than one already seen: hence the oldest number
    in progress, not the newest.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.transform_marks as marks (name, pending_xid, at)
            values ('published', pg_snapshot_xmin(pg_current_snapshot())::text::bigint, now())
            on conflict (name) do update set pending_xid = excluded.pending_xid, at = excluded.at
            returning changed_xid
            """
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _anything_due(connection: Connection, mark: int) -> bool:
    """Return whether anything that a model reads changed since the mark; a few looks into indexes."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select n.nspname, c.relname from pg_class as c
            inner join pg_namespace as n on c.relnamespace = n.oid
            inner join pg_attribute as a on c.oid = a.attrelid and a.attname = 'changed_xid' and not a.attisdropped
            where starts_with(n.nspname, 'raw_') and c.relkind = 'r' and c.relname <> 'reads'
            """
        )
        looks: list[sql.Composable] = [
            sql.SQL("exists (select from {} where changed_xid >= {})").format(sql.Identifier(*table), sql.Literal(mark))
            for table in cursor.fetchall()
        ]
        looks += [sql.SQL("exists (select from {})").format(sql.Identifier(*table.split("."))) for table in BEFORE]
        # A partner that was renamed: any of its rows tells, the first by the key's index.
        looks.append(
            sql.SQL(
                """exists (
                    select from hub.timing_partners as partners
                    cross join lateral (
                        select timing_partner_name from candidate.participant_tracking as sample
                        where sample.timing_partner_id = partners.timing_partner_id
                        order by sample.global_participant_id limit 1
                    ) as written
                    where written.timing_partner_name is distinct from partners.company_name
                )"""
            )
        )
        cursor.execute(sql.SQL("select {}").format(sql.SQL(" or ").join(looks)))
        return cursor.fetchone() == (True,)


def _refresh_statistics(connection: Connection) -> None:
    """Tell the planner about raw tables that were just filled; autovacuum would, a minute later.

    Without it a first build takes minutes where seconds do.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            select schemaname, relname from pg_stat_user_tables
            where
                starts_with(schemaname, 'raw_')
                and n_mod_since_analyze > 100 + 0.1 * greatest(n_live_tup - n_mod_since_analyze, 0)
            """
        )
        for table in cursor.fetchall():
            cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(*table)))


# small things


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have variables in this process's environment for a while: dbt copies it when an invocation begins."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _first_failure(result: Any) -> str:
    for one in getattr(result.result, "results", None) or ():
        if str(one.status) in {"error", "fail"}:
            said = (one.message or "").split("compiled code at")[0]
            return f"{one.node.unique_id}: {' '.join(said.split())[:300]}"
    if result.exception is not None:
        return " ".join(str(result.exception).split())[:300]
    return "ended without a word"
