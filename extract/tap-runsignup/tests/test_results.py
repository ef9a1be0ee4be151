"""Results: sets, splits by label, deletions, and a cheap look where a set is large."""

from __future__ import annotations

import pytest
from account import event, race, result, result_set
from tap_runsignup.tap import TapRunSignUp
from tap_testing.runs import Run


@pytest.fixture
def finished(account):
    account.races = [race(1, event(11, "5/4/2025 08:00", "5/4/2025 12:00"))]
    account.sets = {11: [result_set(500, *(result(number) for number in range(1, 7)))]}
    return account


def held(account):
    return account.sets[11][0]["results"]


def ids(run):
    return sorted(row["result_id"] for row in run.rows("results"))


def gone(run):
    return sorted(int(row["record_key"]) for row in run.rows("removals") if row["stream"] == "results")


def last(account):
    return account.asked("get-results")[-1]


def at(account, time):
    account.now = f"Mon, 05 May 2025 {time} GMT"


def test_splits_are_named_by_their_labels(finished, read):
    headers = {"place": "Place", "split-801": "10 km", "split-77": "Halfway", "split-801-place": "Place at 10 km"}
    row = result(1) | {"split-801": "52:10", "split-77": "", "split-801-place": 3, "division-9-placement": 1}
    finished.sets = {11: [result_set(500, row, results_headers=headers)]}

    (sent,) = read().rows("results")

    assert sent["splits"] == [
        {"id": "801", "name": "10 km", "time": "52:10"},
        {"id": "77", "name": "Halfway", "time": None},
    ]
    assert sent["record"] == row


def test_a_row_carries_its_set(finished, read):
    finished.sets[11].append(
        result_set(
            501,
            result(9, place=None, bib=None, clock_time="DNF"),
            individual_result_set_name="Walkers",
            public_results="F",
            preliminary_results="T",
        )
    )

    rows = {row["result_id"]: row for row in read().rows("results")}

    assert (rows[1]["result_set_id"], rows[1]["is_public"], rows[1]["is_preliminary"]) == (500, True, False)
    walker = rows[9]
    assert (walker["result_set_id"], walker["result_set_name"], walker["is_public"]) == (501, "Walkers", False)
    assert (walker["is_preliminary"], walker["place"], walker["bib"]) == (True, None, None)
    assert (rows[1]["bib"], rows[1]["clock_time"], rows[1]["chip_time"]) == ("101", "25:04", "")


def test_an_event_that_has_not_begun_is_not_asked_about(account, read):
    account.races = [race(1, event(11, "6/1/2025 08:00"))]

    done = read()

    assert account.asked("get-results") == []
    assert [row["calls_saved"] for row in done.rows("reads") if row["stream"] == "results"] == [1]


def test_a_deleted_result_is_a_removal(finished, read):
    first = read()
    del held(finished)[2]

    again = read(first.state)

    assert ids(first) == [1, 2, 3, 4, 5, 6]
    assert (ids(again), gone(again)) == ([], [3])


def test_results_taken_back_as_a_whole_are_removals_once_asked_twice(finished, read):
    first = read()
    finished.sets = {11: []}
    finished.calls.clear()

    again = read(first.state)

    assert gone(again) == [1, 2, 3, 4, 5, 6]
    assert len(finished.asked("get-results")) == 2


def test_rows_that_slip_across_a_pages_edge_are_not_removed(finished, read):
    first = read(page_size=3)
    slipped = []

    def insert_and_drop(path, query, body):
        # Between the pages one row leaves the front, once: row 4 is seen by nobody.
        if path.endswith("get-results") and query["page"] == "1" and not slipped:
            slipped.append(held(finished).pop(0))
        return body

    finished.twist = insert_and_drop

    again = read(first.state, page_size=3, read_everything=True)

    # Row 4 was there; row 1 was met before it left, so its turn is the next run.
    assert gone(again) == []
    assert gone(read(again.state, page_size=3, read_everything=True)) == [1]


