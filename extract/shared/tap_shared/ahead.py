"""Fetch what comes next while the current answer is being written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")


class Ahead:
    """A few threads for calls; results are taken in the order in which they were asked for."""

    def __init__(self, calls_at_once: int = 2) -> None:
        """Allow so many calls at once; the budget allows the same across processes."""
        self._pool = ThreadPoolExecutor(max_workers=calls_at_once, thread_name_prefix="call")

    def soon(self, fetch: Callable[[], Result]) -> Future[Result]:
        """Begin a call and return its future answer."""
        return self._pool.submit(fetch)

    def each(self, units: Iterable[Unit], fetch: Callable[[Unit], Result]) -> Iterator[tuple[Unit, Future[Result]]]:
        """Yield every unit with its future first answer, the next unit's already being fetched."""
        waiting: deque[tuple[Unit, Future[Result]]] = deque()
        coming = iter(units)
        try:
            while True:
                while len(waiting) < 2:
                    try:
                        unit = next(coming)
                    except StopIteration:
                        break
                    waiting.append((unit, self._pool.submit(fetch, unit)))
                if not waiting:
                    return
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """Drop what has not begun; do not wait for what has."""
        self._pool.shutdown(wait=False, cancel_futures=True)
