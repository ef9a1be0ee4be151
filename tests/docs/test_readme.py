"""The commands that the documents show, run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from project88.db import embedded

CHECKOUT = Path(__file__).resolve().parents[2]
TARGETS = ("run", "test", "lab", "docs", "clean", "setup")


def _commands(document: str) -> list[str]:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    """A folder of local state of one's own, with the embedded server and the sandbox in it, ended afterwards."""
    folder = tmp_path_factory.mktemp("readme") / "home"
    folder.mkdir(mode=0o711)
    yield folder
    for command in (["sandbox", "stop"], ["db", "stop"]):
        subprocess.run([_program("p88"), *command], env=_environment(folder), capture_output=True, check=False)


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _environment(home: Path) -> dict[str, str]:
    values = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_", "MAKE"))}
    return values | {
        "P88_HOME": str(home),
        "P88_SIZE": "tiny",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=_environment(home), cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def first_run(home):
    """What `make run` printed, in the tiny season, on the embedded server."""
    if not (CHECKOUT / ".venv" / "ready").exists():
        pytest.skip("the environment was not made by `make setup`: `make run` would make it anew under this test")
    done = _run(["make", "run"], home)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_make_run_ends_with_a_table_and_what_to_try_next(first_run):
    assert re.search(r"^chronotrack +entries +[\d,]+ +[\d,]+ +\d+ +\d+", first_run.stdout, flags=re.M)
    for hint in ("First publish", "p88 sql", "make lab", "make docs"):
        assert hint in first_run.stderr


def test_a_second_make_run_says_that_it_is_incremental(first_run, home):
    done = _run(["make", "run"], home)

    assert done.returncode == 0, done.stderr
    assert "Incremental: nothing changed, nothing published" in done.stderr


@pytest.mark.parametrize("command", [one for one in _commands("README.md") if one.startswith("p88 ")])
def test_a_command_of_the_readme_works(command, first_run, home):
    words = shlex.split(command)

    done = _run([_program(words[0]), *words[1:]], home)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("command", [one for one in _commands("docs/running.md") if one.startswith("meltano ")])
def test_plain_meltano_works_as_the_document_says(command, first_run, home, tmp_path):
    environment = _environment(home) | {"MELTANO_SYS_DIR_ROOT": str(tmp_path)}

    done = subprocess.run(
        [_program("meltano"), *shlex.split(command)[1:]],
        env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_partners_and_connections_are_added_as_the_document_says(first_run, home):
    secrets = {"TAP_RUNSIGNUP_API_KEY": "key", "TAP_RUNSIGNUP_API_SECRET": "secret"}

    for command in _commands("docs/running.md")[:2]:
        words = shlex.split(command)
        done = subprocess.run(
            [_program(words[0]), *words[1:]],
            env=_environment(home) | secrets, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    listed = _run([_program("p88"), "connection", "list"], home).stdout
    assert "northwind" in listed
    assert "secret" not in listed
    # It would be asked for real from now on.
    _run([_program("p88"), "sql", "delete from hub.connections c using hub.timing_partners p "
          "where p.timing_partner_id = c.timing_partner_id and p.slug = 'northwind'"], home)  # fmt: skip


def test_make_help_lists_what_there_is():
    done = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    for target in TARGETS:
        assert re.search(rf"make {target}\b", done.stdout)


def test_the_embedded_server_listens_on_no_network(first_run, home, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(home))

    found = _run([_program("p88"), "sql", "--csv", "show listen_addresses"], home)

    assert found.stdout.splitlines()[1:] in ([""], ['""'])
    assert embedded.pid() is not None
