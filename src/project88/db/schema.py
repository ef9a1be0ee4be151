"""The application's own schema `hub`: made and brought up to date by us."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

DDL = Path(__file__).with_name("hub.sql")


def fingerprint(text: str) -> str:
    """Return a short hash of DDL: while it stays the same there is nothing to do."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ensure_hub(connection: Connection) -> None:
    """Create or bring up to date the schema `hub`, and commit; cheap where nothing has changed."""
    text = DDL.read_text(encoding="utf-8")
    with connection:
        if is_applied(connection, "hub", text):
            return
        with connection.cursor() as cursor:
            # Two processes that start at once would both create.
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('hub schema', 88))")
            cursor.execute("set local client_min_messages = warning")
            cursor.execute(text)
        mark_applied(connection, "hub", text)


def is_applied(connection: Connection, name: str, text: str) -> bool:
    """Return whether the database holds this version of our DDL."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('hub.schema_objects') is not null")
        if cursor.fetchone() != (True,):
            return False
        cursor.execute("select fingerprint from hub.schema_objects where name = %s", (name,))
        return cursor.fetchone() == (fingerprint(text),)


def mark_applied(connection: Connection, name: str, text: str) -> None:
    """Note that the database holds this version of our DDL."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.schema_objects (name, fingerprint) values (%s, %s)
            on conflict (name) do update set fingerprint = excluded.fingerprint, at = now()
            """,
            (name, fingerprint(text)),
        )
