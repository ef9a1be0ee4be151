"""What goes wrong on the way: faults that pass, a signal, a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tap_shared.tap import HubTap

from tap_testing.runs import Run
from tap_testing.season import Season

# Faults of the sandbox (its README says what each does) that go away by themselves: kind, and more about it.
PASSING = [
    ("status_429", {"retry_after": 0}),
    ("limit_reached", {"retry_after": 0}),
    ("status_500", {}),
    ("status_502_html", {}),
    ("cut_json", {}),
    ("non_json", {}),
    ("drop_connection", {}),
    ("drop_connection", {"before_body": True}),
]


def stopped_at(call: str, signum: int, tap: type[HubTap], season: Season, folder: Path, **settings: object) -> Run:
    """Run a tap's command, send it a signal while a call waits whose address holds `call`; return what it wrote."""
    season.fault("slow", times=1, seconds=8, path_contains=call)
    out = folder / "out"
    with out.open("w") as stdout:
        child = subprocess.Popen(
            [sys.executable, "-m", tap.__module__.partition(".")[0], "--config", "ENV"],
            env=os.environ | season.environment(budget_dir=folder / "budget", **settings),
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )
    deadline = time.monotonic() + 30
    while not any(call in line for line in season.calls()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    child.send_signal(signum)

    assert child.wait(20) == 128 + signum
    return Run.of(out.read_text())


def assert_a_kill_loses_and_doubles_nothing(whole: Run, run: Callable[..., Run], times: int) -> None:
    """Kill a first read in so many places; what had arrived and what the next run brings are each row of it, once."""
    for half in whole.killed(times):
        again = run(half.states[-1] if half.states else None)
        for stream in {*whole.sent, *half.sent, *again.sent}:
            records = {repr(row["record"]) for row in [*half.rows(stream), *again.rows(stream)]}
            assert len(records) == len(whole.rows(stream)), (len(half.messages), stream)
