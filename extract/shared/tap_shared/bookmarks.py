"""Find and replace a stream's partitions in the Singer state without walking them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Context = Mapping[str, Any]


class Bookmarks:
    """The state of one stream: fields of its own, and one entry for each partition.

    An entry is replaced by a single assignment, so that a signal between two statements finds
    the old one or the new one, and never half of each.
    """

    def __init__(self, tap_state: dict[str, Any], stream: str) -> None:
        """Look at the stream's part of the state, which may not exist yet."""
        self._state = tap_state
        self._stream = stream
        self._index: dict[tuple[tuple[str, Any], ...], int] | None = None

    @property
    def own(self) -> dict[str, Any]:
        """Return the stream's fields outside of any partition, to read."""
        return self._state.get("bookmarks", {}).get(self._stream, {})

    def _writable(self) -> dict[str, Any]:
        return self._state.setdefault("bookmarks", {}).setdefault(self._stream, {})

    def set(self, **fields: Any) -> None:
        """Set fields of the stream itself; None removes one."""
        state = self._writable()
        for name, value in fields.items():
            if value is None:
                state.pop(name, None)
            else:
                state[name] = value

    @staticmethod
    def _key(context: Context) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(context.items()))

    def _positions(self) -> dict[tuple[tuple[str, Any], ...], int]:
        if self._index is None:
            entries = self.own.get("partitions") or []
            self._index = {self._key(entry["context"]): at for at, entry in enumerate(entries)}
        return self._index

    def get(self, context: Context) -> dict[str, Any]:
        """Return a copy of the partition's entry; empty when there is none."""
        at = self._positions().get(self._key(context))
        return {} if at is None else dict(self.own["partitions"][at])

    def put(self, context: Context, **fields: Any) -> None:
        """Replace the partition's entry; fields that are None are left out."""
        entry = {"context": dict(context)} | {k: v for k, v in fields.items() if v is not None}
        positions = self._positions()
        partitions: list[dict[str, Any]] = self._writable().setdefault("partitions", [])
        at = positions.get(self._key(context))
        if at is None:
            partitions.append(entry)
            positions[self._key(context)] = len(partitions) - 1
        else:
            partitions[at] = entry

    def drop(self, context: Context) -> None:
        """Forget a partition."""
        at = self._positions().get(self._key(context))
        if at is not None:
            del self._writable()["partitions"][at]
            self._index = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield a copy of every partition's entry."""
        for entry in list(self.own.get("partitions") or []):
            yield dict(entry)
