"""Times in US Eastern, read for a whole answer at once, are what they are one by one."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st
from tap_runsignup.columns import eastern, easterns

# Of the wall clock.
MINUTES = st.datetimes(datetime(1950, 1, 1), datetime(2037, 12, 31))  # noqa: DTZ001
TIMES = st.one_of(
    MINUTES.map(lambda at: f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02}"),
    MINUTES.map(lambda at: f"{at:%m/%d/%Y %H:%M}"),
    st.from_regex(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{2}", fullmatch=True),
    # Clocks go forward, and back.
    st.sampled_from(["", "3/8/2026 02:30", "11/1/2026 01:30", "2026-06-30 09:05:00", "2/30/2026 1:00", "6/30/2026"]),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.none() | TIMES, min_size=1, max_size=4))
def test_together_is_as_one_by_one(texts):
    together = easterns(texts)

    if together is not None:
        apart = [eastern(text) if text is not None else None for text in texts]
        assert [None if at is None else at.isoformat() for at in together.to_pylist()] == apart


def test_what_is_usual_is_converted_together():
    usual = ["6/30/2026 09:05", "11/1/2026 01:30", "", None]
    assert [str(at) for at in easterns(usual).to_pylist()] == [
        "2026-06-30 13:05:00+00:00", "2026-11-01 05:30:00+00:00", "None", "None"
    ]  # fmt: skip
    assert easterns(["3/8/2026 02:30"]) is None
    assert easterns(["2/30/2026 01:00"]) is None
    assert easterns(["24:00"]) is None
