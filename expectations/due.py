"""Which rows a run of the gate judges: what changed since the last publish, and what hangs on it.

A verdict over a row stands until the row, its parents, the day or the suite changes. So a suite is given the rows of
which one of these did, as a small table of their keys; the verdicts over all others stay as they are. Everything is
judged before the first publish, when the suite itself changed, and when a candidate relation was built anew.
"""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

import hashlib
import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from expectations import streams
from expectations.rules import CASCADE, ROW_LEVEL, Rule
from project88 import candidate_log
from project88.published import RELATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from psycopg2.extensions import cursor

    from expectations.rules import SuiteModule

EVENTS, RACES = "unified_events", "unified_races"


@dataclass(frozen=True)
class Everything:
    """All rows are judged."""


@dataclass(frozen=True)
class Rows:
    """The rows are judged whose keys `query` selects: row_key, then the columns of the table's key."""

    keys: tuple[str, ...]
    query: str


Scope = Everything | Rows | None
"""None: no row is due, and the suite is not run."""


# By the suite's name: neither changes while a process lives, and both are asked for in every run.
_RULES: dict[str, tuple[Rule, ...]] = {}
_FINGERPRINTS: dict[str, str] = {}


def rules_of(module: SuiteModule) -> tuple[Rule, ...]:
    """Return the rules of a suite."""
    if module.NAME not in _RULES:
        _RULES[module.NAME] = tuple(Rule.of(expectation.meta or {}) for expectation in module.suite().expectations)
    return _RULES[module.NAME]


def fingerprint(module: SuiteModule) -> str:
    """Return a hash over all that decides what a suite says of a row."""
    if module.NAME not in _FINGERPRINTS:
        source = inspect.getsourcefile(module if inspect.ismodule(module) else type(module))
        digest = hashlib.sha256(module.VIEW.encode())
        for file in (Path(str(source)), Path(str(sys.modules[Rule.__module__].__file__))):
            digest.update(file.read_bytes())
        _FINGERPRINTS[module.NAME] = digest.hexdigest()[:16]
    return _FINGERPRINTS[module.NAME]


def mark(cur: cursor) -> int | None:
    """Return the mark from which on a raw row may have changed since the last publish; None before the first."""
    cur.execute("select changed_xid from hub.transform_marks where name = 'published'")
    row = cur.fetchone()
    return row[0] if row else None


@dataclass
class Judged:
    """By what each suite was judged when its verdicts were last published: its fingerprint, and the day."""

    cur: cursor
    today: date
    run_id: str
    known: dict[str, tuple[str, date]] = field(init=False)

    def __post_init__(self) -> None:
        """Read what is known."""
        self.cur.execute("select name, fingerprint, judged_on from hub.gate_suites where fingerprint is not null")
        self.known = {name: (found, day) for name, found, day in self.cur.fetchall()}

    def is_same(self, module: SuiteModule) -> bool:
        """Say whether the suite is the one that judged the rows of the last publish."""
        return self.known.get(module.NAME, ("", None))[0] == fingerprint(module)

    def is_new_day(self, module: SuiteModule) -> bool:
        """Say whether a rule that asks for today's date may answer differently by now."""
        return self.known.get(module.NAME, ("", None))[1] != self.today

    def note(self, modules: Sequence[SuiteModule]) -> None:
        """Write down by what this run judges; it counts once the run is published."""
        for module in modules:
            if not self.is_same(module) or self.is_new_day(module):
                self.cur.execute(
                    """
                    insert into hub.gate_suites (name, next_fingerprint, next_judged_on, next_run_id)
                    values (%s, %s, %s, %s)
                    on conflict (name) do update set
                        next_fingerprint = excluded.next_fingerprint, next_judged_on = excluded.next_judged_on,
                        next_run_id = excluded.next_run_id
                    """,
                    (module.NAME, fingerprint(module), self.today, self.run_id),
                )


def _held(module: SuiteModule, stage: str) -> str:
    """Return the select of the row_keys that the suite's own rules hold back now."""
    names = ", ".join(f"'{rule.name}'" for rule in rules_of(module) if rule.effect in ROW_LEVEL)
    provider = ""
    if stage == "arrival":
        provider = f" and q.source_provider = '{_stream(module).provider}'"
    return (
        f"select q.row_key from hub.quarantine as q where q.stage = '{stage}' and q.relation = '{module.RELATION}'"
        f" and q.resolved_at is null and q.rule in ({names or 'null'}){provider}"
    )


def _stream(module: SuiteModule) -> streams.Stream:
    return next(stream for stream in streams.STREAMS if stream.table == module.NEEDS[0])


