"""Results: listed short, told whole one by one, and only where the list changed."""

from __future__ import annotations

import pytest
from tap_testing.runs import same


def details(season):
    return [call for call in season.calls() if "v2/api/results/" in call]


@pytest.mark.parametrize("source", ["public", "account"])
def test_both_sources_bring_the_same_whole_rows(season, run, source):
    first = run(results_source=source)

    assert first.error is None
    assert same([row["record"] for row in first.rows("results")], season.holds("results"))
    assert all(row["bib"] is not None for row in first.rows("results"))


def test_only_rows_that_changed_in_the_list_are_asked_for_one_by_one(season, run):
    first = run()
    orchard = season.event("Orchard")
    season.change("correct_result", orchard, count=1, fields={"seconds": 4711.5})
    before = {row["result_id"]: row["record"] for row in first.rows("results")}
    changed = {row["id"] for row in season.holds("results") if row != before[row["id"]]}
    season.forget_calls()

    again = run(first.state)

    rows = {row["result_id"]: row["record"] for row in again.rows("results")}
    assert changed and set(rows) == changed
    assert len(details(season)) == len(changed)
    assert same(list((before | rows).values()), season.holds("results"))


def test_a_result_that_is_taken_back_is_a_removal_and_one_that_returns_comes_again(season, run):
    first = run()
    (gone,) = season.change("delete_result", season.event("Orchard"))["changed"]

    again = run(first.state)

    assert again.removals("results") == {gone: None}


def test_results_are_looked_for_once_an_event_has_begun(season, run):
    first = run()
    season.forget_calls()
    season.advance(52 * 86_400 + 12 * 3600)
    advent = season.event("Advent")
    posted = season.change("post_results", advent, count=5)["changed"]

    again = run(first.state)

    assert [row["result_id"] for row in again.rows("results") if row["event_id"] == advent] == posted


def test_everything_is_read_again_but_for_results_that_cannot_be_found_yet(season, run):
    first = run()

    again = run(first.state, read_everything=True)

    # Some events have no page of results yet.
    assert {row["event_id"] for row in first.rows("events")} > {row["event_id"] for row in first.rows("results")}
    assert again.error is None
    assert len(again.rows("results")) == len(first.rows("results"))
    assert run(first.state, read_everything=True, results_source="none").rows("results") == []


def test_a_disqualified_runner_loses_the_place(season, run):
    first = run()
    winner = next(row for row in first.rows("results") if row["overall_place"] == 1)
    season.change("disqualify", winner["event_id"], ids=[winner["result_id"]])

    again = run(first.state)

    rows = {row["result_id"]: row for row in again.rows("results")}
    if winner["event_id"] == season.event("Orchard"):
        assert (rows[winner["result_id"]]["overall_place"], rows[winner["result_id"]]["race_status"]) == (None, "DQ")
    else:
        # Long over: it is not read again.
        assert rows == {}


def test_when_the_hours_calls_end_what_was_read_is_kept_and_the_next_run_goes_on(season, run, monkeypatch):
    monkeypatch.setattr("tap_raceroster.results.DETAILS_AT_ONCE", 5)

    first = run(calls_per_hour=25, budget_max_wait=0)
    again = run(first.state, calls_per_hour=1000)

    assert "go on at" in first.error
    early, late = ({row["result_id"] for row in one.rows("results")} for one in (first, again))
    assert early and late
    # At most the last few that were not yet remembered come twice.
    assert len(early & late) < 5
    assert same(
        [row["record"] for row in {r["result_id"]: r for r in first.rows("results") + again.rows("results")}.values()],
        season.holds("results"),
    )


def test_a_detail_that_cannot_be_taken_is_kept_aside_and_asked_for_again(season, run):
    season.fault("bad_record", times=1, path_contains="v2/api/results/")

    first = run()
    again = run(first.state)

    (reject,) = first.rows("rejects")
    assert (reject["stream"], reject["field"]) == ("results", "chip_time_sec")
    assert [row["result_id"] for row in again.rows("results")] == [reject["record_key"]] or not again.rows("results")


def test_no_source_is_no_call(season, run):
    season.forget_calls()

    assert run(results_source="none").rows("results") == []
    assert not [call for call in season.calls() if "v2/" in call or "/results" in call]
