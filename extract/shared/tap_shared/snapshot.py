"""Remember what a provider held, in a few bytes a row, to see what changed and what vanished since."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import struct
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import xxhash

logger = logging.getLogger(__name__)

# 48 bits: a change goes unnoticed once in 10^14 changes, and 60,000 rows cost 360 kB before encoding.
HASH_BYTES = 6
# Of a row of which nobody knows how it was, or nobody will ask: whatever comes is another.
UNKNOWN = bytes(HASH_BYTES)
SALT_BYTES = 8
FORMAT = "s1:"
HEAD = struct.Struct(">I")


class EmptyAnswer(Exception):  # noqa: N818 - it is an answer to doubt, not yet an error
    """An answer without rows where the read before had some: doubtful until confirmed."""


def canonical(record: Any) -> bytes:
    """Return the record as bytes that do not depend on the order of its keys."""
    try:
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # Decimals, integers beyond 64 bits, lone surrogates: rare, so slow is fine.
        return json.dumps(record, sort_keys=True, default=str).encode()


def as_sent(record: Any) -> bytes:
    """Return a record's JSON, its keys in the order in which they came."""
    try:
        return orjson.dumps(record)
    except TypeError:
        # Integers beyond 64 bits: rare, so slow is fine.
        return json.dumps(record).encode()


def all_as_sent(records: Sequence[Any]) -> list[bytes]:
    """Do as `as_sent` for the records of an answer."""
    try:
        return list(map(orjson.dumps, records))
    except TypeError:
        return list(map(as_sent, records))


def as_json(value: Any) -> str | None:
    """Return the JSON of a value as a text, None for none."""
    return None if value is None else as_sent(value).decode()


def content_of(record: bytes, given: bytes) -> bytes:
    """Return what a row is compared by: the record as sent, and the columns that the stream gives to it."""
    return given + record


def given_content(given: Mapping[str, Any]) -> bytes:
    """Return the part of `content_of` that comes from the stream."""
    return canonical(dict(given))


