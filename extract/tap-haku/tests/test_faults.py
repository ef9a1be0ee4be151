"""What goes wrong on the way is waited out or told in one line; nothing is lost, nothing is made up."""

from __future__ import annotations

import signal

import pytest
from haku_season import HELD, LIVE
from tap_haku.tap import TapHaku
from tap_testing.faults import PASSING, assert_a_kill_loses_and_doubles_nothing, stopped_at
from tap_testing.runs import Run


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_passes_is_waited_out_and_nothing_is_lost_or_doubled(season, run, target, kind, more):
    for path in ("oauth2", "events?", "/participants", "/registrations/", "page=2"):
        season.fault(kind, times=2, path_contains=path, **more)

    first = run(page_size=7)

    assert season.faults_left() == 0
    assert first.error is None
    target.load(first).assert_holds(season)
    for stream in HELD:
        assert len(first.rows(stream)) == len(target.table(stream))


def test_an_answer_that_takes_too_long_is_asked_for_again(season, run):
    season.fault("slow", times=1, seconds=1.5, path_contains="/participants")

    first = run(request_timeout=0.5)

    assert first.error is None
    assert len(first.rows("participants")) == len(season.holds("participants"))


@pytest.mark.parametrize(("kind", "more"), PASSING)
def test_what_stays_ends_its_stream_in_one_line_and_the_others_go_on(season, run, kind, more):
    first = run()
    season.advance(minutes=10)
    season.fault(kind, times=None, path_contains="/registrations/", **more)
    season.change("edit_entry", LIVE, id=season.numbers()[0], fields={"email": "new@example.org"})

    broken = run(first.state, max_tries=3)
    season.clear_faults()
    healed = run(broken.state)

    assert "haku, partner 1, stream registrations: GET http" in broken.error
    assert "3 times" in broken.error and "\n" not in broken.error
    assert [row["email"] for row in broken.rows("participants")] == ["new@example.org"]
    assert broken.rows("registrations") == broken.rows("removals") == []
    assert [row["email"] for row in healed.rows("registrations")] == ["new@example.org"]


def test_the_hours_calls_used_up_end_the_run_with_when_to_go_on(season, run, target):
    first = run(calls_per_hour=4, calls_for_lists=0, budget_max_wait=0)
    again = run(first.state, calls_per_hour=1000)

    assert "go on at" in first.error and "calls_per_hour" in first.error
    assert len(first.rows("events")) == len(season.holds("events"))
    target.load(first, again).assert_holds(season)


def test_no_more_than_two_calls_are_in_flight(season, run):
    run(page_size=5)

    assert season.most_in_flight() <= 2


def test_a_list_of_events_that_fails_leaves_the_known_ones_to_be_read(season, run):
    first = run()
    season.advance(minutes=10)
    season.change("edit_entry", LIVE, id=season.numbers()[0], fields={"email": "new@example.org"})
    season.fault("status_500", times=None, path_contains="events?")

    fresh, again = run(max_tries=2), run(first.state, max_tries=2)

    assert "stream events" in fresh.error and "stream events" in again.error
    assert fresh.sent == {}
    assert again.sent == {"participants": 1, "registrations": 1}
    assert again.rows("removals") == []


@pytest.mark.parametrize("stream", ["participants", "registrations"])
@pytest.mark.parametrize("kind", ["missing_field", "changed_type"])
def test_a_new_shape_stops_its_stream_and_nothing_of_it_is_taken(season, run, stream, kind):
    path = {"participants": "/participants", "registrations": "/registrations/"}[stream]
    field = {"participants": "is_cancelled", "registrations": "is_cancelled"}[stream]
    season.fault(kind, times=None, path_contains=path, field=field)

    first = run()

    assert f"stream {stream}" in first.error and "the provider changed" in first.error
    assert first.rows(stream) == []


@pytest.mark.parametrize("kind", ["no_key", "bad_record", "unknown_enum"])
def test_a_bad_row_of_a_list_is_set_aside_or_kept_as_sent_and_the_others_arrive(season, run, kind):
    season.fault(kind, times=1, path_contains=f"{LIVE}/participants")

    first = run()
    again = run(first.state)

    assert first.error is None
    # A list of several pages is read twice at first: what was wrong once arrives with the second time.
    assert len({row["registration_number"] for row in first.rows("participants")}) == len(season.holds("participants"))
    assert bool(first.rows("rejects")) == (kind != "unknown_enum")
    assert again.rows("removals") == []


# --- being stopped -----------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_tap_leaves_a_state_from_which_the_next_run_goes_on(season, run, target, tmp_path, signum):
    (middle,) = season.numbers()[10:11]

    stopped = stopped_at(middle, signum, TapHaku, season, tmp_path, page_size=5)
    again = run(stopped.state)

    assert stopped.marks("participants")
    target.load(stopped, again).assert_holds(season)
    # What was finished before is not sent again.
    assert again.rows("participants") == []


def test_a_kill_between_any_two_lines_loses_and_doubles_nothing(run):
    whole = run(page_size=7)

    # So many runs would be too many calls for an hour.
    assert_a_kill_loses_and_doubles_nothing(whole, lambda state: run(state, calls_per_hour=0), times=12)


def test_state_never_runs_ahead_of_its_rows(season, make_tap):
    tap = make_tap(page_size=7)
    tap._state_writer._every_s = 0
    tap._state_writer._due = float("-inf")
    whole = Run(tap)

    held = {row["registration_number"] for row in season.holds("participants")}
    listed, single = set(), set()
    promised = 0
    for message in whole.messages:
        if message["type"] == "RECORD" and message["stream"] in ("participants", "registrations"):
            met = listed if message["stream"] == "participants" else single
            met.add(message["record"]["registration_number"])
        if message["type"] == "STATE" and "participants" in message["value"]["bookmarks"]:
            bookmarks = message["value"]["bookmarks"]
            done = {mark["context"]["event_id"] for mark in bookmarks["participants"]["partitions"]}
            told = {number for event in done for number in season.numbers(event)}
            due = {number for mark in bookmarks["registrations"]["partitions"] for number in mark.get("due", ())}
            assert told <= listed
            # What was listed is either written in full, or still due.
            assert told <= single | due <= held
            promised += 1
    assert promised > 2
