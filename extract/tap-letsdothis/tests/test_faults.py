"""Each fault of the sandbox: survived or reported, and nothing is lost."""

from __future__ import annotations

import pytest
from letsdothis_season import STREAMS

SURVIVED = [
    pytest.param("status_429", {"retry_after": 0}, id="429 with Retry-After"),
    pytest.param("status_500", {}, id="500"),
    pytest.param("status_502_html", {}, id="502 with HTML"),
    pytest.param("cut_json", {}, id="cut-off JSON"),
    pytest.param("non_json", {}, id="no JSON"),
    pytest.param("drop_connection", {}, id="dropped connection"),
    pytest.param("slow", {"seconds": 0.7}, id="slow"),
]
PATIENT = {"request_timeout": 0.4, "backoff_base": 0.5}


@pytest.mark.parametrize(("kind", "more"), SURVIVED)
@pytest.mark.parametrize("path", ["events", "participants", "applications"])
def test_a_passing_fault_is_survived_without_loss(run, season, target, kind, more, path):
    season.fault(kind, times=2, path_contains=path, **more)

    done = run(**PATIENT if kind == "slow" else {})

    assert done.error is None
    target.load(done).assert_holds(season)


@pytest.mark.parametrize(("kind", "more"), SURVIVED)
def test_a_lasting_fault_is_told_and_the_next_run_loses_nothing(run, season, target, kind, more):
    season.fault(kind, times=None, path_contains="participants", **more)

    stopped = run(max_tries=2) if kind != "slow" else run(**PATIENT | {"max_tries": 2})

    target.load(stopped)
    line = stopped.error
    assert "1 of 8 streams stopped: letsdothis, partner 1, stream participants: GET " in line
    assert "run again later" in line
    assert "\n" not in line
    target.assert_holds(season, streams=("events", "occurrences", "races", "applications"))
    season.clear_faults()
    target.load(run(stopped.state))
    target.assert_holds(season)


@pytest.mark.parametrize("path", ["events", "participants", "applications"])
def test_an_answer_that_is_empty_by_accident_removes_nothing(run, season, target, path):
    first = run()
    target.load(first)
    season.advance(90_000)
    season.fault("empty_answer", times=1, path_contains=path)

    again = run(first.state, read_everything=True)

    target.load(again)
    assert again.rows("removals") == []
    target.assert_holds(season)


@pytest.mark.parametrize("kind", ["bad_record", "no_key"])
@pytest.mark.parametrize("stream", STREAMS)
def test_a_bad_record_is_rejected_and_the_rest_go_on(run, season, target, kind, stream):
    path = stream if stream in ("participants", "applications") else "events"
    season.fault(kind, times=1, path_contains=path, stream=stream)

    done = run()

    target.load(done)
    assert done.error is None
    (reject,) = done.rows("rejects")
    assert reject["stream"] == stream
    assert reject["reason"]
    season.clear_faults()
    season.advance(90_000)
    target.load(run(done.state))
    target.assert_holds(season)


@pytest.mark.parametrize("path", ["participants", "applications"])
def test_a_record_that_loses_its_key_is_rejected_and_removes_nothing(run, season, target, path):
    first = run()
    target.load(first)
    season.advance(90_000)
    season.fault("no_key", times=None, path_contains=path)

    again = run(first.state, read_everything=True)

    target.load(again)
    assert {row["stream"] for row in again.rows("rejects")} == {path}
    assert again.rows("removals") == []
    target.assert_holds(season)


@pytest.mark.parametrize(
    ("kind", "stream", "more"),
    [
        ("missing_field", "participants", {}),
        ("missing_field", "participants", {"field": "fields"}),
        ("missing_field", "participants", {"field": "eventOccurrenceId"}),
        ("missing_field", "applications", {"field": "updatedAt"}),
        ("missing_field", "events", {"field": "title"}),
        ("changed_type", "participants", {}),
        ("changed_type", "applications", {}),
        ("changed_type", "participants", {"field": "fields"}),
    ],
)
def test_a_new_shape_stops_that_stream_and_no_other(run, season, target, kind, stream, more):
    season.fault(kind, times=None, path_contains=stream, **more)

    stopped = run()

    target.load(stopped)
    assert f"stream {stream}: field " in stopped.error
    assert "1 of 8 streams stopped" in stopped.error
    season.clear_faults()
    target.load(run(stopped.state))
    target.assert_holds(season)


def test_races_that_are_no_list_stop_the_races_and_nothing_else(run, season, target):
    season.fault("changed_type", times=None, path_contains="events", stream="occurrences", field="races")

    stopped = run()

    target.load(stopped)
    assert "1 of 8 streams stopped: letsdothis, partner 1, stream races: " in stopped.error
    target.assert_holds(season, streams=("participants", "applications"))


def test_a_used_up_hour_ends_the_run_and_the_next_one_goes_on(run, season, target):
    stopped = run(calls_per_hour=4, budget_max_wait=0, page_size=5)
    target.load(stopped)

    again = run(stopped.state, budget_dir="")

    target.load(again)
    assert "calls an hour of this credential are used up: go on at" in stopped.error
    target.assert_holds(season)


def test_a_wrong_key_ends_the_run_with_its_first_call(run, season):
    stopped = run(api_key="eyJhbGciOiJIUzI1NiJ9.eyJvcmdhbmlzZXJJZCI6Im5vYm9keSJ9.c2lnbmF0dXJl")

    assert "check setting api_key" in stopped.error
    assert "eyJ" not in stopped.error
    assert len(season.calls()) <= 1
