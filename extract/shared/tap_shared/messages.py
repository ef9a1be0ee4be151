"""Write Singer messages fast, and state seldom."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage, StateMessage
from singer_sdk.singerlib.json import serialize_json

from tap_shared.errors import Stopped


def write_lines_whole() -> None:
    """Have standard output write all that it is given.

    Without a buffer (PYTHONUNBUFFERED) it hands a line to the system once: where a signal comes meanwhile, only what
    the pipe has taken by then is written, and the rest of the line is lost without a word.
    """
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        sys.stdout = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115


class HubWriter(SimpleSingerWriter):
    """Write lines with orjson; never let a signal cut one in two."""

    def __init__(self) -> None:
        """Start with no line under way and no signal waiting."""
        self._writing = 0
        self._signal: int | None = None

    def serialize_message(self, message: Message) -> str:
        """Return the message as a line of JSON."""
        # The SDK's own way copies every value of every partition first.
        content = {"type": "STATE", "value": message.value} if isinstance(message, StateMessage) else message.to_dict()
        try:
            return orjson.dumps(content).decode()
        except TypeError:
            # Integers beyond 64 bits, decimals: the SDK's own writer knows them.
            return serialize_json(content)

    def write_record(self, stream: str, record: dict[str, Any], extracted: str) -> None:
        """Write one record."""
        content = {"type": "RECORD", "stream": stream, "record": record, "time_extracted": extracted}
        try:
            line = orjson.dumps(content).decode()
        except TypeError:
            line = serialize_json(content)
        self._write(line)

    def write_message(self, message: Message) -> None:
        """Write a message; all but records are passed on at once."""
        self._write(self.format_message(message))
        if not isinstance(message, RecordMessage):
            # A flush for each record is a system call for each record.
            self.flush()

    def announce(self, stream: str, address: str) -> None:
        """Tell the loader of a complete page file."""
        content = {
            "type": "BATCH",
            "stream": stream,
            "encoding": {"format": "arrow", "compression": None},
            "manifest": [address],
        }
        self._write(orjson.dumps(content).decode())
        self.flush()

    def flush(self) -> None:
        """Pass on what was written."""
        self._write("")

    def _write(self, line: str) -> None:
        with self.whole():
            if line:
                sys.stdout.write(line + "\n")
            else:
                sys.stdout.flush()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Put a signal off until the block is done."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
        if self._signal is not None and not self._writing:
            signum, self._signal = self._signal, None
            raise Stopped(signum)

    def stop(self, signum: int) -> None:
        """Raise Stopped now, or after what is being written."""
        if self._writing:
            self._signal = signum
            return
        raise Stopped(signum)


class SeldomStateWriter(StateWriter):
    """Write state at most every few seconds: with thousands of partitions it is megabytes.

    Skipping one is always right, since a later state holds all that an earlier one held.
    """

    def __init__(
        self,
        writer: HubWriter,
        every_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with a state due at once."""
        super().__init__(writer)
        self._writer = writer
        # What is to be written before a state, since the state stands for it.
        self.before: Callable[[], None] = lambda: None
        self._every_s = every_s
        self._monotonic = monotonic
        self._due = float("-inf")

    def write_state(self, state: Any, *, now: bool = False) -> None:
        """Write the state when it is due, or now."""
        began = self._monotonic()
        if not now and began < self._due:
            return
        self.before()
        self._writer.write_message(StateMessage(value=state))
        ended = self._monotonic()
        # Never more than a twentieth of the time goes into writing state.
        self._due = ended + max(self._every_s, 20 * (ended - began))
