"""docs/operations.md keeps its word: its commands are run in their order, by a shell, against the sandbox's season."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from project88.cli import cli
from tests.docs.conftest import CHECKOUT, commands, environment

PAGE = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = commands("docs/operations.md")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the commands are typed in; dumps and keys are left there."""
    return tmp_path_factory.mktemp("operations")


def _type(command: str, home: Path, place: Path) -> subprocess.CompletedProcess[str]:
    variables = environment(home) | {"MELTANO_PROJECT_ROOT": str(CHECKOUT), "MELTANO_SYS_DIR_ROOT": str(place)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=variables, cwd=place, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works(command, first_run, home, place, northwind):
    done = _type(command, home, place)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_restored_is_what_was_dumped(first_run, home, place):
    count = (
        "p88 sql --csv \"select count(*), md5(string_agg(participant_key, ',' order by 1)) from unified_participants\""
    )
    restored = "P88_DATABASE_URL=\"$(p88 db url | sed 's,/project88?,/restored?,')\" "

    assert _type(restored + count, home, place).stdout == _type(count, home, place).stdout
    assert (place / "hub.dump").stat().st_size > 10_000
    as_partner = _type(restored + count.replace("p88 sql", "p88 sql --as harbour"), home, place)
    assert as_partner.returncode == 0, as_partner.stderr


def test_every_command_of_p88_that_it_names_is_there():
    named = set(re.findall(r"\bp88 ([a-z]+(?: [a-z]+)?)", PAGE))
    groups = {name: getattr(command, "commands", None) for name, command in cli.commands.items()}
    found = {name for name in named if name.split()[0] in groups}

    for name in found:
        first, _, second = name.partition(" ")
        assert not (groups[first] and second) or second in groups[first], name
    assert named == found


def test_the_lines_it_explains_are_lines_that_are_told():
    """What the table of faults quotes stands in the code that says it, numbers and names apart."""
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("src", "extract", "expectations")
        for path in (CHECKOUT / folder).rglob("*.py")
        if "tests" not in path.parts
    )
    quoted = [
        "too many calls (429)", "it asks to wait ", "calls an hour of this credential are used up",
        "not signed in (401)", "not allowed (403)", "no answer within ", "the answer is not JSON",
        "the gate stopped the publish",
        "is missing in every record of an answer", "the provider changed its shape", "is kept as sent",
        "is no longer listed", "no database at ", "the database does not answer as it should",
        "another publish has been at work for more than", "were sealed with key", "nothing was published",
    ]  # fmt: skip

    assert [line for line in quoted if line not in code] == []
    assert [line for line in quoted if line.strip().removesuffix(" of an answer") not in PAGE] == []
