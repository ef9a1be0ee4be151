"""Hubs with the tiny season, and the sandbox that serves it.

The season is brought in once; other tests get copies of that database, so that each may change its own.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from project88 import db
from project88.connections import SECRET_SETTINGS
from project88.tenancy import ensure_tenancy
from tests.conftest import fresh_database
from tests.pipeline.harness import CHECKOUT, Hub, Sandbox, wait_for, watch

Copies = Callable[[Hub], AbstractContextManager[Hub]]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox with the tiny season."""
    address = tmp_path_factory.mktemp("sandbox") / "url"
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny",
         "--providers", "runsignup,chronotrack", "--port-file", str(address)],
        cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = wait_for(lambda: address.exists() and address.read_text().strip(), 60)
    assert url, "the sandbox did not start"
    yield Sandbox(url)
    process.send_signal(signal.SIGTERM)
    process.wait(20)


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    folder = factory.mktemp(name) / "home"
    folder.mkdir(mode=0o711)
    return folder


@pytest.fixture(scope="session")
def copies(embedded_server, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Return a way to copy a hub: its database and its folder."""

    @contextmanager
    def copy(hub: Hub) -> Iterator[Hub]:
        ((name,),) = hub.ask("select current_database()::text")
        home = _folder(tmp_path_factory, "copy")
        shutil.copytree(hub.home, home, dirs_exist_ok=True)
        with fresh_database(embedded_server, template=name) as dsn:
            made = Hub(dsn, home, hub.sandbox, hub.first_run)
            if made.ask("select to_regclass('unified.unified_events')::text") != [(None,)]:
                # Readers' roles are named after their database.
                with closing(db.connect(dsn)) as connection, connection:
                    ensure_tenancy(connection)
            yield made

    return copy


@pytest.fixture(scope="session")
def connected(embedded_server, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Hub]:
    """A hub with connections to the sandbox and nothing loaded; to be copied, not used."""
    with fresh_database(embedded_server) as dsn:
        hub = Hub(dsn, _folder(tmp_path_factory, "connected"), sandbox)
        connect_all(hub)
        yield hub


def connect_all(hub: Hub) -> None:
    """Add the sandbox's partners and accounts, as an operator would."""
    for one in hub.sandbox.get("connections"):
        hub.p88("partner", "add", one["slug"], "--name", one["partner"])
        secret = one["secrets"] | {key: one["settings"][key] for key in one["settings"] if key in SECRET_SETTINGS}
        values = [
            f"--set={key}={value}"
            for key, value in one["settings"].items()
            if key != "timing_partner_id" and key not in secret
        ]
        hub.connect(one["slug"], one["provider"], secret, *values)


@pytest.fixture(scope="session")
def season(connected: Hub, copies: Copies) -> Iterator[Hub]:
    """A hub through which the tiny season has gone once, undisturbed; to be read, not changed."""
    with copies(connected) as hub:
        hub.sandbox.reset()
        began = time.monotonic()
        running = hub.start("run")
        watcher = threading.Thread(target=watch, args=(running, hub.first_run, [hub.memory()]))
        watcher.start()
        hub.first_run.output, _ = running.communicate(timeout=300)
        watcher.join()
        assert running.returncode == 0, hub.first_run.output
        hub.first_run.seconds = time.monotonic() - began
        hub.first_run.calls = hub.sandbox.calls()
        yield hub


@pytest.fixture(scope="module")
def loaded(season: Hub, copies: Copies) -> Iterator[Hub]:
    """A hub with the tiny season published, as the sandbox has it; shared by a module's tests."""
    season.sandbox.reset()
    with copies(season) as hub:
        yield hub


@pytest.fixture
def fresh_hub(connected: Hub, copies: Copies) -> Iterator[Hub]:
    """A hub with connections to the sandbox and nothing loaded."""
    connected.sandbox.reset()
    with copies(connected) as hub:
        yield hub
