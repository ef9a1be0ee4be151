"""Erasing a person: everything that the hub holds of somebody goes, and hashes stay by which raw refuses it.

One transaction takes the rows away, from raw to published, and leaves on record what lies outside of it: the linkage's
file, which the next cycle writes anew. So a process killed at any instant leaves a person who is there, or one who is
gone and of whom the next cycle or the same command finishes the rest.
"""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

import contextlib
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.streams import Stream, as_id
from project88 import db, settings, sync
from project88.cycle import PIPELINE_LOCK
from project88.errors import ActionNeeded
from project88.persons import forgotten, store
from project88.persons.forgotten import Salt, everybody, named, own

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

RAW_COUNTS_LOCK = 8809
TAKEN_AWAY = "(taken away: it named somebody who was forgotten)"
# An id that is shorter says nothing by itself: lines of logs are full of such numbers.
SHORTEST_ID = 6
# Below the local state: what is no text of ours, or is written anew by itself.
NOT_SEARCHED = {"postgres", "persons", "secret.key", "catalogs"}
# Tables of ours in which rows stay, and say less.
REWRITTEN = ("hub.persons", "hub.person_decisions", "hub.gate_results", "hub.runs", "hub.sync_history")
# Streams whose rows are due as those of another.
DUE_AS = {"removed_participants": "participants", "registrations": "participants"}


@dataclass(frozen=True)
class Row:
    """A raw row, by its ids joined with a stroke; `row_key` is under what it is published."""

    record_key: str
    row_key: str
    scope: str | None


@dataclass(frozen=True)
class Forgotten:
    """A person who was forgotten already. `is_finished`: nothing of it waits for a cycle."""

    person_id: str
    at: datetime
    is_finished: bool


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


# finding


def who(cursor: Cursor, name: str, timing_partner_id: int, *, everywhere: bool = False) -> dict[str, int] | Forgotten:
    """Return the persons whom a name means, with their partners: one, or `everywhere` those of other partners as well.

    A name is an id, one of before, or the key of a record. Raises ActionNeeded where it means nobody, or somebody of
    another partner.
    """
    if (before := _forgotten(cursor, name)) is not None:
        return before
    person = store.look(cursor, name)
    if person.timing_partner_id != timing_partner_id:
        raise ActionNeeded(f"{name} is nobody of timing partner {timing_partner_id}; --partner names whose it is")
    persons = {person.person_id: timing_partner_id}
    if everywhere:
        cursor.execute(
            """
            select o.global_participant_id, o.timing_partner_id
            from hub.people_across as a inner join hub.people_across as o on a.people_id = o.people_id
            where a.global_participant_id = %s
            """,
            (person.person_id,),
        )
        persons |= dict(cursor.fetchall())
    return persons


def _forgotten(cursor: Cursor, name: str) -> Forgotten | None:
    cursor.execute("select person_id, forgotten_at from hub.forgotten_persons where person_id = %s", (name,))
    row = cursor.fetchone()
    if row is None and name.count("/") >= 2 and (salt := forgotten.salt(cursor)) is not None:
        provider, partner, id_ = name.split("/", 2)
        known = [
            salt.hash(f"{provider}/{partner}/{kind}/{one}")
            for kind in ("entry", "application", "results")
            for one in {id_, id_.rpartition("/")[2]}
        ]
        cursor.execute("select %s, min(forgotten_at) from hub.forgotten where key_hash = any(%s)", (name, known))
        row = cursor.fetchone()
    if row is None or row[1] is None:
        return None
    cursor.execute("select not exists (select from hub.forgotten_due)")
    return Forgotten(row[0], row[1], is_finished=cursor.fetchone() == (True,))


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
    listed = [*_raw_targets(found), *_built_targets(found), *_kept_targets(found), *_due_targets(cursor, found)]
    cursor.execute(
        "select name from unnest(%s) as name where to_regclass(name) is not null", ([one.relation for one in listed],)
    )
    there = {name for (name,) in cursor.fetchall()}
    return [one for one in listed if one.relation in there]


