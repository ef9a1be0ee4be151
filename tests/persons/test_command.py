"""`p88 person`: what it prints, and what it does not do."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result

from project88 import db
from project88.cli import cli
from project88.db.schema import ensure_hub
from project88.persons.matching import mint
from project88.persons.schema import ensure
from tests.persons.test_store import ask, follow, people

A, C = mint(1, "runsignup/1/a"), mint(1, "runsignup/1/c")


@pytest.fixture
def hub(embedded_dsn: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """A registry with two persons, and the command's environment."""
    monkeypatch.setenv("P88_DATABASE_URL", embedded_dsn)
    monkeypatch.setenv("P88_HOME", str(tmp_path))
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    ensure(connection)
    follow(connection, [{"runsignup/1/a", "runsignup/1/b"}, {"runsignup/1/c"}])
    yield connection
    connection.close()


def p88(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, ["person", *arguments])


def test_a_person_is_shown_by_its_id_or_by_a_record_of_it(hub: Any) -> None:
    by_id, by_record = p88("show", A), p88("show", "runsignup/1/b")

    assert by_id.exit_code == 0, by_id.output
    assert by_id.stdout == by_record.stdout
    assert by_id.stdout.startswith(f"person {A} of timing partner 1, since 2026-06-06 12:00\n")
    assert "runsignup/1/a  0.9000" in by_id.stdout


def test_merged_persons_are_found_by_the_id_they_had_with_who_decided_it_and_why(hub: Any) -> None:
    merged = p88("merge", C, A, "--why", "maiden name", "--by", "ada")

    assert merged.exit_code == 0, merged.output
    assert merged.stdout == f"merged: 1 records of {C} are {A}'s\n"
    assert "p88 publish" in merged.stderr
    shown = p88("show", C).stdout
    assert shown.startswith(f"person {A} ")
    assert f"before also {C}" in shown
    for told in ("maiden name", "ada", "merged", "runsignup/1/c  1.0000"):
        assert told in shown


def test_a_split_takes_records_away_and_a_confirmed_person_stays(hub: Any) -> None:
    assert p88("confirm", A, "--why", "asked her").exit_code == 0
    split = p88("split", A, "runsignup/1/b", "--why", "father and son", "--by", "ben")

    assert split.exit_code == 0, split.output
    assert people(hub)[A] == {"runsignup/1/a"}
    assert [row[0] for row in ask(hub, "select decided_by from hub.person_decisions order by decision_id")][1] == "ben"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "nobody"), "p88: there is no person or record nobody;"),
        (("merge", "runsignup/1/a", "runsignup/1/b", "--why", "x"), "p88: these names mean one person already;"),
        (("split", A, "runsignup/1/c", "--why", "x"), f"p88: runsignup/1/c is no record of {A};"),
    ],
)
def test_what_cannot_be_is_one_line_on_stderr(hub: Any, arguments: tuple[str, ...], says: str) -> None:
    done = p88(*arguments)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(says)
    assert done.stderr.count("\n") == 1
    assert ask(hub, "select count(*) from hub.person_decisions") == [(0,)]


def test_nothing_is_decided_without_a_reason(hub: Any) -> None:
    done = p88("confirm", A)

    assert done.exit_code == 2
    assert "--why" in done.stderr
