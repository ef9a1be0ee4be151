"""Convert what many rows hold at once, as Arrow does it: a call for each value is most of what a row costs.

Each function takes a column's values, nulls included, and returns what the converter of the same meaning makes of them
one by one, or None where any of them takes a closer look: one that is no text, or is written in another way than usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_shared.lists import NUMBERS

INSTANT = pa.timestamp("us", "UTC")
# As `to_epoch` takes them digit by digit: ten before the point, and no more after it than an instant holds.
EPOCH = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"
# Python's datetime begins in the year 1.
DAY = r"^[0-9]{3}[1-9]-[0-9]{2}-[0-9]{2}$|^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"


# A month, a day and a year, an hour and a minute, as Americans write them.
AMERICAN = r"^[0-9]{1,2}/[0-9]{1,2}/(19|20)[0-9]{2} [0-9]{1,2}:[0-9]{2}$"
ONE_DIGIT = ((r"^([0-9])/", r"0\1/"), (r"/([0-9])/", r"/0\1/"), (r" ([0-9]):", r" 0\1:"))


def epochs(values: Sequence[Any], blank: Sequence[str] = ("",)) -> pa.Array | None:
    """Return the instants of Unix seconds; what is blank is null."""
    if set(map(type, values)) <= NUMBERS:
        return _epochs_of_numbers(values)
    texts = _texts(values, blank, EPOCH)
    if texts is None:
        return None
    # Not by way of floats: they do not hold every sixth digit.
    seconds = pc.cast(texts, pa.decimal128(16, 6))
    microseconds = pc.multiply(seconds, pa.scalar(1_000_000, pa.decimal128(7, 0)))
    return pc.cast(pc.cast(microseconds, pa.int64()), INSTANT)


def _epochs_of_numbers(values: Sequence[int | None]) -> pa.Array | None:
    known = [value for value in values if value is not None]
    if known and not 0 <= min(known) <= max(known) < 10**10:
        return None
    seconds = pa.array(values, pa.int64())
    return pc.cast(pc.multiply(seconds, 1_000_000), INSTANT)


def american(values: Sequence[Any], zone: str) -> pa.Array | None:
    """Return the instants of texts such as 6/30/2026 09:05, meant in an IANA zone; what is blank is null.

    An hour that happens twice means the first of the two, as `clock.wall_to_utc` has it; one that never happens takes a
    closer look.
    """
    texts = _texts(values, ("",), AMERICAN)
    if texts is None:
        return None
    for one, two in ONE_DIGIT:
        texts = pc.replace_substring_regex(texts, one, two)
    iso = pc.replace_substring_regex(texts, r"^(..)/(..)/(....) (.....)$", r"\3-\1-\2T\4:00")
    try:
        # Read as ISO times: a day that there is not is an error, and no day of the next month.
        wall = pc.cast(iso, pa.timestamp("us"))
        return pc.cast(pc.assume_timezone(wall, zone, ambiguous="earliest", nonexistent="raise"), INSTANT)
    except pa.ArrowInvalid:
        return None


def days(values: Sequence[Any], blank: Sequence[str] = ("",)) -> list[str | None] | None:
    """Return ISO days; what is blank is null."""
    texts = _texts(values, blank, DAY)
    if texts is None:
        return None
    try:
        pc.cast(texts, pa.date32())
    except pa.ArrowInvalid:
        # There is no such day.
        return None
    nothing = frozenset(blank)
    return [None if value in nothing else value for value in values]


def instants(values: Sequence[Any] | pa.Array) -> pa.Array:
    """Return converted instants, some of them texts, as one array."""
    return values if isinstance(values, pa.Array) else pc.cast(pa.array(values, pa.string()), INSTANT)


def backwards(begun: Sequence[Any] | pa.Array, ended: Sequence[Any] | pa.Array) -> list[int]:
    """Return the places where something ended a second or more before it began."""
    first, last = instants(begun), instants(ended)
    if not pc.any(pc.less(last, first)).as_py():
        return []
    late = pc.less(pc.floor_temporal(last, unit="second"), pc.floor_temporal(first, unit="second"))
    return pc.indices_nonzero(pc.fill_null(late, False)).to_pylist()


def _texts(values: Sequence[Any], blank: Sequence[str], form: str) -> pa.Array | None:
    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None
    is_blank = pc.is_in(texts, value_set=pa.array(blank, pa.string()))
    texts = pc.if_else(is_blank, pa.scalar(None, pa.string()), texts)
    return texts if pc.all(pc.match_substring_regex(texts, form)).as_py() is not False else None
