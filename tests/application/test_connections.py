"""A connection is refused where one of its settings would be without effect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


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
