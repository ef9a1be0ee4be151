"""The gate: what arrived and what would leave, judged before anybody reads it."""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import psycopg2
from psycopg2 import sql

from expectations import quarantine, streams
from expectations.rules import CASCADE, QUARANTINE, ROW_LEVEL, STOP, WARN, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg2.extensions import connection, cursor

    from expectations.rules import SuiteModule
    from expectations.session import Outcome, Session

Stage = Literal["arrivals", "candidates"]
PROVIDERS = ("runsignup", "chronotrack")
# In hub.quarantine a stage is one record's place on its way.
_PLACE = {"arrivals": "arrival", "candidates": "candidate"}
_ROW_SUITES: dict[str, tuple[str, ...]] = {
    "arrivals": (
        "raw_runsignup_events", "raw_runsignup_participants", "raw_runsignup_removed_participants",
        "raw_runsignup_results", "raw_chronotrack_events", "raw_chronotrack_races", "raw_chronotrack_entries",
        "raw_chronotrack_brackets", "raw_chronotrack_intervals", "raw_chronotrack_results",
    ),
    "candidates": (
        "unified_events", "unified_races", "unified_divisions", "unified_timing_points",
        "unified_participants", "unified_results", "participant_tracking",
    ),
}  # fmt: skip
KEPT_DAYS = 30  # of measures that were never published
# These cannot be accepted: publishing would lose rows, choose between rows at random, or judge nothing at all.
NOT_WAIVABLE = frozenset({"nothing_unaccounted", "one_row_per_key", "relation_is_there", "could_be_checked"})
WAIVABLE = frozenset(
    {
        "count_collapse", "suddenly_empty", "quarantine_share", "nulls_jump", "freshness", "reads_reconcile",
    }
)  # fmt: skip
SAMPLE_KEYS = 5


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

    schema.ensure_hub(conn)
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


def run_gate(dsn: str, stage: Stage, run_id: str, now: datetime, docs_dir: Path | None) -> GateReport:
    """Judge a stage, write quarantine and results, and say whether the publish may go on.

    Row-level failures are held back and never fail the stage; a failure in the report means stop. Data docs are
    written to `docs_dir`/<stage>, beside an index of both stages.
    """
    if stage not in _ROW_SUITES:
        raise ValueError(f"no such stage: {stage!r}; it is one of {', '.join(_ROW_SUITES)}")
    if now.tzinfo is None:
        raise ValueError("now must carry its zone")
    from expectations.session import Session

    now = now.astimezone(UTC)
    conn = psycopg2.connect(dsn)
    try:
        with conn.cursor() as cur:
            cur.execute("set time zone 'UTC'")
            # One gate at a time per stage: its views and its findings belong to one run.
            cur.execute("select pg_advisory_lock(hashtext('project88.gate'), hashtext(%s))", (stage,))
        conn.commit()
        ensure_tables(conn)
        with conn.cursor() as cur:
            # Great Expectations names the views without their schema.
            cur.execute("set search_path = gate")
        conn.commit()
        session = Session(dsn, now)
        try:
            report = _Run(conn, session, stage, run_id, now).report()
            if docs_dir is not None:
                session.write_docs(docs_dir / stage)
                _write_index(docs_dir)
        finally:
            session.close()
        return report
    finally:
        conn.close()


def accept_baseline(conn: connection, run_id: str) -> int:
    """Make this run's counts those of the last publish; return how many were accepted.

    Called by the publish inside its transaction, so that counts and published rows change together. Waivers that
    the run made use of are spent by it.
    """
    with conn.cursor() as cur:
        cur.execute("select to_regclass('hub.gate_baselines') is null")
        if (cur.fetchone() or (True,))[0]:
            return 0
        cur.execute(
            "delete from hub.gate_baselines where stage in (select stage from hub.gate_measures where run_id = %s)",
            (run_id,),
        )
        cur.execute(
            """
            insert into hub.gate_baselines (
                stage, relation, source_provider, timing_partner_id, rows, live, quarantined, newest, facts,
                run_id, accepted_at
            )
            select
                stage, relation, source_provider, timing_partner_id, rows, live, quarantined, newest, facts,
                run_id, measured_at
            from hub.gate_measures
            where run_id = %s
            """,
            (run_id,),
        )
        accepted = cur.rowcount
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


