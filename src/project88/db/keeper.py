"""Stops the embedded server when nobody has been connected for a while, so that none is left behind."""

from __future__ import annotations

import os
import time

import psycopg2
from filelock import FileLock, Timeout

from project88 import settings
from project88.db import embedded

LOOK_EVERY_SECONDS = 20.0
# What this process itself opens does not count; neither do background workers.
BUSY = """
    select count(*) from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
TRANSACTIONS = "select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database()"


def main() -> None:
    """Watch until the server is idle or gone; one watcher per server."""
    lock = FileLock(settings.home() / "keeper.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    limit = float(os.environ.get("P88_DB_IDLE_MINUTES", "45")) * 60
    last_seen, transactions = time.monotonic(), None
    with lock:
        while True:
            time.sleep(min(LOOK_EVERY_SECONDS, limit / 3))
            if embedded.pid() is None:
                return
            try:
                connection = psycopg2.connect(embedded.url(), connect_timeout=10)
            except psycopg2.OperationalError:
                continue
            try:
                with connection.cursor() as cursor:
                    cursor.execute(BUSY)
                    busy = cursor.fetchone()
                    cursor.execute(TRANSACTIONS)
                    count = cursor.fetchone()
            finally:
                connection.close()
            # Our own look adds a few transactions; people and pipelines add more than that.
            moved = transactions is not None and count is not None and count[0] - transactions > 10
            transactions = count[0] if count else None
            if (busy and busy[0]) or moved:
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > limit:
                embedded.stop()
                return


if __name__ == "__main__":
    main()
