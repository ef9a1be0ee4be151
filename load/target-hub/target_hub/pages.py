"""Page files: rows that a tap of ours hands over as Arrow, without a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, ipc

from target_hub.table import SAMPLE

FORMAT = "arrow"
# Nulls stay without quotes and texts have them: so an empty text is none of the nulls.
STYLE = csv.WriteOptions(include_header=False, batch_size=4096, quoting_style="needed")
NUL = "\0"
# The look-behind that RE2 lacks: an escaped backslash before u0000 is none of these.
ESCAPED = r"((?:^|[^\\])(?:\\\\)*)\\u0000"


@dataclass(frozen=True)
class Page:
    """One file; it is deleted once its rows are committed."""

    path: Path
    rows: int
    size: int

    @classmethod
    def of(cls, address: str) -> Page:
        """Look at a file that a BATCH message names. Raises OSError or ArrowInvalid where there is none to read."""
        parsed = urlparse(address)
        path = Path(unquote(parsed.path) if parsed.scheme == "file" else address)
        with pa.memory_map(str(path)) as source, ipc.open_stream(source) as reader:
            return cls(path, sum(batch.num_rows for batch in reader), path.stat().st_size)

    def read(self) -> pa.Table:
        """Return the rows; they stay in the file and are mapped into memory."""
        with pa.memory_map(str(self.path)) as source, ipc.open_stream(source) as reader:
            return reader.read_all()

    def drop(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


def as_csv(table: pa.Table) -> Iterator[memoryview]:
    """Yield the rows as COPY reads them, instants without their zone: the session's is UTC."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            # With a zone Arrow writes each through a C++ stream, which takes ten times as long.
            table = table.set_column(at, field.name, pc.cast(table.column(at), pa.timestamp("us")))
    for batch in table.to_batches(max_chunksize=4096):
        sink = pa.BufferOutputStream()
        csv.write_csv(batch, sink, STYLE)
        yield memoryview(sink.getvalue())


def numbered(table: pa.Table, first: int, name: str) -> pa.Table:
    """Return the table with a column that counts its rows."""
    return table.append_column(name, pa.array(range(first, first + table.num_rows), pa.int64()))


def is_repeated(tables: Sequence[pa.Table], keys: Sequence[str]) -> bool:
    """Tell whether a key comes twice."""
    together = pa.concat_tables([table.select(list(keys)) for table in tables])
    # A column of one value tells nothing apart and costs like the others.
    telling = [key for key in keys if not _is_constant(together[key])] or list(keys)[:1]
    return together.select(telling).group_by(telling, use_threads=False).aggregate([]).num_rows < together.num_rows


def _is_constant(column: pa.ChunkedArray) -> bool:
    return bool(len(column)) and bool(pc.all(pc.equal(column, column[0])).as_py())


def sample(tables: Sequence[pa.Table], keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return a few keys, evenly spread."""
    together = pa.concat_tables([table.select(list(keys)) for table in tables])
    step = max(together.num_rows // SAMPLE, 1)
    chosen = together.take(list(range(0, together.num_rows, step))[: SAMPLE + 1])
    return [tuple(row.values()) for row in chosen.to_pylist()]


def storable(table: pa.Table, documents: Sequence[str]) -> pa.Table:
    """Return the table without NUL, which Postgres stores neither as a character nor escaped in a document."""
    for at, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        column = pc.replace_substring(table.column(at), NUL, "\ufffd")
        if field.name in documents:
            while pc.any(pc.match_substring_regex(column, ESCAPED)).as_py():
                column = pc.replace_substring_regex(column, ESCAPED, r"\1\\ufffd")
        table = table.set_column(at, field, column)
    return table
