"""Rows held back: written when a rule fails, resolved when the row passes again. Nothing is ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from expectations.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import cursor

_FINDINGS = """
create temp table if not exists gate_findings (
    timing_partner_id integer, source_provider text, relation text, row_key text, rule text, reason text,
    record jsonb
) on commit drop
"""


def begin(cur: cursor) -> None:
    """Open the list of findings for this transaction, and that of the rows that were judged."""
    cur.execute(_FINDINGS)
    cur.execute("create temp table if not exists gate_judged (suite text, row_key text) on commit drop")
    cur.execute("truncate gate_findings, gate_judged")


def note(
    cur: cursor, *, table: str, relation: str, rule: str, reason: str, value: str | None, failing_rows: str,
    due: str | None, keys: Sequence[str],
) -> None:  # fmt: skip
    """Add the rows of `table` that `failing_rows` ("from … where …", as Great Expectations judged them) finds.

    `due` is the table of the keys that were judged, by whose columns `keys` a row is found again; None: all were.
    """
    shown: sql.Composable = sql.SQL("%(reason)s")
    if value is not None:
        shown = sql.SQL("%(reason)s || ' (' || left(judged.{}::text, 60) || ')'").format(sql.Identifier(value))
    # The predicate was rendered with its values inside, so a literal % must not be read as a parameter.
    predicate = sql.SQL(failing_rows.replace("%", "%%"))
    schema, name = table.split(".")
    record = sql.SQL("t.record" if schema.startswith("raw_") else "to_jsonb(t)")
    # By its place in the table: the record is made for the few rows that fail, not for all.
    found = sql.SQL("(select {record} from {table} as t where t.ctid = judged.origin::tid)")
    if due is not None:
        # What was judged was put down a while ago: by now the row may stand elsewhere.
        found = sql.SQL(
            "(select {record} from {due} as d inner join {table} as t using ({keys}) where d.row_key = judged.row_key"
            " order by t.ctid = judged.origin::tid desc limit 1)"
        )
    cur.execute(
        sql.SQL(
            """
            insert into gate_findings
            select
                judged.timing_partner_id, judged.source_provider, %(relation)s, judged.row_key, %(rule)s, {shown},
                {found}
            from (select * {predicate}) as judged
            """
        ).format(
            shown=shown,
            predicate=predicate,
            found=found.format(
                record=record,
                table=sql.Identifier(schema, name),
                due=sql.Identifier("gate", due or ""),
                keys=sql.SQL(", ").join(map(sql.Identifier, keys)),
            ),
        ),
        {"relation": relation, "rule": rule, "reason": reason},
    )


def judged(cur: cursor, *, suite: str, due: str) -> None:
    """Say that a suite judged the rows of this table of keys only: `settle` leaves its verdicts on others alone."""
    cur.execute(
        sql.SQL("insert into gate_judged select %s, row_key from {}").format(sql.Identifier("gate", due)), (suite,)
    )


def settle(
    cur: cursor, *, stage: str, rules: list[tuple[str, str, str | None]], unchecked: list[str], run_id: str,
    now: datetime,
) -> int:  # fmt: skip
    """Write the findings and resolve what passes again; return how many rows were freed.

    `rules` are the (relation, rule, suite) that this call answers for: over the rows that the suite `judged`, or over
    all where the suite is None. Other rows stay as they are, and so do rows of the rules in `unchecked`, which could
    not be evaluated.
    """
    cur.execute(
        """
        insert into hub.quarantine as q (
            timing_partner_id, source_provider, stage, relation, row_key, rule, reason, record,
            first_run_id, last_run_id, first_seen_at, last_seen_at
        )
        select distinct on (f.relation, f.row_key, f.rule)
            f.timing_partner_id, f.source_provider, %(stage)s, f.relation, f.row_key, f.rule, f.reason, f.record,
            %(run_id)s, %(run_id)s, %(now)s, %(now)s
        from gate_findings as f
        where f.row_key is not null
        order by f.relation, f.row_key, f.rule, f.record::text
        on conflict (relation, row_key, rule) do update set
            stage = excluded.stage, reason = excluded.reason, record = excluded.record,
            last_run_id = excluded.last_run_id, last_seen_at = excluded.last_seen_at,
            first_seen_at = case when q.resolved_at is null then q.first_seen_at else excluded.first_seen_at end,
            first_run_id = case when q.resolved_at is null then q.first_run_id else excluded.first_run_id end,
            resolved_at = null
        """,
        {"stage": stage, "run_id": run_id, "now": now},
    )
    cur.execute(
        """
        update hub.quarantine as q
        set resolved_at = %(now)s, last_run_id = %(run_id)s
        from unnest(%(relations)s::text[], %(names)s::text[], %(suites)s::text[]) as a (relation, rule, suite)
        where q.stage = %(stage)s and q.resolved_at is null
            and q.relation = a.relation and q.rule = a.rule
            and not (q.rule = any(%(unchecked)s))
            and (
                a.suite is null
                or exists (select from gate_judged as j where j.suite = a.suite and j.row_key = q.row_key)
            )
            and not exists (
                select from gate_findings as f
                where f.relation = q.relation and f.row_key = q.row_key and f.rule = q.rule
            )
        """,
        {
            "stage": stage,
            "run_id": run_id,
            "now": now,
            "relations": [relation for relation, _, _ in rules],
            "names": [name for _, name, _ in rules],
            "suites": [suite for _, _, suite in rules],
            "unchecked": unchecked,
        },
    )
    return cur.rowcount


def held(cur: cursor, stages: Sequence[str]) -> int:
    """Return how many rows are held back at these places of their way."""
    cur.execute(
        "select count(distinct (relation, row_key)) from hub.quarantine where resolved_at is null and stage = any(%s)",
        (list(stages),),
    )
    return int((cur.fetchone() or (0,))[0])


def retire(cur: cursor, *, stage: str, rules: list[tuple[str, str]], run_id: str, now: datetime) -> int:
    """Resolve the rows of rules that no longer exist; return how many."""
    cur.execute(
        """
        update hub.quarantine as q
        set resolved_at = %(now)s, last_run_id = %(run_id)s
        where q.stage = %(stage)s and q.resolved_at is null
            and (q.relation, q.rule) not in (select * from unnest(%(relations)s::text[], %(names)s::text[]))
        """,
        {
            "stage": stage,
            "run_id": run_id,
            "now": now,
            "relations": [relation for relation, _ in rules],
            "names": [name for _, name in rules],
        },
    )
    return cur.rowcount


def take_over_rejects(cur: cursor, *, provider: str, tables: set[str], mark: int, run_id: str, now: datetime) -> int:
    """Copy what the provider's tap refused into the quarantine; return how many rows were freed.

    Asked again are refusals at or after the mark and those that are held. A refusal is over when its row was stored
    later, or when the same scope was read completely later and nothing was refused. (That this one was met again cannot
    be seen: an unchanged refusal is not written twice.)
    """
    begin(cur)
    stored = [
        f"when '{stream.name}' then (select max(t.changed_at) from {stream.table} as t where {stream.same_record('j')})"  # noqa: S608
        for stream in STREAMS
        if stream.provider == provider and stream.table in tables
    ]
    row_key = "%(provider)s || '/' || j.timing_partner_id || '/' || coalesce(j.record_key, 'reject:' || j.reject_id)"
    cur.execute(
        sql.SQL(
            """
            insert into gate_findings
            select
                j.timing_partner_id, %(provider)s, %(prefix)s || j.stream, {row_key},
                'refused:' || coalesce(nullif(j.field, ''), 'record'), j.reason, j.record
            from {schema}.rejects as j
            where
                (
                    coalesce(j.changed_xid, 0) >= %(mark)s
                    or exists (
                        select from hub.quarantine as q
                        where q.relation = %(prefix)s || j.stream and q.row_key = {row_key} and q.resolved_at is null
                    )
                )
                and not coalesce((case j.stream {stored} end) > j.read_at, false)
                and not exists (
                    select from {schema}.reads as r
                    where r.timing_partner_id = j.timing_partner_id and r.stream = j.stream and r.scope = j.scope
                        and r.mode = 'whole' and coalesce(r.rows_rejected, 0) = 0 and r.read_at > j.read_at
                )
            """
        ).format(
            schema=sql.Identifier(f"raw_{provider}"),
            row_key=sql.SQL(row_key),
            stored=sql.SQL(" ".join(stored).replace("%", "%%") or "when null then null::timestamptz"),
        ),
        {"provider": provider, "prefix": f"raw_{provider}.", "mark": mark},
    )
    # Fields are open-ended, so what this call answers for is read from the table itself.
    cur.execute(
        "select distinct relation, rule, null from hub.quarantine where stage = 'tap' and source_provider = %s"
        " union select distinct relation, rule, null from gate_findings",
        (provider,),
    )
    return settle(cur, stage="tap", rules=cur.fetchall(), unchecked=[], run_id=run_id, now=now)
