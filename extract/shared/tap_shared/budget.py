"""Keep the calls of one credential within its hour, however many processes share it."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from pyrate_limiter import Duration, Rate, RateItem, SQLiteBucket

TABLE = "calls"
POLL_S = 0.01
CLEAN_EVERY = 200


class BudgetExhausted(Exception):  # noqa: N818 - the name says what happened
    """The hour's calls are used up for longer than the caller is willing to wait."""

    def __init__(self, message: str, seconds: float) -> None:
        """Carry the line for the person and when to go on."""
        super().__init__(message)
        self.seconds = seconds
        self.go_on_at = datetime.now(UTC) + timedelta(seconds=seconds)


def default_folder() -> Path:
    """Return this user's folder of counters, private to them."""
    return Path(tempfile.gettempdir()) / f"tap-budget-{os.getuid()}"


def private_folder(folder: Path) -> Path:
    """Make the folder, or refuse one that somebody else owns."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The default lies in a directory where anybody may have put something under that name first.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"budget_dir {folder} is not a folder of this user: name another one")
    return folder


class Budget:
    """The calls that one credential may make: so many an hour, so many at once."""

    def __init__(
        self,
        credential: str,
        calls_per_hour: int,
        *,
        in_flight: int | None = None,
        folder: str | Path | None = None,
        max_wait: float = 60.0,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the counter that every process with this credential shares; 0 calls an hour is no limit."""
        if calls_per_hour < 0:
            raise ValueError("calls_per_hour must not be negative")
        place = private_folder(Path(folder) if folder else default_folder())
        # Never the credential itself: file names end up in listings, logs and backups.
        name = hashlib.blake2b(credential.encode(), digest_size=12, person=b"tap budget").hexdigest()
        self.calls_per_hour = calls_per_hour
        self.max_wait = max_wait
        self.calls_made = 0
        self._now = now
        self._sleep = sleep
        self._thread_lock = threading.Lock()
        self._file_lock = self._lock(place / f"{name}.lock")
        self._bucket = self._open(place / f"{name}.sqlite")
        self._free = [self._lock(place / f"{name}.slot{number}") for number in range(in_flight or 0)]
        self._limits_flight = bool(in_flight)

    @staticmethod
    def _lock(path: Path) -> FileLock:
        # thread_local=False: a slot may be given back by another thread than took it.
        return FileLock(str(path), mode=0o600, thread_local=False)

    def _open(self, path: Path) -> SQLiteBucket:
        with self._file_lock:
            path.touch(mode=0o600)
            connection = sqlite3.connect(path, check_same_thread=False)
            # Losing a few seconds of counting in a power cut is harmless; an fsync for each call is not.
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=off")
            connection.execute(f"create table if not exists {TABLE} (name varchar, item_timestamp integer)")
            connection.execute(f"create index if not exists {TABLE}_at on {TABLE} (item_timestamp)")
            connection.commit()
        return SQLiteBucket([Rate(self.calls_per_hour or 1, Duration.HOUR)], connection, TABLE)

    def used(self) -> int:
        """Return how many calls the last hour holds, over all processes."""
        with self._thread_lock, self._file_lock:
            self._bucket.leak(self._milliseconds())
            return self._bucket.count()

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count one call, waiting for a free slot and, for a short while, for the hour."""
        slot = self._take_slot() if self._limits_flight else None
        try:
            self._count()
            yield
        finally:
            if slot is not None:
                slot.release()
                with self._thread_lock:
                    self._free.append(slot)

    def _count(self) -> None:
        """Put one call into the hour, or say when there is room."""
        waited = 0.0
        while self.calls_per_hour and (wait := self._try()) > 0:
            if waited + wait > self.max_wait:
                go_on = datetime.fromtimestamp(self._now() + wait, UTC)
                raise BudgetExhausted(
                    f"the {self.calls_per_hour} calls an hour of this credential are used up: "
                    f"go on at {go_on:%Y-%m-%d %H:%M:%S}Z (settings calls_per_hour, budget_max_wait)",
                    wait,
                )
            self._sleep(wait)
            waited += wait
        self.calls_made += 1

    def _try(self) -> float:
        with self._thread_lock, self._file_lock:
            # Asked inside the lock: times of two processes must not overtake each other.
            now = self._milliseconds()
            if self.calls_made % CLEAN_EVERY == 0:
                self._bucket.leak(now)
            item = RateItem("call", now)
            if self._bucket.put(item):
                return 0.0
            return max(int(self._bucket.waiting(item)), 1) / 1000  # type: ignore[arg-type]

    def _take_slot(self) -> FileLock:
        """Return one of the credential's slots once no thread or process holds it."""
        deadline = time.monotonic() + max(self.max_wait, 1.0) * 10
        while True:
            with self._thread_lock:
                for slot in self._free:
                    with suppress(Timeout):
                        slot.acquire(blocking=False)
                        self._free.remove(slot)
                        return slot
            if time.monotonic() > deadline:
                raise BudgetExhausted("other processes hold every call this credential may have in flight", 60.0)
            # A dead process lets go of its slot at once (the lock is the kernel's), so this ends.
            time.sleep(POLL_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, does not hide

    def close(self) -> None:
        """Close the counter's file."""
        self._bucket.close()
