"""The person registry in Postgres: clusters in, ids, aliases, changes and what the candidates must be told out.

Whoever writes holds the registry's lock until the transaction ends, so that two never match at once.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg2.extras import execute_values
from pyarrow import csv

from project88.errors import ActionNeeded
from project88.persons.decisions import Decision, Kind, Standing, standing
from project88.persons.matching import Known, Link, Outcome, Place, match

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

MOST_RECORDS_SHOWN = 500


@dataclass
class Found:
    """What the linkage says of one partner's records.

    `groups` (Arrow: record_id, group, confidence) holds every record of each group that was touched. `fingerprints`: of
    each record that was read anew. `gone`: records that are no more. `links` (Arrow: record_id, other_record_id, score
    in bits): for where a decision parts a group.
    """

    groups: pa.Table
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    gone: Collection[str] = ()
    links: pa.Table | None = None


EMPTY = pa.table({"record_id": pa.array([], pa.string()), "group": pa.array([], pa.int64()),
                  "confidence": pa.array([], pa.float64())})  # fmt: skip


def lock(cursor: Cursor) -> None:
    """Wait until nobody else writes the registry; held to the end of the transaction."""
    cursor.execute("select pg_advisory_xact_lock(hashtextextended('persons', 88))")


def follow(cursor: Cursor, timing_partner_id: int, found: Found, now: datetime) -> Outcome | None:
    """Bring one partner's persons up to date with what was found, in the caller's transaction.

    Returns what changed; None where these are the partner's first persons, who are all new. Raises ValueError for a
    record that the registry does not know and that comes without a fingerprint.
    """
    lock(cursor)
    cursor.execute(
        "select exists (select from hub.persons where timing_partner_id = %(p)s)"
        " or exists (select from hub.person_decisions where timing_partner_id = %(p)s)",
        {"p": timing_partner_id},
    )
    if cursor.fetchone() == (False,):
        _begin(cursor, timing_partner_id, found, now)
        return None
    clusters: dict[Any, dict[str, float]] = {}
    for record, group, confidence in zip(
        *(found.groups.column(name).to_pylist() for name in ("record_id", "group", "confidence")), strict=True
    ):
        clusters.setdefault(group, {})[record] = confidence
    touched = {key for cluster in clusters.values() for key in cluster} | set(found.gone)
    return _follow(cursor, timing_partner_id, list(clusters.values()), touched, found, now, is_decided=False)


def decide(
    cursor: Cursor,
    timing_partner_id: int,
    decision: Decision,
    *,
    persons: Sequence[str],
    by: str,
    reason: str,
    now: datetime,
) -> Outcome:
    """Put a decision on record and follow it at once, in the caller's transaction."""
    lock(cursor)
    cursor.execute(
        """
        insert into hub.person_decisions
        (timing_partner_id, kind, records, others, person_ids, decided_by, reason, decided_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            timing_partner_id, decision.kind, sorted(decision.records), sorted(decision.others), list(persons), by,
            reason, now,
        ),
    )  # fmt: skip
    return _follow(cursor, timing_partner_id, [], set(decision.named), Found(EMPTY), now, is_decided=True)


def decisions(cursor: Cursor, timing_partner_id: int) -> list[Decision]:
    """Return what was decided about a partner's records, from the first to the last."""
    cursor.execute(
        "select kind, records, others from hub.person_decisions where timing_partner_id = %s order by decision_id",
        (timing_partner_id,),
    )
    return [Decision(kind, frozenset(records), frozenset(others)) for kind, records, others in cursor.fetchall()]


def _follow(
    cursor: Cursor,
    timing_partner_id: int,
    clusters: list[dict[str, float]],
    touched: set[str],
    found: Found,
    now: datetime,
    *,
    is_decided: bool,
) -> Outcome:
    decided = standing(decisions(cursor, timing_partner_id))
    known = _known(cursor, timing_partner_id, touched, decided)
    outcome = match(
        timing_partner_id, clusters, known, decided=decided,
        links=_links(found.links, touched) if decided.apart and found.links is not None else (),
        changed=found.fingerprints.keys(), gone=found.gone,
    )  # fmt: skip
    _write(cursor, timing_partner_id, outcome, found.fingerprints, now, is_decided)
    return outcome


def _links(links: pa.Table, among: set[str]) -> list[Link]:
    mine = links.filter(pc.is_in(links.column("record_id"), pa.array(sorted(among), pa.string())))
    columns = (mine.column(name).to_pylist() for name in ("record_id", "other_record_id", "score"))
    return list(zip(*columns, strict=True))


def _known(cursor: Cursor, timing_partner_id: int, touched: set[str], decided: Standing) -> Known:
    """Return all records of each person that a touched record is of, or that a decision ties to one of these."""
    places: dict[str, Place] = {}
    asked: set[str] = set()
    wanted = touched
    while wanted:
        cursor.execute(
            """
            select r.record_key, r.person_id, r.confidence
            from hub.person_records as r
            where r.person_id in (select o.person_id from hub.person_records as o where o.record_key = any(%s))
            """,
            (sorted(wanted),),
        )
        places.update((key, Place(person, confidence)) for key, person, confidence in cursor.fetchall())
        asked |= wanted | places.keys()
        tied = [group for group in decided.together if not group.isdisjoint(asked)]
        tied += [left | right for left, right in decided.apart if not (left | right).isdisjoint(asked)]
        wanted = frozenset().union(*tied) - asked if tied else set()  # type: ignore[assignment]
    cursor.execute(
        "select person_id, since from hub.persons where person_id = any(%s)",
        (sorted({place.person_id for place in places.values()}),),
    )
    since = dict(cursor.fetchall())
    cursor.execute("select coalesce(max(since), 0) from hub.persons where timing_partner_id = %s", (timing_partner_id,))
    (last,) = cursor.fetchone() or (0,)
    cursor.execute(
        """
        select first_record, count(*) from hub.persons
        where timing_partner_id = %s and first_record = any(%s) group by 1
        """,
        (timing_partner_id, sorted(asked)),
    )
    return Known(places, since, int(last), dict(cursor.fetchall()))


def _write(
    cursor: Cursor,
    timing_partner_id: int,
    outcome: Outcome,
    fingerprints: Mapping[str, str],
    now: datetime,
    is_decided: bool,
) -> None:
    execute_values(
        cursor,
        "insert into hub.persons (person_id, timing_partner_id, since, first_record, nth, minted_at) values %s",
        [(one.person_id, timing_partner_id, one.since, one.first_record, one.nth, now) for one in outcome.minted],
    )
    places = outcome.places
    execute_values(
        cursor,
        "update hub.person_records as r set person_id = n.person_id, confidence = n.confidence::double precision "
        "from (values %s) as n (record_key, person_id, confidence) where r.record_key = n.record_key",
        [(key, place.person_id, place.confidence) for key, place in places.items()],
    )
    execute_values(
        cursor,
        "update hub.person_records as r set fingerprint = n.fingerprint::uuid "
        "from (values %s) as n (record_key, fingerprint) where r.record_key = n.record_key",
        list(fingerprints.items()),
    )
    cursor.execute("select record_key from hub.person_records where record_key = any(%s)", (list(places),))
    there = {key for (key,) in cursor.fetchall()}
    new = [key for key in places if key not in there]
    if unread := [key for key in new if key not in fingerprints]:
        raise ValueError(f"{unread[0]} is new and has no fingerprint")
    execute_values(
        cursor,
        "insert into hub.person_records (record_key, timing_partner_id, person_id, confidence, fingerprint) values %s",
        [(key, timing_partner_id, places[key].person_id, places[key].confidence, fingerprints[key]) for key in new],
    )
    cursor.execute("delete from hub.person_records where record_key = any(%s)", (outcome.gone,))
    cursor.execute("update hub.persons set retired_at = %s where person_id = any(%s)", (now, list(outcome.retired)))
    cursor.execute("delete from hub.people_across where global_participant_id = any(%s)", (list(outcome.retired),))
    execute_values(
        cursor,
        "insert into hub.person_aliases (person_id, successor_id, retired_at) values %s",
        [(person, successor, now) for person, successor in outcome.retired.items()],
    )
    cursor.execute(
        "select coalesce(max(number), 0) from hub.person_changes where timing_partner_id = %s", (timing_partner_id,)
    )
    (number,) = cursor.fetchone() or (0,)
    execute_values(
        cursor,
        "insert into hub.person_changes (timing_partner_id, number, kind, person_id, other_person_id, records, "
        "is_decided, changed_at) values %s",
        [
            (timing_partner_id, number + n, one.kind, one.person_id, one.other_person_id, one.records, is_decided, now)
            for n, one in enumerate(outcome.changes, 1)
        ],
    )
    execute_values(
        cursor,
        "insert into hub.person_due (record_key) values %s on conflict do nothing",
        [(key,) for key in (*places, *outcome.gone)],
    )


def _begin(cursor: Cursor, timing_partner_id: int, found: Found, now: datetime) -> None:
    """Make a partner's first persons, all of them new: what `match` would, in two statements."""
    cursor.execute(
        "create temp table if not exists first_records (record_key text, grp text, confidence double precision, "
        'fingerprint uuid, first_record text collate "C") on commit drop'
    )
    cursor.execute("truncate first_records")
    keys = found.groups.column("record_id").to_pylist()
    if unread := [key for key in keys if key not in found.fingerprints]:
        raise ValueError(f"{unread[0]} is new and has no fingerprint")
    lines = io.BytesIO()
    csv.write_csv(
        pa.table(
            {
                "record_key": found.groups.column("record_id"),
                "group": found.groups.column("group"),
                "confidence": found.groups.column("confidence"),
                "fingerprint": pa.array([found.fingerprints[key] for key in keys], pa.string()),
            }
        ),
        lines,
        csv.WriteOptions(include_header=False),
    )
    lines.seek(0)
    cursor.copy_expert("copy first_records (record_key, grp, confidence, fingerprint) from stdin (format csv)", lines)
    cursor.execute(
        "update first_records as r set first_record = f.first_record from "
        '(select grp, min(record_key collate "C") as first_record from first_records group by grp) as f '
        "where r.grp = f.grp"
    )
    values = {"p": timing_partner_id, "now": now}
    cursor.execute(
        """
        insert into hub.persons (person_id, timing_partner_id, since, first_record, nth, minted_at)
        select
            md5('person|' || %(p)s || '|' || first_record), %(p)s, row_number() over (order by first_record),
            first_record, 0, %(now)s
        from (select distinct first_record from first_records) as f
        """,
        values,
    )
    cursor.execute(
        """
        insert into hub.person_records (record_key, timing_partner_id, person_id, confidence, fingerprint)
        select record_key, %(p)s, md5('person|' || %(p)s || '|' || first_record), confidence, fingerprint
        from first_records
        """,
        values,
    )
    cursor.execute(
        "insert into hub.person_due (record_key) select record_key from first_records on conflict do nothing"
    )


def join_across(cursor: Cursor, groups: pa.Table) -> None:
    """Keep for staff which persons of several partners are one; `groups`: record_id, wide_group, wide_confidence.

    Of each group over partners that is in it, it has all records.
    """
    cursor.execute("create temp table across (record_key text, wide text, confidence double precision) on commit drop")
    lines = io.BytesIO()
    csv.write_csv(
        groups.select(["record_id", "wide_group", "wide_confidence"]), lines, csv.WriteOptions(include_header=False)
    )
    lines.seek(0)
    cursor.copy_expert("copy across from stdin (format csv)", lines)
    cursor.execute(
        """
        create temp table joined on commit drop as
        select
            person_id, timing_partner_id, confidence,
            md5('people|' || min(person_id) over (partition by wide)) as people_id
        from (
            select r.person_id, r.timing_partner_id, min(a.wide) as wide, min(a.confidence) as confidence
            from across as a inner join hub.person_records as r on a.record_key = r.record_key
            group by 1, 2
        ) as persons
        """
    )
    # What stands as it is found is not written: of those that are looked at nearly all do. Looked up one by one, or the
    # planner, which knows little of `joined`, would read all of them.
    cursor.execute(
        """
        insert into hub.people_across (global_participant_id, timing_partner_id, people_id, confidence)
        select j.person_id, j.timing_partner_id, j.people_id, j.confidence
        from joined as j
        where (
            select (o.people_id, o.confidence) from hub.people_across as o where o.global_participant_id = j.person_id
        ) is distinct from (j.people_id, j.confidence)
        on conflict (global_participant_id) do update
        set people_id = excluded.people_id, confidence = excluded.confidence
        """
    )


# looking


@dataclass(frozen=True)
class Person:
    """A living person, as the registry holds it. `records`: key and confidence."""

    person_id: str
    timing_partner_id: int
    minted_at: datetime
    records: tuple[tuple[str, float], ...]
    names_before: tuple[str, ...] = ()
    decisions: tuple[tuple[Any, ...], ...] = ()
    changes: tuple[tuple[Any, ...], ...] = ()


def today(cursor: Cursor, name: str) -> str:
    """Return the id of the living person whom a name means: an id, a retired one, or the key of a record.

    Raises ActionNeeded where it means nobody, or somebody of whom no record is left.
    """
    cursor.execute(
        """
        with recursive names (person_id, depth) as (
            select
                coalesce((select r.person_id from hub.person_records as r where r.record_key = %(name)s), %(name)s), 0
            union all
            select a.successor_id, n.depth + 1
            from names as n inner join hub.person_aliases as a on n.person_id = a.person_id
        )
        select n.person_id, p.retired_at
        from names as n left join hub.persons as p on n.person_id = p.person_id
        order by n.depth desc limit 1
        """,
        {"name": name},
    )
    person_id, retired_at = cursor.fetchone() or (None, None)
    if person_id is None or retired_at is not None:
        raise ActionNeeded(f"{name} has ended: none of its records is left")
    cursor.execute("select exists (select from hub.persons where person_id = %s)", (person_id,))
    if cursor.fetchone() == (False,):
        raise ActionNeeded(
            f"there is no person or record {name}; global_participant_id and participant_key of unified_participants "
            "name them"
        )
    return str(person_id)


def look(cursor: Cursor, name: str) -> Person:
    """Return the living person whom a name means. Raises ActionNeeded as `today` does."""
    person_id = today(cursor, name)
    cursor.execute("select timing_partner_id, minted_at from hub.persons where person_id = %s", (person_id,))
    partner, minted_at = cursor.fetchone() or (0, None)
    cursor.execute(
        'select record_key, confidence from hub.person_records where person_id = %s order by record_key collate "C"',
        (person_id,),
    )
    records = tuple((key, confidence) for key, confidence in cursor.fetchall())
    cursor.execute(
        """
        with recursive names (person_id) as (
            select %s::text
            union
            select a.person_id from names as n inner join hub.person_aliases as a on n.person_id = a.successor_id
        )
        select person_id from names where person_id <> %s order by 1
        """,
        (person_id, person_id),
    )
    before = tuple(one for (one,) in cursor.fetchall())
    cursor.execute(
        """
        select decided_at, kind, decided_by, reason, cardinality(records), cardinality(others)
        from hub.person_decisions
        where timing_partner_id = %s and (records && %s or others && %s)
        order by decision_id
        """,
        (partner, [key for key, _ in records], [key for key, _ in records]),
    )
    decided = tuple(cursor.fetchall())
    cursor.execute(
        """
        select changed_at, kind, person_id, other_person_id, records
        from hub.person_changes where person_id = any(%(ids)s) or other_person_id = any(%(ids)s)
        order by number
        """,
        {"ids": [person_id, *before]},
    )
    assert isinstance(minted_at, datetime)
    return Person(person_id, partner, minted_at, records, before, decided, tuple(cursor.fetchall()))


def decide_about(
    connection: Connection, kind: Kind, names: Sequence[str], records: Sequence[str] = (), *, by: str, reason: str,
    now: datetime,
) -> Outcome:  # fmt: skip
    """Decide about living persons, and commit: they are one, these `records` are not the person's, or all is right.

    Raises ActionNeeded where a name means nobody, where persons are of two partners, or where nothing is decided.
    """
    with connection, connection.cursor() as cursor:
        lock(cursor)
        persons = [look(cursor, name) for name in names]
        ids = list(dict.fromkeys(person.person_id for person in persons))
        partners = {person.timing_partner_id for person in persons}
        if len(partners) > 1:
            raise ActionNeeded("these are persons of several timing partners; persons are one within a partner only")
        mine = frozenset(key for person in persons for key, _ in person.records)
        others: frozenset[str] = frozenset()
        if kind == "merge" and len(ids) < 2:
            raise ActionNeeded("these names mean one person already; `p88 person confirm` keeps it so")
        if kind == "split":
            apart = frozenset(records)
            if strange := sorted(apart - mine):
                raise ActionNeeded(f"{strange[0]} is no record of {ids[0]}; `p88 person show {ids[0]}` lists them")
            if apart == mine:
                raise ActionNeeded("these are all of its records; name those only that are somebody else's")
            mine, others = apart, mine - apart
        return decide(cursor, partners.pop(), Decision(kind, mine, others), persons=ids, by=by, reason=reason, now=now)
