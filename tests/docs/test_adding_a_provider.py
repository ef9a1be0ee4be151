"""A seventh provider, made from the template in a copy of the checkout: it reads, loads, is judged and staged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import psycopg2
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
NAME, TITLE = "northrun", "North Run"
LIBRARIES = sysconfig.get_path("purelib")
# What the copy does without: state and environments, and what takes room.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".p88", ".meltano", "__pycache__", ".*_cache", "*.egg-info", "target"
)


@dataclass
class Copy:
    """A copy of the checkout with the provider in it, an environment of its own, and a database."""

    folder: Path
    home: Path
    dsn: str
    made: str

    @property
    def programs(self) -> Path:
        """Where the copy's commands are."""
        return self.folder / ".venv" / "bin"

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy's environment to its end."""
        values = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_", "PYTHON"))}
        values |= {"P88_HOME": str(self.home), "P88_DATABASE_URL": self.dsn}
        values |= {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        return subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            env=values | more, cwd=self.folder, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


def _environment(folder: Path) -> None:
    """Make an environment that lends its libraries from the one that runs the tests, and has the copy's own commands.

    It stands in for `make setup`, which would fetch all of them again.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")], check=True)
    site = folder / ".venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    projects = (folder / "load" / "target-hub", folder / "extract" / "shared", *(folder / "extract").glob("tap-*"))
    # The copy's packages come before those of the checkout, which stand among what is lent.
    places = [*map(str, (folder / "src", folder, *projects)), f"import site; site.addsitedir({LIBRARIES!r})"]
    (site / "lent.pth").write_text("\n".join(places), encoding="utf-8")
    commands = {"meltano": "meltano.cli:main", "dbt": "dbt.cli.main:cli"}
    for project in (folder, *projects):
        commands |= _scripts(project)
    programs = folder / ".venv" / "bin"
    for command, target in commands.items():
        module, _, function = target.partition(":")
        name = function.partition(".")[0]
        text = f"#!{programs / 'python'}\nimport sys\nfrom {module} import {name}\nsys.exit({function}())\n"
        (programs / command).write_text(text, encoding="utf-8")
        (programs / command).chmod(0o755)


def _scripts(project: Path) -> dict[str, str]:
    import tomllib

    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("scripts", {})


@pytest.fixture(scope="module")
def copy(embedded_dsn_of_module, tmp_path_factory) -> Copy:
    """The checkout, copied, with the provider made from the template."""
    folder, home = tmp_path_factory.mktemp("seventh") / "checkout", tmp_path_factory.mktemp("seventh-home")
    home.chmod(0o711)
    shutil.copytree(CHECKOUT, folder, ignore=LEFT_OUT)
    done = subprocess.run(
        [sys.executable, str(folder / "scripts" / "new-provider"), NAME, TITLE],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _environment(folder)
    return Copy(folder, home, embedded_dsn_of_module, done.stdout)


@pytest.fixture(scope="module")
def account(copy: Copy) -> Any:
    """The module with the small provider that the template brings."""
    spec = util.spec_from_file_location("account", copy.folder / "extract" / f"tap-{NAME}" / "tests" / "account.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def provider(account: Any) -> Iterator[Any]:
    """A server that answers as the provider does, one of its people born in the future, another on no day at all."""
    server = account.Provider()
    server.participants["A1"][0]["birth_date"] = "2999-01-01"
    server.participants["A1"][1]["birth_date"] = "soon"
    yield server
    server.close()


@pytest.fixture(scope="module")
def run(copy: Copy, account: Any, provider: Any) -> subprocess.CompletedProcess[str]:
    """What `p88 run` said, with a connection of the new provider."""
    for command, secrets in (
        (("partner", "add", "harbour", "--name", "Harbour Timing"), {}),
        (
            ("connection", "add", "harbour", NAME, f"--set=api_url={provider.url}"),
            {f"TAP_{NAME.upper()}_API_KEY": account.KEY},
        ),
    ):
        done = copy.run("p88", *command, **secrets)
        assert done.returncode == 0, done.stderr
    done = copy.run("p88", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_it_is_made_of_the_same_files_as_the_others(copy):
    def files(name: str) -> set[str]:
        package = copy.folder / "extract" / f"tap-{name}" / f"tap_{name}"
        return {path.name for path in package.glob("*.py")}

    assert files(NAME) == files("letsdothis")
    left = subprocess.run(
        ["grep", "-rniE", "example", *(line.split()[1] for line in copy.made.splitlines() if line.startswith("made"))],
        cwd=copy.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert left.stdout == ""


def test_one_that_is_there_is_left_alone_and_a_name_that_is_none_is_refused(copy):
    for name, told in ((NAME, "is there already; nothing was made"), ("North-Run", "small letters and digits")):
        done = subprocess.run(
            [sys.executable, str(copy.folder / "scripts" / "new-provider"), name],
            cwd=copy.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

        assert done.returncode == 1
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_its_own_tests_pass_and_its_code_is_clean(copy):
    folder = f"extract/tap-{NAME}"
    tests = copy.run("python", "-m", "pytest", f"{folder}/tests", "-q", "-x", "-p", "no:cacheprovider")
    settings = copy.run(
        "python", "-m", "pytest", "tests/application/test_meltano_yml.py", "-q", "-k", NAME, "-p", "no:cacheprovider"
    )
    lint = copy.run("python", "-m", "ruff", "check", "--no-cache", folder, "expectations", "src")
    layout = copy.run("python", "-m", "ruff", "format", "--no-cache", "--check", folder, "expectations", "src")

    for done in (tests, settings, lint, layout):
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_reads_is_loaded_counted_and_judged(copy, run, provider):
    people = sum(map(len, provider.participants.values()))

    assert copy.ask("select count(*) from raw_northrun.events") == [(len(provider.events),)]
    # One was put aside by the tap, with its reason, and one is held back by the gate.
    assert copy.ask("select record_key, field from staging.stg_northrun__rejects") == [("2", "birth_date")]
    assert copy.ask("select count(*) from raw_northrun.participants") == [(people - 1,)]
    assert copy.ask("select rule, row_key from unified.quarantine") == [("born_in_the_past", f"{NAME}/1/1")]
    assert NAME in run.stdout


def test_it_is_staged_by_dbt_in_our_words(copy, run, provider):
    events = copy.ask(
        "select source_provider, timing_partner_id, event_id, event_name from staging.stg_northrun__events"
    )
    people = copy.ask(
        "select participant_id, email, gender, bib_number from staging.stg_northrun__participants"
        " where participant_id = '3'"
    )

    assert sorted(events) == [(NAME, 1, "A1", "Event A1"), (NAME, 1, "B2", "Lighthouse 10K")]
    assert people == [("3", "runner3@mail.invalid", "F", "03")]


def test_a_second_run_sends_nothing_again(copy, run):
    before = copy.ask("select max(changed_xid) from raw_northrun.participants")

    done = copy.run("p88", "run", "--provider", NAME)

    assert done.returncode == 0, done.stderr
    assert copy.ask("select max(changed_xid) from raw_northrun.participants") == before