def _raw_targets(found: Found) -> Iterator[Target]:
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


def _told_keys(found: Found) -> dict[str, set[str]]:
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
    told = [(relation, key) for relation, keys in _told_keys(found).items() for key in sorted(keys)]
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


# erasing


def forget(
    dsn: str, name: str, timing_partner_id: int, *, everywhere: bool, by: str, now: datetime
) -> Found | Forgotten:
    """Erase persons from the database and our files but for the linkage's, which the next cycle writes anew.

    Waits for a cycle under way. Raises ActionNeeded as `who` does, and where a connection of theirs is being synced.
    """
    with contextlib.closing(db.connect(dsn)) as holder, contextlib.closing(db.connect(dsn)) as connection:
        with connection, connection.cursor() as cursor:
            persons = who(cursor, name, timing_partner_id, everywhere=everywhere)
        if isinstance(persons, Forgotten):
            return persons
        _take_turn(holder, set(persons.values()))
        sync.sweep()
        with connection, connection.cursor() as cursor:
            store.lock(cursor)
            # It may have changed while we waited.
            found = find(cursor, persons)
            # Before the rows, which say what to look for: killed in between, all of it is done again.
            _mask_files(_telling(cursor, found))
            erase(cursor, found, by=by, now=now)
        _vacuum(connection, found)
    return found


def _take_turn(holder: Connection, partners: Collection[int]) -> None:
    """Keep out what builds and what loads, until the session ends."""
    holder.autocommit = True
    with holder.cursor() as cursor:
        cursor.execute(
            """
            select c.connection_id, p.slug, c.provider_name from hub.connections as c
            inner join hub.timing_partners as p using (timing_partner_id)
            where c.timing_partner_id = any(%s) order by 1
            """,
            (list(partners),),
        )
        for connection_id, slug, provider in cursor.fetchall():
            cursor.execute("select pg_try_advisory_lock(88, %s)", (connection_id,))
            if cursor.fetchone() != (True,):
                raise ActionNeeded(
                    f"{slug} {provider} is being synced: nothing was removed; try again when that run has ended"
                )
        cursor.execute("select pg_advisory_lock(%s)", (PIPELINE_LOCK,))


def erase(cursor: Cursor, found: Found, *, by: str, now: datetime) -> None:
    """Take the rows away and keep the hashes, in the caller's transaction, which holds the registry's lock."""
    # What is counted is counted with the rows of before, or without.
    cursor.execute("select pg_advisory_xact_lock(%s)", (RAW_COUNTS_LOCK,))
    salt = forgotten.made_salt(cursor)
    _keep_hashes(cursor, found, salt, by, now)
    # Before rows go: what is loaded meanwhile is waited for.
    forgotten.install(cursor)
    _note_what_follows(cursor, found)
    _take_off_counts(cursor, found)
    listed = targets(cursor, found)
    was_published = _published(cursor, found)
    for target in listed:
        gone = target.delete(cursor)
        schema, _, relation = target.relation.partition(".")
        if schema == "unified" and gone:
            cursor.execute("update hub.published_counts set rows = rows - %s where relation = %s", (gone, relation))
    # What deleting wrote down.
    for target in listed:
        if target.relation in {"hub.candidate_changes", "hub.quarantine_changes"}:
            target.delete(cursor)
    # The registry hears of these as of any record that is gone.
    cursor.execute(
        """
        insert into hub.candidate_changes (relation, row_key)
        select case when one = any(%s) then 'unified_participants' else 'unified_results' end, one
        from unnest(%s::text[]) as one on conflict do nothing
        """,
        (sorted(found.entries), found.strays),
    )
    _end(cursor, found, salt, by, now, was_published)
    _take_out_of_reports(cursor, found)