def row_rules(stage: Stage) -> list[tuple[str, Rule]]:
    """Return every row-level rule of a stage with the relation that it holds rows back from."""
    from expectations.suites import held_back_parents

    modules = _suites(stage)
    if stage == "candidates":
        modules += list(held_back_parents.SUITES)
    found = []
    for module in modules:
        for expectation in module.suite().expectations:
            rule = Rule.of(expectation.meta or {})
            if rule.effect in ROW_LEVEL:
                found.append((module.RELATION, rule))
    return found


class _Run:
    """One stage, judged once."""

    def __init__(self, conn: connection, session: Session, stage: Stage, run_id: str, now: datetime) -> None:
        self.conn, self.session, self.stage, self.run_id, self.now = conn, session, stage, run_id, now
        self.findings: list[_Finding] = []
        self.held = 0
        self.freed = 0
        self._tables = self._existing_tables()

    def report(self) -> GateReport:
        """Judge everything and write down what was found."""
        from expectations.suites import counts, held_back_parents, missing_values, reads, reconciliation

        if self.stage == "arrivals":
            self._take_over_rejects()
        else:
            self._require_relations()
        self._judge_rows(_suites(self.stage))
        whole: list[SuiteModule] = [counts.SUITES[self.stage], missing_values.SUITES[self.stage]]
        if self.stage == "arrivals":
            whole += list(reads.SUITES)
        else:
            self._judge_rows(list(held_back_parents.SUITES))
            whole.append(cast("SuiteModule", reconciliation))
        self._retire()
        self._measure()
        self._judge_rows(whole)
        return self._conclude()

    def _existing_tables(self) -> set[str]:
        with self.conn.cursor() as cur:
            cur.execute("select schemaname || '.' || tablename from pg_tables union all"
                        " select schemaname || '.' || viewname from pg_views")  # fmt: skip
            tables = {row[0] for row in cur.fetchall()}
        self.conn.commit()
        return tables

    def _take_over_rejects(self) -> None:
        for provider in PROVIDERS:
            if {f"raw_{provider}.rejects", f"raw_{provider}.reads"} <= self._tables:
                with self.conn.cursor() as cur:
                    held, freed = quarantine.take_over_rejects(cur, provider=provider, run_id=self.run_id, now=self.now)
                self.conn.commit()
                self.held += held
                self.freed += freed

    def _require_relations(self) -> None:
        needed = [r.table for r in streams.RELATIONS] + ["candidate.participant_tracking", "candidate.reconciliation"]
        for table in needed:
            if table not in self._tables:
                name = table.split(".")[1]
                self.findings.append(
                    _Finding(
                        name, "relation_is_there", STOP, success=False, failing=1,
                        message=f"{table} does not exist. Build the models first: p88 build",
                    )
                )  # fmt: skip

    def _judge_rows(self, modules: Sequence[SuiteModule]) -> None:
        """Judge suites over their views, then write the rows that they hold back."""
        modules = [m for m in modules if set(m.NEEDS) <= self._tables]
        with self._views(modules):
            judged = [(module, self.session.judge(module)) for module in modules]
            with self.conn.cursor() as cur:
                quarantine.begin(cur)
                answered, unchecked = [], []
                for module, outcomes in judged:
                    for outcome in outcomes:
                        self._record(cur, module, outcome)
                        if outcome.rule.effect in ROW_LEVEL:
                            answered.append((module.RELATION, outcome.rule.name))
                            if outcome.error:
                                unchecked.append(outcome.rule.name)
                held, freed = quarantine.settle(
                    cur, stage=_PLACE[self.stage], rules=answered, unchecked=unchecked,
                    run_id=self.run_id, now=self.now,
                )  # fmt: skip
            self.conn.commit()
        self.held += held
        self.freed += freed

    @contextlib.contextmanager
    def _views(self, modules: Sequence[SuiteModule]) -> Iterator[None]:
        """Make the views of these suites and drop them afterwards.

        They would be in the way of every later change to the tables below them. Queries as assets would need no
        views, but Great Expectations reads such a query to its end, into memory, to learn its columns.
        """
        drop = sql.SQL("drop view if exists {}").format(
            sql.SQL(", ").join(sql.Identifier("gate", m.NAME) for m in modules)
        )
        parameters = {"now": self.now, "today": self.now.date(), "run_id": self.run_id}
        with self.conn.cursor() as cur:
            if modules:
                cur.execute(drop)
            for module in modules:
                cur.execute(
                    sql.SQL("create view {} with (security_invoker = true) as ").format(
                        sql.Identifier("gate", module.NAME)
                    )
                    # Great Expectations names each column several times; the fence has it computed once a row.
                    + sql.SQL(module.VIEW + "offset 0"),
                    parameters,
                )
        self.conn.commit()
        try:
            yield
        finally:
            self.conn.rollback()
            with self.conn.cursor() as cur:
                if modules:
                    cur.execute(drop)
            self.conn.commit()

    def _record(self, cur: cursor, module: SuiteModule, outcome: Outcome) -> None:
        """Turn an expectation's outcome into findings and, for rows, into quarantine."""
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
        elif outcome.failing_rows:
            self._record_rows(cur, module, relation, outcome)
        else:
            self._record_groups(relation, outcome)

    def _record_rows(self, cur: cursor, module: SuiteModule, relation: str, outcome: Outcome) -> None:
        rule, predicate = outcome.rule, (outcome.failing_rows or "").replace("%", "%%")
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

    def _measure(self) -> None:
        """Count every relation per partner and provider: what the rules over sets compare."""
        from expectations.suites import held_back_parents

        cascades = (held_back_parents.EVENT_RULE, held_back_parents.RACE_RULE)
        if self.stage == "arrivals":
            selects = [
                streams.count_stream(s)
                for s in streams.STREAMS
                if {s.table, f"raw_{s.provider}.removals"} <= self._tables
            ]
        else:
            selects = [streams.count_relation(r, cascades) for r in streams.RELATIONS if r.table in self._tables]
        with self.conn.cursor() as cur:
            cur.execute(
                "delete from hub.gate_measures where (run_id = %s and stage = %s) or measured_at < %s",
                (self.run_id, self.stage, self.now - timedelta(days=KEPT_DAYS)),
            )
            for select in selects:
                cur.execute(
                    sql.SQL(
                        "insert into hub.gate_measures (run_id, stage, relation, source_provider,"
                        " timing_partner_id, rows, live, quarantined, recent, newest, facts, measured_at) "
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
        self.conn.commit()
        return GateReport(
            passed=not stops, failures=stops, quarantined=self.held, resolved=self.freed, warnings=warned,
            waived=waived,
        )  # fmt: skip

    def _write_results(self, cur: cursor) -> None:
        cur.execute("delete from hub.gate_results where run_id = %s and stage = %s", (self.run_id, self.stage))
        for f in self.findings:
            cur.execute(
                """
                insert into hub.gate_results (
                    run_id, stage, relation, rule, timing_partner_id, source_provider, success, is_row_level,
                    failing, sample_keys, message, checked_at, severity
                ) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    self.run_id, self.stage, f.relation, f.rule, f.timing_partner_id, f.source_provider, f.success,
                    f.severity in ROW_LEVEL, f.failing, f.sample_keys, f.message, self.now,
                    QUARANTINE if f.severity == CASCADE else f.severity,
                ),
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
