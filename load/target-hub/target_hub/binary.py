"""Rows in COPY's binary form: Postgres neither looks for quotes and ends of lines in them nor reads numbers and times.

Made by columns, as a row's parts joined: for each value its length and its bytes. What the parts are:
https://www.postgresql.org/docs/current/sql-copy.html (Binary Format), and each type's own receive function.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
# The text of so many bytes at once: what is made of it fits a processor's cache, and an offset of 32 bits by far.
CHUNK_BYTES = 1 << 20
MOST_ROWS = 4096
NULL = -1
# From 1970, where Arrow's instants and days begin, to 2000, where those of Postgres do.
DAYS = 10_957
MICROSECONDS = DAYS * 86_400_000_000
NATIVE_IS_BIG = sys.byteorder == "big"


def prepared(table: pa.Table, kinds: Mapping[str, str]) -> pa.Table | None:
    """Return rows with days as numbers, for `as_binary`; None where a column's type in the table is not known here.

    A form that does not fit its column is no error but another value: only exact matches are taken.
    """
    for at, field in enumerate(table.schema):
        kind = kinds.get(field.name, "")
        if pa.types.is_string(field.type) and kind == "date":
            try:
                days = pc.cast(pc.cast(table.column(at), pa.date32()), pa.int32())
            except pa.ArrowInvalid:
                # Left to Postgres, which knows more ways of writing a day, or says what is wrong.
                return None
            table = table.set_column(at, pa.field(field.name, pa.int32()), days)
        elif not _fits(field.type, kind):
            return None
    return table


def _fits(arrow: pa.DataType, kind: str) -> bool:
    if pa.types.is_string(arrow):
        return kind in {"text", "character varying", "jsonb", "json"}
    if pa.types.is_int64(arrow):
        return kind == "bigint"
    if pa.types.is_boolean(arrow):
        return kind == "boolean"
    return arrow == pa.timestamp("us", "UTC") and kind == "timestamp with time zone"


def as_binary(table: pa.Table, kinds: Mapping[str, str]) -> Iterator[memoryview]:
    """Yield prepared rows as COPY reads them in binary, with what stands before and after them."""
    yield memoryview(HEAD)
    names = table.column_names
    count = pa.scalar(len(names).to_bytes(2, "big"), pa.binary())
    nothing = pa.scalar(b"", pa.binary())
    for whole in table.to_batches(max_chunksize=MOST_ROWS):
        step = max(1, min(MOST_ROWS, CHUNK_BYTES * whole.num_rows // max(whole.nbytes, 1)))
        for first in range(0, whole.num_rows, step):
            batch = whole.slice(first, step)
            parts: list[pa.Array | pa.Scalar] = [count]
            for name, column in zip(names, batch.columns, strict=True):
                parts += _parts(column, kinds[name])
            rows = pc.binary_join_element_wise(*parts, nothing, null_handling="replace", null_replacement=b"")
            yield memoryview(_bytes(rows))
    yield memoryview(END)


def _bytes(rows: pa.Array) -> pa.Buffer:
    """Return the values of an array one after the other."""
    _, offsets, data = rows.buffers()
    found = array("i")
    found.frombytes(offsets[4 * rows.offset : 4 * (rows.offset + len(rows) + 1)])
    return data[found[0] : found[-1]]


def _parts(column: pa.Array, kind: str) -> list[pa.Array | pa.Scalar]:
    """Return the lengths of a column's values and the values, both as bytes; a null has no value."""
    if kind == "date":
        return _fixed(pc.subtract(column, pa.scalar(DAYS, pa.int32())), "i")
    if kind == "bigint":
        return _fixed(column, "q")
    if kind == "timestamp with time zone":
        return _fixed(pc.subtract(column.view(pa.int64()), MICROSECONDS), "q")
    if kind == "boolean":
        return [_lengths(column, 1), pc.if_else(column, pa.scalar(b"\1", pa.binary()), pa.scalar(b"\0", pa.binary()))]
    lengths = pc.binary_length(column)
    if kind == "jsonb":
        # The version of the form comes before the text.
        lengths = pc.add(lengths, pa.scalar(1, pa.int32()))
        begin = pa.scalar(b"\1", pa.binary())
        if column.null_count:
            begin = pc.if_else(column.is_valid(), begin, pa.scalar(None, pa.binary()))
        return [_big_endian(_filled(lengths), "i"), begin, column.cast(pa.binary())]
    return [_big_endian(_filled(lengths), "i"), column.cast(pa.binary())]


def _filled(lengths: pa.Array) -> pa.Array:
    return pc.fill_null(lengths, NULL) if lengths.null_count else lengths


def _fixed(values: pa.Array, code: str) -> list[pa.Array | pa.Scalar]:
    size = array(code).itemsize
    lengths = _lengths(values, size)
    if not values.null_count:
        return [lengths, _big_endian(values, code)]
    known = _big_endian(pc.fill_null(values, 0), code)
    return [lengths, pc.if_else(values.is_valid(), known, pa.scalar(None, pa.binary()))]


def _lengths(column: pa.Array, size: int) -> pa.Array | pa.Scalar:
    length = pa.scalar(size.to_bytes(4, "big"), pa.binary())
    if not column.null_count:
        return length
    return pc.if_else(column.is_valid(), length, pa.scalar(NULL.to_bytes(4, "big", signed=True), pa.binary()))


def _big_endian(values: pa.Array, code: str) -> pa.Array:
    """Return numbers as their bytes, the highest first."""
    data = array(code)
    size = data.itemsize
    data.frombytes(values.buffers()[1][values.offset * size : (values.offset + len(values)) * size])
    if not NATIVE_IS_BIG:
        data.byteswap()
    return pa.Array.from_buffers(pa.binary(), len(values), [None, _offsets(len(values), size), pa.py_buffer(data)])


@lru_cache(maxsize=64)
def _offsets(count: int, size: int) -> pa.Buffer:
    return pa.py_buffer(array("i", range(0, size * (count + 1), size)))