def _keep_hashes(cursor: Cursor, found: Found, salt: Salt, by: str, now: datetime) -> None:
    kept: dict[bytes, tuple[int, str, str, str | None]] = {}
    for (partner, stream), rows in found.rows.items():
        for row in rows.values():
            hashed = salt.hash(named(stream.provider, partner, stream.name, row.record_key))
            kept[hashed] = (partner, stream.provider, stream.name, row.scope)
    for provider, partner, name, id_ in found.whose:
        kept.setdefault(salt.hash(named(provider, partner, name, id_)), (partner, provider, name, None))
    for hashed, (partner, provider, name, scope) in sorted(kept.items()):
        cursor.execute(
            """
            insert into hub.forgotten (
                key_hash, salt_id, timing_partner_id, provider, stream, scope, forgotten_at, forgotten_by
            )
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (key_hash) do nothing
            """,
            (hashed, salt.salt_id, partner, provider, name, scope, now, by),
        )


def _note_what_follows(cursor: Cursor, found: Found) -> None:
    """Note for the next build whom else it must look at: who wears a bib alone now, and who loses a link."""
    entries = sorted(found.entries)
    cursor.execute(
        """
        insert into due.bibs_before (event_key, bib_number)
        select event_key, bib_number from candidate.unified_participants
        where participant_key = any(%s) and bib_number is not null
        on conflict do nothing
        """,
        (entries,),
    )
    cursor.execute(
        """
        insert into hub.candidate_changes (relation, row_key)
        select 'unified_participants', other.participant_key
        from candidate.entry_links as l
        cross join lateral (
            values (l.timing_participant_key, l.registration_participant_key),
            (l.registration_participant_key, l.timing_participant_key)
        ) as other (participant_key, gone)
        where other.gone = any(%(entries)s) and other.participant_key <> all(%(entries)s)
        on conflict do nothing
        """,
        {"entries": entries},
    )
    cursor.execute(
        """
        insert into due.people_before (timing_partner_id, global_participant_id)
        select * from unnest(%s::integer[], %s::text[]) on conflict do nothing
        """,
        (list(found.persons.values()), list(found.persons)),
    )


def _take_off_counts(cursor: Cursor, found: Found) -> None:
    """Take what goes off the maintained counts, and off what the gate compares with: nothing has collapsed."""
    for target in _raw_targets(found):
        provider, _, stream = target.relation.removeprefix("raw_").partition(".")
        if stream in forgotten.SIDE_STREAMS:
            continue
        values = target.values | {"provider": provider, "stream": stream}
        cursor.execute(
            f"""
            update hub.raw_counts as c
            set rows = c.rows - (
                select count(*) from {target.relation} as t
                inner join hub.raw_counted as s on s.provider = %(provider)s and s.stream = %(stream)s
                where ({target.condition})
                    and (t.inserted_xid is null or pg_visible_in_snapshot(t.inserted_xid::text::xid8, s.snapshot))
            )
            where c.provider = %(provider)s and c.stream = %(stream)s and c.timing_partner_id = %(partner)s
            """,
            values,
        )
        (key,) = [one.record_key for one in forgotten.PERSONAL if one.table == target.relation]
        cursor.execute(
            f"""
            update hub.gate_baselines as b
            set rows = greatest(b.rows - gone.rows, 0), live = greatest(b.live - gone.live, 0)
            from (
                select
                    count(*) as rows,
                    count(*) filter (where not exists (
                        select from raw_{provider}.removals as m
                        where m.timing_partner_id = t.timing_partner_id and m.stream = %(stream)s
                            and m.record_key = {key} and m.returned_at is null
                    )) as live
                from {target.relation} as t where {target.condition}
            ) as gone
            where b.stage = 'arrivals' and b.relation = '{target.relation}' and b.timing_partner_id = %(partner)s
            """,
            values,
        )
    for relation, key, keys in (
        ("unified_participants", "participant_key", found.entries),
        ("unified_results", "result_key", found.results),
    ):
        cursor.execute(
            f"""
            update hub.gate_baselines as b
            set rows = greatest(b.rows - gone.rows, 0), live = greatest(b.live - gone.live, 0)
            from (
                select
                    t.source_provider, t.timing_partner_id, count(*) as rows,
                    count(*) filter (where not coalesce(t.is_removed, false)) as live
                from candidate.{relation} as t where t.{key} = any(%s) group by 1, 2
            ) as gone
            where
                b.stage = 'candidates' and b.relation = '{relation}'
                and b.source_provider = gone.source_provider and b.timing_partner_id = gone.timing_partner_id
            """,
            (sorted(keys),),
        )


