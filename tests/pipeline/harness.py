"""A hub of one's own for a test: a database, a folder of local state, the sandbox, and the command `p88`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import requests

from project88.published import BOOKKEEPING

CHECKOUT = Path(__file__).resolve().parents[2]

# When a row was read, noticed or published differs between two runs; the integer key is given in order of arrival.
PASSING = {"fetched_date", "status_changed_at", *BOOKKEEPING}
RELATIONS = (
    "unified_events",
    "unified_races",
    "unified_divisions",
    "unified_timing_points",
    "unified_participants",
    "unified_results",
    "participant_tracking",
)


@dataclass
class Sandbox:
    """The sandbox over HTTP."""

    url: str

    def post(self, path: str, **body: Any) -> Any:
        """Post to the control endpoint."""
        answer = requests.post(f"{self.url}/control/{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """Ask the control endpoint."""
        answer = requests.get(f"{self.url}/control/{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def clear_faults(self) -> None:
        """Switch all faults off."""
        requests.delete(f"{self.url}/control/fault", timeout=60).raise_for_status()


@dataclass
class Hub:
    """One database and one folder of local state."""

    dsn: str
    home: Path
    sandbox: Sandbox | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment `p88` runs in."""
        values = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_"))}
        values |= {"P88_HOME": str(self.home), "P88_DATABASE_URL": self.dsn, "P88_SIZE": "tiny"}
        values.pop("PYTHONDONTWRITEBYTECODE", None)
        return values

    def p88(self, *arguments: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "p88"), *arguments],
            env=self.environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"p88 {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "p88"), *arguments],
            env=self.environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        connection = psycopg2.connect(self.dsn, options="-c timezone=UTC")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def published(self) -> dict[str, list[str]]:
        """Return every published row, as text, without what differs between any two runs."""
        found = {}
        for relation in RELATIONS:
            rows = self.ask(f"select to_jsonb(r) from unified.{relation} r")  # noqa: S608
            found[relation] = sorted(
                json.dumps({key: value for key, value in row[0].items() if key not in PASSING}, sort_keys=True)
                for row in rows
            )
        return found

    def published_at(self) -> dict[str, Any]:
        """Return when each relation's rows were last published: moves only when a row is written."""
        return {
            relation: self.ask(f"select count(*), max(published_at) from unified.{relation}")[0]  # noqa: S608
            for relation in RELATIONS
        }


def kill(process: psutil.Process) -> None:
    """End a process by SIGKILL, as a power cut would."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def children_named(parent: int, *names: str) -> list[psutil.Process]:
    """Return the running descendants of a process whose command line names one of the programs."""
    try:
        below = psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for process in below:
        try:
            words = [Path(word).name for word in process.cmdline()[:3]]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if set(words) & set(names):
            found.append(process)
    return found


def wait_for(condition: Any, seconds: float) -> Any:
    """Return the first truth a condition gives, or None when the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.01)
    return None


def differences(found: dict[str, list[str]], expected: dict[str, list[str]], most: int = 3) -> list[str]:
    """Return what one published state has and the other has not; empty where they are equal."""
    told = []
    for relation, rows in expected.items():
        lacking, beyond = sorted(set(rows) - set(found[relation])), sorted(set(found[relation]) - set(rows))
        if lacking or beyond or len(rows) != len(found[relation]):
            told.append(f"{relation}: {len(found[relation])} rows, expected {len(rows)}")
            told += [f"  lacks {row}" for row in lacking[:most]] + [f"  has {row}" for row in beyond[:most]]
    return told
