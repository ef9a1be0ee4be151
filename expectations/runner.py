"""The gate: what arrived and what would leave, judged before anybody reads it.

Judged is what changed since the last publish (expectations.due); totals are read from maintained counts.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import psycopg2
from psycopg2 import sql
from psycopg2.extras import execute_values

from expectations import due, quarantine, streams
from expectations.rules import CASCADE, QUARANTINE, ROW_LEVEL, STOP, WARN, Rule
from project88 import candidate_log, raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg2.extensions import connection, cursor

    from expectations.rules import SuiteModule
    from expectations.session import Outcome, Session

Stage = Literal["arrivals", "candidates"]
PROVIDERS = ("runsignup", "chronotrack", "letsdothis", "raceroster", "haku", "copernico")
# In hub.quarantine a stage is one record's place on its way.
_PLACE = {"arrivals": "arrival", "candidates": "candidate"}
_ROW_SUITES: dict[str, tuple[str, ...]] = {
    "arrivals": (
        "raw_runsignup_events", "raw_runsignup_participants", "raw_runsignup_removed_participants",
        "raw_runsignup_results", "raw_chronotrack_events", "raw_chronotrack_races", "raw_chronotrack_entries",
        "raw_chronotrack_brackets", "raw_chronotrack_intervals", "raw_chronotrack_results",
        "raw_letsdothis_occurrences", "raw_letsdothis_races", "raw_letsdothis_participants",
        "raw_letsdothis_applications",
        "raw_raceroster_events", "raw_raceroster_sub_events", "raw_raceroster_participants", "raw_raceroster_results",
        "raw_haku_events", "raw_haku_categories", "raw_haku_participants", "raw_haku_registrations",
        "raw_copernico_events", "raw_copernico_participants", "raw_copernico_results",
    ),
    "candidates": (
        "unified_events", "unified_races", "unified_divisions", "unified_timing_points",
        "unified_participants", "unified_results", "participant_tracking", "entry_links",
        "results_without_entry", "person_changes",
    ),
}  # fmt: skip
KEPT_DAYS = 30  # of measures that were never published
# A live process passes some thirty suites a minute; what failed is kept for those who audit.
PASSED_KEPT_DAYS, FAILED_KEPT_DAYS = 2, 800
# These cannot be accepted: publishing would lose rows, choose between rows at random, or judge nothing at all.
NOT_WAIVABLE = frozenset({"nothing_unaccounted", "one_row_per_key", "relation_is_there", "could_be_checked"})
WAIVABLE = frozenset(
    {
        "count_collapse", "suddenly_empty", "quarantine_share", "nulls_jump", "freshness", "reads_reconcile",
    }
)  # fmt: skip
SAMPLE_KEYS = 5
# A suite without a row to judge is not run; this stands for all its rules in hub.gate_results.
NOTHING_DUE = "nothing_to_judge"
# In a live process the pages are written when what fails changes, else so often: that takes longer than judging.
DOCS_EVERY = timedelta(minutes=10)


@dataclass(frozen=True)
class Failure:
    """Why nothing may be published."""

    rule: str
    relation: str
    source_provider: str | None
    timing_partner_id: int | None
    failing: int
    sample_keys: list[str]
    message: str


@dataclass(frozen=True)
class GateReport:
    """What one stage of the gate came to."""

    passed: bool
    failures: list[Failure]
    quarantined: int
    resolved: int
    warnings: list[Failure] = field(default_factory=list)
    waived: list[Failure] = field(default_factory=list)


@dataclass
class _Finding:
    """One line of hub.gate_results."""

    relation: str
    rule: str
    severity: str
    success: bool
    source_provider: str | None = None
    timing_partner_id: int | None = None
    failing: int = 0
    sample_keys: list[str] = field(default_factory=list)
    message: str = ""

    @property
    def failure(self) -> Failure:
        return Failure(
            self.rule, self.relation, self.source_provider, self.timing_partner_id, self.failing,
            self.sample_keys, self.message,
        )  # fmt: skip


def ensure_tables(conn: connection) -> None:
    """Bring up to date what the gate keeps in schema hub, and commit; cheap where nothing has changed."""
    from project88.db import schema
    from project88.persons.schema import ensure as ensure_persons

    schema.ensure_hub(conn)
    ensure_persons(conn)
    text = (Path(__file__).parent / "hub_gate.sql").read_text(encoding="utf-8")
    with conn:
        if schema.is_applied(conn, "gate", text):
            return
        with conn.cursor() as cur:
            # Two processes that start at once would both create.
            cur.execute("select pg_advisory_xact_lock(hashtextextended('gate schema', 88))")
            cur.execute("set local client_min_messages = warning")
            cur.execute(text)
        schema.mark_applied(conn, "gate", text)


class Gate:
    """The gate over one database, run again and again by a process that stays.

    What is slow to start (importing Great Expectations takes seconds) is paid for once a process. A context of its own
    for each run takes 20 ms and keeps nothing of the run before.
    """

    def __init__(self, dsn: str, *, docs_every: timedelta = DOCS_EVERY) -> None:
        """Remember the database; connections are opened for a run."""
        self._dsn, self._docs_every = dsn, docs_every
        self._told: dict[Stage, tuple[frozenset[tuple[str, str]], datetime]] = {}

    def run(self, stage: Stage, run_id: str, now: datetime, docs_dir: Path | None) -> GateReport:
        """Judge a stage, write quarantine and results, and say whether the publish may go on.

        Row-level failures are held back and never fail the stage; a failure in the report means stop. Data docs are
        written to `docs_dir`/<stage>, beside an index of both stages, when something else fails than before, and every
        ten minutes.
        """
        if stage not in _ROW_SUITES:
            raise ValueError(f"no such stage: {stage!r}; it is one of {', '.join(_ROW_SUITES)}")
        if now.tzinfo is None:
            raise ValueError("now must carry its zone")
        from expectations.session import Session

        now = now.astimezone(UTC)
        conn = psycopg2.connect(self._dsn)
        try:
            with conn.cursor() as cur:
                cur.execute("set time zone 'UTC'")
                # One gate at a time per stage: its views and its findings belong to one run.
                cur.execute("select pg_advisory_lock(hashtext('project88.gate'), hashtext(%s))", (stage,))
            conn.commit()
            ensure_tables(conn)
            if stage == "arrivals":
                raw.count(conn)
            candidate_log.ensure(conn)
            with conn.cursor() as cur:
                # Great Expectations names the views without their schema.
                cur.execute("set search_path = gate")
            conn.commit()
            session = Session(self._dsn, now)
            try:
                run = _Run(conn, session, stage, run_id, now)
                report = run.report()
                if docs_dir is not None and self._has_news(stage, run.findings, now):
                    session.write_docs(docs_dir / stage)
                    _write_index(docs_dir)
            finally:
                session.close()
            return report
        finally:
            conn.close()

    def _has_news(self, stage: Stage, findings: Sequence[_Finding], now: datetime) -> bool:
        failed = frozenset((finding.relation, finding.rule) for finding in findings if not finding.success)
        told, at = self._told.get(stage, (None, now))
        if told == failed and now - at < self._docs_every:
            return False
        self._told[stage] = (failed, now)
        return True


def run_gate(dsn: str, stage: Stage, run_id: str, now: datetime, docs_dir: Path | None) -> GateReport:
    """Judge a stage once; see Gate.run."""
    return Gate(dsn).run(stage, run_id, now, docs_dir)


def accept_baseline(conn: connection, run_id: str) -> int:
    """Make this run's counts those of the last publish, and its suites the ones that judged it; return how many counts.

    Called by the publish inside its transaction, so that counts and published rows change together. Waivers that
    the run made use of are spent by it.
    """
    with conn.cursor() as cur:
        cur.execute("select to_regclass('hub.gate_baselines') is null")
        if (cur.fetchone() or (True,))[0]:
            return 0
        cur.execute(
            "delete from hub.gate_baselines where (stage, relation) in"
            " (select stage, relation from hub.gate_measures where run_id = %s)",
            (run_id,),
        )
        cur.execute(
            """
            insert into hub.gate_baselines (
                stage, relation, source_provider, timing_partner_id, rows, live, quarantined, arrivals, newest, facts,
                run_id, accepted_at
            )
            select
                stage, relation, source_provider, timing_partner_id, rows, live, quarantined, arrivals, newest, facts,
                run_id, measured_at
            from hub.gate_measures
            where run_id = %s
            """,
            (run_id,),
        )
        accepted = cur.rowcount
        cur.execute(
            "update hub.gate_suites set fingerprint = next_fingerprint, judged_on = next_judged_on, next_run_id = null"
            " where next_run_id = %s",
            (run_id,),
        )
        cur.execute(
            "update hub.gate_waivers set used_at = coalesce("
            " (select max(measured_at) from hub.gate_measures where run_id = %(run_id)s), created_at)"
            " where honoured_run_id = %(run_id)s and used_at is null",
            {"run_id": run_id},
        )
        return accepted


def waive(
    conn: connection,
    *,
    rule: str,
    reason: str,
    until: datetime,
    now: datetime | None = None,
    timing_partner_id: int | None = None,
    source_provider: str | None = None,
    relation: str | None = None,
) -> int:
    """Accept a stop that is expected, for one publish before `until`; return the waiver's id.

    A partner, provider or relation left out means any.
    """
    now = now or datetime.now(UTC)
    if rule not in WAIVABLE:
        raise ValueError(f"{rule} cannot be accepted; these can: {', '.join(sorted(WAIVABLE))}")
    if not reason.strip():
        raise ValueError("say why the stop is expected")
    if until <= now:
        raise ValueError("the waiver would have ended already")
    with conn.cursor() as cur:
        cur.execute(
            """
            insert into hub.gate_waivers (
                rule, timing_partner_id, source_provider, relation, reason, until, created_at
            ) values (%s, %s, %s, %s, %s, %s, %s) returning waiver_id
            """,
            (rule, timing_partner_id, source_provider, relation, reason, until, now),
        )
        row = cur.fetchone()
    conn.commit()
    return int(row[0]) if row else 0


def _suites(stage: str) -> list[SuiteModule]:
    """Return the suites of rows, one per table."""
    return [cast("SuiteModule", importlib.import_module(f"expectations.suites.{n}")) for n in _ROW_SUITES[stage]]


def _due(module: SuiteModule) -> str:
    """Return the name of the table with the keys that a suite judges."""
    return f"due_{module.NAME}"


def row_rules(stage: Stage) -> list[tuple[str, Rule]]:
    """Return every row-level rule of a stage with the relation that it holds rows back from."""
    from expectations.suites import held_back_parents

    modules = _suites(stage)
    if stage == "candidates":
        modules += list(held_back_parents.SUITES)
    found: list[tuple[str, Rule]] = []
    for module in modules:
        found += [(module.RELATION, rule) for rule in due.rules_of(module) if rule.effect in ROW_LEVEL]
    return found


class _Run:
    """One stage, judged once."""

    def __init__(self, conn: connection, session: Session, stage: Stage, run_id: str, now: datetime) -> None:
        self.conn, self.session, self.stage, self.run_id, self.now = conn, session, stage, run_id, now
        self.findings: list[_Finding] = []
        self.freed = 0
        self._tables = self._existing_tables()

    def report(self) -> GateReport:
        """Judge everything that is due and write down what was found."""
        with self.conn.cursor() as cur:
            self.judged = due.Judged(cur, self.now.date(), self.run_id)
            self.arrivals = due.Arrivals(cur, self._tables, self.judged)
        if self.stage == "arrivals":
            self._judge_arrivals()
        else:
            self._judge_candidates()
        return self._conclude()

    def _judge_arrivals(self) -> None:
        from expectations.suites import reads

        self._take_over_rejects()
        self._judge_rows(_suites(self.stage), lambda cur: due.Arrivals(cur, self._tables, self.judged))
        self._retire()
        self._measure(self._changed_streams())
        sets: list[SuiteModule] = []
        for suite in reads.SUITES:
            # A reading is compared when it is new; how old the last one is, the clock changes as well.
            if isinstance(suite, reads.Freshness) or suite.NEEDS[0] in self.arrivals.changed:
                sets.append(suite)
            else:
                self._pass(suite)
        self._judge_sets(sets)

    def _judge_candidates(self) -> None:
        from expectations.suites import held_back_parents, reconciliation

        self._require_relations()
        with self.conn.cursor() as cur:
            cur.execute("analyze hub.candidate_changes, hub.quarantine_changes")
        self.conn.commit()
        self._judge_rows(_suites(self.stage), self._due_candidates)
        # Asked after the suites of the parents: what these hold back takes along what is below.
        self._judge_rows(list(held_back_parents.SUITES), self._due_candidates)
        self._retire()
        with self.conn.cursor() as cur:
            touched = self._due_candidates(cur).touched
        self.conn.commit()
        self._measure(touched)
        reconciled = cast("SuiteModule", reconciliation)
        if touched or self.arrivals.changed:
            self._judge_sets([reconciled])
        else:
            self._pass(reconciled)
            self._judge_sets([])

    def _due_candidates(self, cur: cursor) -> due.Candidates:
        return due.Candidates(cur, self._tables, self.judged)

    def _existing_tables(self) -> set[str]:
        with self.conn.cursor() as cur:
            cur.execute("select schemaname || '.' || tablename from pg_tables union all"
                        " select schemaname || '.' || viewname from pg_views")  # fmt: skip
            tables = {row[0] for row in cur.fetchall()}
        self.conn.commit()
        return tables

    def _take_over_rejects(self) -> None:
        for provider in PROVIDERS:
            has_both = {f"raw_{provider}.rejects", f"raw_{provider}.reads"} <= self._tables
            if has_both and any(table.startswith(f"raw_{provider}.") for table in self.arrivals.changed):
                with self.conn.cursor() as cur:
                    self.freed += quarantine.take_over_rejects(
                        cur, provider=provider, tables=self._tables, mark=self.arrivals.mark or 0,
                        run_id=self.run_id, now=self.now,
                    )  # fmt: skip
                self.conn.commit()

    def _require_relations(self) -> None:
        needed = [r.table for r in streams.RELATIONS] + [
            "candidate.participant_tracking",
            "candidate.entry_links",
            "candidate.results_without_entry",
            "candidate.person_changes",
            "candidate.reconciliation",
        ]
        for table in needed:
            if table not in self._tables:
                name = table.split(".")[1]
                self.findings.append(
                    _Finding(
                        name, "relation_is_there", STOP, success=False, failing=1,
                        message=f"{table} does not exist. Build the models first: p88 build",
                    )
                )  # fmt: skip

    def _judge_rows(
        self, modules: Sequence[SuiteModule], what: Callable[[cursor], due.Arrivals | due.Candidates]
    ) -> None:
        """Judge what is due of the suites of rows, then write the rows that they hold back."""
        modules = [m for m in modules if set(m.NEEDS) <= self._tables]
        with self._assets(modules):
            judged = []
            for module, scope, has_rows in self._lay_out(modules, what):
                if scope is None or not has_rows:
                    self._pass(module)
                if scope is not None:
                    judged.append((module, scope, self.session.judge(module) if has_rows else None))
            with self.conn.cursor() as cur:
                self._settle(cur, judged)
                self.judged.cur = cur
                self.judged.note(modules)
            self.conn.commit()

    def _lay_out(
        self, modules: Sequence[SuiteModule], what: Callable[[cursor], due.Arrivals | due.Candidates]
    ) -> list[tuple[SuiteModule, due.Scope, bool]]:
        """Make what Great Expectations judges; return what is due of each suite, and whether there is a row of it.

        Of all rows it is a view. Few rows are put down as a table: they are looked up by key once, not once a question.
        """
        laid = []
        with self.conn.cursor() as cur:
            changed = what(cur)
            for module in modules:
                scope = changed.scope(module)
                has_rows = False
                if isinstance(scope, due.Everything):
                    cur.execute(f"select exists (select from {module.NEEDS[0]})")  # noqa: S608 - our own name
                    has_rows = cur.fetchone() == (True,)
                    if has_rows:
                        # Great Expectations names each column several times; the fence has it computed once a row.
                        self._make(cur, "view {} with (security_invoker = true)", module.NAME, module.VIEW + "offset 0")
                elif scope is not None:
                    keys = _due(module)
                    self._make(cur, "unlogged table {}", keys, scope.query.replace("%", "%%"))
                    cur.execute(sql.SQL("analyze {}").format(sql.Identifier("gate", keys)))
                    joined = f"{module.VIEW} inner join gate.{keys} as due using ({', '.join(scope.keys)})"
                    has_rows = self._make(cur, "unlogged table {}", module.NAME, joined) > 0
                laid.append((module, scope, has_rows))
        self.conn.commit()
        return laid

    def _make(self, cur: cursor, what: str, name: str, select: str) -> int:
        cur.execute(
            sql.SQL(f"create {what} as ").format(sql.Identifier("gate", name)) + sql.SQL(select),
            {
                "now": self.now, "today": self.now.date(), "run_id": self.run_id, "mark": self.arrivals.mark or 0,
            },
        )  # fmt: skip
        return cur.rowcount

    @contextlib.contextmanager
    def _assets(self, modules: Sequence[SuiteModule]) -> Iterator[None]:
        """Drop what was made for these suites when they are judged, and before what a killed run left.

        Views would be in the way of every later change to the tables below them. Queries as assets would need neither
        views nor tables, but Great Expectations reads such a query to its end, into memory, to learn its columns.
        """
        names = [name for module in modules for name in (module.NAME, _due(module))]
        self._drop(names)
        try:
            yield
        finally:
            self.conn.rollback()
            self._drop(names)

    def _drop(self, names: list[str]) -> None:
        with self.conn.cursor() as cur:
            cur.execute(
                "select c.relname, c.relkind = 'v' from pg_class as c"
                " where c.relnamespace = 'gate'::regnamespace and c.relname = any(%s)",
                (names,),
            )
            for name, is_view in cur.fetchall():
                cur.execute(
                    sql.SQL("drop view {}" if is_view else "drop table {}").format(sql.Identifier("gate", name))
                )
        self.conn.commit()

    def _settle(
        self, cur: cursor, judged: Sequence[tuple[SuiteModule, due.Everything | due.Rows, Sequence[Outcome] | None]]
    ) -> None:
        """Write the findings down, and free what passes again among the rows that were judged."""
        quarantine.begin(cur)
        answered: list[tuple[str, str, str | None]] = []
        unchecked = []
        for module, scope, outcomes in judged:
            suite = None
            if isinstance(scope, due.Rows):
                suite = module.NAME
                quarantine.judged(cur, suite=suite, due=_due(module))
            for outcome in outcomes or ():
                self._record(cur, module, scope, outcome)
                if outcome.error:
                    unchecked.append(outcome.rule.name)
            answered += [
                (module.RELATION, rule.name, suite) for rule in due.rules_of(module) if rule.effect in ROW_LEVEL
            ]
        self.freed += quarantine.settle(
            cur, stage=_PLACE[self.stage], rules=answered, unchecked=unchecked, run_id=self.run_id, now=self.now
        )

    def _judge_sets(self, modules: Sequence[SuiteModule]) -> None:
        """Judge suites over sets: those of counts, and the ones given."""
        from expectations.suites import counts, missing_values

        every: list[SuiteModule] = [counts.SUITES[self.stage], missing_values.SUITES[self.stage], *modules]
        every = [m for m in every if set(m.NEEDS) <= self._tables]
        with self._assets(every):
            with self.conn.cursor() as cur:
                filled = [m for m in every if self._make(cur, "unlogged table {}", m.NAME, m.VIEW)]
            self.conn.commit()
            for module in every:
                if module in filled:
                    for outcome in self.session.judge(module):
                        self._record_set(module, outcome)
                else:
                    self._pass(module)

    def _pass(self, module: SuiteModule) -> None:
        """Record that a suite had nothing to judge."""
        self.findings.append(_Finding(module.RELATION or module.NAME, NOTHING_DUE, STOP, success=True))

    def _record(self, cur: cursor, module: SuiteModule, scope: due.Everything | due.Rows, outcome: Outcome) -> None:
        """Turn the outcome of an expectation over rows into findings and quarantine."""
        if outcome.failing_rows and not outcome.error and not outcome.success:
            self._record_rows(cur, module, scope, outcome)
        else:
            self._record_set(module, outcome)

    def _record_set(self, module: SuiteModule, outcome: Outcome) -> None:
        """Turn the outcome of an expectation over a set into findings."""
        rule, relation = outcome.rule, module.RELATION or module.NAME
        if outcome.error:
            self.findings.append(
                _Finding(
                    relation, "could_be_checked", STOP, success=False, failing=1,
                    message=f"{rule.name} could not be evaluated:"
                    f" {outcome.error}. Repair the suite expectations/suites/{module.NAME}.py or the column it reads",
                )
            )  # fmt: skip
        elif outcome.success:
            self.findings.append(_Finding(relation, rule.name, rule.effect, success=True, message=""))
        else:
            self._record_groups(relation, outcome)

    def _record_rows(
        self, cur: cursor, module: SuiteModule, scope: due.Everything | due.Rows, outcome: Outcome
    ) -> None:
        rule, relation = outcome.rule, module.RELATION
        predicate = (outcome.failing_rows or "").replace("%", "%%")
        cur.execute(
            sql.SQL(
                "select source_provider, timing_partner_id, count(*), (array_agg(row_key order by row_key))[1:5] {}"
                " group by source_provider, timing_partner_id order by 1, 2"
            ).format(sql.SQL(predicate)),
            {},
        )
        for provider, partner, failing, samples in cur.fetchall():
            does = "they are told only" if rule.effect == WARN else "they are held back"
            self.findings.append(
                _Finding(
                    relation, rule.name, rule.effect, success=False, source_provider=provider,
                    timing_partner_id=partner, failing=failing, sample_keys=list(samples or []),
                    message=f"{failing} of {relation}: {rule.reason}; {does}"
                    + (f" ({rule.remedy})" if rule.remedy else ""),
                )
            )  # fmt: skip
        if rule.effect in ROW_LEVEL:
            quarantine.note(
                cur, table=module.NEEDS[0], relation=relation, rule=rule.name, reason=rule.reason,
                value=outcome.value_column, failing_rows=outcome.failing_rows or "",
                due=_due(module) if isinstance(scope, due.Rows) else None,
                keys=scope.keys if isinstance(scope, due.Rows) else (),
            )  # fmt: skip

    def _record_groups(self, relation: str, outcome: Outcome) -> None:
        rule = outcome.rule
        for group in outcome.groups:
            where, provider = group.get("relation") or relation, group["source_provider"]
            partner = int(group["timing_partner_id"])
            remedy = f" {rule.remedy[:1].upper()}{rule.remedy[1:]}." if rule.remedy else ""
            accept = (
                f" If it is expected: p88 gate accept {rule.name} --partner {partner} --provider {provider}"
                f" --relation {where} --reason '…'"
            )
            self.findings.append(
                _Finding(
                    where, rule.name, rule.effect, success=False, source_provider=provider,
                    timing_partner_id=partner, failing=int(group["failing"]),
                    sample_keys=[str(k) for k in group["sample_keys"] or []],
                    message=f"{group['detail']}.{remedy}"
                    + (accept if rule.name in WAIVABLE else ""),
                )
            )  # fmt: skip

    def _retire(self) -> None:
        rules = [(relation, rule.name) for relation, rule in row_rules(self.stage)]
        with self.conn.cursor() as cur:
            self.freed += quarantine.retire(
                cur, stage=_PLACE[self.stage], rules=rules, run_id=self.run_id, now=self.now
            )
        self.conn.commit()

    def _changed_streams(self) -> set[str]:
        """Return the raw tables whose measures may differ from those of the last publish."""
        if self.arrivals.mark is None:
            return {stream.table for stream in streams.STREAMS}
        changed = set(self.arrivals.changed)
        for stream in streams.STREAMS:
            if f"raw_{stream.provider}.removals" in changed:
                changed.add(stream.table)
        with self.conn.cursor() as cur:
            # Rows deleted by hand, or counted anew.
            cur.execute(
                """
                select 'raw_' || coalesce(c.provider || '.' || c.stream, substr(b.relation, 5))
                from hub.raw_counts as c
                full join (select * from hub.gate_baselines where stage = 'arrivals') as b
                    on b.relation = 'raw_' || c.provider || '.' || c.stream
                    and b.timing_partner_id = c.timing_partner_id
                where b.rows is distinct from c.rows and (coalesce(b.rows, 0), coalesce(c.rows, 0)) <> (0, 0)
                """
            )
            changed |= {row[0] for row in cur.fetchall()}
        self.conn.commit()
        return changed

    def _measure(self, changed: set[str]) -> None:
        """Count per partner and provider what the rules over sets compare, of the relations that changed."""
        from expectations.suites import held_back_parents

        cascades = (held_back_parents.EVENT_RULE, held_back_parents.RACE_RULE)
        if self.stage == "arrivals":
            selects = [
                streams.count_stream(s, self.arrivals.since("t"))
                for s in streams.STREAMS
                if s.table in changed and {s.table, f"raw_{s.provider}.removals"} <= self._tables
            ]
        else:
            with self.conn.cursor() as cur:
                wholes = self._due_candidates(cur).wholes
            selects = [
                streams.count_relation(r, cascades, whole=r.name in wholes)
                for r in streams.RELATIONS
                if r.name in changed and r.table in self._tables
            ]
        with self.conn.cursor() as cur:
            cur.execute(
                "delete from hub.gate_measures where (run_id = %s and stage = %s) or measured_at < %s",
                (self.run_id, self.stage, self.now - timedelta(days=KEPT_DAYS)),
            )
            for select in selects:
                cur.execute(
                    sql.SQL(
                        "insert into hub.gate_measures (run_id, stage, relation, source_provider,"
                        " timing_partner_id, rows, live, quarantined, recent, arrivals, newest, facts, measured_at) "
                    )
                    + sql.SQL(select),
                    {"run_id": self.run_id, "now": self.now},
                )
        self.conn.commit()

    def _conclude(self) -> GateReport:
        """Write the results, honour waivers, and return the report."""
        with self.conn.cursor() as cur:
            for finding in self.findings:
                if not finding.success and finding.severity == STOP and not finding.sample_keys:
                    finding.sample_keys = self._samples(cur, finding)
            cur.execute(
                "select waiver_id, rule, timing_partner_id, source_provider, relation, reason from hub.gate_waivers"
                " where used_at is null and until > %s order by waiver_id",
                (self.now,),
            )
            waivers = cur.fetchall()
            stops, waived, warned = [], [], []
            for finding in self.findings:
                if finding.success:
                    continue
                if finding.severity == WARN:
                    warned.append(finding.failure)
                elif finding.severity == STOP:
                    waiver = next((w for w in waivers if _covers(w, finding)), None)
                    if waiver is None:
                        stops.append(finding.failure)
                        continue
                    finding.message = f"accepted ({waiver[5]}): {finding.message}"
                    waived.append(finding.failure)
                    cur.execute(
                        "update hub.gate_waivers set honoured_run_id = %s where waiver_id = %s",
                        (self.run_id, waiver[0]),
                    )
            self._write_results(cur)
            held = quarantine.held(cur, ("tap", "arrival") if self.stage == "arrivals" else ("candidate",))
        self.conn.commit()
        return GateReport(
            passed=not stops, failures=stops, quarantined=held, resolved=self.freed, warnings=warned,
            waived=waived,
        )  # fmt: skip

    def _write_results(self, cur: cursor) -> None:
        cur.execute("delete from hub.gate_results where run_id = %s and stage = %s", (self.run_id, self.stage))
        cur.execute(
            "delete from hub.gate_results where checked_at < %s and (success or checked_at < %s)",
            (self.now - timedelta(days=PASSED_KEPT_DAYS), self.now - timedelta(days=FAILED_KEPT_DAYS)),
        )
        execute_values(
            cur,
            """
            insert into hub.gate_results (
                run_id, stage, relation, rule, timing_partner_id, source_provider, success, is_row_level,
                failing, sample_keys, message, checked_at, severity
            ) values %s
            """,
            [
                (
                    self.run_id, self.stage, f.relation, f.rule, f.timing_partner_id, f.source_provider, f.success,
                    f.severity in ROW_LEVEL, f.failing, f.sample_keys, f.message, self.now,
                    QUARANTINE if f.severity == CASCADE else f.severity,
                )
                for f in self.findings
            ],
            template="(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s, %s, %s)",
            page_size=500,
        )  # fmt: skip

    def _samples(self, cur: cursor, finding: _Finding) -> list[str]:
        """Return keys that show what a rule over a set is about."""
        scope = {"provider": finding.source_provider, "partner": finding.timing_partner_id}
        if finding.rule == "quarantine_share":
            cur.execute(
                "select distinct row_key from hub.quarantine where relation = %(relation)s and resolved_at is null"
                " and source_provider = %(provider)s and timing_partner_id = %(partner)s order by 1 limit 5",
                scope | {"relation": finding.relation},
            )
            return [row[0] for row in cur.fetchall()]
        if finding.rule not in ("count_collapse", "suddenly_empty"):
            return []
        relation = next((r for r in streams.RELATIONS if r.name == finding.relation), None)
        if relation is not None and f"unified.{relation.name}" in self._tables:
            key = sql.Identifier(relation.key)
            absent = sql.SQL(" or coalesce(c.is_removed, false)") if relation.has_removals else sql.SQL("")
            cur.execute(
                sql.SQL(
                    "select u.{key} from {published} as u left join {candidate} as c on c.{key} = u.{key}"
                    " where u.source_provider = %(provider)s and u.timing_partner_id = %(partner)s"
                    " and (c.{key} is null{absent}) order by 1 limit 5"
                ).format(
                    key=key,
                    published=sql.Identifier("unified", relation.name),
                    candidate=sql.Identifier("candidate", relation.name),
                    absent=absent,
                ),
                scope,
            )
            return [row[0] for row in cur.fetchall()]
        stream = next((s for s in streams.STREAMS if s.table == finding.relation), None)
        if stream is not None:
            cur.execute(
                sql.SQL(
                    "select record_key from {} where stream = %(stream)s and timing_partner_id = %(partner)s"
                    " and returned_at is null order by noticed_at desc, record_key limit 5"
                ).format(sql.Identifier(f"raw_{stream.provider}", "removals")),
                scope | {"stream": stream.name},
            )
            return [f"{stream.provider}/{finding.timing_partner_id}/{row[0]}" for row in cur.fetchall()]
        return []


def _covers(waiver: Sequence[Any], finding: _Finding) -> bool:
    """Say whether an operator accepted this stop."""
    _, rule, partner, provider, relation, _ = waiver
    return (
        rule == finding.rule
        and partner in (None, finding.timing_partner_id)
        and provider in (None, finding.source_provider)
        and relation in (None, finding.relation)
    )


def _write_index(docs_dir: Path) -> None:
    """Write the page that leads to both stages."""
    names = {"arrivals": "What arrived", "candidates": "What would be published"}
    links = "\n".join(
        f'<li><a href="{stage}/index.html">{title}</a></li>'
        for stage, title in names.items()
        if (docs_dir / stage / "index.html").exists()
    )
    (docs_dir / "index.html").write_text(
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>The gate</title></head>"
        f"<body><h1>The gate</h1><p>The last run of each stage.</p><ul>\n{links}\n</ul></body></html>\n",
        encoding="utf-8",
    )
