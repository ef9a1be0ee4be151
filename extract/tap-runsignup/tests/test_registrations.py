"""Participants and removed participants: wrappers, bookmarks, moves, what is asked for and what is not."""

from __future__ import annotations

import pytest
from account import entry, error, event, race, removed
from tap_runsignup.tap import TapRunSignUp
from tap_testing.runs import Run

# The account's clock starts on 5 May 2025 at 10:00 UTC.
NOW = 1_746_439_200


@pytest.fixture
def small(account):
    account.races = [race(1, event(11, "6/1/2025 08:00"), event(12, "6/1/2025 09:00"))]
    account.entries = {11: [entry(100, 11), entry(102, 11)], 12: [entry(101, 12)]}
    return account


def ids(run, stream="participants"):
    return sorted(row["registration_id"] for row in run.rows(stream))


def bookmark(run, event_id, stream="participants"):
    entries = run.state["bookmarks"][stream]["partitions"]
    return next(entry for entry in entries if entry["context"] == {"event_id": event_id})


def test_all_events_of_a_race_are_read_by_one_call(small, read):
    done = read()

    assert ids(done) == [100, 101, 102]
    assert [query["event_id"] for query in small.asked("/participants")] == ["11,12"]
    saved = {row["scope"]: row["calls_saved"] for row in done.rows("reads") if row["stream"] == "participants"}
    assert saved == {"11": 0, "12": 1}


def beside(rows):
    return [
        {"event": {"event_id": 11, "participants": []}, "participants": rows[:1]},
        {"event": {"event_id": 12}, "participants": rows[1:]},
    ]


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(beside, id="spread over the elements"),
        pytest.param(lambda rows: [{"event": {"event_id": 12, "participants": []}, "participants": rows}], id="on one"),
        pytest.param(lambda rows: [{"event": {"event_id": 11, "participants": rows}}], id="under event"),
        pytest.param(lambda rows: {"event": {"event_id": 11, "participants": rows}}, id="one object and no array"),
    ],
)
def test_rows_are_found_wherever_they_hang_and_keep_their_own_event(small, read, wrap):
    rows = [entry(100, 11), entry(102, 11), entry(101, 12)]
    small.twist = lambda path, query, body: wrap(rows) if path.endswith("/participants") else body

    done = read()

    assert {row["registration_id"]: row["event_id"] for row in done.rows("participants")} == {100: 11, 101: 12, 102: 11}


@pytest.mark.parametrize("as_array", [True, False])
def test_removed_rows_hang_under_their_event_in_an_object_or_an_array(account, read, as_array):
    account.races = [race(1, event(11, "6/1/2025 08:00"))]
    account.removed = {11: [removed(200, new_registration_id=300, removed_reason="transferred")]}
    account.twist = lambda path, query, body: (
        body[0] if path.endswith("removed-participants") and not as_array else body
    )

    (row,) = read().rows("removed_participants")

    assert (row["event_id"], row["race_id"], row["removed_reason"], row["new_registration_id"]) == (
        11,
        1,
        "transferred",
        300,
    )
    assert row["registration_date"] == "2024-09-07T19:15:00+00:00"
    assert row["last_modified"] == "2025-04-30T08:00:00+00:00"


def test_a_row_is_typed_and_kept_as_sent(small, read):
    sent = entry(100, 11, bib_num=7, user={"gender": "X", "address": None, "dob": None}, invented={"a": [1]})
    small.entries = {11: [sent], 12: []}

    (row,) = read().rows("participants")

    assert (row["bib_num"], row["gender"], row["city"], row["dob"]) == ("7", "X", None, None)
    assert (row["race_fee"], row["imported"], row["age"]) == ("$1,055.00", False, 34)
    assert row["registration_date"] == "2024-09-07T19:15:00+00:00"
    assert row["last_modified"] == "2025-04-30T08:00:00+00:00"
    assert row["record"] == sent


def test_the_next_run_asks_for_changes_since_the_providers_clock_less_the_overlap(small, read):
    first = read(overlap_seconds=25)
    small.entries[11].append(entry(103, 11, modified=NOW - 25))
    small.entries[11].append(entry(104, 11, modified=NOW - 26))
    small.calls.clear()

    again = read(first.state)

    (query,) = small.asked("/participants")
    assert int(query["modified_after_timestamp"]) == NOW - 25
    # At or after: the row of that very second comes, too.
    assert ids(again) == [103]


