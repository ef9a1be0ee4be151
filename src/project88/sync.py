"""One connection brought in by `meltano run`, isolated from every other.

Several runs of one plugin in one project share file names below Meltano's system folder (meltano#8763) and may read
each other's catalog: each run has a private one, in memory where the machine has a place, since Meltano writes the
plugin's settings with their secrets there.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from psycopg2 import sql
from psycopg2.extras import Json

from project88 import db, doubtful, raw, settings
from project88.connections import SECRET_SETTINGS
from project88.errors import ActionNeeded
from project88.persons import forgotten
from project88.raw import PROVIDERS

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from project88.connections import HubConnection

END_PATIENCE_SECONDS = 20.0
LOADERS = ("target-hub", "target-postgres")
STREAM = re.compile(r"\bstream (\w+)")
FAILURE = re.compile(r"\b(?:ERROR|CRITICAL|error|critical)\b")


@dataclass
class StreamCounts:
    """What one stream did in one run."""

    received: int = 0
    sent: int = 0
    rejected: int = 0
    removed: int = 0
    calls_made: int = 0
    calls_saved: int = 0
    whole: int = 0
    changes: int = 0
    skipped: int = 0


@dataclass
class SyncOutcome:
    """How one connection's run ended."""

    connection: HubConnection
    succeeded: bool
    seconds: float
    error: str | None
    log: Path
    streams: dict[str, StreamCounts] = field(default_factory=dict)


def _runs_folder() -> Path:
    folder = settings.memory_folder() / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextlib.contextmanager
def private_folder(name: str) -> Iterator[Path]:
    """Give a folder for one run of Meltano, which only this user can read, and remove it at the end."""
    # The name ends in who owns it, so that no instant exists at which a folder has no owner.
    folder = _runs_folder() / f"{name}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> int:
    """End runs whose `p88` is gone (a SIGKILL leaves them) and remove their private folders; returns how many.

    A run that goes on without us holds no lock any more: beside a new run of the same connection it could write an
    older version of a row last.
    """
    removed = 0
    for folder in _runs_folder().iterdir():
        owner = int(folder.name.rpartition("-")[2])
        if psutil.pid_exists(owner):
            continue
        for process in _processes_of(folder):
            # Gone already, or dead and waiting for a parent that does not look (a container without an init).
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)
        removed += 1
    return removed


def _processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes that run in a private folder: Meltano, its tap and its loader."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("MELTANO_SYS_DIR_ROOT") == str(folder):
                found.append(process)
    return found


def sync(
    connection: HubConnection,
    *,
    run_id: str,
    dsn: str,
    read_everything: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda text: None,
) -> SyncOutcome:
    """Bring in one connection and return how it went; never raises for what the provider or the tap does."""
    began = time.monotonic()
    started_at = _now(dsn)
    log = (
        settings.private_folder("logs", "runs", run_id)
        / f"{connection.slug}-{connection.provider}-{connection.account}.log"
    )
    holder = db.connect(dsn)
    try:
        holder.autocommit = True
        with holder.cursor() as cursor:
            # Ours, since Meltano's own stays for five minutes after a SIGKILL; this one ends with our session.
            cursor.execute("select pg_try_advisory_lock(88, %s)", (connection.connection_id,))
            row = cursor.fetchone()
            if not (row and row[0]):
                error = f"{connection.title}: is being synced by another process; wait for that one to end"
                return SyncOutcome(connection, False, time.monotonic() - began, error, log)
        outcome = _run_meltano(connection, run_id, holder, dsn, log, read_everything, stopping, progress)
        outcome.seconds = time.monotonic() - began
        _record(holder, outcome, run_id, started_at)
        return outcome
    finally:
        holder.close()


def _now(dsn: str) -> datetime:
    connection = db.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select now()")
            row = cursor.fetchone()
            assert row is not None
            return row[0]
    finally:
        connection.close()


def loader() -> str:
    """Return the loader in use: ours, or the one that P88_LOADER names. Raises ActionNeeded for one there is not."""
    name = os.environ.get("P88_LOADER") or LOADERS[0]
    if name not in LOADERS:
        raise ActionNeeded(f"P88_LOADER is {name!r}: choose {' or '.join(LOADERS)}")
    return name


def meltano_environment(dsn: str, folder: Path) -> dict[str, str]:
    """Return the environment in which `meltano` runs isolated: folder is its private system folder."""
    # What is exported for `p88 connection add` belongs to one account: it must not fill in for what another one lacks.
    exported = {f"TAP_{provider.upper()}_{name.upper()}" for provider in PROVIDERS for name in SECRET_SETTINGS}
    environment = {name: value for name, value in settings.child_environment().items() if name not in exported}
    environment.update(
        {
            "MELTANO_PROJECT_ROOT": str(settings.CHECKOUT),
            "MELTANO_SYS_DIR_ROOT": str(folder),
            "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
            "MELTANO_AUTO_INSTALL": "false",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_LOG_LEVEL": "info",
            "NO_COLOR": "1",
            "P88_DATABASE_URL": dsn,
            "P88_LOADER_URL": db.sqlalchemy_url(dsn, "psycopg"),
            # The stock loader leaves the zone to the session.
            "PGTZ": "UTC",
        }
    )
    with contextlib.closing(db.connect(dsn)) as connection:
        options = forgotten.session_options(connection)
    if options:
        # What the raw tables tell forgotten persons by, for any loader: libpq reads it when it connects.
        environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} {options}".strip()
    return environment


