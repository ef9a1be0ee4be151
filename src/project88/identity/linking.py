"""`link`: records in, persons and the links between their records out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from project88.identity import candidates, cleaning, clusters, columns, duck, profiles, scoring
from project88.identity.comparing import FIELDS, levels

# A pair is linked from this probability on. A wrong link shows somebody another's results: high, so. Where the data are
# damaged, fields fail together and the sum of their weights says too little for those that are one.
THRESHOLD, THRESHOLD_DAMAGED = 0.95, 0.75
Say = Callable[[str], None]


@dataclass
class Linked:
    """Persons and links, as Arrow tables (pandas where pandas came in), and what was learned on the way.

    `persons`: record_id, person_id, confidence; every record once, in the order given. person_id is the smallest
    record_id of the person, so it is no lasting name for one. confidence is how likely the record belongs with the
    others of its person, or, where it is alone, how likely it belongs with nobody.
    `links`: record_id, other_record_id, score (bits for against), probability, agreed, disagreed, rule.
    """

    persons: Any
    links: Any
    parameters: scoring.Parameters | None


def link(
    records: Any,
    *,
    names: Mapping[str, str] | None = None,
    threshold: float | None = None,
    parameters: scoring.Parameters | None = None,
    seed: int = 88,
    memory: str = "4GB",
    threads: int | None = None,
    say: Say | None = None,
) -> Linked:
    """Return who is who among records (Arrow or pandas) with some of the columns of `COLUMNS`.

    `names` tells the caller's names of columns, ours first: {"city": "Wohnort"}. `parameters` are those of an earlier
    link, where they are not to be learned anew. What is drawn at random follows from `seed` and the content of the records,
    so the same records give the same persons, in whatever order they come. Raises ActionNeeded
    for a column that is not there and for a record_id that is there twice.
    """
    given = columns.standard(records, names)
    with tempfile.TemporaryDirectory(prefix="p88-link-") as folder:
        db = duck.connect(folder, given.num_rows, memory, threads)
        try:
            return _as_given(records, _link(db, given, threshold, parameters, seed, say or (lambda _: None)))
        finally:
            db.close()


def _as_given(records: Any, linked: Linked) -> Linked:
    if columns.is_pandas(records):
        linked.persons, linked.links = linked.persons.to_pandas(), linked.links.to_pandas()
    return linked


def _link(
    db: duckdb.DuckDBPyConnection,
    given: pa.Table,
    threshold: float | None,
    parameters: scoring.Parameters | None,
    seed: int,
    say: Say,
) -> Linked:
    say(f"{given.num_rows:,} records: reading names, dates and places")
    cleaning.clean(db, given)
    count = profiles.make(db, seed)
    say(f"{count:,} different: looking for candidates")
    candidates.find(db)
    pairs = candidates.pair(db, count)
    say(f"{pairs:,} pairs: learning")
    found = parameters or scoring.learn(db, count, pairs)
    say(f"learned in {found.rounds} rounds: comparing")
    usual = THRESHOLD_DAMAGED if found.damage.first_names and found.damage.birth_dates else THRESHOLD
    _score(db, found, usual if threshold is None else threshold)
    say("linking")
    clusters.settle(db, count, found.damage)
    return Linked(_persons(db), _links(db), found)


def _score(db: duckdb.DuckDBPyConnection, found: scoring.Parameters, threshold: float) -> None:
    """Make `links` (a, b, bits) of pairs above the threshold, `joined` of profiles whose copies are one person, `doubts`."""
    bits = scoring.score_sql(found)
    limit = scoring.bits_of(threshold)
    db.execute(f"""
        create or replace table scored as
        select a, b, bits::float as bits from (
            {levels("pairs", f", {bits} as bits", found.damage)}
        ) where not vetoed and corroborated and bits > -3;
        create or replace table links as select * from scored where bits >= {limit};
        create or replace table doubts as
        select p, max(bits) as bits from (
            select a as p, bits from scored where bits < {limit} union all select b, bits from scored where bits < {limit}
        ) group by p;
        create or replace table copied as
        select a as p, bits::float as bits, not vetoed and corroborated and bits >= {limit} as is_one from (
            {levels("(select p as a, p as b from rated where copies > 1)", f", {bits} as bits")}
        );
        drop table scored
    """)


def _persons(db: duckdb.DuckDBPyConnection) -> pa.Table:
    # Copies of one profile: the first entry in each event stands for the person, another of the same event for itself;
    # all stand for themselves where what they say is too little to be one person.
    return db.sql("""
        with told as (
            select n, p, coalesce(is_one, true) as is_one, copied.bits as copied_bits,
                event is not null
                    and dense_rank() over (partition by p, event order by coalesce(bib, 'row ' || lpad(n::varchar, 12, '0'))) > 1 as is_second,
                row_number() over (partition by p order by record_id) as nth
            from members join (select n, record_id from records) using (n) left join copied using (p)
        ),
        placed as (
            select told.*, case when (is_one and not is_second) or (not is_one and nth = 1 and not is_second) then g end as g
            from told join persons using (p)
        ),
        best as (
            select p, max(bits) as bits from (select a as p, bits from kept union all select b, bits from kept) group by p
        ),
        named as (
            select records.n, record_id, g,
                case when g is null then null else min(record_id) over (partition by g) end as person_id,
                case when g is null then null else count(*) over (partition by g) end as size,
                best.bits as linked_bits, copied_bits, doubts.bits as doubt_bits
            from records left join placed on placed.n = records.n
            left join best on best.p = placed.p left join doubts on doubts.p = placed.p
        )
        select record_id, coalesce(person_id, record_id) as person_id,
            round(case when size > 1 then 1 / (1 + pow(2, -least(greatest(coalesce(linked_bits, -99), coalesce(copied_bits, -99)), 60)))
                 else 1 - 1 / (1 + pow(2, -least(coalesce(doubt_bits, -60), 60))) end, 6) as confidence
        from named order by n
    """).to_arrow_table()


def _links(db: duckdb.DuckDBPyConnection) -> pa.Table:
    def listed(when: str) -> str:
        parts = ", ".join(
            f"case when {when.format(name=field.name, agrees=field.agrees_from)} then '{field.name}' end"
            for field in FIELDS
        )
        return f"concat_ws(', ', {parts})"

    return db.sql(f"""
        with first as (
            select p, min(record_id) as record_id from members join records using (n) group by p
        ),
        compared as ({levels("(select a, b from kept)")})
        select x.record_id, y.record_id as other_record_id, round(kept.bits, 3)::double as score,
            round(1 / (1 + pow(2, -kept.bits)), 6) as probability,
            {listed("{name} >= {agrees}")} as agreed, {listed("{name} < {agrees}")} as disagreed,
            'compared' as rule
        from kept join compared using (a, b) join first as x on x.p = kept.a join first as y on y.p = kept.b
        union all
        select first.record_id, records.record_id, round(bits, 3), round(1 / (1 + pow(2, -bits)), 6), 'everything', '', 'same content'
        from members join records using (n) join first using (p) join copied using (p)
        where is_one and records.record_id <> first.record_id
        order by all
    """).to_arrow_table()
