"""How ChronoTrack's texts become typed values."""

from __future__ import annotations

import pytest
from tap_chronotrack.columns import day, epoch, flag, ident
from tap_chronotrack.streams import backwards


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1757160008", "2025-09-06T12:00:08+00:00"),
        ("1757160008.50", "2025-09-06T12:00:08.500000+00:00"),
        (1757160008, "2025-09-06T12:00:08+00:00"),
        (1757160008.25, "2025-09-06T12:00:08.250000+00:00"),
        ("-3600", "1969-12-31T23:00:00+00:00"),
        ("", None),
        ("0", None),
        (0, None),
    ],
)
def test_seconds_since_1970_become_instants(sent, expected):
    assert epoch(sent) == expected


@pytest.mark.parametrize("sent", ["soon", "1757160008500000", "nan", "1e99", {"at": 1}, True, "2025-09-06"])
def test_what_is_no_time_is_not_made_one(sent):
    with pytest.raises((ValueError, TypeError)):
        epoch(sent)


@pytest.mark.parametrize(("sent", "expected"), [("1", True), ("0", False), (1, True), (0, False), ("", None)])
def test_one_and_zero_are_true_and_false(sent, expected):
    assert flag(sent) is expected


@pytest.mark.parametrize("sent", ["maybe", "2", [], 7])
def test_other_flags_are_not_guessed(sent):
    with pytest.raises(ValueError, match="true or false"):
        flag(sent)


@pytest.mark.parametrize(("sent", "expected"), [("1991-04-02", "1991-04-02"), ("", None), ("0000-00-00", None)])
def test_days(sent, expected):
    assert day(sent) == expected


@pytest.mark.parametrize("sent", ["04/02/1991", "1991-02-30", 19910402])
def test_what_is_no_day_is_not_made_one(sent):
    with pytest.raises((ValueError, TypeError)):
        day(sent)


@pytest.mark.parametrize(
    ("sent", "expected"), [("81000451", "81000451"), (81000451, "81000451"), (" 7 ", "7"), ("", None)]
)
def test_ids_are_texts(sent, expected):
    assert ident(sent) == expected


def test_an_end_in_the_same_second_is_not_before_its_start():
    row = {"a": "2025-09-06T12:00:08.500000+00:00", "b": "2025-09-06T12:00:08+00:00"}

    assert backwards(row, "a", "b") is None
    assert backwards(row | {"b": "2025-09-06T12:00:07+00:00"}, "a", "b") is not None
    assert backwards(row | {"b": None}, "a", "b") is None
