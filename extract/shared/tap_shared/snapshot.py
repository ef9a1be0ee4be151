"""Remember what a provider held, in a few bytes a row, to see what changed and what vanished since.

Beside the rows it remembers pages: a digest of an answer's bytes, and which rows it held. An answer with the same bytes
holds the same rows, as they were sent: it need not be decoded. What is remembered of a page is that each of its rows is
as it was sent last, wherever the page comes in a list; whatever happens to one of its rows makes it forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
# The same with pages before it.
PAGED = "s2:"
HEAD = struct.Struct(">I")
# 128 bits of an answer's bytes.
PAGE_BYTES = 16


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


@dataclass(slots=True)
class KnownPage:
    """A page that was met whole: each of its rows was taken, and is as it was sent last."""

    # How many rows it held, all of them different.
    rows: int
    # What else the stream wants to know of an answer that it does not decode; anything that JSON holds.
    note: Any = None
    # None as long as the rows of a state are not taken apart.
    keys: Sequence[str] | None = None


def known_pages(value: str | None) -> frozenset[bytes]:
    """Return the digests of the pages in a state's value, looking at nothing else of it."""
    if not value or not value.startswith(PAGED):
        return frozenset()
    try:
        # Of base64, whole groups of four characters can be read by themselves.
        text = value[len(PAGED) :]
        (size,) = HEAD.unpack(base64.b64decode(text[:12])[HEAD.size : 2 * HEAD.size])
        raw = base64.b64decode(text[: -(-(2 * HEAD.size + size) // 3) * 4])
        return frozenset(_pages_of(raw[2 * HEAD.size : 2 * HEAD.size + size]))
    except Exception:
        return frozenset()


def _pages_of(raw: bytes) -> dict[bytes, KnownPage]:
    """Return the pages in a part of a state: a digest for each, then JSON of their counts and notes."""
    (number,) = HEAD.unpack_from(raw)
    end = HEAD.size + number * PAGE_BYTES
    digests = [raw[at : at + PAGE_BYTES] for at in range(HEAD.size, end, PAGE_BYTES)]
    about = orjson.loads(raw[end:])
    return {digest: KnownPage(rows, note) for digest, (rows, note) in zip(digests, about, strict=True)}


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
        # The state's own text, and its rows as long as nobody looked at one: where all pages come again, nobody does.
        self._value = ""
        self._packed: tuple[bytes, bytes] | None = None
        self._number = 0
        # The pages of the last complete read, and those of the read under way.
        self._pages: dict[bytes, KnownPage] = {}
        self._turned: dict[bytes, KnownPage] = {}
        # Rows that this read met on several pages.
        self._twice: set[str] = set()
        # The rows of the page under way, without those that were refused; None where there is none.
        self._page: set[str] | None = None

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
        if not value.startswith((FORMAT, PAGED)):
            raise ValueError("unknown format")
        raw = base64.b64decode(value[len(FORMAT) :], validate=True)
        (checksum,) = HEAD.unpack_from(raw)
        if zlib.crc32(memoryview(raw)[HEAD.size :]) != checksum:
            raise ValueError("checksum")
        at = HEAD.size
        pages: dict[bytes, KnownPage] = {}
        if value.startswith(PAGED):
            (size,) = HEAD.unpack_from(raw, at)
            at += HEAD.size
            pages = _pages_of(raw[at : at + size])
            at += size
        (size,) = HEAD.unpack_from(raw, at)
        at += HEAD.size
        packed, salt = raw[at : at + size], raw[at + size : at + size + SALT_BYTES]
        hashes = raw[at + size + SALT_BYTES :]
        self._packed = packed, hashes
        self._pages, self._number = pages, len(hashes) // HASH_BYTES
        if not pages:
            self._unpack()
        self._value, self._salt = value, salt
        self._seed = self._new_seed()

    def _unpack(self) -> None:
        """Take the rows of the state apart, those of pages first, page by page."""
        if self._packed is None:
            return
        packed, hashes = self._packed
        keys, gone = orjson.loads(zlib.decompress(packed))
        if len(hashes) != len(keys) * HASH_BYTES:
            raise ValueError("length")
        self._before = {
            key: hashes[at : at + HASH_BYTES] for key, at in zip(keys, range(0, len(hashes), HASH_BYTES), strict=True)
        }
        self._gone = {str(key): int(noticed) for key, noticed in gone.items()}
        begin = 0
        for page in self._pages.values():
            page.keys = keys[begin : begin + page.rows]
            begin += page.rows
        self._packed = None
        for page in self._turned.values():
            self._meet_again(page)

    def __len__(self) -> int:
        """Return how many rows the last read left."""
        return len(self._before) if self._packed is None else self._number

    def __contains__(self, key: object) -> bool:
        """Tell whether the last read left the row, or this one has met it."""
        self._unpack()
        return key in self._before or key in self._seen

    @property
    def seen(self) -> int:
        """Return how many different rows this read has met, rejected ones with a key included."""
        # Pages have no row in common.
        return len(self._seen) if self._packed is None else sum(page.rows for page in self._turned.values())

    @property
    def added(self) -> int:
        """Return how many rows this read has met and delivered that were not there before."""
        if self._packed is not None:
            return 0
        return len((self._seen & self._sent.keys()) - self._before.keys())

    @property
    def met(self) -> set[str]:
        """Return the rows that this read has met and that were not refused."""
        self._unpack()
        return self._seen & self._sent.keys()

    @property
    def moved(self) -> set[str]:
        """Return the rows that this read has met as new or changed."""
        self._unpack()
        before = {} if self.send_all else self._before
        return {key for key, digest in self._sent.items() if before.get(key) != digest}

    def unseen(self) -> list[str]:
        """Return the rows of the last read that this one has not met."""
        if self._is_as_before():
            return []
        self._unpack()
        return sorted(self._before.keys() - self._seen)

    def doubt(self, key: str, *, removed_at: datetime | None = None) -> None:
        """Count a row as there before, and as changed when it is met; or as gone when it is not.

        With `removed_at` its removal is stored as well: when the row is met it is back.
        """
        self._unpack()
        self._before[key] = UNKNOWN
        if removed_at is not None:
            self._gone[key] = int(removed_at.timestamp())

    def restart(self) -> None:
        """Forget which rows were met, for reading once more; what was delivered stays known."""
        self._seen.clear()
        self._turned.clear()
        self._twice.clear()

    # --- pages ---------------------------------------------------------------------------------------

    def skippable(self, digest: bytes) -> KnownPage | None:
        """Return what is known of a page when its rows need no look: they are as they were sent last."""
        page = self._pages.get(digest)
        if page is None or self.send_all or self.only_keys or digest in self._turned:
            return None
        if self._packed is None:
            keys = page.keys or ()
            # On another page as well, or sent anew by this read: the look decides which one counts.
            if not self._seen.isdisjoint(keys) or self._touched(keys):
                return None
        return page

    def skip(self, digest: bytes) -> None:
        """Take the rows of a page that is `skippable` as met and unchanged."""
        page = self._turned[digest] = self._pages[digest]
        if self._packed is None:
            self._meet_again(page)

    def _meet_again(self, page: KnownPage) -> None:
        keys, before = page.keys or (), self._before
        self._seen.update(keys)
        self._sent.update((key, before[key]) for key in keys)

    def begin_page(self) -> None:
        """Note the rows that are met from now on as those of one page."""
        self._page = set()

    def end_page(self, digest: bytes, rows: int, note: Any = None) -> None:
        """Remember the page with its rows, unless some of as many as it has were refused or came twice.

        For a page of several partitions `rows` are those of this one.
        """
        met, self._page = self._page, None
        if met is not None and len(met) == rows and not self.only_keys:
            self._unpack()
            self._turned[digest] = KnownPage(rows, note, sorted(met))

    @property
    def on_page(self) -> int:
        """Return how many different rows of the page under way were met and not refused."""
        return len(self._page or ())

    def _meet(self, keys: Sequence[str]) -> None:
        """Count rows as seen, and as rows of the page under way."""
        page, seen = self._page, self._seen
        if (page is not None or self._turned) and not seen.isdisjoint(keys):
            here = page or ()
            self._twice.update(key for key in keys if key in seen and key not in here)
        seen.update(keys)
        if page is not None:
            page.update(keys)

    def _touched(self, keys: Iterable[str]) -> list[str]:
        """Return those of some rows of the last read that are not as they were then, or of which nobody knows it."""
        before, sent = self._before, self._sent
        return [key for key in keys if (last := before.get(key, UNKNOWN)) == UNKNOWN or sent.get(key, last) != last]

    def _is_as_before(self) -> bool:
        """Tell whether this read met the pages of the last one, all of them, and nobody had to look at a row."""
        if self._packed is None or self._turned.keys() != self._pages.keys():
            return False
        return sum(page.rows for page in self._pages.values()) == self._number

    def _pages_left(self, *, whole: bool) -> dict[bytes, KnownPage]:
        """Return what to remember of pages: those of a whole read, else those before of which no row was touched."""
        if whole:
            # A row that was met on two pages: which of them holds what was sent last?
            return {d: page for d, page in self._turned.items() if self._twice.isdisjoint(page.keys or ())}
        return {digest: page for digest, page in self._pages.items() if not self._touched(page.keys or ())}

    # --- rows ----------------------------------------------------------------------------------------

    def changed(self, key: str, record: Any) -> bool:
        """Mark the row as seen and tell whether it is new, other than when last sent, or back."""
        return self.changed_content(key, canonical(record))

    def changed_content(self, key: str, content: bytes) -> bool:
        """Do as `changed` with what stands for the record."""
        self._unpack()
        now = UNKNOWN if self.only_keys else xxhash.xxh3_64_digest(content, self._seed)[:HASH_BYTES]
        self._meet((key,))
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
        self._unpack()
        if self._gone or len(set(keys)) < len(keys):
            return [at for at, key in enumerate(keys) if self.changed_content(key, contents[at])]
        self._meet(keys)
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
        self._unpack()
        if self.send_all or self.only_keys or not self._before:
            return list(range(len(keys)))
        seed, digest, size = self._seed, xxhash.xxh3_64_digest, HASH_BYTES
        sent, before = self._sent, self._before
        found: list[int] = []
        met: list[str] = []
        for at, (key, content) in enumerate(zip(keys, contents, strict=True)):
            last = sent.get(key) or before.get(key)
            if last is None or last != digest(content, seed)[:size]:
                found.append(at)
                continue
            sent[key] = last
            met.append(key)
        self._meet(met)
        return found

    def keep(self, key: str) -> None:
        """Mark a row as still there although its record was rejected: what was sent last stays."""
        self._unpack()
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
        if self._packed is not None and (not whole or self._is_as_before()):
            # Nothing was sent.
            return "" if whole and settled else self._value, []
        self._unpack()
        known = self._before | self._sent
        if not whole:
            return self._dump(known, self._gone, self._pages_left(whole=False)), []
        if self._before and not self._seen and not confirmed_empty:
            raise EmptyAnswer(f"no rows where the last read had {len(self._before)}")
        noticed = int((at or datetime.now(UTC)).timestamp())
        vanished = sorted(known.keys() - self._seen)
        if settled:
            return "", vanished
        rows = {key: digest for key, digest in known.items() if key in self._seen}
        return self._dump(rows, self._gone | dict.fromkeys(vanished, noticed), self._pages_left(whole=True)), vanished

    def _dump(self, rows: dict[str, bytes], gone: dict[str, int], pages: dict[bytes, KnownPage]) -> str:
        # Sorted keys lie beside their likes, which halves them; hashes do not compress.
        keys = [key for page in pages.values() for key in page.keys or ()]
        keys += sorted(rows.keys() - keys if keys else rows)
        packed = zlib.compress(orjson.dumps([keys, dict(sorted(gone.items()))]), 6)
        body = HEAD.pack(len(packed)) + packed + self._salt + b"".join([rows[key] for key in keys])
        if pages:
            about = orjson.dumps([(page.rows, page.note) for page in pages.values()])
            head = HEAD.pack(len(pages)) + b"".join(pages) + about
            body = HEAD.pack(len(head)) + head + body
        return (PAGED if pages else FORMAT) + base64.b64encode(HEAD.pack(zlib.crc32(body)) + body).decode()
