"""The sandbox as a child process, an account that a test writes down, and taps for both."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_runsignup.tap import TapRunSignUp

sys.path.insert(0, str(Path(__file__).parent))

from account import Account
from sandbox_season import Run, Season, Target

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Season]:
    port_file = tmp_path_factory.mktemp("sandbox") / "port"
    command = [sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny", "--providers", "runsignup"]
    command += ["--port-file", str(port_file)]
    child = subprocess.Popen(
        [*command, "--idle-exit", "300"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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
    sandbox.clear_faults()
    return sandbox


@pytest.fixture
def quick(tmp_path: Path) -> dict[str, Any]:
    return {
        "budget_dir": str(tmp_path / "budget"),
        "calls_per_hour": 100_000,
        "backoff_base": 0.001,
        "request_timeout": 5,
    }


@pytest.fixture
def run(season: Season, quick: dict[str, Any]) -> Callable[..., Run]:
    def run(state: dict[str, Any] | None = None, partner: int = 1, **settings: Any) -> Run:
        return Run(TapRunSignUp(config=season.settings(partner) | quick | settings, state=state))

    return run


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    yield account
    account.close()


@pytest.fixture
def read(account: Account, quick: dict[str, Any]) -> Callable[..., Run]:
    """Run the tap on the account of this test."""

    def read(state: dict[str, Any] | None = None, **settings: Any) -> Run:
        config = {"timing_partner_id": 1, "api_url": account.url, "api_key": "a-key", "api_secret": "a-secret"}
        return Run(TapRunSignUp(config=config | quick | settings, state=state))

    return read
