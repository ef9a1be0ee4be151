"""A connection is refused where one of its settings would be without effect."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from project88 import connections, db
from project88.cli import cli
from project88.db.schema import ensure_hub
from project88.errors import ActionNeeded


@pytest.fixture
def add(embedded_dsn, tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o711)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_"))}
    environment |= {"P88_HOME": str(home), "P88_DATABASE_URL": embedded_dsn, "TAP_RUNSIGNUP_API_KEY": "a-key"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "p88"), "connection", "add", "harbour", "runsignup", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return run


def test_a_setting_that_the_tap_does_not_have_is_named(add):
    done = add("--set=page_sise=100")

    assert done.returncode == 1
    assert done.stderr.startswith("p88: page_sise: tap-runsignup has no such setting; it has api_key, ")


def test_a_secret_is_not_taken_as_an_argument_and_not_repeated(add):
    done = add("--set=api_secret=harbour-lights")

    assert done.returncode == 1
    assert done.stderr.startswith("p88: api_secret: a secret does not go into an argument")
    assert "harbour-lights" not in done.stderr


def test_a_partner_who_is_not_there_is_one_line(add):
    done = add("--set=auth_style=key")

    assert done.returncode == 1
    assert done.stderr.startswith("p88: there is no timing partner harbour; `p88 partner add harbour --name …`")
    assert len(done.stderr.splitlines()) == 1


def test_an_account_without_a_secret_is_saved_when_it_is_said_to_have_none(embedded_dsn, tmp_path, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(tmp_path))
    monkeypatch.setenv("P88_DATABASE_URL", embedded_dsn)
    monkeypatch.delenv("TAP_RUNSIGNUP_API_KEY", raising=False)
    CliRunner().invoke(cli, ["partner", "add", "harbour", "--name", "Harbour Timing"])

    refused = CliRunner().invoke(cli, ["connection", "add", "harbour", "runsignup"])
    saved = CliRunner().invoke(cli, ["connection", "add", "harbour", "runsignup", "--no-secrets"])

    assert refused.exit_code == 1
    assert "no credentials: set TAP_RUNSIGNUP_…" in refused.output
    assert saved.exit_code == 0, saved.output


def test_every_connection_is_sealed_anew_with_another_key_or_none_is(embedded_dsn, monkeypatch):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("P88_SECRET_KEY", old)
    secrets = {"api_key": "harbour-key", "api_secret": "harbour-secret"}
    with closing(db.connect(embedded_dsn)) as connection:
        ensure_hub(connection)
        partner = connections.add_partner(connection, slug="harbour", name="Harbour Timing")
        for account in ("main", "second"):
            connections.save(
                connection, timing_partner_id=partner, provider="runsignup", account=account, settings={},
                secrets=secrets,
            )  # fmt: skip

        with pytest.raises(ActionNeeded, match="the new key is not a Fernet key"):
            connections.seal_anew(connection, "hello")
        assert [one.secrets() for one in connections.enabled(connection)] == [secrets] * 2
        assert connections.seal_anew(connection, new) == 2

        with pytest.raises(ActionNeeded, match="were sealed with key"):
            connections.enabled(connection)[0].secrets()
        monkeypatch.setenv("P88_SECRET_KEY", new)
        assert [one.secrets() for one in connections.enabled(connection)] == [secrets] * 2
