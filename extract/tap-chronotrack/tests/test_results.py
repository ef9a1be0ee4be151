"""Results: asked for changes often, read whole where it is cheap, due, or doubtful."""

from __future__ import annotations

import pytest

# Small pages make lists long enough that a probe saves calls.
SMALL = {"page_size": 5}


@pytest.fixture
def scored(season):
    """Return an event whose results fill many small pages, and which is not over for long."""
    racing = season.event(racing=True)
    season.change("post_results", racing, count=30)
    season.advance(minutes=1)
    return racing


def asked(season, event_id):
    """Return how the event's results were asked for since the calls were forgotten."""
    found = [call for call in season.calls() if f"event/{event_id}/results" in call]
    return {
        "probes": sum("last_modified=" in call for call in found),
        "counts": sum("size=1" in call.split("&") for call in found),
        "calls": len(found),
    }


def test_a_list_of_two_pages_is_simply_read_whole(season, scored, run):
    first = run()
    season.forget_calls()

    again = run(first.state)

    assert asked(season, scored) == {"probes": 0, "counts": 0, "calls": first.read("results", scored)["calls_made"]}
    assert again.read("results", scored)["mode"] == "whole"


def test_a_probe_and_a_count_are_enough_when_nothing_changed(season, scored, run):
    first = run(**SMALL)
    season.forget_calls()
    settling = run(first.state, **SMALL)
    season.advance(seconds=10)
    season.forget_calls()

    again = run(settling.state, **SMALL)

    assert asked(season, scored) == {"probes": 1, "counts": 1, "calls": 2}
    read = again.read("results", scored)
    assert (read["mode"], read["rows_sent"], read["rows_at_provider"]) == ("changes", 0, None)
    assert read["calls_saved"] > 2


def test_a_correction_arrives_through_the_probe(season, scored, run, target):
    first = run(**SMALL)
    (corrected,) = season.change("correct_result", scored)["changed"]

    again = run(first.state, **SMALL)

    assert again.read("results", scored)["mode"] == "changes"
    assert corrected in {row["results_entry_id"] for row in again.rows("results")}
    target.load(first, again).assert_holds(season, streams=["results"])


def test_a_deleted_result_changes_the_count_so_the_list_is_read_whole(season, scored, run, target):
    first = run(**SMALL)
    (gone,) = season.change("delete_result", scored)["changed"]

    again = run(first.state, **SMALL)

    read = again.read("results", scored)
    assert read["mode"] == "whole"
    assert read["rows_removed"] >= 1
    assert all(key.split("/")[1] == gone for key in again.removals("results"))
    target.load(first, again).assert_holds(season, streams=["results"])


def test_new_results_arrive_and_the_count_follows(season, run, target):
    racing = season.event(racing=True)
    season.change("post_results", racing, count=8)
    state = None
    for _ in range(3):
        done = run(state, **SMALL)
        target.load(done)
        state = done.state
        target.assert_holds(season, streams=["results"])
        season.advance(seconds=30)
        season.change("post_results", racing, count=3)


def test_during_the_race_the_list_is_read_whole_every_quarter_of_an_hour(season, scored, run):
    first = run(**SMALL)
    season.advance(minutes=16)

    again = run(first.state, **SMALL)

    assert again.read("results", scored)["mode"] == "whole"


def test_days_later_whole_reads_are_seldom(season, scored, run):
    season.advance(days=3)
    first = run(**SMALL)
    season.advance(minutes=16)
    second = run(first.state, **SMALL)
    season.advance(minutes=720)
    third = run(second.state, **SMALL)

    assert second.read("results", scored)["mode"] == "changes"
    assert third.read("results", scored)["mode"] == "whole"


def ignoring(season):
    """Return a rule that answers as a provider that does not know last_modified."""

    def rule(path, query, status, headers, data):
        if not path.endswith("/results") or "last_modified" not in query:
            return None
        plain = {k: v for k, v in query.items() if k != "last_modified"}
        answer = season.http.get(f"{season.url}/chronotrack/api{path}", params=plain, timeout=30)
        return 200, {k.lower(): v for k, v in answer.headers.items()}, answer.json()

    return rule


