"""What goes wrong on the way is waited out or told in one line; nothing is lost, nothing is made up."""

from __future__ import annotations

import pytest
from raceroster_season import STREAMS
from tap_testing.faults import PASSING, assert_a_kill_loses_and_doubles_nothing


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_passes_is_waited_out_and_nothing_is_lost_or_doubled(season, run, target, kind, more):
    for path in ("/events?", "/participants", "sub-events", "oauth"):
        season.fault(kind, times=1, path_contains=path, **more)

    first = run(page_size=9)

    assert season.faults_left() == 0
    assert first.error is None
    target.load(first).assert_holds(season)
    for stream in STREAMS:
        assert len(first.rows(stream)) == len(target.table(stream))


@pytest.mark.parametrize("kind", ["status_500", "non_json"])
def test_what_stays_ends_its_stream_in_one_line_and_the_others_go_on(season, run, kind):
    first = run()
    season.advance(600)
    season.fault(kind, times=None, path_contains="/participants")
    season.change("edit_entry", season.event("Orchard"), fields={"bibNumber": "77"})
    season.change("rename_event", season.event("Advent"), fields={"name": "Still here"})

    broken = run(first.state, max_tries=2)
    season.clear_faults()
    healed = run(broken.state)

    assert "raceroster, partner 1, stream participants: GET http" in broken.error
    assert "\n" not in broken.error
    assert [row["name"] for row in broken.rows("events")] == ["Still here"]
    assert [row["bib_number"] for row in healed.rows("participants")] == ["77"]


def test_a_list_of_events_that_fails_leaves_the_books_open(season, run):
    first = run(results_source="none")
    season.advance(600)
    season.change("edit_entry", season.event("Orchard"), fields={"bibNumber": "77"})
    season.fault("status_500", times=None, path_contains="/events?")

    broken = run(first.state, max_tries=2, results_source="none")

    assert "stream events" in broken.error
    assert [row["bib_number"] for row in broken.rows("participants")] == ["77"]


def test_a_kill_between_any_two_lines_loses_and_doubles_nothing(run):
    assert_a_kill_loses_and_doubles_nothing(run(page_size=7), run, times=6)


def test_no_more_than_two_calls_are_in_flight(season, run):
    run(page_size=5)

    assert season.most_in_flight() <= 2
