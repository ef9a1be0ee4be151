"""What goes wrong on the way is waited out or told in one line; nothing is lost, nothing is made up."""

from __future__ import annotations

import pytest
from copernico_season import STREAMS, CopernicoTarget, expected_results
from tap_testing.faults import PASSING


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_passes_is_waited_out_and_nothing_is_lost_or_doubled(season, run, target, kind, more):
    for path in ("api/races", "preset", "athlete"):
        season.fault(kind, times=2, path_contains=path, **more)

    first = run()

    assert season.faults_left() == 0
    assert first.error is None
    target.load(first)
    assert target.table("participants").keys() == season.rows().keys()
    assert target.table("results").keys() == expected_results(season)
    assert all(len(first.rows(stream)) == len(target.table(stream)) for stream in STREAMS)


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_stays_ends_in_one_line_and_is_made_good_later(season, run, kind, more):
    first = run()
    season.fault(kind, times=None, path_contains="preset", **more)
    event_id, row = season.finisher()
    season.change("edit_entry", event_id, id=row["id"], fields={"club": "Still here"})

    broken = run(first.state, max_tries=2)
    season.clear_faults()
    healed = run(broken.state)

    assert "copernico, partner 1, stream events: GET http" in broken.error
    assert "\n" not in broken.error
    assert broken.rows("removals") == []
    assert broken.marks("participants") == first.marks("participants")
    assert [one["club"] for one in healed.rows("participants")] == ["Still here"]


def test_a_race_that_is_not_found_keeps_its_rows_and_the_others_are_read(season, run):
    first = run()
    others = [one["race_id"] for one in season.holds("races")]

    again = run(first.state, race_ids=f"{others[0]},no-such-race", api_key=None)

    assert "no-such-race" in again.error and "its rows stay" in again.error
    assert again.removals("participants") == {}
    assert {read["mode"] for read in again.rows("reads") if read["scope"].startswith(f"{others[0]}:")} == {"whole"}


def test_a_wrong_key_ends_the_run_with_its_first_call(season, run):
    first = run(api_key="a guess")

    assert "check setting api_key" in first.error
    assert "a guess" not in first.error
    assert first.sent == {}
    assert sum("races" in call for call in season.calls()) == 1


def test_a_list_of_races_that_fails_leaves_all_below_unread_with_one_cause(season, run):
    season.fault("status_500", times=None, path_contains="api/races")

    first = run(max_tries=2)

    assert "stream races" in first.error
    assert first.sent == {}
    assert len(season.calls()) == 2


def test_the_hours_calls_used_up_end_the_run_with_when_to_go_on(season, run, target):
    first = run(calls_per_hour=3, budget_max_wait=0)
    again = run(first.state, calls_per_hour=1000)

    assert "go on at" in first.error
    assert target.load(first, again).table("participants").keys() == season.rows().keys()


def test_a_kill_between_any_two_lines_loses_and_doubles_nothing(season, run):
    first = run()
    complete = CopernicoTarget().load(first)

    for half in first.killed(8):
        again = run(half.states[-1] if half.states else None)
        together = CopernicoTarget().load(half, again)
        for stream in STREAMS:
            assert together.table(stream).keys() == complete.table(stream).keys()
