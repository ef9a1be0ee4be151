"""A season read, changed, and read again: what a loader holds is what the provider holds."""

from __future__ import annotations

import pytest

# Events of the tiny season: finished lately, finishing today, ahead, and with two distances.
LATELY, TODAY, TODAY_TOO, AHEAD = 900032, 900008, 900009, 900040


@pytest.mark.parametrize("partner", [pytest.param(1, id="key pair"), pytest.param(2, id="version 2 key")])
def test_a_season_is_read_completely_by_both_ways_to_sign_in(run, season, target, partner):
    done = run(partner=partner)

    target.load(done)

    assert done.error is None
    target.assert_holds(season, partner)
    assert all(row["timing_partner_id"] == partner for row in done.rows("participants"))


def test_a_season_is_read_completely_in_small_pages(run, season, target):
    target.load(run(page_size=7))

    target.assert_holds(season)


def test_a_second_run_without_changes_sends_nothing_and_makes_only_the_calls_it_needs(run):
    first = run()

    again = run(first.state)

    for stream in ("races", "events", "participants", "removed_participants", "results", "removals", "rejects"):
        assert again.rows(stream) == [], stream
    for stream in ("participants", "removed_participants", "results"):
        assert again.calls(stream) < first.calls(stream)
    skipped = {row["stream"]: row["calls_saved"] for row in again.rows("reads") if row["mode"] == "skipped"}
    assert skipped["participants"] > 0
    assert skipped["results"] > 0


CHANGES = [
    pytest.param([("add_entry", AHEAD, {"count": 3})], id="entries added"),
    pytest.param([("edit_entry", AHEAD, {"fields": {"last_name": "Åström-李"}})], id="an entry edited"),
    pytest.param([("cancel", AHEAD, {"count": 2})], id="entries cancelled"),
    pytest.param([("refund", AHEAD, {})], id="an entry refunded"),
    pytest.param([("defer", AHEAD, {})], id="an entry deferred"),
    pytest.param([("delete", AHEAD, {})], id="an entry deleted"),
    pytest.param([("transfer", TODAY, {})], id="an entry transferred to another event"),
    pytest.param([("assign_bibs", AHEAD, {"count": 5})], id="bibs assigned"),
    pytest.param([("post_results", TODAY, {"count": 5})], id="results posted"),
    pytest.param([("correct_result", LATELY, {})], id="a result corrected"),
    pytest.param([("delete_result", LATELY, {"count": 2})], id="results deleted"),
    pytest.param([("disqualify", LATELY, {})], id="a runner disqualified"),
    pytest.param([("move_event", AHEAD, {"fields": {"days": 3}})], id="an event moved"),
    pytest.param([("rename_event", AHEAD, {"fields": {"name": "New name"}})], id="an event renamed"),
]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_change_arrives_with_the_next_run(run, season, target, changes):
    first = run()
    target.load(first)
    season.advance(600)
    for kind, event_id, more in changes:
        season.change(kind, event_id, **more)
    season.advance(60)

    again = run(first.state)

    target.load(again)
    assert again.error is None
    target.assert_holds(season)


def test_a_removal_that_is_taken_back_arrives_within_a_day(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    season.change("cancel", AHEAD)
    second = run(first.state)
    target.load(second)
    season.advance(600)
    season.change("restore", AHEAD)
    third = run(second.state)
    target.load(third)
    season.advance(90_000)

    fourth = run(third.state)

    target.load(fourth).assert_holds(season)
    assert [row["stream"] for row in fourth.rows("removals")] == ["removed_participants"]


def test_an_entry_that_vanishes_without_a_trace_is_found_within_a_day(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    (gone,) = season.change("delete", AHEAD, fields={"trace": False})["changed"]
    season.advance(90_000)

    again = run(first.state)

    target.load(again).assert_holds(season)
    (removal,) = again.rows("removals")
    assert (removal["stream"], removal["record_key"], removal["scope"]) == ("participants", str(gone), str(AHEAD))


def test_read_everything_sends_all_of_it_again(run, season, target):
    first = run()

    again = run(first.state, read_everything=True)

    target.load(again).assert_holds(season)


def test_a_lost_state_costs_calls_and_nothing_else(run, season, target):
    target.load(run())
    season.advance(600)
    season.change("edit_entry", AHEAD, fields={"last_name": "Later"})

    target.load(run())

    target.assert_holds(season)


def test_a_run_may_be_repeated_from_an_older_state(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    season.change("add_entry", AHEAD, count=2)
    season.change("post_results", TODAY)
    target.load(run(first.state))

    target.load(run(first.state))

    target.assert_holds(season)


def test_events_that_ended_before_start_date_are_left_out(run):
    done = run(start_date="2026-01-01")

    asked = {row["scope"] for row in done.rows("reads") if row["stream"] == "participants" and row["scope"]}
    assert "900016" not in asked
    assert str(AHEAD) in asked


def test_never_more_than_two_calls_at_once(run, season):
    season.fault("slow", times=None, seconds=0.02)

    run(calls_per_hour=100_000)

    assert season.most_in_flight() == 2
