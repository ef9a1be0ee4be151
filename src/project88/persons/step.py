"""Who is who, as a step of the cycle: after dbt has built the candidates, before the gate judges them.

Entries and results that say something new are linked, the registry follows, and the candidates are told. Each of these
is one transaction that leaves on record what is still to do, so a process killed between them is taken up by the next.
"""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from psycopg2.extras import Json

from project88 import candidate_log, db
from project88.persons import records, store
from project88.persons.linkage import Linkage

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

ENTRIES, RESULTS, EVENTS = "unified_participants", "unified_results", "unified_events"
WATCHED = {ENTRIES, RESULTS, EVENTS}
ALONE = "results_without_entry"
# Persons who were forgotten, which readers have not been told.
UNTOLD = """
select f.* from hub.forgotten_persons as f
where
    f.was_published
    and not exists (
        select from unified.person_changes as u
        where
            u.global_participant_id = f.person_id
            and u.timing_partner_id = f.timing_partner_id
            and u.change_type = 'forgotten'
    )
"""


@dataclass(frozen=True)
class Done:
    """What the step did: records that were linked, candidate rows that have another person or confidence now."""

    linked: int = 0
    moved: int = 0
    waits: bool = False
    """Whether something is not published yet, so that what follows from who is who may have to be built."""


def bring_up_to_date(dsn: str, linkage: Linkage, now: datetime) -> Done:
    """Link what differs, let the registry follow, and tell the candidates.

    The caller sees to it that nobody else builds.
    """
    with contextlib.closing(db.connect(dsn)) as connection:
        with connection, connection.cursor() as cursor:
            wholes = candidate_log.wholes(cursor) | candidate_log.unlogged(cursor)
            if not wholes and not _anything_waits(cursor):
                return Done()
            cursor.execute("select not exists (select from hub.person_linkage)")
            whole = bool(wholes & WATCHED) or cursor.fetchone() == (True,)
            _look_at(cursor, whole=whole)
            changed, gone = _differing(cursor, whole=whole)
            cursor.execute("select record_key from hub.forgotten_due order by 1")
            erased = [key for (key,) in cursor.fetchall()]
        any_differ = changed.num_rows or gone or erased
        linked = _link(connection, linkage, changed, gone, erased, now) if any_differ else 0
        with connection, connection.cursor() as cursor:
            # What somebody decides from here on is the next cycle's.
            store.lock(cursor)
            _note_results(cursor, whole=RESULTS in wholes)
            moved = _tell_candidates(cursor)
            _sum_up(cursor, wholes, now)
    return Done(linked, moved, waits=True)


def _anything_waits(cursor: Cursor) -> bool:
    """Return whether anything changed since the last publish: a record, what somebody decided, who was forgotten."""
    cursor.execute(
        "select exists (select from hub.candidate_changes) or exists (select from hub.person_due)"
        " or exists (select from due.results_without_entry) or exists (select from hub.forgotten_due)"
        f" or exists ({UNTOLD})"
    )
    return cursor.fetchone() == (True,)


def _look_at(cursor: Cursor, *, whole: bool) -> None:
    """Make `looked`: keys of records that may differ from what was linked, unless all may."""
    cursor.execute("create temp table looked (record_key text primary key)")
    if whole:
        return
    # Copied, so that the planner knows how few there are.
    cursor.execute(
        f"""
        create temp table changes as
        select relation, row_key from hub.candidate_changes where relation in ('{ENTRIES}', '{RESULTS}', '{EVENTS}')
        """
    )
    cursor.execute("analyze changes")
    cursor.execute(
        f"""
        insert into looked (record_key)
        select row_key from changes where relation in ('{ENTRIES}', '{RESULTS}')
        union
        -- The day of an event tells of an age when somebody was born. A result that is not published yet has changed
        -- itself; the published ones have an index.
        select p.participant_key
        from changes as c
        inner join candidate.unified_participants as p on c.row_key = p.event_key
        where c.relation = '{EVENTS}' and p.birth_date is null
        union
        select r.result_key
        from changes as c
        inner join unified.unified_results as r on c.row_key = r.event_key
        where c.relation = '{EVENTS}' and r.participant_key is null
        """
    )
    cursor.execute("analyze looked")


def _differing(cursor: Cursor, *, whole: bool) -> tuple[pa.Table, list[str]]:
    """Return the records that are new or say something new to the linkage, and the keys of those that are no more."""
    query = records.everything() if whole else records.of_keys("looked")
    found = records.read(
        cursor,
        f"select t.* from ({query}) as t left join hub.person_records as r on t.record_id = r.record_key "
        "where r.fingerprint is distinct from t.fingerprint",
    )
    kept, among = (
        ("hub.person_records", "") if whole else ("looked", "inner join hub.person_records using (record_key)")
    )
    cursor.execute(
        f"""
        select l.record_key from {kept} as l {among}
        where
            not exists (select from candidate.unified_participants as p where p.participant_key = l.record_key)
            and not exists (
                select from candidate.unified_results as r
                where r.result_key = l.record_key and r.participant_key is null
            )
        order by 1
        """
    )
    return found, [key for (key,) in cursor.fetchall()]