def _published(cursor: Cursor, found: Found) -> set[str]:
    """Return those of the persons whose id readers have seen."""
    cursor.execute(
        """
        select global_participant_id from unified.unified_participants where global_participant_id = any(%(ids)s)
        union
        select global_participant_id from unified.results_without_entry where global_participant_id = any(%(ids)s)
        """,
        {"ids": list(found.persons)},
    )
    return {one for (one,) in cursor.fetchall()}


def _end(cursor: Cursor, found: Found, salt: Salt, by: str, now: datetime, was_published: set[str]) -> None:
    """Retire the persons in the registry, where their ids stay and nothing else."""
    ids = list(found.persons)
    for person, partner in found.persons.items():
        cursor.execute(
            """
            insert into hub.forgotten_persons (person_id, timing_partner_id, was_published, forgotten_at, forgotten_by)
            values (%s, %s, %s, %s, %s)
            """,
            (person, partner, person in was_published, now, by),
        )
        cursor.execute(
            """
            insert into hub.person_changes (
                timing_partner_id, number, kind, person_id, other_person_id, records, is_decided, changed_at
            )
            select %(partner)s, coalesce(max(number), 0) + 1, 'forgotten', %(person)s, null, 0, true, %(now)s
            from hub.person_changes where timing_partner_id = %(partner)s
            """,
            {"partner": partner, "person": person, "now": now},
        )
    cursor.execute("update hub.persons set retired_at = %s where person_id = any(%s)", (now, ids))
    cursor.execute(
        "insert into hub.person_aliases (person_id, successor_id, retired_at) select one, null, %s "
        "from unnest(%s::text[]) as one on conflict (person_id) do nothing",
        (now, ids),
    )
    # Whoever was called after one of these records. None of them comes again, and no id is made of it anew.
    cursor.execute("select person_id, first_record from hub.persons where first_record = any(%s)", (found.records,))
    for person, first_record in cursor.fetchall():
        cursor.execute(
            "update hub.persons set first_record = %s where person_id = %s",
            (f"forgotten:{salt.hash(first_record).hex()}", person),
        )
    _take_out_of_decisions(cursor, found.records)
    cursor.execute(
        "insert into hub.forgotten_due (record_key) select unnest(%s::text[]) on conflict do nothing",
        ([*found.records, *found.strays],),
    )


def _take_out_of_decisions(cursor: Cursor, keys: Sequence[str]) -> None:
    """Take records out of what was decided; a decision about nobody else goes, with its reason."""
    cursor.execute(
        """
        update hub.person_decisions as d
        set
            records = array(select one from unnest(d.records) as one where one <> all(%(keys)s)),
            others = array(select one from unnest(d.others) as one where one <> all(%(keys)s)),
            reason = %(reason)s
        where d.records && %(keys)s::text[] or d.others && %(keys)s::text[]
        returning d.decision_id
        """,
        {"keys": list(keys), "reason": TAKEN_AWAY},
    )
    touched = [one for (one,) in cursor.fetchall()]
    cursor.execute(
        "delete from hub.person_decisions where decision_id = any(%s) "
        "and (records = '{}' or (kind = 'split' and others = '{}'))",
        (touched,),
    )


