"""A hub with the tiny season, and the sandbox that serves it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from project88.connections import SECRET_SETTINGS
from tests.pipeline.harness import CHECKOUT, Hub, Sandbox, wait_for


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox with the tiny season."""
    address = tmp_path_factory.mktemp("sandbox") / "url"
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny", "--port-file", str(address)],
        cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = wait_for(lambda: address.exists() and address.read_text().strip(), 60)
    assert url, "the sandbox did not start"
    yield Sandbox(url)
    process.send_signal(signal.SIGTERM)
    process.wait(20)


@pytest.fixture
def fresh_hub(embedded_dsn: str, tmp_path: Path, sandbox: Sandbox) -> Iterator[Hub]:
    """A hub with connections to the sandbox and nothing loaded."""
    sandbox.post("reset", size="tiny", seed=88)
    sandbox.clear_faults()
    hub = Hub(embedded_dsn, tmp_path / "home", sandbox)
    hub.home.mkdir(mode=0o711)
    _connect(hub)
    yield hub


def _connect(hub: Hub) -> None:
    """Add the sandbox's partners and accounts, as an operator would."""
    assert hub.sandbox is not None
    for one in hub.sandbox.get("connections"):
        hub.p88("partner", "add", one["slug"], "--name", one["partner"])
        secret = one["secrets"] | {key: one["settings"][key] for key in one["settings"] if key in SECRET_SETTINGS}
        values = [
            f"--set={key}={value}"
            for key, value in one["settings"].items()
            if key != "timing_partner_id" and key not in secret
        ]
        prefix = f"TAP_{one['provider'].upper()}_"
        secrets = {prefix + key.upper(): value for key, value in secret.items()}
        subprocess.run(
            [str(Path(sys.executable).parent / "p88"), "connection", "add", one["slug"], one["provider"], *values],
            env=hub.environment | secrets, cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip


@pytest.fixture(scope="module")
def loaded(embedded_server, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Hub]:
    """A hub through which the tiny season has gone once, undisturbed; shared by a module's tests."""
    name = f"loaded_{tmp_path_factory.mktemp('x').parent.name[-6:].replace('-', '_')}"
    administrator = psycopg2.connect(embedded_server.dsn("postgres"))
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    sandbox.post("reset", size="tiny", seed=88)
    sandbox.clear_faults()
    home = tmp_path_factory.mktemp("loaded") / "home"
    home.mkdir(mode=0o711)
    hub = Hub(embedded_server.dsn(name), home, sandbox)
    _connect(hub)
    hub.first_run = hub.p88("run")  # type: ignore[attr-defined]
    yield hub
    with administrator.cursor() as cursor:
        cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
    administrator.close()
