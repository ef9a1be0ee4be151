"""What runs 26 times a cycle begins without what it has no use for: numpy alone was a sixth of a start."""

from __future__ import annotations

import os
import subprocess

import pytest

from project88 import raw, settings

COMMANDS = (*(f"tap-{provider}" for provider in raw.PROVIDERS), "target-hub")
# Libraries load them at their own beginning. Parts of them: what was asked for in vain is listed as well.
NEEDLESS = ("numpy.version", "pandas.core", "paramiko.transport")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_starts_without_what_is_needless(command):
    done = subprocess.run(
        [settings.executable(command), "--version"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert command in done.stdout
    assert "singer_sdk" in imported
    assert imported.isdisjoint(NEEDLESS)
