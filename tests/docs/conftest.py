"""A season that `make run` brought in, and the commands that documents show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def commands(document: str) -> list[str]:
    """Return the commands that a document shows in blocks of a console."""
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory):
    """A folder of local state of one's own, with the embedded server and the sandbox in it, ended afterwards."""
    folder = tmp_path_factory.mktemp("readme") / "home"
    folder.mkdir(mode=0o711)
    yield folder
    for command in (["sandbox", "stop"], ["db", "stop"]):
        subprocess.run([program("p88"), *command], env=environment(folder), capture_output=True, check=False)


def program(name: str) -> str:
    """Return the path of a program of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command."""
    values = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_", "MAKE"))}
    return values | {
        "P88_HOME": str(home),
        "P88_SIZE": "tiny",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout to its end."""
    return subprocess.run(
        command, env=environment(home), cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="session")
def first_run(home):
    """What `make run` printed, in the tiny season, on the embedded server."""
    if not (CHECKOUT / ".venv" / "ready").exists():
        pytest.skip("the environment was not made by `make setup`: `make run` would make it anew under this test")
    done = run(["make", "run"], home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def northwind(first_run, home):
    """The partner whose account the documents add: afterwards it is nobody's, or it would be asked for real."""
    yield
    run([program("p88"), "sql", "delete from hub.connections c using hub.timing_partners p "
          "where p.timing_partner_id = c.timing_partner_id and p.slug = 'northwind'"], home)  # fmt: skip
