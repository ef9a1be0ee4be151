"""A hub of the benchmark's own: its folder, its embedded Postgres, its raw tables."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from psycopg2 import sql

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812


@contextlib.contextmanager
def own_hub(folder: Path, *, keep: bool = False) -> Iterator[str]:
    """Give the URL of an embedded Postgres in a folder of its own, stopped (and removed) at the end."""
    before = {name: os.environ.get(name) for name in ("P88_HOME", "P88_DATABASE_URL")}
    home = folder / "home"
    os.environ["P88_HOME"] = str(home)
    os.environ.pop("P88_DATABASE_URL", None)
    from project88 import db, pipeline, settings
    from project88.db import embedded

    try:
        dsn = db.database_url()
        pipeline.prepare(dsn)
        yield dsn
    finally:
        with contextlib.suppress(Exception):
            embedded.stop()
        end_keepers()
        if not keep:
            shutil.rmtree(settings.memory_folder(), ignore_errors=True)
            shutil.rmtree(settings.short_folder("run"), ignore_errors=True)
            shutil.rmtree(home, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def end_keepers() -> None:
    """End the processes that watch over our embedded servers: they would make the removed folder again."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "project88.db.keeper" in child.cmdline():
                child.terminate()
                child.wait(10)


def query(dsn: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query; what it changes is committed."""
    from project88 import db

    connection = db.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def fresh_raw_tables(dsn: str, catalogs: dict[str, dict[str, Any]]) -> None:
    """Make the raw tables anew, empty, as `p88` makes them; with no catalogs only drop them."""
    from project88 import db, raw

    connection = db.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            for provider in raw.PROVIDERS:
                cursor.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(f"raw_{provider}")))
        if catalogs:
            raw.ensure_tables(connection, catalogs)
        else:
            with connection, connection.cursor() as cursor:
                for provider in raw.PROVIDERS:
                    cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(f"raw_{provider}")))
        checkpoint(connection)
    finally:
        connection.close()


def checkpoint(connection: Connection) -> None:
    """Write out what earlier work left to be written: it shall not be paid for by the next one."""
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("checkpoint")
    finally:
        connection.autocommit = False