def _link(
    connection: Connection, linkage: Linkage, changed: pa.Table, gone: list[str], erased: list[str], now: datetime
) -> int:
    def everything() -> pa.Table:
        with connection, connection.cursor() as cursor:
            return records.read(cursor, records.everything())

    with connection, connection.cursor() as cursor:
        cursor.execute("select state from hub.person_linkage")
        (state,) = cursor.fetchone() or (None,)
        cursor.execute("select exists (select from hub.person_records)")
        is_first = cursor.fetchone() == (False,)
    found = linkage.look(changed, gone, (lambda: changed) if is_first else everything, state, erased)
    # A key is provider/partner/id.
    partner_of = pc.list_element(pc.split_pattern(found.groups.column("record_id"), "/"), 1)
    partners = {
        *pc.unique(partner_of).to_pylist(),
        *pc.unique(changed.column("timing_partner")).to_pylist(),
        *(key.split("/")[1] for key in gone),
    }
    with connection, connection.cursor() as cursor:
        for partner in sorted(partners, key=int):
            told = changed.filter(pc.equal(changed.column("timing_partner"), partner))
            prints = zip(*(told.column(name).to_pylist() for name in ("record_id", "fingerprint")), strict=True)
            store.follow(
                cursor,
                int(partner),
                store.Found(
                    found.groups.filter(pc.equal(partner_of, partner)),
                    dict(prints),
                    [key for key in gone if key.split("/")[1] == partner],
                    found.links,
                ),
                now,
            )
        store.join_across(cursor, found.groups)
        cursor.execute(
            "insert into hub.person_linkage (state, at) values (%(state)s, %(now)s)"
            " on conflict (is_only) do update set state = excluded.state, at = excluded.at",
            {"state": Json(found.state), "now": now},
        )
        cursor.execute("delete from hub.forgotten_due where record_key = any(%s)", (erased,))
    linkage.kept()
    return int(changed.num_rows)


def _note_results(cursor: Cursor, *, whole: bool) -> None:
    """Note the results without an entry that dbt shall look at again, and who they were."""
    cursor.execute("select to_regclass('candidate.results_without_entry') is not null")
    if cursor.fetchone() == (False,):
        # Before the first build of it, which takes all.
        return
    every = f"""
            union select r.result_key from candidate.{RESULTS} as r where r.participant_key is null
            union select w.result_key from candidate.results_without_entry as w"""
    cursor.execute(
        f"""
        insert into due.results_without_entry (result_key)
        select found.result_key
        from (
            select d.record_key as result_key from hub.person_due as d
            union
            -- Of events that changed as well: their days are told of a person.
            select l.record_key from looked as l
            union
            select c.row_key from hub.candidate_changes as c where c.relation = '{RESULTS}' {every if whole else ""}
        ) as found
        where
            exists (
                select from candidate.unified_results as r
                where r.result_key = found.result_key and r.participant_key is null
            )
            or exists (select from candidate.results_without_entry as w where w.result_key = found.result_key)
        on conflict do nothing
        """
    )
    cursor.execute(
        """
        insert into due.people_before (timing_partner_id, global_participant_id)
        select w.timing_partner_id, w.global_participant_id
        from due.results_without_entry as d
        inner join candidate.results_without_entry as w on d.result_key = w.result_key
        union
        select r.timing_partner_id, r.person_id
        from due.results_without_entry as d
        inner join hub.person_records as r on d.result_key = r.record_key
        on conflict do nothing
        """
    )


def _tell_candidates(cursor: Cursor) -> int:
    """Write into the candidate entries whose they are now, and note the persons before and after."""
    cursor.execute("analyze hub.person_due")
    cursor.execute(
        """
        with moved as (
            update candidate.unified_participants as p
            set global_participant_id = r.person_id, person_confidence = r.confidence
            from hub.person_due as d
            inner join hub.person_records as r on d.record_key = r.record_key
            inner join candidate.unified_participants as o on d.record_key = o.participant_key
            where
                p.participant_key = d.record_key
                and (o.global_participant_id, o.person_confidence) is distinct from (r.person_id, r.confidence)
            returning p.timing_partner_id, o.global_participant_id as before, p.global_participant_id as after
        ),

        persons as (
            insert into due.people_before (timing_partner_id, global_participant_id)
            select timing_partner_id, before from moved where before <> after
            union
            select timing_partner_id, after from moved where before <> after
            on conflict do nothing
        )

        select count(*) from moved
        """
    )
    (moved,) = cursor.fetchone() or (0,)
    cursor.execute("delete from hub.person_due")
    return int(moved)


