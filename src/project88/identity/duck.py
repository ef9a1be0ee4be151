"""DuckDB: a connection of our own, and a row of an answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

# Below so many records the work fits into memory without a file beside it.
SMALL = 300_000


def connect(folder: str, rows: int, memory: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB of its own, in memory while the records are few; it spills into `folder`."""
    db = duckdb.connect(":memory:" if rows < SMALL else str(Path(folder) / "link.duckdb"))
    quoted = folder.replace("'", "''")
    db.execute(f"set memory_limit = '{memory}'")
    db.execute(f"set threads = {threads or max(1, min(os.cpu_count() or 1, 8))}")
    db.execute(f"set temp_directory = '{quoted}'")
    db.execute("set preserve_insertion_order = false")
    return db


def row(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the only row of an answer."""
    # fetchone would leave the answer open, and the connection refuse the next question.
    return tuple(db.execute(query).fetchall()[0])
