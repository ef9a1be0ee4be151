"""What is published, when, from which connection, and what is in quarantine: one function per question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from project88.published import RELATIONS, SCHEMA

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

EVERYTHING = "*"


@dataclass(frozen=True)
class LastPublication:
    """The latest publish, one that changed nothing included."""

    publication_id: int
    run_id: str | None
    published_at: datetime
    inserted: int
    updated: int
    deleted: int
    total: int


@dataclass(frozen=True)
class PublishedRelation:
    """A published relation: its rows, and what the last publish that changed it did."""

    relation: str
    rows: int
    changed_at: datetime | None
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True)
class ConnectionStatus:
    """A connection: what is published of its partner and provider, and how its last sync went.

    Rows belong to a partner and a provider: a partner's two accounts with one provider show the same counts.
    """

    connection_id: int
    timing_partner_id: int
    company_name: str
    provider_name: str
    account: str
    is_enabled: bool
    events: int
    participants: int
    results: int
    last_fetched_at: datetime | None
    last_sync_at: datetime | None
    last_sync_status: str | None
    last_sync_error: str | None


@dataclass(frozen=True)
class QuarantineGroup:
    """Rows of one relation, partner and provider that are kept back by one rule."""

    stage: str
    relation: str
    rule: str
    source_provider: str | None
    timing_partner_id: int | None
    rows: int
    first_seen_at: datetime
    last_seen_at: datetime
    reason: str
    sample_keys: list[str]


@dataclass(frozen=True)
class RunStatus:
    """A run of the pipeline."""

    run_id: str
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class Status:
    """The answers to all questions."""

    publication: LastPublication | None
    relations: list[PublishedRelation]
    connections: list[ConnectionStatus]
    quarantine: list[QuarantineGroup]
    runs: list[RunStatus]


def status(connection: Connection) -> Status:
    """Answer all questions."""
    return Status(
        last_publication(connection),
        published_relations(connection),
        connections(connection),
        quarantine(connection),
        last_runs(connection),
    )


def last_publication(connection: Connection) -> LastPublication | None:
    """Return the latest publish, or None before the first."""
    rows = _rows(
        connection,
        """
        select publication_id, run_id, published_at, inserted, updated, deleted, total
        from hub.publications
        where relation = %s
        order by publication_id desc
        limit 1
        """,
        (EVERYTHING,),
    )
    return LastPublication(*rows[0]) if rows else None


def published_relations(connection: Connection) -> list[PublishedRelation]:
    """Return the published relations in the order of their making; the counts are those of the last publish."""
    rows = _rows(
        connection,
        """
        select distinct on (relation) relation, total, published_at, inserted, updated, deleted
        from hub.publications
        where relation = any(%s)
        order by relation, publication_id desc
        """,
        (list(RELATIONS),),
    )
    found = {row[0]: PublishedRelation(*row) for row in rows}
    return [found.get(name, PublishedRelation(name, 0, None, 0, 0, 0)) for name in RELATIONS]


def connections(connection: Connection) -> list[ConnectionStatus]:
    """Return each connection with its published rows and its last sync."""
    is_published = _rows(connection, "select to_regclass(%s) is not null", (f"{SCHEMA}.participant_tracking",))[0][0]
    counts: dict[tuple[int, str], dict[str, Any]] = {}
    for relation in ("unified_events", "unified_participants", "unified_results") if is_published else ():
        for partner, provider, rows, fetched_at in _rows(
            connection,
            sql.SQL(
                "select timing_partner_id, source_provider, count(*), max(fetched_date) from {} group by 1, 2"
            ).format(sql.Identifier(SCHEMA, relation)),
        ):
            held = counts.setdefault((partner, provider), {"fetched": []})
            held[relation] = rows
            held["fetched"] += [fetched_at] if fetched_at else []
    found = []
    for row in _rows(
        connection,
        """
        select
            c.connection_id, c.timing_partner_id, p.company_name, c.provider_name, c.account, c.enabled,
            s.completed_at, s.status, s.error_message
        from hub.connections as c
        inner join hub.timing_partners as p on c.timing_partner_id = p.timing_partner_id
        left join lateral (
            select h.completed_at, h.status, h.error_message
            from hub.sync_history as h
            where h.connection_id = c.connection_id
            order by h.id desc
            limit 1
        ) as s on true
        order by c.timing_partner_id, c.provider_name, c.account
        """,
    ):
        held = counts.get((row[1], row[3]), {"fetched": []})
        found.append(
            ConnectionStatus(
                connection_id=row[0],
                timing_partner_id=row[1],
                company_name=row[2],
                provider_name=row[3],
                account=row[4],
                is_enabled=row[5],
                events=held.get("unified_events", 0),
                participants=held.get("unified_participants", 0),
                results=held.get("unified_results", 0),
                last_fetched_at=max(held["fetched"], default=None),
                last_sync_at=row[6],
                last_sync_status=row[7],
                last_sync_error=row[8],
            )
        )
    return found


def quarantine(connection: Connection) -> list[QuarantineGroup]:
    """Return what is kept back now, by rule, the most first."""
    rows = _rows(
        connection,
        """
        select
            stage, relation, rule, source_provider, timing_partner_id, count(*), min(first_seen_at), max(last_seen_at),
            min(reason), (array_agg(row_key order by row_key))[1:5]
        from hub.quarantine
        where resolved_at is null
        group by 1, 2, 3, 4, 5
        order by count(*) desc, relation, rule, source_provider, timing_partner_id
        """,
    )
    return [QuarantineGroup(*row) for row in rows]


def last_runs(connection: Connection, limit: int = 5) -> list[RunStatus]:
    """Return the latest runs, the newest first."""
    rows = _rows(
        connection,
        """
        select run_id, kind, status, started_at, finished_at, error
        from hub.runs
        order by started_at desc, run_id desc
        limit %s
        """,
        (limit,),
    )
    return [RunStatus(*row) for row in rows]


def _rows(connection: Connection, query: str | sql.Composable, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
