"""Around the rules: waivers, docs, addresses, and what every rule must carry."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2.extras import Json

from expectations import runner
from expectations.session import address
from expectations.suites import counts, held_back_parents, missing_values, reads, reconciliation
from expectations.tests.database import NOW, Season

if TYPE_CHECKING:
    from pathlib import Path

    from expectations.rules import SuiteModule
    from expectations.tests.conftest import Gate

LATER = NOW + timedelta(hours=1)


def all_suites() -> list[SuiteModule]:
    """Return every suite of both stages."""
    return [
        *runner._suites("arrivals"), *runner._suites("candidates"), *held_back_parents.SUITES,
        *counts.SUITES.values(), *missing_values.SUITES.values(), *reads.SUITES, reconciliation,
    ]  # fmt: skip


def collapsed(season: Season, gate: Gate) -> None:
    """Publish 200 participants as run r1 and lose all but 100."""
    season.event()
    season.race()
    season.participants(200)
    gate("candidates")
    season.publish("r1")
    season.do("delete from candidate.unified_participants where participant_id::int >= 200")


def accept(season: Season, rule: str = "count_collapse", **scope: Any) -> None:
    """Accept a stop as an operator does."""
    runner.waive(
        season.conn, rule=rule, reason="the race was cancelled", until=NOW + timedelta(days=1), now=NOW,
        **scope,
    )  # fmt: skip


def test_a_stop_that_an_operator_accepted_lets_one_publish_through(season: Season, gate: Gate) -> None:
    collapsed(season, gate)
    assert not gate("candidates", "r2", LATER).passed
    accept(season, timing_partner_id=1, source_provider="runsignup", relation="unified_participants")

    report = gate("candidates", "r3", LATER)

    assert report.passed
    assert [(w.rule, w.message.startswith("accepted (the race was cancelled)")) for w in report.waived] == [
        ("count_collapse", True)
    ]

    # Until the publish, the word stands; the publish spends it.
    assert gate("candidates", "r4", LATER).passed
    season.publish("r4")
    season.do("delete from candidate.unified_participants where participant_id::int >= 120")
    assert [f.rule for f in gate("candidates", "r5", LATER).failures] == ["count_collapse"]


@pytest.mark.parametrize(
    "scope",
    [
        {"timing_partner_id": 2},
        {"source_provider": "chronotrack"},
        {"relation": "unified_results"},
    ],
)
def test_a_word_for_something_else_accepts_nothing(season: Season, gate: Gate, scope: dict[str, Any]) -> None:
    collapsed(season, gate)
    accept(season, **scope)

    assert not gate("candidates", "r2", LATER).passed


def test_a_word_that_has_run_out_accepts_nothing(season: Season, gate: Gate) -> None:
    collapsed(season, gate)
    accept(season)

    assert not gate("candidates", "r2", NOW + timedelta(days=2)).passed


@pytest.mark.parametrize("rule", ["one_row_per_key", "could_be_checked", "no_such_rule"])
def test_what_would_publish_rows_at_random_cannot_be_accepted(season: Season, rule: str) -> None:
    with pytest.raises(ValueError, match="cannot be accepted"):
        accept(season, rule)


def test_a_baseline_changes_only_with_the_transaction_that_publishes(season: Season, gate: Gate) -> None:
    season.event()
    gate("candidates")
    runner.accept_baseline(season.conn, "r1")
    season.conn.rollback()

    assert season.ask("select count(*) from hub.gate_baselines") == [(0,)]


def test_an_unknown_run_changes_no_baseline(season: Season, gate: Gate) -> None:
    season.event()
    gate("candidates")
    with season.conn:
        assert runner.accept_baseline(season.conn, "r1") == 1
        assert runner.accept_baseline(season.conn, "never") == 0

    assert season.ask("select relation, live from hub.gate_baselines") == [("unified_events", 1)]


def test_the_data_docs_show_rules_and_keys_and_no_person_and_call_nobody(
    season: Season, gate: Gate, tmp_path: Path
) -> None:
    docs = tmp_path / "gate"
    season.event()
    season.race()
    season.raw_event(5)
    season.raw_participants(1, first=-1, first_name="Thandiwe")
    season.participants(1, first_name="Thandiwe", last_name="Quist", age=200)
    season.results(1, first_name="Thandiwe", provider_fields=Json({"unreadable": ["results_time"]}))

    gate("arrivals", docs_dir=docs)
    gate("candidates", docs_dir=docs)
    gate("candidates", "r2", LATER, docs_dir=docs)

    index = (docs / "index.html").read_text()
    assert "arrivals/index.html" in index
    assert "candidates/index.html" in index
    pages = {page: page.read_text() for page in docs.rglob("*.html")}
    told = "\n".join(pages.values())
    assert "runsignup/1/100" in told
    assert "A birth date of 1900-01-01 stands for unknown" in told
    assert "Thandiwe" not in told
    assert "Quist" not in told
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=[\"']https?:", told)
    # The last run of a stage is the one shown.
    assert len(list((docs / "candidates" / "validations").rglob("*.html"))) == len(
        {p.parent.parent.parent.name for p in (docs / "candidates" / "validations").rglob("*.html")}
    )
    assert sorted(p.name for p in docs.iterdir()) == ["arrivals", "candidates", "index.html"]


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://p88:s3cret@db.example:5433/hub", "postgresql+psycopg2://p88:s3cret@db.example:5433/hub"),
        ("postgresql://postgres:@/postgres?host=/tmp/pg", "postgresql+psycopg2://postgres@/postgres?host=%2Ftmp%2Fpg"),
        ("host=/run/pg port=5433 dbname=hub user=p88", "postgresql+psycopg2://p88@/hub?host=%2Frun%2Fpg&port=5433"),
        ("postgresql://u:p%24{X}@h/d?sslmode=require", "postgresql+psycopg2://u:p%24%7BX%7D@h/d?sslmode=require"),
    ],
)
def test_every_kind_of_address_is_understood(dsn: str, expected: str) -> None:
    assert address(dsn) == expected


def test_every_rule_has_one_meaning_and_says_what_a_failure_would_mean() -> None:
    names: Counter[tuple[str, str]] = Counter()
    for module in all_suites():
        for expectation in module.suite().expectations:
            meta = expectation.meta or {}
            names[(module.RELATION, meta["rule"])] += module.RELATION != ""
            assert meta["reason"], meta
            assert expectation.notes, meta
            if meta["effect"] == "stop":
                assert meta["rule"] in runner.WAIVABLE | runner.NOT_WAIVABLE
                assert meta["remedy"], meta

    # A row is held back once per relation and rule: two stages with one name would free each other's rows.
    arrivals = {(relation, rule.name) for relation, rule in runner.row_rules("arrivals")}
    candidates = {(relation, rule.name) for relation, rule in runner.row_rules("candidates")}
    assert not arrivals & candidates


def test_a_stage_without_a_name_or_a_time_without_a_zone_is_refused(gate: Gate) -> None:
    with pytest.raises(ValueError, match="no such stage"):
        gate("everything")
    with pytest.raises(ValueError, match="zone"):
        gate("arrivals", now=NOW.replace(tzinfo=None))
