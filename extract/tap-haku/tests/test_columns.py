"""How values are read that come in more than one way."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from tap_haku.columns import active_category, ident, instant_in, span, time_of

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("sent", "utc", "eastern"),
    [
        ("2026-05-02 13:04:05", "2026-05-02T13:04:05+00:00", "2026-05-02T17:04:05+00:00"),
        ("2026-05-02T13:04:05", "2026-05-02T13:04:05+00:00", "2026-05-02T17:04:05+00:00"),
        ("2026-05-02T13:04:05Z", "2026-05-02T13:04:05+00:00", "2026-05-02T13:04:05+00:00"),
        ("2026-05-02T13:04:05.000Z", "2026-05-02T13:04:05+00:00", "2026-05-02T13:04:05+00:00"),
        ("2026-05-02T13:04:05-04:00", "2026-05-02T17:04:05+00:00", "2026-05-02T17:04:05+00:00"),
        ("2026-05-02", "2026-05-02T00:00:00+00:00", "2026-05-02T04:00:00+00:00"),
        (" ", None, None),
    ],
)
def test_times_come_in_four_ways_and_are_utc_unless_told_otherwise(sent, utc, eastern):
    assert instant_in(sent) == utc
    assert instant_in(sent, NEW_YORK) == eastern


def test_a_day_is_no_time():
    assert time_of("2026-05-02") is None
    assert time_of("2026-05-02 08:00:00") == "2026-05-02T08:00:00+00:00"


@pytest.mark.parametrize("sent", ["soon", "2026-13-45 99:00:00", 5, {"at": "noon"}])
def test_what_is_no_time_is_refused(sent):
    with pytest.raises((ValueError, TypeError)):
        instant_in(sent)


@pytest.mark.parametrize(("sent", "text"), [(881, "881"), (" 881 ", "881"), ("", None)])
def test_an_id_is_text_whichever_way_it_comes(sent, text):
    assert ident(sent) == text


def test_an_event_of_a_day_is_over_when_the_day_is_everywhere():
    starts, ends = span({"event_date": "2026-05-02", "event_end_date": None})

    assert starts == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert ends == datetime(2026, 5, 3, 12, tzinfo=UTC)


def test_an_end_before_the_start_or_no_date_at_all_is_unknown():
    backwards = span({"event_date": "2026-05-02 08:00:00", "event_end_date": "2026-04-01 08:00:00"})

    assert backwards[1] == datetime(2026, 5, 3, 8, tzinfo=UTC)
    assert span({"event_date": {"at": "dawn"}}) == (None, None)
    assert span({}) == (None, None)


@pytest.mark.parametrize(
    ("categories", "bib", "active"),
    [
        ([{"id": 1, "is_active": True, "tag_number": "0012"}], "0012", 1),
        (
            [{"id": 1, "is_active": False, "tag_number": "12"}, {"id": 2, "is_active": True, "tag_number": "34"}],
            "34",
            1,
        ),
        ([{"id": 1, "is_active": True, "tag_number": None, "chip_number": "C9"}], None, 1),
        ([{"id": 1, "is_active": False, "tag_number": 12}], "12", 0),
        ([{"id": 1, "tag_number": "12"}, {"id": 2, "tag_number": "34"}], "12", 2),
        ([], None, 0),
        (None, None, 0),
        ("none", None, 0),
    ],
)
def test_the_bib_is_that_of_the_active_category_and_never_a_chip(categories, bib, active):
    found = active_category({"event_categories": categories})

    assert (found["tag_number"], found["active_categories"]) == (bib, active)