@pytest.mark.parametrize("dated", [True, False], ids=["Last-Modified", "only Date"])
def test_a_provider_that_ignores_the_question_is_found_out_and_only_counted(season, wire, scored, run, dated):
    wire.rules.append(ignoring(season))
    if not dated:
        wire.rules.append(
            lambda p, q, status, h, data: (status, {k: v for k, v in h.items() if k != "last-modified"}, data)
        )
    settings = SMALL | {"api_url": wire.api_url}
    state = run(**settings).state
    for _ in range(3):
        season.advance(seconds=10)
        done = run(state, **settings)
        state = done.state
    season.forget_calls()
    wire.calls.clear()

    again = run(state, **settings)

    results = [query for path, query in wire.calls if path == f"/event/{scored}/results"]
    assert [query["size"] for query in results] == ["1"]
    assert again.read("results", scored)["mode"] == "changes"
    assert again.sent == {}


def test_with_such_a_provider_a_correction_waits_for_the_next_whole_read(season, wire, scored, run, target):
    wire.rules.append(ignoring(season))
    settings = SMALL | {"api_url": wire.api_url}
    state = None
    for _ in range(4):
        season.advance(seconds=10)
        done = run(state, **settings)
        target.load(done)
        state = done.state
    season.change("correct_result", scored)

    season.advance(minutes=16)
    target.load(run(state, **settings))

    target.assert_holds(season, streams=["results"])


def test_a_provider_without_counts_is_read_whole_each_time(season, wire, scored, run):
    wire.rules.append(
        lambda p, q, status, h, data: (status, {k: v for k, v in h.items() if k != "x-ctlive-row-count"}, data)
    )
    settings = SMALL | {"api_url": wire.api_url}
    first = run(**settings)

    again = run(first.state, **settings)

    assert again.read("results", scored)["mode"] == "whole"


def test_a_re_score_that_rejects_a_row_is_read_whole(season, scored, run):
    first = run(**SMALL)
    season.change("correct_result", scored)
    season.fault("bad_record", times=1, path_contains=f"event/{scored}/results")

    again = run(first.state, **SMALL)

    assert again.read("results", scored)["mode"] == "whole"
    assert len(again.rows("rejects")) == 1
    assert again.rows("removals") == []


def test_the_last_read_before_an_event_is_settled_is_a_whole_one(season, scored, run):
    (event,) = [event for event in season.holds("events") if event["event_id"] == scored]
    season.advance(seconds=int(event["event_end_time"]) - season.now.timestamp() + 23 * 3600)
    first = run(**SMALL, settle_days=1)
    season.advance(minutes=120)

    last = run(first.state, **SMALL, settle_days=1)

    assert first.marks("results")[scored].get("settled") is None
    assert last.read("results", scored)["mode"] == "whole"
    assert last.marks("results")[scored]["settled"]


def test_a_clock_that_goes_back_leads_to_a_whole_read(season, scored, run):
    first = run(**SMALL)
    season.advance(minutes=-30)

    again = run(first.state, **SMALL)

    assert again.read("results", scored)["mode"] == "whole"


def test_splits_and_finish_of_one_athlete_are_rows_of_their_own(season, scored, run):
    first = run()

    by_entry = {}
    for row in first.rows("results"):
        by_entry.setdefault((row["event_id"], row["results_entry_id"]), []).append(row)
    assert any(len(rows) > 1 for rows in by_entry.values())
    assert all(sum(row["results_interval_full"] for row in rows) <= 1 for rows in by_entry.values())


def test_a_fresh_target_can_be_filled_from_a_later_state(season, scored, run, target):
    first = run(**SMALL)

    again = run(first.state, read_everything=True, **SMALL)

    target.load(again)

    target.assert_holds(season, streams=["results"])
