"""The registry's tables in schema `hub`: made and brought up to date by us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from project88.db.schema import is_applied, mark_applied

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

DDL = Path(__file__).with_name("persons.sql")


def ensure(connection: Connection) -> None:
    """Create or bring up to date the registry's tables, and commit; cheap where nothing has changed."""
    with connection:
        ensure_tables(connection)


def ensure_tables(connection: Connection) -> None:
    """Do what `ensure` does, in the caller's transaction."""
    text = DDL.read_text(encoding="utf-8")
    with connection.cursor() as cursor:
        if is_applied(connection, "persons", text):
            return
        # Two processes that begin at once would both create.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('persons schema', 88))")
        cursor.execute("set local client_min_messages = warning")
        cursor.execute(text)
        mark_applied(connection, "persons", text)