def test_many_results_are_looked_at_by_their_changes_and_their_number(finished, read):
    first = read(page_size=3)
    held(finished)[1] |= {"clock_time": "24:00", "modified": 1_746_439_200}
    at(finished, "10:10:00")

    second = read(first.state, page_size=3)

    assert [(row["result_id"], row["clock_time"]) for row in second.rows("results")] == [(2, "24:00")]
    assert last(finished)["modified_after_timestamp"] == str(1_746_439_200 - 10)
    (told,) = [row for row in second.rows("reads") if row["stream"] == "results"]
    assert (told["mode"], told["rows_received"], told["calls_made"]) == ("changes", 1, 1)


def test_a_smaller_number_of_finishers_has_the_set_read_whole(finished, read):
    first = read(page_size=3)
    del held(finished)[5]
    at(finished, "10:10:00")

    second = read(first.state, page_size=3)

    assert gone(second) == [6]
    (told,) = [row for row in second.rows("reads") if row["stream"] == "results"]
    assert (told["mode"], told["rows_at_provider"]) == ("whole", 5)


def test_a_deletion_that_no_number_shows_is_found_within_the_hour_on_the_day(finished, read):
    held(finished)[5] |= {"place": None, "clock_time": "DNF"}
    first = read(page_size=3)
    del held(finished)[5]
    at(finished, "10:10:00")

    second = read(first.state, page_size=3)
    at(finished, "12:30:00")
    third = read(second.state, page_size=3)

    assert (gone(second), gone(third)) == ([], [6])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"individual_result_set_name": "Official"}, id="renamed"),
        pytest.param({"preliminary_results": "T"}, id="back to preliminary"),
        pytest.param({"results_headers": {"split-1": "Bridge"}}, id="another label"),
    ],
)
def test_a_change_of_the_set_itself_sends_its_rows_again(finished, read, change):
    first = read(page_size=3)
    finished.sets[11][0] |= change
    at(finished, "10:10:00")

    second = read(first.state, page_size=3)

    assert ids(second) == [1, 2, 3, 4, 5, 6]


def test_a_number_that_counts_only_the_changes_is_not_relied_on_again(finished, read):
    def filtered(path, query, body):
        if path.endswith("get-results") and "modified_after_timestamp" in query:
            for made in body["individual_results_sets"]:
                made["num_finishers"] = len(made["results"])
        return body

    finished.twist = filtered
    first = read(page_size=3)
    at(finished, "10:10:00")
    second = read(first.state, page_size=3)
    finished.calls.clear()

    third = read(second.state, page_size=3)

    assert (ids(third), gone(third)) == ([], [])
    assert not any("modified_after_timestamp" in query for query in finished.asked("get-results"))


def test_without_a_number_every_read_is_whole(finished, read):
    finished.counts = False
    first = read(page_size=3)
    del held(finished)[5]

    second = read(first.state, page_size=3)

    assert gone(second) == [6]


def test_a_settled_event_keeps_no_memory_of_its_results(finished, read):
    first = read()
    finished.now = "Fri, 06 Jun 2025 10:00:00 GMT"

    second = read(first.state)

    (kept,) = second.state["bookmarks"]["results"]["partitions"]
    assert kept == {
        "context": {"event_id": 11},
        "settled": True,
        "replication_key_value": "2025-06-06T09:59:50+00:00",
    }


def test_pages_as_they_were_are_not_decoded_and_what_they_say_of_their_sets_counts(finished, quick):
    def run(state=None):
        config = {"timing_partner_id": 1, "api_url": finished.url, "api_key": "a-key", "api_secret": "a-secret"}
        tap = TapRunSignUp(config=config | quick | {"page_size": 3}, state=state)
        return Run(tap), tap.streams["results"].totals.known_pages

    def told(done):
        (mark,) = done.state["bookmarks"]["results"]["partitions"]
        return {name: mark[name] for name in ("rows", "sets", "unranked", "probe", "snapshot")}

    first, none = run()
    at(finished, "13:00:00")
    again, pages = run(first.state)
    held(finished)[4]["bib"] = 999
    at(finished, "16:00:00")
    changed, pages_then = run(again.state)
    del held(finished)[5]
    at(finished, "19:00:00")
    shorter, _ = run(changed.state)

    # The third page is empty, and empty ones are always looked at.
    assert (none, pages, pages_then) == (0, 2, 1)
    assert (ids(first), ids(again), ids(changed)) == ([1, 2, 3, 4, 5, 6], [], [5])
    assert told(again) == told(first)
    assert gone(shorter) == [6]