def _take_out_of_reports(cursor: Cursor, found: Found) -> None:
    """Take keys out of what the gate and the runs have told."""
    keys = sorted({key for keys in _told_keys(found).values() for key in keys})
    cursor.execute(
        """
        update hub.gate_results set sample_keys = array(
            select one from unnest(sample_keys) with ordinality as s (one, place)
            where one <> all(%(keys)s) order by place
        )
        where sample_keys && %(keys)s::text[]
        """,
        {"keys": keys},
    )
    # A word of its own: runsignup/1/12 is no part of runsignup/1/123.
    words = [rf"(^|[^\w/]){re.escape(key)}($|[^\w/])" for key in keys]
    for table, column in (("runs", "error"), ("sync_history", "error_message"), ("gate_results", "message")):
        cursor.execute(
            f"update hub.{table} set {column} = %s where {column} is not null and {column} ~ any(%s)",
            (TAKEN_AWAY, words),
        )


# what is outside of the transaction


def _telling(cursor: Cursor, found: Found) -> list[str]:
    """Return what would tell of a person in a text: keys, longer ids, whole names, addresses and numbers."""
    told = {key for keys in _told_keys(found).values() for key in keys}
    told |= {id_ for _, _, _, id_ in found.whose if len(id_) >= SHORTEST_ID}
    cursor.execute(
        """
        select p.email, p.phone, p.phone_as_sent, p.first_name, p.last_name
        from candidate.unified_participants as p where p.participant_key = any(%s)
        union all
        select null, null, null, r.first_name, r.last_name
        from candidate.unified_results as r where r.result_key = any(%s)
        """,
        (sorted(found.entries), sorted(found.results)),
    )
    for *single, first, last in cursor.fetchall():
        names = {f"{first} {last}", f"{last} {first}", f"{last}, {first}"} if first and last else set()
        told |= {one for one in {*single, *names} if one and len(one) >= SHORTEST_ID}
    return sorted(told, key=lambda one: (-len(one), one))


def _mask_files(told: Iterable[str]) -> None:
    """Take the gate's reports away, which the next run writes anew, and overwrite what logs tell of a person."""
    home = settings.home()
    shutil.rmtree(home / "docs" / "gate", ignore_errors=True)
    # Of several the longest comes first.
    pattern = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, told))})(?![\w/])", re.IGNORECASE)
    for file in _texts(home):
        with contextlib.suppress(FileNotFoundError):
            _mask(file, pattern)


def _texts(home: Path) -> Iterator[Path]:
    yield from (one for one in (home / "postgres" / "server.log",) if one.is_file())
    for part in sorted(home.iterdir()):
        if part.name not in NOT_SEARCHED:
            yield from (one for one in ([part] if part.is_file() else part.rglob("*")) if one.is_file())


def _mask(file: Path, pattern: re.Pattern[str]) -> None:
    """Overwrite what is found, byte by byte: whoever has the file open goes on writing at its end."""
    with file.open("rb") as lines:
        at, places = 0, []
        for line in lines:
            text = line.decode(errors="surrogateescape")
            for one in pattern.finditer(text):
                before, there = (part.encode(errors="surrogateescape") for part in (text[: one.start()], one[0]))
                places.append((at + len(before), len(there)))
            at += len(line)
    if places:
        with file.open("r+b") as out:
            for start, length in places:
                out.seek(start)
                out.write(b"*" * length)


def _vacuum(connection: Connection, found: Found) -> None:
    """Free what the rows took, and their values out of the indexes and the planner's statistics."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        touched = sorted({one.relation for one in targets(cursor, found)} | set(REWRITTEN))
        cursor.execute("select rolsuper from pg_roles where rolname = current_user")
        if cursor.fetchone() == (True,):
            # Of a table that is empty now, analyze leaves the statistics as they were.
            cursor.execute("delete from pg_statistic where starelid = any(%s::regclass[])", (touched,))
        for relation in touched:
            cursor.execute(f"vacuum (analyze, index_cleanup on, truncate false) {relation}")