def test_a_row_in_the_overlap_is_not_sent_twice(small, read):
    small.entries[11].append(entry(103, 11, modified=NOW - 5))
    first = read()

    again = read(first.state)

    received = sum(row["rows_received"] for row in again.rows("reads") if row["stream"] == "participants")
    assert received == 1
    assert ids(again) == []


def test_without_the_providers_clock_the_bookmark_stays_where_it_was(small, read):
    first = read()
    small.now = ""

    again = read(first.state)

    assert bookmark(again, 11)["replication_key_value"] == bookmark(first, 11)["replication_key_value"]


def test_pages_go_on_after_the_last_id_so_that_no_shift_hides_a_row(small, read):
    small.entries = {11: [entry(number, 11) for number in range(100, 110)], 12: []}

    def one_leaves_between_the_pages(path, query, body):
        if path.endswith("/participants") and "after_registration_id" not in query:
            small.entries[11] = [row for row in small.entries[11] if row["registration_id"] != 101]
        return body

    small.twist = one_leaves_between_the_pages

    done = read(page_size=4)

    assert ids(done) == list(range(100, 110))
    assert [query.get("after_registration_id") for query in small.asked("/participants")] == [None, "103", "107"]


def test_a_page_for_each_event_instead_of_one_for_all_is_noticed(small, read):
    small.entries = {11: [entry(number, 11) for number in (100, 101, 102)], 12: [entry(900, 12), entry(901, 12)]}

    def two_of_each(path, query, body):
        if not path.endswith("/participants") or "," not in query["event_id"]:
            return body
        return [{"event": {"event_id": n}, "participants": small.entries[n][:2]} for n in (11, 12)]

    small.twist = two_of_each

    done = read(page_size=2)

    assert ids(done) == [100, 101, 102, 900, 901]


def test_paging_that_does_not_advance_ends_with_an_error(small, read):
    same = [{"event": {"event_id": 11}, "participants": [entry(100, 11), entry(102, 11)]}]
    small.twist = lambda path, query, body: same if path.endswith("/participants") else body

    done = read(page_size=2)

    assert "paging would not end" in done.error


def test_a_runner_who_moves_to_another_event_keeps_one_row_and_is_not_removed(small, read):
    first = read()
    moved = entry(100, 12, modified=NOW)
    small.entries = {11: [entry(102, 11)], 12: [entry(101, 12), moved]}

    second = read(first.state)
    small.now = "Wed, 07 May 2025 10:00:00 GMT"
    third = read(second.state)

    assert [(row["registration_id"], row["event_id"]) for row in second.rows("participants")] == [(100, 12)]
    assert {row["mode"] for row in third.rows("reads") if row["stream"] == "participants"} == {"whole"}
    assert second.rows("removals") == []
    assert third.rows("removals") == []


def test_a_row_of_an_event_that_was_not_asked_for_is_a_reject(small, read):
    small.entries[11].append(entry(103, 99))

    done = read()

    (reject,) = done.rows("rejects")
    assert (reject["field"], reject["record_key"]) == ("event_id", "103")
    assert ids(done) == [100, 101, 102]


def test_an_event_that_is_not_found_is_left_out_and_its_siblings_are_read(small, read, caplog):
    def no_event_12(path, query, body):
        return error(301) if "12" in query.get("event_id", "").split(",") else body

    small.twist = no_event_12

    done = read()

    assert done.error is None
    assert ids(done) == [100, 102]
    assert any("error 301 'Message 301.'; left out" in record.getMessage() for record in caplog.records)


def test_a_settled_event_is_not_read_again_until_it_is_moved(account, read):
    account.races = [race(1, event(11, "3/1/2025 08:00", "3/1/2025 12:00"))]
    account.entries = {11: [entry(100, 11)]}
    first = read()
    account.calls.clear()

    second = read(first.state)

    assert bookmark(first, 11) == {
        "context": {"event_id": 11},
        "replication_key_value": "2025-05-05T09:59:50+00:00",
        "settled": True,
    }
    assert account.asked("participants") == account.asked("get-results") == []
    skipped = [row for row in second.rows("reads") if row["mode"] == "skipped"]
    assert [(row["stream"], row["scope"], row["calls_saved"]) for row in skipped] == [
        ("participants", "", 1),
        ("removed_participants", "", 1),
        ("results", "", 1),
    ]

    account.races[0]["events"][0]["end_time"] = "6/1/2025 12:00"
    third = read(second.state)

    assert third.calls("participants") == 1


