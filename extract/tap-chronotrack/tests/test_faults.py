"""What goes wrong on the way is waited out or told in one line; nothing is lost, nothing is made up."""

from __future__ import annotations

import signal

import pytest
from chronotrack_season import STREAMS
from tap_chronotrack.tap import TapChronoTrack
from tap_testing.faults import PASSING, assert_a_kill_loses_and_doubles_nothing, stopped_at
from tap_testing.runs import Run, same


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_passes_is_waited_out_and_nothing_is_lost_or_doubled(season, run, target, kind, more):
    for path in ("event?", "/entry", "/results", "page=2"):
        season.fault(kind, times=2, path_contains=path, **more)

    first = run(page_size=7)

    assert season.faults_left() == 0
    assert first.error is None
    target.load(first).assert_holds(season)
    for stream in STREAMS:
        assert len(first.rows(stream)) == len(target.table(stream))


def test_an_answer_that_takes_too_long_is_asked_for_again(season, run):
    season.fault("slow", times=1, seconds=1.5, path_contains="/entry")

    first = run(request_timeout=0.5)

    assert first.error is None
    assert len(first.rows("entries")) == len(season.holds("entries"))


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_stays_ends_its_stream_in_one_line_and_the_others_go_on(season, run, kind, more):
    first = run()
    season.fault(kind, times=None, path_contains="/entry", **more)
    season.change("edit_entry", season.event(racing=True), fields={"entry_bib": "77"})
    season.change("rename_event", season.event(racing=True), fields={"name": "Still here"})

    broken = run(first.state, max_tries=3)
    season.clear_faults()
    healed = run(broken.state)

    assert "chronotrack, partner 1, stream entries: GET http" in broken.error
    assert "3 times" in broken.error and "\n" not in broken.error
    assert [row["event_name"] for row in broken.rows("events")] == ["Still here"]
    assert broken.rows("removals") == []
    assert broken.marks("results") and broken.marks("entries") == first.marks("entries")
    assert [row["entry_bib"] for row in healed.rows("entries")] == ["77"]


def test_a_long_pause_that_the_provider_asks_for_is_left_to_the_next_run(season, run):
    season.fault("status_429", times=None, path_contains="/entry", retry_after=3000)

    first = run()

    assert "it asks to wait 3000 s" in first.error
    assert first.rows("results")


def test_the_hours_calls_used_up_end_the_run_with_when_to_go_on(season, run):
    first = run(calls_per_hour=9, budget_max_wait=0)
    again = run(first.state, calls_per_hour=1000)

    assert "go on at" in first.error and "calls_per_hour" in first.error
    assert len(first.rows("events")) == len(season.holds("events"))
    delivered = first.rows("races") + again.rows("races")
    assert same([row["record"] for row in delivered], season.holds("races"))


def test_no_more_than_two_calls_are_in_flight(season, run):
    run(page_size=5)

    assert season.most_in_flight() <= 2


def test_a_list_of_events_that_fails_leaves_all_below_unread_with_one_cause(season, run):
    season.fault("status_500", times=None, path_contains="event?")

    first = run(max_tries=2)

    assert "stream events" in first.error
    assert first.sent == {}
    assert sum("event?" in call for call in season.calls()) == 2


# --- being stopped -----------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_tap_leaves_a_state_from_which_the_next_run_goes_on(season, run, target, tmp_path, signum):
    stopped = stopped_at("/bracket", signum, TapChronoTrack, season, tmp_path, page_size=5)
    again = run(stopped.state)

    assert stopped.marks("entries") and "results" not in stopped.state["bookmarks"]
    target.load(stopped, again).assert_holds(season)
    # What was finished before is not sent again.
    assert again.rows("entries") == []


def test_a_kill_between_any_two_lines_loses_and_doubles_nothing(run):
    assert_a_kill_loses_and_doubles_nothing(run(page_size=7), run, times=12)


def test_state_never_runs_ahead_of_its_rows(season, make_tap):
    tap = make_tap(page_size=7)
    tap._state_writer._every_s = 0
    tap._state_writer._due = float("-inf")
    whole = Run(tap)

    written: dict[str, set[str]] = {}
    promised = 0
    for message in whole.messages:
        if message["type"] == "RECORD" and message["stream"] == "entries":
            written.setdefault(message["record"]["event_id"], set()).add(message["record"]["entry_id"])
        if message["type"] == "STATE":
            for mark in message["value"]["bookmarks"].get("entries", {}).get("partitions", []):
                event = mark["context"]["event_id"]
                held = {row["entry_id"] for row in season.holds("entries") if row["event_id"] == event}
                assert held == written.get(event, set())
                promised += 1
    assert promised
