"""A process that stays: what arrives in raw is built, judged and published within seconds."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from project88 import db
from project88.cycle import Cycle, CycleReport
from project88.errors import ActionNeeded
from project88.pipeline import RunReport, new_run_id, note_run

if TYPE_CHECKING:
    from project88.tell import Teller

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Arrivals:
    """Tells whether a raw table changed since it was asked last."""

    def __init__(self, dsn: str) -> None:
        """Nothing was seen yet: the first answer is yes."""
        self._dsn = dsn
        self._connection: Any = None
        self._since: int | None = None

    def any(self) -> bool:
        """Return whether rows were inserted or changed; one look into an index for each table."""
        if self._connection is None:
            self._connection = db.connect(self._dsn)
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            # Taken first: what commits after this look is at or after it, and is seen by the next one.
            cursor.execute("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            oldest = int(cursor.fetchone()[0])
            found = self._since is None or self._changed_since(cursor, self._since)
        self._since = oldest
        return found

    @staticmethod
    def _changed_since(cursor: Any, oldest: int) -> bool:
        cursor.execute(
            """
            select n.nspname, c.relname from pg_class as c
            inner join pg_namespace as n on c.relnamespace = n.oid
            inner join pg_attribute as a on c.oid = a.attrelid and a.attname = 'changed_xid' and not a.attisdropped
            where starts_with(n.nspname, 'raw_') and c.relkind = 'r' and c.relname <> 'reads'
            """
        )
        looks = [
            sql.SQL("(select from {} where changed_xid >= {} limit 1)").format(
                sql.Identifier(schema, table), sql.Literal(oldest)
            )
            for schema, table in cursor.fetchall()
        ]
        if not looks:
            return False
        cursor.execute(sql.SQL("select {}").format(sql.SQL(" or ").join(sql.SQL("exists {}").format(x) for x in looks)))
        return bool(cursor.fetchone()[0])

    def close(self) -> None:
        """Give the connection back; the next look takes a new one."""
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


def stay(
    dsn: str,
    *,
    teller: Teller,
    stopping: threading.Event,
    every: float = 60.0,
    pause: float = 5.0,
    cycles: int | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """Run cycles until asked to stop, or so many; returns whether the last one failed.

    A cycle begins when something arrived, at the latest `every` seconds after the last one, at the earliest `pause`
    seconds after it. One that fails is told once, and tried again in the next: a gate that stops, a server that is
    gone for a while.
    """
    arrivals = Arrivals(dsn)
    failure: str | None = None
    done = 0
    cycle = Cycle(dsn)
    with contextlib.closing(arrivals):
        cycle.warm()
        while not stopping.is_set():
            try:
                _wait(arrivals, stopping, every if done else 0.0)
                if stopping.is_set():
                    break
                told = _once(dsn, cycle, clock)
                if failure:
                    teller.say(f"{clock():%H:%M:%S} what failed works again")
                failure = None
                if told:
                    teller.say(f"{clock():%H:%M:%S} {told}")
            except (ActionNeeded, psycopg2.Error) as error:
                arrivals.close()
                if str(error) != failure:
                    teller.say(f"{clock():%H:%M:%S} {_one_line(error)}")
                    logger.warning("%s", error, exc_info=not isinstance(error, ActionNeeded))
                failure = str(error)
            done += 1
            if cycles is not None and done >= cycles:
                break
            stopping.wait(pause)
    return failure is not None


def _wait(arrivals: Arrivals, stopping: threading.Event, every: float) -> None:
    until = time.monotonic() + every
    while not arrivals.any() and time.monotonic() < until:
        if stopping.wait(LOOK_SECONDS):
            return


def _once(dsn: str, cycle: Cycle, clock: Callable[[], datetime]) -> str:
    """Run a cycle, put it on record where it did something, and return what to tell of it."""
    began = time.monotonic()
    now = clock()
    report = RunReport(new_run_id(now), now, kind="cycle")
    try:
        done = cycle.run(report.run_id, now=now)
    except BaseException as error:
        with contextlib.suppress(psycopg2.Error):
            note_run(dsn, report, "failed", str(error) or type(error).__name__)
        raise
    if not _did_something(done):
        return ""
    note_run(dsn, report, "success")
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.steps.items())
    held = f", {done.quarantined:,} rows held back" if done.quarantined else ""
    return f"{done.publication.changed:,} rows published{held}, {time.monotonic() - began:.1f} s ({steps})"


def _did_something(done: CycleReport) -> bool:
    return bool(done.publication.changed or done.resolved)


def _one_line(error: BaseException) -> str:
    if isinstance(error, ActionNeeded):
        return str(error)
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"the database does not answer as it should: {first}; trying again"