class Snapshot:
    """The rows of one partition at the last complete read, and those of the read under way."""

    def __init__(self, edition: str = "") -> None:
        """Start without any knowledge of earlier rows."""
        # The salt keeps equal records of two partitions from having equal hashes in a state file.
        # No secret, so not worth a system call for each of thousands of partitions.
        self._salt = random.randbytes(SALT_BYTES)  # noqa: S311
        self._edition = edition
        self._before: dict[str, bytes] = {}
        self._gone: dict[str, int] = {}
        self._sent: dict[str, bytes] = {}
        self._seen: set[str] = set()
        self._returned: dict[str, datetime] = {}
        # Set to have every row met count as changed; vanished and returning rows are found as ever.
        self.send_all = False
        # Set where nothing is to be compared with these rows: only their keys are remembered, and one met twice counts
        # as changed twice.
        self.only_keys = False
        self._seed = self._new_seed()

    def _new_seed(self) -> int:
        digest = hashlib.blake2b(self._salt + self._edition.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    @classmethod
    def from_state(cls, value: str | None, edition: str = "") -> Snapshot:
        """Return the snapshot kept in a state; none or an unreadable one means nothing is known.

        With another edition (say, a digest of the stream's columns) every row counts as changed,
        while vanished and returning rows are still found.
        """
        snapshot = cls(edition)
        if not value:
            return snapshot
        try:
            snapshot._load(value)
        except Exception:  # whatever is wrong with it, the way on is the same
            logger.warning(
                "A snapshot in the state is unreadable: all rows are sent anew, removals since are not seen."
            )
            return cls(edition)
        return snapshot

    def _load(self, value: str) -> None:
        if not value.startswith(FORMAT):
            raise ValueError("unknown format")
        raw = base64.b64decode(value[len(FORMAT) :], validate=True)
        (checksum,) = HEAD.unpack_from(raw)
        if zlib.crc32(raw[HEAD.size :]) != checksum:
            raise ValueError("checksum")
        (size,) = HEAD.unpack_from(raw, HEAD.size)
        start = 2 * HEAD.size
        keys, gone = orjson.loads(zlib.decompress(raw[start : start + size]))
        hashes = raw[start + size + SALT_BYTES :]
        if len(hashes) != len(keys) * HASH_BYTES:
            raise ValueError("length")
        self._salt = raw[start + size : start + size + SALT_BYTES]
        self._before = {
            key: hashes[at : at + HASH_BYTES] for key, at in zip(keys, range(0, len(hashes), HASH_BYTES), strict=True)
        }
        self._gone = {str(key): int(noticed) for key, noticed in gone.items()}
        self._seed = self._new_seed()

    def __len__(self) -> int:
        """Return how many rows the last read left."""
        return len(self._before)

    def __contains__(self, key: object) -> bool:
        """Tell whether the last read left the row, or this one has met it."""
        return key in self._before or key in self._seen

    @property
    def seen(self) -> int:
        """Return how many different rows this read has met, rejected ones with a key included."""
        return len(self._seen)

    @property
    def added(self) -> int:
        """Return how many rows this read has met and delivered that were not there before."""
        return len((self._seen & self._sent.keys()) - self._before.keys())

    @property
    def met(self) -> set[str]:
        """Return the rows that this read has met and that were not refused."""
        return self._seen & self._sent.keys()

    @property
    def moved(self) -> set[str]:
        """Return the rows that this read has met as new or changed."""
        before = {} if self.send_all else self._before
        return {key for key, digest in self._sent.items() if before.get(key) != digest}

    def unseen(self) -> list[str]:
        """Return the rows of the last read that this one has not met."""
        return sorted(self._before.keys() - self._seen)

    def doubt(self, key: str, *, removed_at: datetime | None = None) -> None:
        """Count a row as there before, and as changed when it is met; or as gone when it is not.

        With `removed_at` its removal is stored as well: when the row is met it is back.
        """
        self._before[key] = UNKNOWN
        if removed_at is not None:
            self._gone[key] = int(removed_at.timestamp())

    def restart(self) -> None:
        """Forget which rows were met, for reading once more; what was delivered stays known."""
        self._seen.clear()

    def changed(self, key: str, record: Any) -> bool:
        """Mark the row as seen and tell whether it is new, other than when last sent, or back."""
        return self.changed_content(key, canonical(record))

    def changed_content(self, key: str, content: bytes) -> bool:
        """Do as `changed` with what stands for the record."""
        now = UNKNOWN if self.only_keys else xxhash.xxh3_64_digest(content, self._seed)[:HASH_BYTES]
        self._seen.add(key)
        # A row met twice is compared with what was sent last, so that the last one wins.
        last = self._sent.get(key)
        if last is None:
            last = None if self.send_all else self._before.get(key)
            # A row in doubt may be stored as removed.
            if last in (None, UNKNOWN) and key in self._gone:
                self._returned[key] = datetime.fromtimestamp(self._gone.pop(key), UTC)
        self._sent[key] = now
        return now != last or now == UNKNOWN

    def changed_contents(self, keys: Sequence[str], contents: Sequence[bytes]) -> list[int]:
        """Do as `changed_content` for the rows of an answer; return the places of those that changed.

        With `only_keys` the contents are not looked at.
        """
        if self._gone or len(set(keys)) < len(keys):
            return [at for at, key in enumerate(keys) if self.changed_content(key, contents[at])]
        self._seen.update(keys)
        if self.only_keys:
            self._sent.update(dict.fromkeys(keys, UNKNOWN))
            return list(range(len(keys)))
        seed, digest, size = self._seed, xxhash.xxh3_64_digest, HASH_BYTES
        now = [digest(content, seed)[:size] for content in contents]
        sent, before = self._sent, {} if self.send_all else self._before
        if before or not sent.keys().isdisjoint(keys):
            changed = [at for at, key in enumerate(keys) if (sent.get(key) or before.get(key)) != now[at]]
        else:
            changed = list(range(len(keys)))
        sent.update(zip(keys, now, strict=True))
        return changed

    def others(self, keys: Sequence[str], contents: Sequence[bytes]) -> list[int]:
        """Mark rows that are as they were sent last as seen; return the places of the others, of which nothing is kept.

        For a look before any row is typed: what is unchanged needs no more than this.
        """
        if self.send_all or self.only_keys or not self._before:
            return list(range(len(keys)))
        seed, digest, size = self._seed, xxhash.xxh3_64_digest, HASH_BYTES
        sent, before, seen = self._sent, self._before, self._seen
        found: list[int] = []
        for at, (key, content) in enumerate(zip(keys, contents, strict=True)):
            last = sent.get(key) or before.get(key)
            if last is None or last != digest(content, seed)[:size]:
                found.append(at)
                continue
            seen.add(key)
            sent[key] = last
        return found

    def keep(self, key: str) -> None:
        """Mark a row as still there although its record was rejected: what was sent last stays."""
        self._seen.add(key)

    def returned(self) -> dict[str, datetime]:
        """Return the keys that had vanished and are back, with when they were missed."""
        return dict(self._returned)

    def finish(
        self, *, whole: bool = True, confirmed_empty: bool = False, at: datetime | None = None, settled: bool = False
    ) -> tuple[str, list[str]]:
        """Return the new state value and the keys that vanished.

        With `whole=False` (a read of changes only) rows that were not met are kept. Nothing of what is settled needs to
        be remembered: its value is empty.
        """
        known = self._before | self._sent
        if not whole:
            return self._dump(known, self._gone), []
        if self._before and not self._seen and not confirmed_empty:
            raise EmptyAnswer(f"no rows where the last read had {len(self._before)}")
        noticed = int((at or datetime.now(UTC)).timestamp())
        vanished = sorted(known.keys() - self._seen)
        if settled:
            return "", vanished
        rows = {key: digest for key, digest in known.items() if key in self._seen}
        return self._dump(rows, self._gone | dict.fromkeys(vanished, noticed)), vanished

    def _dump(self, rows: dict[str, bytes], gone: dict[str, int]) -> str:
        # Sorted keys lie beside their likes, which halves them; hashes do not compress.
        keys = sorted(rows)
        packed = zlib.compress(orjson.dumps([keys, dict(sorted(gone.items()))]), 6)
        body = HEAD.pack(len(packed)) + packed + self._salt + b"".join([rows[key] for key in keys])
        return FORMAT + base64.b64encode(HEAD.pack(zlib.crc32(body)) + body).decode()
