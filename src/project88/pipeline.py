"""The way of a record, one step after another: sync, build, gate, publish."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from project88 import connections, db, raw, sync
from project88.cycle import Cycle
from project88.db.schema import ensure_hub
from project88.errors import ActionNeeded
from project88.persons.schema import ensure as ensure_persons
from project88.tell import Teller

if TYPE_CHECKING:
    from project88.publish import Publication


@dataclass
class RunReport:
    """What a run did."""

    run_id: str
    started_at: datetime
    kind: str = "run"
    outcomes: list[sync.SyncOutcome] = field(default_factory=list)
    publication: Publication | None = None
    quarantined: int = 0
    resolved: int = 0
    steps: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def changed_rows(self) -> int:
        """How many published rows were written."""
        if self.publication is None:
            return 0
        return sum(c.inserted + c.updated + c.deleted for c in self.publication.relations.values())


def prepare(dsn: str) -> None:
    """Bring the hub's and the raw tables up to date; safe to run at any time, by several at once."""
    connection = db.connect(dsn)
    try:
        ensure_hub(connection)
        ensure_persons(connection)
        raw.prepare(connection)
    finally:
        connection.close()


def new_run_id(now: datetime) -> str:
    """Return a name for a run that sorts by time."""
    return f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


@contextlib.contextmanager
def stop_requests(teller: Teller) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop in order; the second one interrupts."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        teller.say("stopping: what is loaded stays, bookmarks are kept (once more to stop at once)")

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    dsn: str,
    *,
    teller: Teller,
    partner: str | None = None,
    provider: str | None = None,
    read_everything: bool = False,
    at_once: int = 2,
    syncing: bool = True,
    publishing: bool = True,
    rebuild: bool = False,
    now: datetime | None = None,
) -> RunReport:
    """Sync the connections asked for, then build, check and publish.

    A connection that fails does not keep the others from being published; its failure is in the report.
    Raises ActionNeeded when building, the gate or publishing stops.
    """
    now = now or datetime.now(UTC)
    report = RunReport(new_run_id(now), now)
    prepare(dsn)
    note_run(dsn, report, "running")
    try:
        cycle = Cycle(dsn)
        if publishing:
            cycle.warm()
        if syncing:
            _sync_all(dsn, report, teller, partner, provider, read_everything, at_once)
        if publishing:
            _publish_or_tell_all(cycle, report, teller, now, rebuild)
    except BaseException as error:
        note_run(dsn, report, "failed", str(error) or type(error).__name__)
        raise
    note_run(dsn, report, "partial" if report.failures else "success", "; ".join(report.failures) or None)
    return report


def _publish_or_tell_all(cycle: Cycle, report: RunReport, teller: Teller, now: datetime, rebuild: bool) -> None:
    try:
        done = cycle.run(report.run_id, now=now, teller=teller, rebuild=rebuild)
    except ActionNeeded as error:
        # Which connections failed would otherwise go untold, and is often the reason.
        raise ActionNeeded("\np88: ".join([*report.failures, str(error)])) from error
    report.publication, report.quarantined, report.resolved = done.publication, done.quarantined, done.resolved
    report.steps |= done.steps


def note_run(dsn: str, report: RunReport, status: str, error: str | None = None) -> None:
    """Put how a run stands on record."""
    connection = db.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                insert into hub.runs (run_id, started_at, kind, status) values (%(id)s, %(at)s, %(kind)s, %(status)s)
                on conflict (run_id) do update set status = excluded.status, error = %(error)s, finished_at = now()
                """,
                {"id": report.run_id, "at": report.started_at, "kind": report.kind, "status": status, "error": error},
            )
    finally:
        connection.close()


def _sync_all(
    dsn: str,
    report: RunReport,
    teller: Teller,
    partner: str | None,
    provider: str | None,
    everything: bool,
    at_once: int,
) -> None:
    connection = db.connect(dsn)
    try:
        wanted = connections.enabled(connection, partner=partner, provider=provider)
    finally:
        connection.close()
    sync.sweep()
    began = time.monotonic()
    with stop_requests(teller) as stopping, teller.steps([one.title for one in wanted]) as step:
        with ThreadPoolExecutor(max_workers=at_once) as pool:

            def one(wanted_one: connections.HubConnection) -> sync.SyncOutcome | None:
                # Asked to stop while it waited for its turn: with many accounts each would start, only to be ended.
                if stopping.is_set():
                    return None
                step.begin(wanted_one.title)
                return sync.sync(
                    wanted_one, run_id=report.run_id, dsn=dsn, read_everything=everything,
                    stopping=stopping.is_set, progress=lambda text: step.update(wanted_one.title, text),
                )  # fmt: skip

            for future in as_completed([pool.submit(one, each) for each in wanted]):
                outcome = future.result()
                if outcome is None:
                    continue
                report.outcomes.append(outcome)
                received = sum(found.received for found in outcome.streams.values())
                step.end(outcome.connection.title, f"{received:,} received", outcome.succeeded)
        stopped = stopping.is_set()
    report.outcomes.sort(key=lambda found: found.connection.connection_id)
    report.failures = [found.error for found in report.outcomes if found.error]
    report.steps["sync"] = time.monotonic() - began
    if stopped:
        raise ActionNeeded("stopped before publishing; `p88 run` goes on from here")
