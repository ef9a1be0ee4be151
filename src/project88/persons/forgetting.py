"""Erasing a person: everything that the hub holds of somebody goes, and hashes stay by which raw refuses it.

One transaction takes the rows away, from raw to published, and leaves on record what lies outside of it: the linkage's
file, which the next cycle writes anew. So a process killed at any instant leaves a person who is there, or one who is
gone and of whom the next cycle or the same command finishes the rest.
"""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from project88 import db, sync
from project88.cycle import PIPELINE_LOCK
from project88.errors import ActionNeeded
from project88.persons import forgotten, store, traces
from project88.persons.belongings import Found, find, raw_targets, targets
from project88.persons.forgotten import Salt, named

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

RAW_COUNTS_LOCK = 8809


@dataclass(frozen=True)
class Forgotten:
    """A person who was forgotten already. `is_finished`: nothing of it waits for a cycle."""

    person_id: str
    at: datetime
    is_finished: bool


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
            traces.mask_files(traces.telling(cursor, found))
            erase(cursor, found, by=by, now=now)
        traces.vacuum(connection, found)
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
    traces.take_out_of_reports(cursor, found)


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
    for target in raw_targets(found):
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
        {"keys": list(keys), "reason": traces.TAKEN_AWAY},
    )
    touched = [one for (one,) in cursor.fetchall()]
    cursor.execute(
        "delete from hub.person_decisions where decision_id = any(%s) "
        "and (records = '{}' or (kind = 'split' and others = '{}'))",
        (touched,),
    )
