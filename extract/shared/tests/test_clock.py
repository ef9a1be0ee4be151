"""Wall clocks on the two odd nights of a year, and dates of HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tap_shared.clock import as_text, from_text, http_date, wall_to_utc, zone


@pytest.mark.parametrize(
    ("wall", "where", "expected"),
    [
        pytest.param("2025-07-04T08:00", "America/New_York", "2025-07-04T12:00", id="summer"),
        pytest.param("2025-01-04T08:00", "America/New_York", "2025-01-04T13:00", id="winter"),
        pytest.param("2025-11-02T01:30", "America/New_York", "2025-11-02T05:30", id="twice: the first of both"),
        pytest.param("2025-03-09T02:30", "America/New_York", "2025-03-09T07:30", id="never: as if unchanged"),
        pytest.param("2025-03-09T03:00", "America/New_York", "2025-03-09T07:00", id="right after the gap"),
        pytest.param("2025-11-02T04:30", "Asia/Kathmandu", "2025-11-01T22:45", id="a zone of quarters"),
    ],
)
def test_a_wall_clock_time_becomes_an_instant(wall, where, expected):
    instant = wall_to_utc(datetime.fromisoformat(wall), zone(where))

    assert instant == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_an_unknown_zone_is_named():
    with pytest.raises(ValueError, match="unknown time zone 'Mars/Olympus'"):
        zone("Mars/Olympus")


def test_texts_and_http_dates_are_read_as_utc():
    assert as_text(from_text("2025-05-05T12:00:00+02:00")) == "2025-05-05T10:00:00+00:00"
    assert from_text("2025-05-05").tzinfo is UTC
    assert http_date("Mon, 05 May 2025 10:00:00 GMT") == datetime(2025, 5, 5, 10, tzinfo=UTC)
    assert http_date("soon") is None