def _run_meltano(
    connection: HubConnection,
    run_id: str,
    holder: Connection,
    dsn: str,
    log: Path,
    read_everything: bool,
    stopping: Callable[[], bool],
    progress: Callable[[str], None],
) -> SyncOutcome:
    prefix = f"TAP_{connection.provider.upper()}_"
    with private_folder(f"{run_id}-{connection.connection_id}") as folder:
        environment = meltano_environment(dsn, folder)
        environment.update(connection.tap_environment())
        environment[prefix + "RUN_ID"] = _tap_run_id(run_id, connection)
        try:
            catalog = raw.catalog_file(connection.provider)
        except ActionNeeded as needed:
            return SyncOutcome(connection, False, 0.0, f"{connection.title}: {needed}", log)
        environment[prefix + "_CATALOG"] = str(catalog)
        # While we hold its lock nobody else loads rows of this connection.
        if rows := doubtful.write(holder, connection, json.loads(catalog.read_bytes()), folder):
            environment[prefix + "DOUBTFUL_ROWS"] = str(rows)
        environment.setdefault(prefix + "BUDGET_DIR", str(settings.private_folder("budgets")))
        if (target := loader()) == "target-hub":
            # Whole pages go to our loader as files, past Meltano; here, so that they are swept with the folder.
            pages = folder / "pages"
            pages.mkdir(mode=0o700)
            environment[prefix + "PAGES_DIR"] = str(pages)
        if read_everything:
            environment[prefix + "READ_EVERYTHING"] = "true"
        command = [
            settings.executable("meltano"), "run", "--force", f"--state-id-suffix={connection.state_suffix}",
            f"tap-{connection.provider}", target,
        ]  # fmt: skip
        with log.open("w", encoding="utf-8") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=settings.CHECKOUT,
                start_new_session=True,
            )
            code = _wait(child, log, stopping, progress)
    error = None
    if code:
        error = f"{connection.title}: {_reason(log, stopped=stopping())} (log: {log})"
    return SyncOutcome(connection, code == 0, 0.0, error, log)


def _wait(
    child: subprocess.Popen[bytes], log: Path, stopping: Callable[[], bool], progress: Callable[[str], None]
) -> int:
    position = 0
    while True:
        try:
            return child.wait(timeout=0.3)
        except subprocess.TimeoutExpired:
            pass
        with log.open(encoding="utf-8", errors="replace") as file:
            file.seek(position)
            for line in file:
                if found := re.search(r"Beginning (?:full_table|incremental) sync of '(\w+)'|sync of '(\w+)'", line):
                    progress(next(group for group in found.groups() if group))
            position = file.tell()
        if stopping():
            # SIGTERM to the whole group: tap and loader end after what they hold, and the bookmark is kept.
            _signal_group(child, signal.SIGTERM)
            try:
                return child.wait(timeout=END_PATIENCE_SECONDS) or 1
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)
                return child.wait() or 1


def _tap_run_id(run_id: str, connection: HubConnection) -> str:
    # Two accounts of one partner with one provider load the same tables in one run.
    return f"{run_id}.{connection.connection_id}"


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def _reason(log: Path, *, stopped: bool) -> str:
    """Return the one line of a failed run that tells what to do: the tap's own, else the last error there is."""
    if stopped:
        return "stopped; the next run goes on from here"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if told := list(dict.fromkeys(line[line.index("STOPPED") :] for line in lines if "STOPPED" in line)):
        # The first one may be the reason of the others.
        others = [found[1] for line in told[1:] if (found := STREAM.search(line))]
        return told[0] + (f"; stopped as well: {', '.join(others)}" if others else "")
    errors = [line for line in lines if FAILURE.search(line)]
    return (errors or lines or ["ended without a word"])[-1][-400:]


def _record(holder: Connection, outcome: SyncOutcome, run_id: str, started_at: datetime) -> None:
    connection = outcome.connection
    columns = ["rows_received", "rows_sent", "rows_rejected", "rows_removed", "calls_made", "calls_saved"]
    with holder.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                """
                select stream, {sums},
                    count(*) filter (where mode = 'whole'), count(*) filter (where mode = 'changes'),
                    count(*) filter (where mode = 'skipped')
                from {reads} where run_id = %s and timing_partner_id = %s group by stream order by stream
                """
            ).format(
                sums=sql.SQL(", ").join(
                    sql.SQL("coalesce(sum({}), 0)::bigint").format(sql.Identifier(column)) for column in columns
                ),
                reads=sql.Identifier(f"raw_{connection.provider}", "reads"),
            ),
            (_tap_run_id(run_id, connection), connection.timing_partner_id),
        )
        for stream, *counts in cursor.fetchall():
            outcome.streams[stream] = StreamCounts(*counts)
        for stream, found in outcome.streams.items():
            cursor.execute(
                """
                insert into hub.run_streams (run_id, timing_partner_id, provider_name, stream, received, sent,
                    rejected, removed, calls_made, calls_saved, seconds)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                (
                    run_id, connection.timing_partner_id, connection.provider, stream, found.received, found.sent,
                    found.rejected, found.removed, found.calls_made, found.calls_saved, round(outcome.seconds, 2),
                ),
            )  # fmt: skip
        details: dict[str, Any] = {name: vars(found) for name, found in outcome.streams.items()}
        cursor.execute(
            """
            insert into hub.sync_history (run_id, connection_id, timing_partner_id, provider_name, sync_type, status,
                records_processed, started_at, completed_at, error_message, details)
            values (%s, %s, %s, %s, 'events', %s, %s, %s, now(), %s, %s)
            """,
            (
                run_id, connection.connection_id, connection.timing_partner_id, connection.provider,
                "success" if outcome.succeeded else ("partial" if outcome.streams else "failed"),
                sum(found.received for found in outcome.streams.values()), started_at, outcome.error,
                Json(details, dumps=json.dumps),
            ),
        )  # fmt: skip