class Arrivals:
    """What is due of the raw tables: rows at or after the mark, and rows held back whose parents changed."""

    def __init__(self, cur: cursor, tables: set[str], judged: Judged) -> None:
        """Find out which tables changed, by the index on changed_xid."""
        self.cur, self.judged, self.mark = cur, judged, mark(cur)
        self.changed = set()
        for provider in {stream.provider for stream in streams.STREAMS}:
            names = [s.name for s in streams.STREAMS if s.provider == provider] + ["reads", "rejects", "removals"]
            for table in (f"raw_{provider}.{name}" for name in names):
                if table in tables and self._exists(f"select from {table} as t where {self.since('t')}"):
                    self.changed.add(table)

    def since(self, alias: str) -> str:
        """Return the condition that a raw row is at or after the mark, as a literal that the planner can weigh."""
        return "true" if self.mark is None else f"{alias}.changed_xid >= {int(self.mark)}"

    def scope(self, module: SuiteModule) -> Scope:
        """Return which rows of a table the suite judges."""
        if self.mark is None or not self.judged.is_same(module):
            return Everything()
        stream, held = _stream(module), _held(module, "arrival")
        found = []
        if stream.table in self.changed:
            found.append(f"select {stream.row_key} as row_key from {stream.table} as t where {self.since('t')}")
        parents_changed = any(table in self.changed for table in module.NEEDS[1:])
        if (parents_changed or self.judged.is_new_day(module)) and self._exists(held):
            found.append(held)
        if not found:
            return None
        parts = stream.key_parts("k.row_key")
        columns = ", ".join(f"{part} as {column}" for column, part in parts.items())
        # Two rules may hold one row back: it is judged once.
        return Rows(tuple(parts), f"select distinct k.row_key, {columns} from ({' union '.join(found)}) as k")

    def _exists(self, query: str) -> bool:
        self.cur.execute(f"select exists ({query})".replace("%", "%%"))
        return self.cur.fetchone() == (True,)


class Candidates:
    """What is due of the candidates, by their change log and by what was held back or freed above them."""

    def __init__(self, cur: cursor, tables: set[str], judged: Judged) -> None:
        """Read what changed since the last publish."""
        self.cur, self.tables, self.judged = cur, tables, judged
        self.wholes = candidate_log.wholes(cur)
        cur.execute("select distinct relation from hub.candidate_changes")
        self.changed = {row[0] for row in cur.fetchall()}
        cur.execute("select distinct relation from hub.quarantine_changes")
        self.moved = {row[0] for row in cur.fetchall()}

    @property
    def touched(self) -> set[str]:
        """The relations of which rows, or what is held back of them, changed."""
        return self.wholes | self.changed | self.moved

    def scope(self, module: SuiteModule) -> Scope:
        """Return which rows of a relation the suite judges."""
        relation = module.RELATION
        cascades = any(rule.effect == CASCADE for rule in rules_of(module))
        if relation in self.wholes or not self.judged.is_same(module) or f"unified.{relation}" not in self.tables:
            return Everything()
        if cascades:
            above = self.moved & {EVENTS, RACES}
            parents = f"select c.relation, c.row_key from hub.quarantine_changes as c where {_named(above, 'c.')}"
        else:
            above = {need.split(".")[1] for need in module.NEEDS[1:]} & (self.changed | self.wholes)
            parents = " union ".join(self._vanished(parent) for parent in sorted(above & {EVENTS, RACES}))
        found = []
        if relation in self.changed:
            found.append(f"select row_key from hub.candidate_changes where relation = '{relation}'")
        if above or (not cascades and self.judged.is_new_day(module)):
            found.append(_held(module, "candidate"))
        if above & {EVENTS, RACES} and parents and self._note_parents(parents):
            found.append(_children(relation))
        if not found or not self._any(found):
            return None
        keys = RELATIONS[relation]
        query = " union ".join(found)
        beside = getattr(module, "BESIDE", "")
        if beside and relation in self.changed:
            query = f"{query} union {beside}"
        parts = candidate_log.key_parts(keys, "k.row_key")
        columns = ", ".join(f"{part} as {key}" for key, part in zip(keys, parts, strict=True))
        return Rows(keys, f"select distinct k.row_key, {columns} from ({query}) as k")

    def _any(self, queries: list[str]) -> bool:
        self.cur.execute(f"select {' or '.join(f'exists ({query})' for query in queries)}")
        return self.cur.fetchone() == (True,)

    def _vanished(self, parent: str) -> str:
        """Return the select of a relation's keys that were there and are not any more."""
        (key,) = RELATIONS[parent]
        before = f"select u.{key} as row_key from unified.{parent} as u"
        if parent not in self.wholes:
            before = f"select c.row_key from hub.candidate_changes as c where c.relation = '{parent}'"
        return (
            f"select '{parent}' as relation, b.row_key from ({before}) as b"
            f" where (select true from candidate.{parent} as p where p.{key} = b.row_key limit 1) is null"
        )

    def _note_parents(self, parents: str) -> int:
        """Put parents and the events they belong to into a list that the planner knows the length of."""
        self.cur.execute("drop table if exists gate_parents")
        self.cur.execute(
            f"""
            create temp table gate_parents on commit drop as
            select distinct p.relation, p.row_key as parent_key, coalesce(r.event_key, p.row_key) as event_key
            from ({parents}) as p
            left join lateral (
                select c.event_key from candidate.{RACES} as c where c.race_key = p.row_key and p.relation = '{RACES}'
                union
                select u.event_key from unified.{RACES} as u where u.race_key = p.row_key and p.relation = '{RACES}'
            ) as r on true
            """
        )
        count = self.cur.rowcount
        self.cur.execute("analyze gate_parents")
        return int(count)


def _named(relations: set[str], alias: str) -> str:
    names = ", ".join(f"'{relation}'" for relation in sorted(relations))
    return f"{alias}relation in ({names or 'null'})"


def _children(relation: str) -> str:
    """Return the select of what is below the noted parents.

    Looked for in the published relation, which has the index: what is not published is held back or has changed, and so
    is due anyway. A race's rows are looked for below the race's event.
    """
    (key,) = RELATIONS[relation]
    race = "" if relation == RACES else " or u.race_key = g.parent_key"
    return (
        f"select u.{key} as row_key from gate_parents as g inner join unified.{relation} as u"
        f" on u.event_key = g.event_key where g.relation = '{EVENTS}'{race}"
    )
