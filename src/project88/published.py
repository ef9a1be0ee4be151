"""The published relations, and the schema that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from project88.db.schema import is_applied, mark_applied

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

DDL = Path(__file__).with_name("published.sql")
SCHEMA = "unified"
CANDIDATES = "candidate"

RELATIONS = {
    "unified_events": ("event_key",),
    "unified_races": ("race_key",),
    "unified_divisions": ("division_key",),
    "unified_timing_points": ("timing_point_key",),
    "unified_participants": ("participant_key",),
    "unified_results": ("result_key",),
    "participant_tracking": ("timing_partner_id", "global_participant_id"),
    "entry_links": ("link_key",),
    "results_without_entry": ("result_key",),
    "person_changes": ("change_key",),
}
"""Published relations with the columns of their key."""

BOOKKEEPING = ("id", "name_key", "first_published_at", "published_at")
"""Columns of our own: no candidate has them and no comparison of published data looks at them."""

READING = ("fetched_date",)
"""Columns that say when a record was read: alone they are no change, with a change they are copied."""


def ensure_published(connection: Connection) -> None:
    """Create or bring up to date the published tables, in the caller's transaction."""
    text = DDL.read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        cursor.execute("select every(to_regclass(name) is not null) from unnest(%s) as name", (_qualified(),))
        if cursor.fetchone() == (True,) and is_applied(connection, SCHEMA, text):
            return
        cursor.execute("set local client_min_messages = warning")
        cursor.execute(text)
    mark_applied(connection, SCHEMA, text)


def _qualified() -> list[str]:
    return [f"{SCHEMA}.{relation}" for relation in RELATIONS]
