"""What the hub holds of a person: which records, which raw rows, and the rows of every relation that tell of them."""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expectations.streams import Stream, as_id
from project88.persons import forgotten
from project88.persons.forgotten import everybody, own

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

# Streams whose rows are due as those of another.
DUE_AS = {"removed_participants": "participants", "registrations": "participants"}


@dataclass(frozen=True)
class Row:
    """A raw row, by its ids joined with a stroke; `row_key` is under what it is published."""

    record_key: str
    row_key: str
    scope: str | None


@dataclass
class Found:
    """What the hub holds of some persons, who are one: of one partner each."""

    persons: dict[str, int] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)
    entries: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    rows: dict[tuple[int, Stream], dict[str, Row]] = field(default_factory=dict)
    # Records that are these entries or results and somebody else's: a result that lost its entry may be.
    strays: list[str] = field(default_factory=list)
    # (provider, partner, name, id): all that a row may say of whose it is.
    whose: set[tuple[str, int, str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Target:
    """Rows of one relation, which stands as `t` in the condition."""

    relation: str
    condition: str
    values: dict[str, Any]

    def count(self, cursor: Cursor) -> int:
        """Return how many there are."""
        cursor.execute(f"select count(*) from {self.relation} as t where {self.condition}", self.values)
        (count,) = cursor.fetchone() or (0,)
        return int(count)

    def delete(self, cursor: Cursor) -> int:
        """Delete them and return how many there were."""
        cursor.execute(f"delete from {self.relation} as t where {self.condition}", self.values)
        return int(cursor.rowcount)


def find(cursor: Cursor, persons: dict[str, int]) -> Found:
    """Return what the hub holds of these persons."""
    found = Found(dict(persons))
    cursor.execute(
        "select record_key from hub.person_records where person_id = any(%s) order by record_key", (list(persons),)
    )
    found.records = [key for (key,) in cursor.fetchall()]
    cursor.execute(
        "select participant_key from candidate.unified_participants where participant_key = any(%s)", (found.records,)
    )
    found.entries = {key for (key,) in cursor.fetchall()}
    cursor.execute(
        "select result_key from candidate.unified_results where participant_key = any(%s)", (list(found.entries),)
    )
    found.results = {key for (key,) in cursor.fetchall()}
    alone = sorted(set(found.records) - found.entries)
    cursor.execute("select result_key from candidate.unified_results where result_key = any(%s)", (alone,))
    found.results |= {key for (key,) in cursor.fetchall()}
    # Not built any more, and the registry has not heard of it.
    found.entries |= set(alone) - found.results
    waiting = {one for key in found.entries for one in _said_by_entry(key)}
    waiting |= {one for key in found.results for one in _said_by_result(key)}
    while waiting:
        found.whose |= waiting
        waiting = _follow(cursor, found, waiting) - found.whose
    cursor.execute(
        """
        select r.record_key from hub.person_records as r
        where r.record_key <> all(%(records)s) and (
            r.record_key = any(%(entries)s)
            or r.record_key in (
                select w.result_key from candidate.results_without_entry as w where w.result_key = any(%(results)s)
            )
        )
        """,
        {"records": found.records, "entries": sorted(found.entries), "results": sorted(found.results)},
    )
    found.strays = [key for (key,) in cursor.fetchall()]
    return found


def _said_by_entry(key: str) -> Iterator[tuple[str, int, str, str]]:
    provider, partner, id_ = key.split("/", 2)
    yield provider, int(partner), "entry", id_
    if provider == "letsdothis":
        # Who has applied and not entered is an entry under the application's id.
        yield provider, int(partner), "application", id_


def _said_by_result(key: str) -> Iterator[tuple[str, int, str, str]]:
    provider, partner, id_ = key.split("/", 2)
    if provider == "chronotrack":
        yield provider, int(partner), "entry", id_.rpartition("/")[2]
    elif provider == "copernico":
        yield provider, int(partner), "entry", id_
    else:
        yield provider, int(partner), "results", id_


def _follow(
    cursor: Cursor, found: Found, waiting: Collection[tuple[str, int, str, str]]
) -> set[tuple[str, int, str, str]]:
    """Take in the raw rows that are anybody's of `waiting`; return all by what these are somebody's and that finds."""
    more: set[tuple[str, int, str, str]] = set()
    for provider, partner in sorted({one[:2] for one in waiting}):
        for stream in forgotten.PERSONAL:
            if stream.provider != provider:
                continue
            said = everybody(stream)
            for one in said:
                ids = sorted(id_ for p, q, name, id_ in waiting if (p, q, name) == (provider, partner, one.name))
                if not ids or not one.finds:
                    continue
                scope = f"t.{stream.scope_column}" if stream.by_event else "null"
                cursor.execute(
                    f"""
                    select
                        {stream.record_key}, {stream.row_key}, {scope}::text,
                        array[{", ".join(each.id_of("t") for each in said)}]
                    from {stream.table} as t
                    inner join unnest(%(ids)s::text[]) as w (id) on {_same(stream, one)}
                    where t.timing_partner_id = %(partner)s
                    """,
                    {"ids": ids, "partner": partner},
                )
                for record_key, row_key, scope, ids_of_row in cursor.fetchall():
                    found.rows.setdefault((partner, stream), {})[record_key] = Row(record_key, row_key, scope)
                    (found.entries if stream.name != "results" else found.results).add(row_key)
                    for each, id_ in zip(said, ids_of_row, strict=True):
                        if id_ is not None:
                            (more if each.finds else found.whose).add((provider, partner, each.name, id_))
    return more


def _same(stream: Stream, one: forgotten.Whose) -> str:
    """Return the condition that a raw row `t` has the id `w.id`, column by column: the way to its index."""
    ids = ["w.id"] if len(one.parts) == 1 else [f"split_part(w.id, '/', {n})" for n in range(1, len(one.parts) + 1)]
    return " and ".join(
        f"{part.format(row='t')} = {as_id(id_, stream.id_type)}" for part, id_ in zip(one.parts, ids, strict=True)
    )


def targets(cursor: Cursor, found: Found) -> list[Target]:
    """Return the rows that go, relation by relation."""
    listed = [*raw_targets(found), *_built_targets(found), *_kept_targets(found), *_due_targets(cursor, found)]
    cursor.execute(
        "select name from unnest(%s) as name where to_regclass(name) is not null", ([one.relation for one in listed],)
    )
    there = {name for (name,) in cursor.fetchall()}
    return [one for one in listed if one.relation in there]


def raw_targets(found: Found) -> Iterator[Target]:
    for (partner, stream), rows in found.rows.items():
        yield Target(
            stream.table,
            "t.timing_partner_id = %(partner)s and exists "
            f"(select from unnest(%(ids)s::text[]) as w (id) where {_same(stream, own(stream))})",
            {"partner": partner, "ids": sorted(rows)},
        )
    for (partner, provider), names in _side_keys(found).items():
        for side in forgotten.SIDE_STREAMS:
            yield Target(
                f"raw_{provider}.{side}",
                "t.timing_partner_id = %(partner)s and (t.stream, t.record_key) in "
                "(select * from unnest(%(streams)s::text[], %(keys)s::text[]))",
                {"partner": partner, "streams": [one for one, _ in names], "keys": [key for _, key in names]},
            )


def _side_keys(found: Found) -> dict[tuple[int, str], list[tuple[str, str]]]:
    """Return (stream, record_key) of each row that may have gone into the side streams, by partner and provider."""
    keys: dict[tuple[int, str], list[tuple[str, str]]] = defaultdict(list)
    for (partner, stream), rows in found.rows.items():
        keys[partner, stream.provider] += [(stream.name, key) for key in sorted(rows)]
    return keys


def _built_targets(found: Found) -> Iterator[Target]:
    entries, results = {"keys": sorted(found.entries)}, {"keys": sorted(found.results)}
    persons = {"persons": list(found.persons), "partners": list(found.persons.values())}
    for schema in ("candidate", "unified"):
        yield Target(f"{schema}.unified_results", "t.result_key = any(%(keys)s)", results)
        yield Target(f"{schema}.results_without_entry", "t.result_key = any(%(keys)s)", results)
        yield Target(
            f"{schema}.entry_links",
            "t.timing_participant_key = any(%(keys)s) or t.registration_participant_key = any(%(keys)s)", entries,
        )  # fmt: skip
        yield Target(f"{schema}.unified_participants", "t.participant_key = any(%(keys)s)", entries)
        yield Target(
            f"{schema}.participant_tracking",
            "(t.timing_partner_id, t.global_participant_id) in "
            "(select * from unnest(%(partners)s::integer[], %(persons)s::text[]))", persons,
        )  # fmt: skip
    for (partner, stream), rows in found.rows.items():
        yield Target(
            "candidate.reconciliation_exceptions",
            "t.source_provider = %(provider)s and t.stream = %(stream)s and t.row_key = any(%(keys)s)",
            {"provider": stream.provider, "stream": stream.name, "keys": sorted(_row_keys(partner, stream, rows))},
        )


def _row_keys(partner: int, stream: Stream, rows: dict[str, Row]) -> set[str]:
    """Return the keys under which rows of a raw table are told of: as published, and by all of their ids."""
    return {f"{stream.provider}/{partner}/{id_}" for id_ in _ids(rows)}


def told_keys(found: Found) -> dict[str, set[str]]:
    """Return the keys by which the gate and the change log tell of a person's rows, by relation."""
    keys: dict[str, set[str]] = defaultdict(set)
    for (partner, stream), rows in found.rows.items():
        keys[stream.table] |= _row_keys(partner, stream, rows)
    keys["unified_participants"] |= found.entries
    keys["unified_results"] |= found.results
    keys["results_without_entry"] |= found.results
    keys["participant_tracking"] |= {f"{partner}/{person}" for person, partner in found.persons.items()}
    return keys


def _kept_targets(found: Found) -> Iterator[Target]:
    told = [(relation, key) for relation, keys in told_keys(found).items() for key in sorted(keys)]
    pairs = {"relations": [one for one, _ in told], "keys": [key for _, key in told]}
    for relation in ("hub.quarantine", "hub.candidate_changes", "hub.quarantine_changes"):
        yield Target(
            relation,
            "(t.relation, t.row_key) in (select * from unnest(%(relations)s::text[], %(keys)s::text[]))"
            # A link's key is made of two entries'.
            " or t.relation = 'entry_links' and string_to_array(t.row_key, '~') && %(entries)s::text[]",
            pairs | {"entries": sorted(found.entries)},
        )
    yield Target("hub.person_records", "t.record_key = any(%(keys)s)", {"keys": found.records})
    yield Target("hub.person_due", "t.record_key = any(%(keys)s)", {"keys": found.records})
    yield Target("hub.people_across", "t.global_participant_id = any(%(keys)s)", {"keys": list(found.persons)})


def _due_targets(cursor: Cursor, found: Found) -> Iterator[Target]:
    """Return what is due of them: tables of keys, whose columns are the raw table's own."""
    cursor.execute(
        """
        select
            c.relname,
            array_agg(a.attname::text order by a.attnum)
                filter (where a.attname not in ('since_xid', 'timing_partner_id'))
        from pg_class as c
        inner join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace('due') and c.relkind = 'r' and c.relname <> 'bibs_before'
        group by 1 order by 1
        """
    )
    keys = {"participant_key": sorted(found.entries), "result_key": sorted(found.results)}
    for table, columns in cursor.fetchall():
        if len(columns) == 1 and columns[0] in keys:
            yield Target(f"due.{table}", f"t.{columns[0]} = any(%(keys)s)", {"keys": keys[columns[0]]})
        id_ = " || '/' || ".join(f"t.{column}::text" for column in columns)
        for (partner, stream), rows in found.rows.items():
            if table == f"due_{stream.provider}_{DUE_AS.get(stream.name, stream.name)}":
                yield Target(
                    f"due.{table}",
                    f"t.timing_partner_id = %(partner)s and {id_} = any(%(ids)s)",
                    {"partner": partner, "ids": sorted(_ids(rows))},
                )


def _ids(rows: dict[str, Row]) -> set[str]:
    """Return the ids of rows: all of them, and those under which they are published."""
    return rows.keys() | {row.row_key.split("/", 2)[2] for row in rows.values()}


def counts(cursor: Cursor, found: Found) -> dict[str, int]:
    """Return how many rows of each relation go; those of which none does are left out."""
    told: Counter[str] = Counter()
    for target in targets(cursor, found):
        told[target.relation] += target.count(cursor)
    return {relation: rows for relation, rows in told.items() if rows}
