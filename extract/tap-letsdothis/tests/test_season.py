"""A season read, changed, and read again: what a loader holds is what the provider holds."""

from __future__ import annotations

import pytest
from letsdothis_season import AHEAD, PAST, STREAMS


@pytest.mark.parametrize("partner", [1, 2])
@pytest.mark.parametrize("page_size", [2, 7, 500])
def test_a_season_is_read_completely(run, season, target, partner, page_size):
    done = run(partner=partner, page_size=page_size)

    target.load(done)

    assert done.error is None
    target.assert_holds(season, partner)
    assert all(row["timing_partner_id"] == partner for row in done.rows("participants"))


def test_an_unchanged_account_costs_one_call_a_list_and_sends_nothing(run, season):
    first = run()
    season.advance(600)

    again = run(first.state)

    assert [again.calls(name) for name in ("events", "participants", "applications")] == [1, 1, 1]
    for stream in (*STREAMS, "removals", "rejects"):
        assert again.rows(stream) == [], stream


CHANGES = [
    pytest.param([("add_entry", AHEAD, {"count": 3})], id="entrants added who never applied"),
    pytest.param([("edit_entry", AHEAD, {"fields": {"lastName": "Åström-李"}})], id="an entrant edited"),
    pytest.param([("cancel", AHEAD, {"count": 2})], id="entrants cancelled"),
    pytest.param([("refund", PAST, {})], id="an entrant refunded"),
    pytest.param([("clear", PAST, {})], id="an entry turned into credit"),
    pytest.param([("defer", AHEAD, {})], id="an entrant deferred"),
    pytest.param([("transfer", PAST, {})], id="an entrant transferred"),
    pytest.param([("cancel", PAST, {}), ("restore", PAST, {})], id="an entrant cancelled and back"),
    pytest.param([("assign_bibs", AHEAD, {"count": 5})], id="bibs assigned"),
    pytest.param([("decide_application", AHEAD, {"fields": {"approvalStatus": "REJECTED"}})], id="decided"),
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
    assert again.calls("participants") == 1
    target.assert_holds(season)


def test_changes_of_the_very_instant_of_the_bookmark_are_not_missed(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    season.change("edit_entry", AHEAD, fields={"lastName": "First"})
    second = run(first.state)
    target.load(second)
    season.change("edit_entry", PAST, fields={"lastName": "Second"})

    target.load(run(second.state))

    # The filter is strict: without the overlap the second change would stay unseen.
    target.assert_holds(season)


def test_an_entrant_who_vanishes_is_found_within_a_day(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    (gone,) = season.change("delete", AHEAD)["changed"]
    second = run(first.state)
    # Others of the booking were touched by it.
    target.load(second)
    assert second.rows("removals") == []
    season.advance(90_000)

    third = run(second.state)

    target.load(third).assert_holds(season)
    (removal,) = third.rows("removals")
    assert (removal["stream"], removal["record_key"], removal["scope"]) == ("participants", gone, AHEAD)


def test_withdrawn_entrants_who_leave_the_list_are_removed_and_come_back(run, season, target):
    first = run()
    target.load(first)
    season.advance(90_000)
    season.quirks(drop_withdrawn=True)

    second = run(first.state)

    target.load(second).assert_holds(season)
    gone = [row["record_key"] for row in second.rows("removals")]
    assert gone
    season.quirks(drop_withdrawn=False)
    season.advance(90_000)
    third = run(second.state)
    target.load(third).assert_holds(season)
    assert {row["record_key"] for row in third.rows("removals") if row["returned_at"]} == set(gone)


def test_a_settled_occurrence_is_not_gone_through_again_and_its_changes_still_arrive(run, season, target):
    first = run(settle_days=20)
    target.load(first)
    marks = first.marks("participants")
    assert marks[PAST] == {"context": {"occurrence_id": PAST}, "settled": True}
    assert "snapshot" in marks[AHEAD]
    season.advance(90_000)
    season.change("edit_entry", PAST, fields={"lastName": "Later"})
    season.forget_calls()

    again = run(first.state, settle_days=20)

    target.load(again).assert_holds(season)
    read = {row["scope"]: row["mode"] for row in again.rows("reads") if row["stream"] == "participants"}
    assert read[AHEAD] == "whole"
    assert read[PAST] == "changes"
    # Only bookings of what may still change are gone through.
    assert any("createdAt%5Bafter%5D" in line and "participants" in line for line in season.calls())


def test_occurrences_that_ended_before_start_date_are_left_out(run):
    done = run(start_date="2026-09-01")

    assert {row["occurrence_id"] for row in done.rows("participants")} == {AHEAD}


def test_read_everything_sends_all_of_it_again(run, season, target):
    first = run(settle_days=20)

    again = run(first.state, read_everything=True, settle_days=20)

    target.load(again).assert_holds(season)


def test_a_lost_state_costs_calls_and_nothing_else(run, season, target):
    target.load(run())
    season.advance(600)
    season.change("edit_entry", AHEAD, fields={"lastName": "Later"})

    target.load(run())

    target.assert_holds(season)


def test_a_run_may_be_repeated_from_an_older_state(run, season, target):
    first = run()
    target.load(first)
    season.advance(600)
    season.change("add_entry", AHEAD, count=2)
    target.load(run(first.state))

    target.load(run(first.state))

    target.assert_holds(season)
