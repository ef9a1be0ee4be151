"""What is told of the profiles `asked`: the group of each of their records, and the links that made it."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from project88.identity.comparing import FIELDS, levels


def groups(db: duckdb.DuckDBPyConnection, nameless: str, scoped: bool) -> pa.Table:
    """Return record_id, group, confidence, wide_group, wide_confidence of all records of `asked`, and of those `nameless`.

    A group is told by its smallest record_id; `nameless` is a condition on `entries` that stand for nobody.
    """
    # Copies of one profile: the first entry in each event stands for the person, another of the same event for itself;
    # all stand for themselves where what they say is too little to be one person.
    wide = "persons as far on far.p = told.p and far.stage = 1" if scoped else "persons as far on false"
    return db.sql(f"""
        with told as (
            select record_id, p, coalesce(is_one, true) as is_one, copied.bits as copied_bits,
                event is not null
                    and dense_rank() over (partition by p, event order by coalesce(bib, 'row ' || record_id)) > 1 as is_second,
                row_number() over (partition by p order by record_id) as nth
            from entries semi join asked using (p) left join copied using (p)
        ),
        placed as (
            select told.*, near.g as node, far.g as far, (is_one and not is_second) or (not is_one and nth = 1 and not is_second) as is_in
            from told join persons as near on near.p = told.p and near.stage = 0 left join {wide}
        ),
        kept as (from links anti join cuts using (stage, a, b) where a in (from asked) or b in (from asked)),
        best as (
            select stage, p, max(bits) as bits
            from (select stage, a as p, bits from kept union all select stage, b, bits from kept) group by stage, p
        ),
        named as (
            select placed.*,
                case when is_in then min(record_id) over (partition by is_in, node) else record_id end as person,
                case when is_in then count(*) over (partition by is_in, node) else 1 end as size,
                case when is_in then min(record_id) over (partition by is_in, coalesce(far, node)) else record_id end as wide_person,
                case when is_in then count(*) over (partition by is_in, coalesce(far, node)) else 1 end as wide_size,
                near.bits as linked_bits, doubts.bits as doubt_bits,
                max(far_best.bits) over (partition by node) as wide_bits, max(far_doubts.bits) over (partition by node) as wide_doubt_bits
            from placed left join best as near on near.p = placed.p and near.stage = 0
            left join best as far_best on far_best.p = placed.p and far_best.stage = 1
            left join doubts on doubts.p = placed.p and doubts.stage = 0
            left join doubts as far_doubts on far_doubts.p = placed.p and far_doubts.stage = 1
        ),
        sure as (
            select record_id, person, wide_person, size, is_in,
                case when size > 1 then sure(greatest(coalesce(linked_bits, -99), coalesce(copied_bits, -99)))
                     else 1 - sure(coalesce(doubt_bits, -60)) end as confidence,
                case when wide_size > size then sure(wide_bits) else 1 - sure(coalesce(wide_doubt_bits, -60)) end as wide
            from named
        )
        select record_id, person as "group", round(confidence, 6) as confidence, wide_person as wide_group,
            round(case when {str(scoped).lower()} then case when size > 1 then least(confidence, wide) else wide end else confidence end, 6)
                as wide_confidence
        from sure
        union all select record_id, record_id, 1.0, record_id, 1.0 from entries where p is null and {nameless}
        order by record_id
    """).to_arrow_table()


def links(db: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the links that hold among the profiles `asked`, with their evidence; `across` are those of two scopes."""

    def listed(when: str) -> str:
        parts = ", ".join(
            f"case when {when.format(name=field.name, agrees=field.agrees_from)} then '{field.name}' end"
            for field in FIELDS
        )
        return f"concat_ws(', ', {parts})"

    return db.sql(f"""
        with first as (
            select p, min(record_id) as record_id from entries semi join asked using (p) group by p
        ),
        kept as (from links anti join cuts using (stage, a, b) where a in (from asked)),
        compared as ({levels("(select a, b from kept)")})
        select x.record_id, y.record_id as other_record_id, round(kept.bits, 3)::double as score,
            round(sure(kept.bits), 6) as probability,
            {listed("{name} >= {agrees}")} as agreed, {listed("{name} < {agrees}")} as disagreed,
            'compared' as rule, stage = 1 as across
        from kept join compared using (a, b) join first as x on x.p = kept.a join first as y on y.p = kept.b
        union all
        select first.record_id, entries.record_id, round(bits, 3), round(sure(bits), 6), 'everything', '', 'same content', false
        from entries join first using (p) join copied using (p)
        where is_one and entries.record_id <> first.record_id
        order by all
    """).to_arrow_table()
