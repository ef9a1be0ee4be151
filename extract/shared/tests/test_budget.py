from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tap_shared.budget import Budget, BudgetExhausted, default_folder

SECRET = "key-of-harbour:very-secret"


class Clock:
    """A time that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = datetime(2026, 4, 19, 8, 0, tzinfo=UTC).timestamp()
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


def make(folder: Path, limit: int, clock: Clock | None = None, **more: object) -> Budget:
    timing = {"now": clock.now, "sleep": clock.sleep} if clock else {}
    return Budget(SECRET, limit, folder=folder, **timing, **more)  # type: ignore[arg-type]


def spend(budget: Budget, calls: int) -> None:
    for _ in range(calls):
        with budget.call():
            pass


def test_the_call_beyond_the_hour_stops_with_when_to_go_on(tmp_path):
    clock = Clock()
    budget = make(tmp_path, 3, clock)
    spend(budget, 3)
    clock.time += 600

    with pytest.raises(BudgetExhausted) as stopped:
        spend(budget, 1)

    assert "go on at 2026-04-19 09:00:00Z" in str(stopped.value)
    assert "3 calls an hour" in str(stopped.value)
    assert "\n" not in str(stopped.value)
    assert stopped.value.seconds == pytest.approx(3000, abs=1)
    assert budget.calls_made == 3


def test_a_short_wait_is_waited_out(tmp_path):
    clock = Clock()
    budget = make(tmp_path, 3, clock, max_wait=60)
    spend(budget, 3)
    clock.time += 3550

    spend(budget, 1)

    assert sum(clock.slept) == pytest.approx(50, abs=1)
    assert budget.used() == 1  # the first three are out of the hour, the fourth is in it


def test_the_hour_slides(tmp_path):
    clock = Clock()
    budget = make(tmp_path, 2, clock, max_wait=0)
    spend(budget, 1)
    clock.time += 3000
    spend(budget, 1)
    clock.time += 601

    spend(budget, 1)

    with pytest.raises(BudgetExhausted):
        spend(budget, 1)


def test_two_taps_with_one_credential_share_the_hour_and_others_do_not(tmp_path):
    clock = Clock()
    one, same = make(tmp_path, 3, clock, max_wait=0), make(tmp_path, 3, clock, max_wait=0)
    spend(one, 2)
    spend(same, 1)

    with pytest.raises(BudgetExhausted):
        spend(one, 1)
    spend(Budget("another", 3, folder=tmp_path, now=clock.now, sleep=clock.sleep), 3)


def test_a_counter_survives_its_process(tmp_path):
    clock = Clock()
    first = make(tmp_path, 2, clock, max_wait=0)
    spend(first, 2)
    first.close()

    with pytest.raises(BudgetExhausted):
        spend(make(tmp_path, 2, clock, max_wait=0), 1)


def test_no_file_tells_the_credential(tmp_path):
    budget = make(tmp_path / "counters", 5, in_flight=2)
    spend(budget, 1)

    for file in (tmp_path / "counters").iterdir():
        assert "secret" not in file.name and "harbour" not in file.name
        assert b"secret" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0, file.name
    assert (tmp_path / "counters").stat().st_mode & 0o077 == 0


def test_a_folder_that_is_not_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PermissionError, match="budget_dir"):
        make(tmp_path / "link", 1)


def test_the_default_folder_is_the_users_own():
    assert str(os.getuid()) in default_folder().name


CHILD = """
import sys, time
from pathlib import Path
from tap_shared.budget import Budget, BudgetExhausted
folder, out, limit, in_flight, tries, hold = sys.argv[1:]
wait = 0.0 if hold == "0" else 60
budget = Budget("shared", int(limit), folder=folder, in_flight=int(in_flight) or None, max_wait=wait)
Path(out + ".ready").touch()
while hold == "0" and not (Path(out).parent / "go").exists():
    pass  # all at the same moment, or nothing is put to the test
lines = []
for _ in range(int(tries)):
    try:
        with budget.call():
            started = time.monotonic()
            if out.endswith("held"):
                Path(out).write_text("held")
            time.sleep(float(hold))
            lines.append(f"{started} {time.monotonic()}")
    except BudgetExhausted:
        pass
Path(out).write_text("\\n".join(lines))
"""


def start(folder: Path, out: Path, *, limit: int, in_flight: int, tries: int, hold: float) -> subprocess.Popen[bytes]:
    arguments = [str(value) for value in (folder, out, limit, in_flight, tries, hold or 0)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments])


def test_processes_together_make_no_call_too_many(tmp_path):
    children = [
        start(tmp_path / "b", tmp_path / f"{number}.out", limit=150, in_flight=0, tries=80, hold=0)
        for number in range(4)
    ]
    while len(list(tmp_path.glob("*.ready"))) < 4:
        time.sleep(0.01)
    (tmp_path / "go").touch()

    assert [child.wait(60) for child in children] == [0] * 4

    made = sum(len((tmp_path / f"{number}.out").read_text().splitlines()) for number in range(4))
    assert made == 150


def test_processes_together_have_no_more_than_two_calls_in_flight(tmp_path):
    children = [
        start(tmp_path / "b", tmp_path / f"{number}.out", limit=500, in_flight=2, tries=8, hold=0.02)
        for number in range(3)
    ]

    assert [child.wait(60) for child in children] == [0] * 3

    moments: list[tuple[float, int]] = []
    for number in range(3):
        for line in (tmp_path / f"{number}.out").read_text().splitlines():
            begun, ended = map(float, line.split())
            moments += [(begun, 1), (ended, -1)]
    running = most = 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    assert len(moments) == 2 * 24
    assert most == 2


def test_threads_together_have_no_more_than_two_calls_in_flight(tmp_path):
    budget = make(tmp_path, 500, in_flight=2)
    lock, running, most = threading.Lock(), 0, 0

    def work() -> None:
        nonlocal running, most
        for _ in range(5):
            with budget.call():
                with lock:
                    running += 1
                    most = max(most, running)
                time.sleep(0.005)
                with lock:
                    running -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert most == 2
    assert budget.calls_made == 25
    assert budget.used() == 25


def test_a_killed_process_gives_its_slot_back(tmp_path):
    child = start(tmp_path / "b", tmp_path / "held", limit=500, in_flight=1, tries=1, hold=60)
    deadline = time.monotonic() + 20
    while not (tmp_path / "held").exists() and time.monotonic() < deadline:
        time.sleep(0.01)

    child.send_signal(signal.SIGKILL)
    child.wait(10)

    budget = Budget("shared", 500, folder=tmp_path / "b", in_flight=1)
    with budget.call():
        assert budget.used() == 2


def test_counting_costs_little(tmp_path):
    budget = make(tmp_path, 10_000, in_flight=2)

    started = time.process_time()
    spend(budget, 1000)
    each = (time.process_time() - started) / 1000

    print(f"{each * 1e6:.0f} us a call")
    assert each < 0.005


def test_no_limit_counts_nothing_and_stops_nobody(tmp_path):
    budget = Budget("free", 0, folder=tmp_path, in_flight=2, max_wait=0)

    spend(budget, 50)

    assert budget.calls_made == 50
    assert budget.used() == 0
