"""The sandbox as a child process, a fresh season for each test, and a tap to run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_letsdothis.tap import TapLetsDoThis

sys.path.insert(0, str(Path(__file__).parent))

from letsdothis_season import Run, Season, Target

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    port_file = tmp_path_factory.mktemp("sandbox") / "port"
    command = [sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny", "--providers", "letsdothis"]
    child = subprocess.Popen(
        [*command, "--port-file", str(port_file), "--idle-exit", "300"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (port_file.exists() and port_file.read_text().strip()):
        assert child.poll() is None, "the sandbox did not start"
        assert time.monotonic() < deadline, "the sandbox did not start in time"
        time.sleep(0.05)
    yield Season(f"http://127.0.0.1:{port_file.read_text().strip().rpartition(':')[2]}")
    child.terminate()
    child.wait(20)


@pytest.fixture
def season(sandbox: Season) -> Season:
    sandbox.reset()
    return sandbox


@pytest.fixture
def run(season: Season, tmp_path: Path) -> Callable[..., Run]:
    def run(state: dict[str, Any] | None = None, partner: int = 1, **settings: Any) -> Run:
        quick = {
            "budget_dir": str(tmp_path / "budget"),
            "calls_per_hour": 100_000,
            "backoff_base": 0.001,
            "request_timeout": 20,
        }
        # A copy: a tap changes the state it is given.
        state = json.loads(json.dumps(state)) if state else None
        return Run(TapLetsDoThis(config=season.settings(partner) | quick | settings, state=state))

    return run


@pytest.fixture
def target() -> Target:
    return Target()
