"""What a run of a tap wrote, and what a loader would hold after it."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any, ClassVar, Self

from singer_sdk import Tap

from tap_testing.season import Record, Season

# What every tap writes about its own reading, beside the provider's streams.
SIDE_STREAMS = ("reads", "rejects", "removals")
Row = dict[str, Any]


class Run:
    """What one run of a tap wrote, and the error that it ended with, if any."""

    def __init__(self, tap: Tap) -> None:
        out = io.StringIO()
        self.failure: Exception | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as failure:
                self.failure = failure
        self.messages = _messages(out.getvalue())

    @classmethod
    def of(cls, messages: str | list[dict[str, Any]]) -> Self:
        """Return what a tap in another process wrote, or a part of what one did."""
        run = cls.__new__(cls)
        run.failure = None
        run.messages = _messages(messages) if isinstance(messages, str) else messages
        return run

    def killed(self, times: int) -> Iterator[Self]:
        """Yield what would have arrived had the run been killed between two lines, at about so many places."""
        for cut in range(0, len(self.messages), max(1, len(self.messages) // times)):
            yield self.of(self.messages[:cut])

    @property
    def error(self) -> str | None:
        """What the error says."""
        return None if self.failure is None else str(self.failure)

    def rows(self, stream: str) -> list[Row]:
        """Return the rows of a stream in the order they were written."""
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def row(self, stream: str, **values: Any) -> Row:
        """Return the one row of a stream that has these values."""
        (row,) = [row for row in self.rows(stream) if row.items() >= values.items()]
        return row

    @property
    def sent(self) -> dict[str, int]:
        """How many rows of each stream of the provider were written."""
        written = Counter(message["stream"] for message in self.messages if message["type"] == "RECORD")
        return {stream: count for stream, count in written.items() if stream not in SIDE_STREAMS}

    @property
    def states(self) -> list[dict[str, Any]]:
        """All states in the order they were written."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last state; a run that wrote none is an error."""
        return self.states[-1]

    def marks(self, stream: str) -> dict[str, dict[str, Any]]:
        """Return the bookmarks of a stream, by the id of what each stands for."""
        partitions = self.state["bookmarks"][stream]["partitions"]
        return {"/".join(str(one) for one in mark["context"].values() if one): mark for mark in partitions}

    def read(self, stream: str, scope: str = "") -> Row:
        """Return the last row of `reads` about a stream and event."""
        return [row for row in self.rows("reads") if (row["stream"], row["scope"]) == (stream, scope)][-1]

    def calls(self, stream: str) -> int:
        """Return how many calls a stream made, by its own count."""
        return sum(row["calls_made"] for row in self.rows("reads") if row["stream"] == stream)

    def removals(self, stream: str) -> dict[str, Any]:
        """Return what was removed, and when it came back."""
        return {row["record_key"]: row["returned_at"] for row in self.rows("removals") if row["stream"] == stream}


def _messages(text: str) -> list[dict[str, Any]]:
    # Not splitlines(): garbled names hold what it takes for ends of lines.
    return [json.loads(line) for line in text.split("\n") if line]


class Target:
    """What a loader would hold after the runs it has seen: rows by key, without those that are removed.

    A key is written as `record_key` of a removal is: the ids without the timing partner's, with slashes between.
    """

    # Of each stream of the provider, the ids that make a row's key.
    keys: ClassVar[Mapping[str, Sequence[str]]]
    # Streams that the sandbox holds as such; all of them unless some come inside others' records.
    held: ClassVar[Sequence[str]] = ()

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {stream: {} for stream in self.keys}
        self._removed: set[tuple[str, str]] = set()
        self._not_sent_since: set[tuple[str, str]] = set()
        # Ids of rows that came after the state that was kept: what the application tells the next run of.
        self.doubtful: dict[str, list[Row]] = {}

    def load(self, *runs: Run, keeps_state: bool = True) -> Self:
        """Take what runs wrote, in their order; without `keeps_state` the loader is killed before it keeps any."""
        for message in (message for run in runs for message in run.messages):
            if message["type"] == "STATE" and keeps_state:
                self.doubtful.clear()
            elif message["type"] == "RECORD" and message["stream"] in self.keys:
                self._take(message["stream"], message["record"])
            elif message["type"] == "RECORD" and message["stream"] == "removals":
                self._remove(message["record"])
        return self

    def _take(self, stream: str, row: Row) -> None:
        key = "/".join(str(row[name]) for name in self.keys[stream])
        self._rows[stream][key] = row
        self._not_sent_since.discard((stream, key))
        self.doubtful.setdefault(stream, []).append(_ids(row))

    def _remove(self, removal: Row) -> None:
        stream, key = removal["stream"], removal["record_key"]
        if removal["returned_at"] is None:
            self._removed.add((stream, key))
            self._not_sent_since.add((stream, key))
        else:
            self._removed.discard((stream, key))
        # A KeyError: something was removed that had never arrived.
        told = _ids(self._rows[stream][key]) | {"noticed_at": removal["noticed_at"]}
        self.doubtful.setdefault(stream, []).append(told)

    def table(self, stream: str) -> dict[str, Row]:
        """Return the rows that are there, by key. What came back needs both: word of its return, and the row anew."""
        gone = self._removed | self._not_sent_since
        return {key: row for key, row in self._rows[stream].items() if (stream, key) not in gone}

    def records(self, stream: str) -> list[Record]:
        """Return the provider's records that are there."""
        return [row["record"] for row in self.table(stream).values()]

    def assert_holds(self, season: Season, partner: int = 1, streams: Sequence[str] = ()) -> None:
        """Compare with what the provider holds, record by record, in any order."""
        for stream in streams or self.held or self.keys:
            assert _sorted(self.records(stream)) == _sorted(season.holds(stream, partner)), stream


def same(left: list[Record], right: list[Record]) -> bool:
    """Tell whether two lists hold the same records in any order."""
    return _sorted(left) == _sorted(right)


def _sorted(records: list[Record]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in records)


def _ids(row: Row) -> Row:
    return {column: value for column, value in row.items() if column.endswith("_id")}
