"""DuckDB: a connection of our own, and a row of an answer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb


def connect(file: Path, memory: str, threads: int | None, *, in_memory: bool = False) -> duckdb.DuckDBPyConnection:
    """Return DuckDB's own file, or what needs none; it spills into the folder of the file."""
    db = duckdb.connect(":memory:" if in_memory else str(file))
    spill = str(file.with_name("spill")).replace("'", "''")
    # Of a process that was ended; the file is ours alone by now.
    shutil.rmtree(file.with_name("spill"), ignore_errors=True)
    db.execute(f"set memory_limit = '{memory}'")
    db.execute(f"set threads = {threads or max(1, min(os.cpu_count() or 1, 8))}")
    db.execute(f"set temp_directory = '{spill}'")
    db.execute("set preserve_insertion_order = false")
    db.execute("set enable_progress_bar = false")
    return db


def row(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """Return the only row of an answer."""
    # fetchone would leave the answer open, and the connection refuse the next question.
    return tuple(db.execute(query).fetchall()[0])
