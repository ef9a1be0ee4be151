"""Races and events: zones, the daily list, and what is no longer listed."""

from __future__ import annotations

import pytest
from account import entry, event, race


@pytest.fixture
def three(account):
    account.races = [race(1, event(11, "6/1/2025 08:00")), race(2, event(21)), race(3, event(31, "6/1/2025 08:00"))]
    account.entries = {11: [entry(100, 11)]}
    return account


def removals(run):
    return sorted((row["stream"], row["record_key"]) for row in run.rows("removals"))


def later(account):
    account.now = "Tue, 06 May 2025 11:00:00 GMT"


def next_day(account, read, state):
    """Run once more so that the daily read of the whole list is due."""
    later(account)
    return read(state).state


def test_event_times_are_in_the_races_zone_and_all_others_eastern(account, read):
    account.races = [
        race(
            1,
            event(11, "7/4/2025 08:00", "7/4/2025 12:30", registration_opens="1/15/2025 09:00"),
            timezone="America/Los_Angeles",
            created="3/9/2025 02:30",
            last_modified="11/2/2025 01:30",
        )
    ]

    done = read()

    (row,), (held,) = done.rows("events"), done.rows("races")
    assert (row["start_time"], row["end_time"]) == ("2025-07-04T15:00:00+00:00", "2025-07-04T19:30:00+00:00")
    assert row["registration_opens"] == "2025-01-15T14:00:00+00:00"
    assert row["timezone"] == "America/Los_Angeles"
    # An hour that never was, and the first of one that was twice.
    assert (held["created"], held["last_modified"]) == ("2025-03-09T07:30:00+00:00", "2025-11-02T05:30:00+00:00")


@pytest.mark.parametrize(
    ("times", "zone", "reason"),
    [
        pytest.param(("7/4/2025 18:00", "7/4/2025 06:00"), "America/New_York", "ends before it starts", id="order"),
        pytest.param(("7/4/2025 18:00", None), "Moon/Base", "unknown time zone 'Moon/Base'", id="no such zone"),
        pytest.param(("7/4/2025 18:00", None), None, "the race has no time zone", id="no zone"),
        pytest.param(("at dawn", None), "America/New_York", "expected a time as", id="no time"),
    ],
)
def test_an_event_that_cannot_be_is_rejected_and_its_entries_are_read(account, read, times, zone, reason):
    account.races = [race(1, event(11, *times), timezone=zone)]
    account.entries = {11: [entry(100, 11)]}

    done = read()

    (reject,) = done.rows("rejects")
    assert (reject["stream"], reject["record_key"]) == ("events", "11")
    assert reject["reason"].startswith(reason)
    assert [row["registration_id"] for row in done.rows("participants")] == [100]


def test_changes_are_asked_for_from_the_day_before_and_the_whole_list_once_a_day(three, read):
    first = read()
    second = read(first.state)
    later(three)
    third = read(second.state)
    fourth = read(third.state)

    assert [query.get("modified_since") for query in three.asked("races")] == [
        None,
        "2025-05-04",
        "2025-05-04",
        None,
    ]
    assert fourth.rows("races") == []


def test_a_race_that_is_gone_is_removed_with_its_events_and_no_longer_asked_about(three, read):
    state = next_day(three, read, read().state)
    del three.races[0]

    done = read(state)
    three.calls.clear()
    after = read(done.state)

    assert removals(done) == [("events", "11"), ("races", "1")]
    assert not any("race/1/" in path for path, _ in three.calls)
    assert removals(after) == []


def test_a_race_that_is_listed_no_more_and_still_there_is_not_removed(three, read):
    state = next_day(three, read, read().state)
    three.unlisted[1] = three.races.pop(0)

    done = read(state)

    assert removals(done) == []
    assert done.calls("participants") > 0


def test_a_race_that_is_no_longer_ours_keeps_its_rows_and_is_no_longer_read(three, read):
    state = next_day(three, read, read().state)
    three.unlisted[1] = 7
    del three.races[0]

    done = read(state)
    three.calls.clear()
    read(done.state)

    assert done.error is None
    assert removals(done) == []
    assert not any("race/1/" in path for path, _ in three.calls)


def test_an_event_that_is_gone_is_removed_once_the_race_itself_says_so(three, read):
    first = read()
    three.races[0]["events"] = [event(12, "6/1/2025 09:00")]

    done = read(first.state)

    assert removals(done) == [("events", "11")]
    assert [row["event_id"] for row in done.rows("events")] == [12]
    assert ("race/1",) in [(path,) for path, _ in three.calls]


def test_a_list_without_past_events_removes_none(account, read):
    account.races = [race(1, event(11, "3/1/2025 08:00"), event(12, "6/1/2025 08:00"))]
    first = read()
    account.races = [race(1, event(12, "6/1/2025 08:00"))]

    done = read(first.state)

    assert removals(done) == []


def test_a_race_without_events_is_fine(account, read):
    account.races = [race(1)]

    done = read()

    assert done.error is None
    assert [row["race_id"] for row in done.rows("races")] == [1]


def test_the_list_is_read_in_pages_to_its_end(account, read):
    account.races = [race(number, event(number * 10)) for number in range(1, 8)]

    done = read(page_size=3)

    assert len(done.rows("races")) == len(done.rows("events")) == 7
    assert [query["page"] for query in account.asked("races")] == ["1", "2", "3"]


def test_when_the_list_fails_the_known_events_are_still_read(three, read):
    first = read()
    three.entries[11].append(entry(101, 11, modified=1_746_439_200))
    three.twist = lambda path, query, body: (500, b"") if path == "races" else body

    done = read(first.state, max_tries=2)

    assert "stream races: GET" in done.error
    assert "1 of 8 streams stopped" in done.error
    assert [row["registration_id"] for row in done.rows("participants")] == [101]
