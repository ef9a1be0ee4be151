"""Rows held back: written when a rule fails, resolved when the row passes again. Nothing is ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from expectations.streams import STREAMS

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import cursor

_FINDINGS = """
create temp table if not exists gate_findings (
    timing_partner_id integer, source_provider text, relation text, row_key text, rule text, reason text,
    record jsonb
) on commit drop
"""


def begin(cur: cursor) -> None:
    """Open the list of findings for this transaction."""
    cur.execute(_FINDINGS)
    cur.execute("truncate gate_findings")


def note(
    cur: cursor, *, table: str, relation: str, rule: str, reason: str, value: str | None, failing_rows: str
) -> None:
    """Add the rows of `table` that `failing_rows` ("from … where …", as Great Expectations judged them) finds."""
    shown: sql.Composable = sql.SQL("%(reason)s")
    if value is not None:
        shown = sql.SQL("%(reason)s || ' (' || left(judged.{}::text, 60) || ')'").format(sql.Identifier(value))
    # The predicate was rendered with its values inside, so a literal % must not be read as a parameter.
    predicate = sql.SQL(failing_rows.replace("%", "%%"))
    schema, name = table.split(".")
    cur.execute(
        sql.SQL(
            """
            insert into gate_findings
            select
                judged.timing_partner_id, judged.source_provider, %(relation)s, judged.row_key, %(rule)s, {shown},
                -- By its place in the table: the record is made for the few rows that fail, not for all.
                (select {record} from {table} as t where t.ctid = judged.origin::tid)
            from (select * {predicate}) as judged
            """
        ).format(
            shown=shown,
            record=sql.SQL("t.record" if schema.startswith("raw_") else "to_jsonb(t)"),
            table=sql.Identifier(schema, name),
            predicate=predicate,
        ),
        {"relation": relation, "rule": rule, "reason": reason},
    )


def settle(
    cur: cursor, *, stage: str, rules: list[tuple[str, str]], unchecked: list[str], run_id: str, now: datetime
) -> tuple[int, int]:
    """Write the findings and resolve what passes again; return how many rows are held by them and how many freed.

    `rules` are the (relation, rule) pairs that this call answers for; rows of a rule outside them stay as they
    are, and so do rows of the rules in `unchecked`, which could not be evaluated.
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
    cur.execute("select count(distinct (relation, row_key)) from gate_findings where row_key is not null")
    held = int((cur.fetchone() or (0,))[0])
    cur.execute(
        """
        update hub.quarantine as q
        set resolved_at = %(now)s, last_run_id = %(run_id)s
        where q.stage = %(stage)s and q.resolved_at is null
            and (q.relation, q.rule) in (select * from unnest(%(relations)s::text[], %(names)s::text[]))
            and not (q.rule = any(%(unchecked)s))
            and not exists (
                select from gate_findings as f
                where f.relation = q.relation and f.row_key = q.row_key and f.rule = q.rule
            )
        """,
        {
            "stage": stage,
            "run_id": run_id,
            "now": now,
            "relations": [relation for relation, _ in rules],
            "names": [name for _, name in rules],
            "unchecked": unchecked,
        },
    )
    return held, cur.rowcount


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


def take_over_rejects(cur: cursor, *, provider: str, run_id: str, now: datetime) -> tuple[int, int]:
    """Copy what the provider's tap refused into the quarantine; return how many are held and how many freed.

    A refusal is over when its row was stored later, or when the same scope was read completely later and nothing
    was refused. (That this one was met again cannot be seen: an unchanged refusal is not written twice.)
    """
    prefix = f"raw_{provider}."
    begin(cur)
    names = [s for s in STREAMS if s.provider == provider]
    stored = []
    for stream in names:
        cur.execute("select to_regclass(%s) is not null", (stream.table,))
        if (cur.fetchone() or (False,))[0]:
            stored.append(
                f"select t.timing_partner_id, '{stream.name}'::text as stream, {stream.record_key} as record_key,"  # noqa: S608
                f" t.changed_at from {stream.table} as t"
                f" where {stream.record_key} in"
                f" (select record_key from raw_{provider}.rejects where stream = '{stream.name}')"
            )
    raw_rows = " union all ".join(stored) or (
        "select null::int as timing_partner_id, null::text as stream, null::text as record_key,"
        " null::timestamptz as changed_at where false"
    )
    cur.execute(
        sql.SQL(
            """
            insert into gate_findings
            select
                j.timing_partner_id, %(provider)s, %(prefix)s || j.stream,
                %(provider)s || '/' || j.timing_partner_id || '/'
                || coalesce(j.record_key, 'reject:' || j.reject_id),
                'refused:' || coalesce(nullif(j.field, ''), 'record'), j.reason, j.record
            from {schema}.rejects as j
            where not exists (
                select from ({raw_rows}) as stored
                where stored.timing_partner_id = j.timing_partner_id and stored.stream = j.stream
                    and stored.record_key = j.record_key and stored.changed_at > j.read_at
            )
            and not exists (
                select from {schema}.reads as r
                where r.timing_partner_id = j.timing_partner_id and r.stream = j.stream and r.scope = j.scope
                    and r.mode = 'whole' and coalesce(r.rows_rejected, 0) = 0 and r.read_at > j.read_at
            )
            """
        ).format(schema=sql.Identifier(f"raw_{provider}"), raw_rows=sql.SQL(raw_rows)),
        {"provider": provider, "prefix": prefix},
    )
    # Fields are open-ended, so what this call answers for is read from the table itself.
    cur.execute(
        "select distinct relation, rule from hub.quarantine where stage = 'tap' and source_provider = %s"
        " union select distinct relation, rule from gate_findings",
        (provider,),
    )
    return settle(cur, stage="tap", rules=cur.fetchall(), unchecked=[], run_id=run_id, now=now)
