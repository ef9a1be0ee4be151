"""Hand rows over as Arrow files: the loader reads them as they are, and no row becomes a line.

Used when setting pages_dir names a folder, which is done where the loader is the project's own. Each file holds rows of
one stream; a BATCH message says that it is complete. The loader deletes it once its rows are committed.
"""

from __future__ import annotations

import select
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tap_shared.errors import StreamStopped
from tap_shared.messages import HubWriter
from tap_shared.snapshot import as_json

# A file is announced when it holds so much: the loader commits a few of them at once.
FILE_BYTES = 8 << 20
# The files that wait for the loader, all together. They lie in memory, so this is memory.
WAITING_BYTES = 96 << 20
LOOK_EVERY_S = 0.005
# Small answers are put together up to so many rows, or characters of documents: making an array of a column, writing
# and reading it cost as much for three rows as for fifty.
TOGETHER_ROWS = 1000
TOGETHER_TEXT = 1 << 20

Columns = Mapping[str, Any]


def arrow_schema(schema: Mapping[str, Any]) -> pa.Schema:
    """Return how a stream's columns are handed over: numbers and documents as text, so that no digit is lost."""
    return pa.schema([(name, _arrow_type(kind)) for name, kind in schema["properties"].items()])


def _arrow_type(kind: Mapping[str, Any]) -> pa.DataType:
    (name,) = [name for name in kind["type"] if name != "null"]
    if name == "string" and kind.get("format") == "date-time":
        return pa.timestamp("us", "UTC")
    return {"integer": pa.int64(), "boolean": pa.bool_()}.get(name, pa.string())


class Pages:
    """The page files of one run."""

    def __init__(self, folder: Path, writer: HubWriter, waiting_bytes: int = WAITING_BYTES) -> None:
        """Write into a folder; the writer tells the loader."""
        self._folder = folder
        self._writer = writer
        self._most = waiting_bytes
        self._number = 0
        self._open: dict[str, _File] = {}
        self._waiting: deque[tuple[Path, int]] = deque()

    def add_rows(self, stream: str, schema: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows as a stream yields them."""
        if not rows:
            return
        kinds = schema["properties"].items()
        packed = {name for name, kind in kinds if {"object", "array", "number"} & set(kind["type"])}
        columns: dict[str, Any] = {}
        for name in schema["properties"]:
            values = [row.get(name) for row in rows]
            columns[name] = [as_json(value) for value in values] if name in packed else values
        self.add(stream, schema, columns)

    def add(self, stream: str, schema: Mapping[str, Any], columns: Columns) -> None:
        """Add a page, column by column: lists of values, or Arrow arrays of the column's type."""
        file = self._open.get(stream)
        if file is None or file.source is not schema:
            self.flush(stream)
            self._wait_for_room()
            self._number += 1
            path = self._folder / f"{self._number:07d}-{stream}.arrow"
            file = self._open[stream] = _File(path, schema)
        try:
            file.write(columns)
        except OSError as error:
            raise _no_room(error, self._folder) from None
        if file.size >= FILE_BYTES:
            self.flush(stream)

    @staticmethod
    def same_for_all(count: int, timing_partner_id: int, read_at: datetime) -> dict[str, pa.Array]:
        """Return the columns in which the rows of an answer do not differ."""
        return {
            "timing_partner_id": pa.repeat(pa.scalar(timing_partner_id, pa.int64()), count),
            "read_at": pa.repeat(pa.scalar(read_at, pa.timestamp("us", "UTC")), count),
        }

    @staticmethod
    def texts_of(values: Sequence[bytes]) -> pa.Array:
        """Return texts that are in UTF-8 already: decoded, Arrow would encode them again."""
        return pa.array(values, pa.binary()).view(pa.string())

    def flush(self, *streams: str) -> None:
        """Announce what is there, of the given streams or of all: before a state, everything it stands for."""
        # In one piece: rows whose bookmark is set must not stay behind in a file that nobody is told of.
        with self._writer.whole():
            for stream in streams or tuple(self._open):
                file = self._open.pop(stream, None)
                if file is None:
                    continue
                try:
                    file.close()
                except OSError as error:
                    raise _no_room(error, self._folder) from None
                self._waiting.append((file.path, file.size))
                self._writer.announce(stream, file.path.as_uri())

    def _wait_for_room(self) -> None:
        while True:
            while self._waiting and not self._waiting[0][0].exists():
                self._waiting.popleft()
            if sum(size for path, size in self._waiting if path.exists()) < self._most:
                return
            _is_anybody_reading()
            time.sleep(LOOK_EVERY_S)


class _File:
    """A file that is being written."""

    def __init__(self, path: Path, schema: Mapping[str, Any]) -> None:
        self.path = path
        self.source = schema
        self.schema = arrow_schema(schema)
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, self.schema)
        # Pages that wait to be written together, as they came.
        self._waiting: list[Columns] = []
        self._rows = self._text = 0

    @property
    def size(self) -> int:
        return self._sink.tell() if not self._sink.closed else self.path.stat().st_size

    def write(self, columns: Columns) -> None:
        self._waiting.append(columns)
        self._rows += len(columns[self.schema.names[0]])
        self._text += _length(columns.get("record", ()))
        if self._rows >= TOGETHER_ROWS or self._text >= TOGETHER_TEXT:
            self._write_waiting()

    def _write_waiting(self) -> None:
        arrays = [as_array(_joined(self._waiting, field.name, field.type), field.type) for field in self.schema]
        self._waiting = []
        self._rows = self._text = 0
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self.schema))

    def close(self) -> None:
        if self._waiting:
            self._write_waiting()
        self._writer.close()
        self._sink.close()


def _joined(pages: Sequence[Columns], name: str, kind: pa.DataType) -> Any:
    """Return a column of several pages as one."""
    parts = [page[name] for page in pages]
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(part, pa.Array) for part in parts):
        return pa.concat_arrays([as_array(part, kind) for part in parts])
    return list(chain.from_iterable(parts))


def _length(texts: Any) -> int:
    """Return how many characters, or bytes, texts have together."""
    return texts.nbytes if isinstance(texts, pa.Array) else sum(map(len, texts))


def as_array(values: Any, kind: pa.DataType) -> pa.Array:
    """Return values as an array of the column's type; texts become instants."""
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_timestamp(kind):
        return pc.cast(pa.array(values, pa.string()), kind)
    return pa.array(values, kind)


def _is_anybody_reading() -> None:
    """Raise BrokenPipeError where standard output leads nowhere any more."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    asked = select.poll()
    asked.register(descriptor, select.POLLERR)
    if any(state & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, state in asked.poll(0)):
        raise BrokenPipeError


def _no_room(error: OSError, folder: Path) -> StreamStopped:
    stopped = StreamStopped(f"no room for pages in {folder} ({error.strerror or error}): free some and run again")
    stopped.ends_the_run = True
    return stopped
