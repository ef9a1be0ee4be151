"""Values as Race Roster writes them."""

from __future__ import annotations

import pytest
from tap_raceroster.columns import event_number, results_code, to_moment
from tap_raceroster.directory import Event, sub_events_of


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2014-02-12T15:19:21+00:00", "2014-02-12T15:19:21+00:00"),
        ("2026-03-01T09:14:55-0500", "2026-03-01T14:14:55+00:00"),
        ("2026-03-01T09:14:55+0530", "2026-03-01T03:44:55+00:00"),
        ("2026-03-01T09:14:55Z", "2026-03-01T09:14:55+00:00"),
        ("", None),
    ],
)
def test_an_instant_is_utc_with_whatever_offset_it_came(sent, kept):
    assert to_moment(sent) == kept


@pytest.mark.parametrize("sent", ["at dawn", "2026-03-01T09:14:55", 5])
def test_what_is_no_instant_is_refused(sent):
    with pytest.raises((ValueError, TypeError)):
        to_moment(sent)


@pytest.mark.parametrize(
    ("url", "number"),
    [("https://raceroster.com/events/2026/98765/a-race", 98765), ("https://raceroster.com/x/1", None), (None, None)],
)
def test_the_number_that_people_see_is_in_the_address(url, number):
    assert event_number(url) == number


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://results.raceroster.com/v2/en-CA/race/abcdefgh01234567", "abcdefgh01234567"),
        ("https://results.raceroster.com/v2/en-CA/race/abcdefgh01234567/detail", "abcdefgh01234567"),
        ("https://somewhere.else/results", None),
        (None, None),
    ],
)
def test_the_code_of_the_results_is_in_their_address(url, code):
    assert results_code(url) == code


def test_an_event_ends_a_day_after_its_last_start_and_an_unreadable_one_never():
    record = {
        "eventId": "a-1",
        "startDate": "2026-09-05T08:00:00-0400",
        "subEvents": {"data": [{"customSubEventDate": "2026-09-06T08:00:00-0400"}, {"customSubEventDate": None}]},
    }

    event = Event.of(record)

    assert (event.starts_at.isoformat(), event.ends_at.isoformat()) == (
        "2026-09-05T12:00:00+00:00",
        "2026-09-07T12:00:00+00:00",
    )
    assert Event.of({"eventId": "a-2", "startDate": "soon"}).ends_at is None
    assert Event.of({"name": "no id"}) is None
    assert sub_events_of({"subEvents": None}) == sub_events_of("x") == []