def test_an_event_is_read_whole_a_last_time_before_it_is_settled(account, read):
    account.races = [race(1, event(11, "4/20/2025 08:00", "4/20/2025 12:00"))]
    account.entries = {11: [entry(100, 11), entry(101, 11)]}
    first = read()
    account.now = "Wed, 21 May 2025 10:00:00 GMT"
    # Taken away without a trace.
    del account.entries[11][0]

    second = read(first.state)

    assert "settled" not in bookmark(first, 11)
    assert bookmark(second, 11)["settled"] is True
    assert "snapshot" not in bookmark(second, 11)
    assert [row["record_key"] for row in second.rows("removals")] == ["100"]


def test_an_event_without_an_end_is_never_settled(account, read):
    account.races = [race(1, event(11, None))]
    account.entries = {11: [entry(100, 11)]}

    assert "settled" not in bookmark(read(), 11)


# --- pages as they were: not decoded, and nothing is missed by it ----------------------------------------


@pytest.fixture
def known(account, quick):
    """Run the tap a day later each time; return the run and how many answers about participants it did not decode."""
    days = iter(range(5, 30))

    def run(state=None, **settings):
        account.now = f"{next(days):02d} May 2025 10:00:00 GMT"
        account.now = f"Mon, {account.now}"
        config = {"timing_partner_id": 1, "api_url": account.url, "api_key": "a-key", "api_secret": "a-secret"}
        tap = TapRunSignUp(config=config | quick | {"page_size": 10} | settings, state=state)
        return Run(tap), tap.streams["participants"].totals.known_pages

    return run


@pytest.fixture
def paged(account):
    """Two events of one race in one chain of four pages, the last one not full."""
    account.races = [race(1, event(11, "6/1/2025 08:00"), event(12, "6/1/2025 09:00"))]
    account.entries = {number: [entry(i, number) for i in range(number - 11, 36, 2)] for number in (11, 12)}
    return account


def test_pages_as_they_were_are_not_decoded_and_their_rows_count(paged, known):
    first, none = known()
    paged.calls.clear()

    again, pages = known(first.state)

    assert (none, pages) == (0, 4)
    assert [query.get("after_registration_id") for query in paged.asked("/participants")] == [None, "9", "19", "29"]
    assert ids(again) == []
    told = {row["scope"]: row for row in again.rows("reads") if row["stream"] == "participants"}
    assert [(told[n]["mode"], told[n]["rows_received"], told[n]["rows_at_provider"]) for n in ("11", "12")] == [
        ("whole", 18, 18)
    ] * 2
    assert [bookmark(again, n)["snapshot"] for n in (11, 12)] == [bookmark(first, n)["snapshot"] for n in (11, 12)]


def test_a_changed_row_a_new_one_and_a_removed_one_are_found_beside_known_pages(paged, known):
    first, _ = known()
    # On the second page, the last one and the third one; its followers move up.
    paged.entries[11][6]["bib_num"] = 7
    paged.entries[12].append(entry(99, 12))

    again, pages = known(first.state)
    del paged.entries[12][12]
    later, pages_then = known(again.state)

    assert (ids(again), pages) == ([12, 99], 2)
    assert (ids(later), pages_then) == ([], 2)
    assert [row["record_key"] for row in later.rows("removals")] == ["25"]


def test_a_row_that_moves_to_another_event_of_the_race_is_sent_and_not_removed(paged, known):
    first, _ = known()
    moved = paged.entries[11].pop(3)
    paged.entries[12].append(moved | {"event_id": 12})

    again, pages = known(first.state)
    settled, pages_then = known(again.state)

    assert (ids(again), pages) == ([6], 3)
    assert again.rows("removals") == []
    assert (ids(settled), pages_then) == ([], 4)


def test_a_page_that_changes_back_after_a_read_of_changes_is_sent(paged, known, read):
    first, _ = known()
    row = paged.entries[11][6]
    row |= {"bib_num": 7, "last_modified": NOW}
    changes = read(first.state, page_size=10)
    row |= {"bib_num": None, "last_modified": 1_746_000_000}

    again, pages = known(changes.state)

    assert ids(changes) == [12]
    assert (ids(again), pages) == ([12], 3)


def test_a_page_with_a_refused_row_is_decoded_each_time(paged, known):
    paged.entries[11][6]["age"] = "old"
    first, _ = known()

    again, pages = known(first.state)

    assert pages == 3
    assert len(again.rows("rejects")) == len(first.rows("rejects")) == 1


def test_another_group_of_events_knows_no_page(paged, known):
    first, _ = known()
    paged.races[0]["events"].append(event(13, "6/1/2025 10:00"))

    again, pages = known(first.state)
    settled, pages_then = known(again.state)

    assert pages == 0
    assert (ids(settled), pages_then) == ([], 4)
