"""The older system's relations as views over our own; `legacy.sql` holds their text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import errors, sql

from project88.db.schema import fingerprint, is_applied, mark_applied
from project88.errors import ActionNeeded

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

DDL = Path(__file__).with_name("legacy.sql")
SCHEMA = "unified"


def definitions() -> dict[str, str]:
    """Return the statement that makes each view, by the view's name, in the order of the file."""
    statements = re.split(r";\s*\n", DDL.read_text(encoding="utf-8"))
    found = {}
    for statement in statements:
        name = re.search(rf"create or replace view {SCHEMA}\.(\w+)", statement)
        if name:
            found[name.group(1)] = statement
    return found


VIEWS = tuple(definitions())
"""Names of the older system's relations."""


def ensure_legacy_views(connection: Connection) -> None:
    """Make the views what `legacy.sql` says, in the caller's transaction; takes no lock where they already are.

    Raises ActionNeeded when somebody's own view is in the way of a changed column.
    """
    with connection.cursor() as cursor:
        for name, statement in definitions().items():
            # Replacing a view by hand without the clause drops it, and with it the isolation of partners: what
            # the database holds is compared as well, not only what we meant to put there.
            if is_applied(connection, f"view {name}", statement + _as_stored(cursor, name)):
                continue
            _replace(cursor, name, statement)
            mark_applied(connection, f"view {name}", statement + _as_stored(cursor, name))


def _as_stored(cursor: Cursor, name: str) -> str:
    cursor.execute(
        """
        select r.ev_action::text || coalesce(array_to_string(c.reloptions, ','), '')
        from pg_class as c
        inner join pg_rewrite as r on c.oid = r.ev_class
        where c.oid = to_regclass(%s) and c.relkind = 'v'
        """,
        (f"{SCHEMA}.{name}",),
    )
    row = cursor.fetchone()
    return fingerprint(row[0]) if row else ""


def _replace(cursor: Cursor, name: str, statement: str) -> None:
    view = sql.Identifier(SCHEMA, name)
    cursor.execute("savepoint legacy_view")
    try:
        cursor.execute(statement)
    except (errors.InvalidTableDefinition, errors.WrongObjectType):
        # Columns were taken away, renamed or changed their type, which `or replace` cannot do.
        cursor.execute("rollback to savepoint legacy_view")
        try:
            cursor.execute(sql.SQL("drop view {}").format(view))
            cursor.execute(statement)
        except psycopg2.Error as error:
            # Waiting for a lock is tried again by whoever called.
            if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            reason = " ".join((error.diag.message_primary or str(error)).split())
            raise ActionNeeded(
                f"the view {SCHEMA}.{name} could not be made: {reason}; move or drop what stands in its way"
            ) from error
    cursor.execute("release savepoint legacy_view")
