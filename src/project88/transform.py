"""dbt, run as a child process in the project's own settings."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from project88 import db, settings
from project88.errors import ActionNeeded

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

PROJECT = settings.CHECKOUT / "transform"


def environment(dsn: str) -> dict[str, str]:
    """Return the environment dbt's profile reads its database from."""
    parts = db.parts(dsn)
    values = settings.child_environment()
    values.update(
        {
            "P88_PG_HOST": parts["host"] or "localhost",
            "P88_PG_PORT": parts["port"] or "5432",
            "P88_PG_USER": parts["user"],
            "P88_PG_PASSWORD": parts["password"],
            "P88_PG_DATABASE": parts["dbname"],
            "PGTZ": "UTC",
            "DBT_TARGET_PATH": str(settings.private_folder("dbt", "target")),
            "DBT_LOG_PATH": str(settings.private_folder("dbt", "logs")),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
    )
    return values


def rules_fingerprint() -> str:
    """Return a hash over the dbt project: when it changes, what was built by the old rules is built anew."""
    digest = hashlib.sha256()
    for folder in ("models", "macros", "seeds"):
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix in {".sql", ".csv"}:
                digest.update(str(file.relative_to(PROJECT)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def rules_changed(connection: Connection) -> bool:
    """Return whether the candidates were built by other rules than today's (or never)."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select rules_hash from hub.transform_marks where name = 'rules'")
        row = cursor.fetchone()
    return row is None or row[0] != rules_fingerprint()


def note_rules(connection: Connection) -> None:
    """Note that the candidates are now built by today's rules."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.transform_marks (name, rules_hash, at) values ('rules', %s, now())
            on conflict (name) do update set rules_hash = excluded.rules_hash, at = excluded.at
            """,
            (rules_fingerprint(),),
        )


def dbt(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a dbt command and return how it ended, output included."""
    return subprocess.run(
        [settings.executable("dbt"), "--no-use-colors", *arguments],
        capture_output=True,
        text=True,
        env=environment(dsn),
        cwd=PROJECT,
        check=False,
    )


def build(dsn: str, *, everything: bool = False) -> int:
    """Build the candidate relations; returns how many nodes ran.

    Raises ActionNeeded naming the first model or test that failed.
    """
    connection = db.connect(dsn)
    try:
        everything = everything or rules_changed(connection)
        arguments = ["build", "--quiet", "--exclude-resource-type", "unit_test", "--exclude", "tag:nightly"]
        done = dbt(dsn, *arguments, *(["--full-refresh"] if everything else []))
        log = settings.private_folder("logs") / "dbt.log"
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        results = settings.private_folder("dbt", "target") / "run_results.json"
        if done.returncode:
            raise ActionNeeded(f"dbt: {_first_failure(results, done.stdout)} (log: {log}); nothing was published")
        note_rules(connection)
    finally:
        connection.close()
    return len(json.loads(results.read_text(encoding="utf-8"))["results"])


def _first_failure(results: Path, output: str) -> str:
    try:
        found = json.loads(results.read_text(encoding="utf-8"))["results"]
    except (FileNotFoundError, ValueError, KeyError):
        found = []
    for one in found:
        if one["status"] in {"error", "fail"}:
            return f"{one['unique_id']}: {' '.join((one.get('message') or '').split())[:300]}"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return (lines or ["ended without a word"])[-1][:300]
