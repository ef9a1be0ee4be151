"""Read messages while earlier ones are being loaded, and notice when none come."""

from __future__ import annotations

import os
import queue
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import IO, Any

from singer_sdk.singerlib.encoding import SimpleSingerReader

CHUNK = 1 << 20
# Blocks that wait to be looked at; a tap that is faster than the database waits in its pipe.
BLOCKS = 8


class HubReader(SimpleSingerReader):
    """Reads standard input in a thread of its own; lines may be of any length."""

    def __init__(self) -> None:
        """Begin without anybody to tell about pauses."""
        super().__init__()
        self.on_pause: Callable[[float], None] = lambda seconds: None
        self.is_over: Callable[[], bool] = lambda: False
        self.pause_s = 0.05

    def process_lines(
        self, file_input: IO[str] | None, callbacks: dict[str, Callable[[dict[str, Any]], None]]
    ) -> Counter[str]:
        """Hand each line to the callback of its type."""
        counts: dict[str, int] = defaultdict(int)
        for line in file_input if file_input is not None else self._lines():
            if self.is_over():
                break
            message = self.deserialize_json(line)  # type: ignore[arg-type]
            self.assert_line_requires(message, requires={"type"})
            kind = message["type"]
            if kind in callbacks:
                callbacks[kind](message)
            else:
                self._process_unknown_message(message)
            counts[kind] += 1
        return Counter(counts)

    def _lines(self) -> Iterator[bytes]:
        blocks: queue.Queue[list[bytes] | None] = queue.Queue(BLOCKS)
        threading.Thread(target=_read, args=(self.default_input.fileno(), blocks), daemon=True).start()
        waited = 0.0
        while not self.is_over():
            try:
                block = blocks.get(timeout=self.pause_s)
            except queue.Empty:
                waited += self.pause_s
                self.on_pause(waited)
                continue
            waited = 0.0
            if block is None:
                return
            yield from block


def _read(descriptor: int, blocks: queue.Queue[list[bytes] | None]) -> None:
    rest: list[bytes] = []
    while found := os.read(descriptor, CHUNK):
        lines = found.split(b"\n")
        if len(lines) == 1:
            rest.append(found)
            continue
        lines[0] = b"".join([*rest, lines[0]])
        rest = [lines.pop()]
        blocks.put([line for line in lines if line])
    if last := b"".join(rest):
        blocks.put([last])
    blocks.put(None)
