"""Convert what many rows hold at once, as Arrow does it: a call for each value is most of what a row costs.

Each function takes a column's values, nulls included, and returns what the converter of the same meaning makes of them
one by one, or None where any of them takes a closer look: one that is no text, or is written in another way than usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", "UTC")
# As `to_epoch` takes them digit by digit: ten before the point, and no more after it than an instant holds.
EPOCH = r"^[0-9]{1,10}(\.[0-9]{1,6})?$"
# Python's datetime begins in the year 1.
DAY = r"^[0-9]{3}[1-9]-[0-9]{2}-[0-9]{2}$|^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$"


def epochs(values: Sequence[Any], blank: Sequence[str] = ("",)) -> pa.Array | None:
    """Return the instants of Unix seconds; what is blank is null."""
    texts = _texts(values, blank, EPOCH)
    if texts is None:
        return None
    # Not by way of floats: they do not hold every sixth digit.
    seconds = pc.cast(texts, pa.decimal128(16, 6))
    microseconds = pc.multiply(seconds, pa.scalar(1_000_000, pa.decimal128(7, 0)))
    return pc.cast(pc.cast(microseconds, pa.int64()), INSTANT)


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
    seconds = [pc.floor_temporal(instants(values), unit="second") for values in (begun, ended)]
    late = pc.less(seconds[1], seconds[0])
    return pc.indices_nonzero(pc.fill_null(late, False)).to_pylist()


def _texts(values: Sequence[Any], blank: Sequence[str], form: str) -> pa.Array | None:
    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None
    is_blank = pc.is_in(texts, value_set=pa.array(blank, pa.string()))
    texts = pc.if_else(is_blank, pa.scalar(None, pa.string()), texts)
    return texts if pc.all(pc.match_substring_regex(texts, form)).as_py() is not False else None
