"""What a piece of work cost: seconds, CPU of every process that had a part in it, and the memory they held together."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from project88 import settings
from project88.db import embedded

MEGABYTE = 1 << 20
OURS, POSTGRES, PAGES, IN_MEMORY = "ours", "Postgres", "page server", "files in memory"

Processes = Callable[[], list[psutil.Process]]


@dataclass
class Cost:
    """Seconds, CPU seconds and peak memory (proportional set size, bytes) by group of processes."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    # Of all groups at one moment, the page server left out: it stands for the provider's machine.
    peak_together: int = 0

    @property
    def cpu_together(self) -> float:
        """Return the CPU seconds of all but the page server."""
        return sum(seconds for group, seconds in self.cpu.items() if group != PAGES)


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all below it; none where it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory(processes: list[psutil.Process]) -> int:
    """Return what processes hold, each shared page counted once over those that share it."""
    total = 0
    for process in processes:
        try:
            # A part of what psutil reads for its own PSS, which takes a hundred times as long.
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
            total += int(text.partition("Pss:")[2].split(maxsplit=1)[0]) * 1024
        except (OSError, ValueError, IndexError):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total


def cpu(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds of processes, and of those below them that have ended."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def groups(pages: int) -> dict[str, Processes]:
    """Return who takes part: this process and what it started, Postgres, and apart from them the page server."""

    def ours() -> list[psutil.Process]:
        found = [psutil.Process()]
        for child in found[0].children():
            if child.pid != pages:
                found += tree(child.pid)
        return found

    def postgres() -> list[psutil.Process]:
        pid = embedded.pid()
        return [] if pid is None else tree(pid)

    return {OURS: ours, POSTGRES: postgres, PAGES: lambda: tree(pages)}


@contextlib.contextmanager
def measured(groups: dict[str, Processes], *, every: float = 0.5, at_most: float = 0.01) -> Iterator[Cost]:
    """Measure a block: groups say which processes to look at, and are asked each time.

    `every`: seconds between two looks. They are longer where looking would take more than `at_most` of a core.
    CPU of a group counts what its processes used within the block. One that ends within it counts by the kernel's
    account where its parent is in the group, else by what it had used when it was last seen.
    """
    cost = Cost()
    ended = threading.Event()
    before = {group: cpu(find()) for group, find in groups.items()}
    latest = dict(before)

    def look() -> None:
        together = 0
        for group, find in groups.items():
            processes = find()
            held = memory(processes)
            cost.peak[group] = max(cost.peak.get(group, 0), held)
            latest[group] = max(latest[group], cpu(processes))
            together += held if group != PAGES else 0
        # What lies in the hub's folder in memory is held, too, although by no process.
        files = _size(settings.memory_folder())
        cost.peak[IN_MEMORY] = max(cost.peak.get(IN_MEMORY, 0), files)
        together += files
        cost.peak_together = max(cost.peak_together, together)

    def sample() -> None:
        pause = every
        while not ended.wait(pause):
            began = time.thread_time()
            look()
            # A look at a few large processes takes 50 ms: what is measured shall not be the measuring.
            pause = max(every, (time.thread_time() - began) / at_most)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    began = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - began
        ended.set()
        thread.join()
        look()
        for group in groups:
            cost.cpu[group] = max(cost.cpu.get(group, 0.0), latest[group] - before[group])


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            # They come and go.
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


@dataclass
class Ended:
    """How a child process ended, by the kernel's own account of it and of those below it."""

    code: int
    cpu: float
    peak: int


def wait(child: subprocess.Popen[bytes]) -> Ended:
    """Wait for a child and return what it used."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Ended(child.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
