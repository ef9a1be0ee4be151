"""The commands that the documents show, run."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from project88.db import embedded
from tests.docs.conftest import CHECKOUT, commands, environment, program, run

TARGETS = ("run", "test", "lab", "docs", "clean", "setup")


def test_make_run_ends_with_a_table_and_what_to_try_next(first_run):
    assert re.search(r"^chronotrack +entries +[\d,]+ +[\d,]+ +\d+ +\d+", first_run.stdout, flags=re.M)
    for hint in ("First publish", "p88 sql", "make lab", "make docs"):
        assert hint in first_run.stderr


def test_a_second_make_run_says_that_it_is_incremental(first_run, home):
    done = run(["make", "run"], home)

    assert done.returncode == 0, done.stderr
    assert "Incremental: nothing changed, nothing published" in done.stderr


@pytest.mark.parametrize("command", [one for one in commands("README.md") if one.startswith("p88 ")])
def test_a_command_of_the_readme_works(command, first_run, home):
    words = shlex.split(command)

    done = run([program(words[0]), *words[1:]], home)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("command", [one for one in commands("docs/running.md") if one.startswith("meltano ")])
def test_plain_meltano_works_as_the_document_says(command, first_run, home, tmp_path):
    variables = environment(home) | {"MELTANO_SYS_DIR_ROOT": str(tmp_path)}

    done = subprocess.run(
        [program("meltano"), *shlex.split(command)[1:]],
        env=variables, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_partners_and_connections_are_added_as_the_document_says(first_run, home, northwind):
    secrets = {"TAP_RUNSIGNUP_API_KEY": "key", "TAP_RUNSIGNUP_API_SECRET": "secret"}

    for command in commands("docs/running.md")[:2]:
        words = shlex.split(command)
        done = subprocess.run(
            [program(words[0]), *words[1:]],
            env=environment(home) | secrets, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    listed = run([program("p88"), "connection", "list"], home).stdout
    assert "northwind" in listed
    assert "secret" not in listed


def test_make_help_lists_what_there_is():
    done = subprocess.run(["make", "help"], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    for target in TARGETS:
        assert re.search(rf"make {target}\b", done.stdout)


def test_the_embedded_server_listens_on_no_network(first_run, home, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(home))

    found = run([program("p88"), "sql", "--csv", "show listen_addresses"], home)

    assert found.stdout.splitlines()[1:] in ([""], ['""'])
    assert embedded.pid() is not None