def _sum_up(cursor: Cursor, wholes: set[str], now: datetime) -> None:
    """Write down how the ids that readers will see differ from those they see.

    Not step by step: what a gate stopped and the next cycle mended was nobody's news.
    """
    cursor.execute(
        f"""
        create temp table moved as
        select row_key as record_key from hub.candidate_changes where relation in ('{ENTRIES}', '{RESULTS}', '{ALONE}')
        union
        select result_key from due.results_without_entry
        """
    )
    cursor.execute("analyze moved")
    cursor.execute(
        f"""
        create temp table went as
        select o.timing_partner_id, o.person_id, o.other_person_id, count(*) as records
        from (
            select u.timing_partner_id, u.global_participant_id as person_id, r.person_id as other_person_id
            from unified.unified_participants as u
            left join hub.person_records as r on u.participant_key = r.record_key
            {"" if ENTRIES in wholes else "inner join moved as m on u.participant_key = m.record_key"}
            union all
            select
                w.timing_partner_id,
                w.global_participant_id,
                -- A result that has found its entry is that one's.
                coalesce(r.person_id, (
                    select e.person_id
                    from candidate.unified_results as c
                    inner join hub.person_records as e on c.participant_key = e.record_key
                    where c.result_key = w.result_key
                ))
            from unified.results_without_entry as w
            left join hub.person_records as r on w.result_key = r.record_key
            {"" if RESULTS in wholes else "inner join moved as m on w.result_key = m.record_key"}
        ) as o
        where o.person_id is distinct from o.other_person_id
        group by 1, 2, 3
        """
    )
    cursor.execute(
        """
        delete from hub.person_news as n
        using (
            select p.timing_partner_id, coalesce(u.change_number, 0) as number
            from hub.timing_partners as p
            left join lateral (
                select c.change_number from unified.person_changes as c
                where c.timing_partner_id = p.timing_partner_id
                order by c.change_number desc limit 1
            ) as u on true
        ) as published
        where n.timing_partner_id = published.timing_partner_id and n.number > published.number
        """
    )
    cursor.execute(
        """
        with ranked as (
            select
                w.timing_partner_id,
                w.person_id,
                w.other_person_id,
                w.records,
                p.retired_at is not null as is_retired,
                row_number() over (
                    partition by w.person_id order by w.other_person_id is null, w.records desc, o.since
                ) as place
            from went as w
            inner join hub.persons as p on w.person_id = p.person_id
            left join hub.persons as o on w.other_person_id = o.person_id
        ),

        told as (
            select
                r.*,
                case
                    when r.other_person_id is null then 'ended'
                    when r.is_retired and r.place = 1 then 'merged'
                    when exists (
                        select from unified.unified_participants as u where u.global_participant_id = r.other_person_id
                    ) or exists (
                        select from unified.results_without_entry as u where u.global_participant_id = r.other_person_id
                    ) then 'moved'
                    else 'split'
                end as kind
            from ranked as r
            where r.other_person_id is not null or (r.is_retired and r.place = 1)
        )

        insert into hub.person_news (
            timing_partner_id, number, kind, person_id, other_person_id, records, is_decided, changed_at
        )
        select
            t.timing_partner_id,
            coalesce((
                select max(n.number) from hub.person_news as n where n.timing_partner_id = t.timing_partner_id
            ), 0) + row_number() over (partition by t.timing_partner_id order by t.person_id, t.place),
            t.kind,
            t.person_id,
            t.other_person_id,
            case when t.other_person_id is null then 0 else t.records end,
            exists (
                select from hub.person_changes as c
                where c.person_id = t.person_id and c.other_person_id = t.other_person_id and c.is_decided
            ),
            %s
        from told as t
        """,
        (now,),
    )
    # Of whom nothing is left to compare.
    cursor.execute(
        f"""
        insert into hub.person_news (
            timing_partner_id, number, kind, person_id, other_person_id, records, is_decided, changed_at
        )
        select
            f.timing_partner_id,
            greatest(
                coalesce((
                    select max(n.number) from hub.person_news as n where n.timing_partner_id = f.timing_partner_id
                ), 0),
                coalesce((
                    select max(u.change_number) from unified.person_changes as u
                    where u.timing_partner_id = f.timing_partner_id
                ), 0)
            ) + row_number() over (partition by f.timing_partner_id order by f.forgotten_at, f.person_id),
            'forgotten',
            f.person_id,
            null,
            0,
            true,
            f.forgotten_at
        from ({UNTOLD}) as f
        """
    )
