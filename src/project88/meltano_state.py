"""Meltano's state, kept in `hub.connection_state` of our own Postgres (an add-on of `meltano.state_backends`).

Every lane that runs a connection, `meltano run` today and a warm worker later, reads and writes the same rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from meltano.core.state_store.base import MeltanoState, StateIDLockedError, StateStoreManager
from psycopg2.extras import Json

from project88 import db

GIVE_UP_AFTER_SECONDS = 30.0
# Meltano names the loader in a state's id. Both of ours fill the same tables, so what one has read the other need not.
LOADER = re.compile(r"-to-target-(?:hub|postgres)(?=:|$)")


def common_id(state_id: str) -> str:
    """Return the id under which a state is kept whichever loader it came by."""
    return LOADER.sub("-to-target-postgres", state_id)


class HubStateStoreManager(StateStoreManager):
    """Reads and writes one row per state id; a lock is the database's own and ends with the session that held it."""

    label = "Project88Hub"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._connection = db.connect()
        self._connection.autocommit = True

    def close(self) -> None:
        """Close the connection, and with it any lock."""
        self._connection.close()

    def set(self, state: MeltanoState) -> None:
        """Write a state."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                """
                insert into hub.connection_state (state_id, completed, partial, updated_at)
                values (%s, %s, %s, now())
                on conflict (state_id) do update
                set completed = excluded.completed, partial = excluded.partial, updated_at = excluded.updated_at
                """,
                (common_id(state.state_id), Json(state.completed_state or {}), Json(state.partial_state or {})),
            )

    def get(self, state_id: str) -> MeltanoState | None:
        """Return a state, or None where there is none."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select completed, partial from hub.connection_state where state_id = %s", (common_id(state_id),)
            )
            row = cursor.fetchone()
        if row is None:
            return None
        return MeltanoState(state_id=state_id, completed_state=row[0] or {}, partial_state=row[1] or {})

    def delete(self, state_id: str) -> None:
        """Forget a state."""
        with self._connection.cursor() as cursor:
            cursor.execute("delete from hub.connection_state where state_id = %s", (common_id(state_id),))

    def get_state_ids(self, pattern: str | None = None) -> Iterable[str]:
        """Return the ids, those that match a pattern with `*` where one is given."""
        like = (pattern or "*").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
        with self._connection.cursor() as cursor:
            cursor.execute("select state_id from hub.connection_state where state_id like %s order by 1", (like,))
            return [row[0] for row in cursor.fetchall()]

    @contextmanager
    def acquire_lock(self, state_id: str, *, retry_seconds: float = 1) -> Generator[None]:
        """Hold the lock of a state id; a killed holder's lock is gone with its session.

        Raises StateIDLockedError when another holds it for longer than half a minute.
        """
        until = time.monotonic() + GIVE_UP_AFTER_SECONDS
        name = "state/" + common_id(state_id)
        with self._connection.cursor() as cursor:
            while True:
                cursor.execute("select pg_try_advisory_lock(hashtextextended(%s, 88))", (name,))
                row = cursor.fetchone()
                if row and row[0]:
                    break
                if time.monotonic() > until:
                    raise StateIDLockedError(f"another process holds the state {state_id!r}")
                time.sleep(min(retry_seconds, 0.2))
            try:
                yield
            finally:
                # A session that was lost took its lock along.
                if not self._connection.closed:
                    cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 88))", (name,))
