"""The base of every stream: types records, counts, notices removals, and keeps bookmarks behind the data."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import orjson
from singer_sdk.exceptions import MaxRecordsLimitException
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams import Stream

from tap_shared.bookmarks import Bookmarks, Context
from tap_shared.clock import as_text, from_text
from tap_shared.columns import Column, PlainPage, Record, Reject, TypedPage, Typer, schema_of
from tap_shared.errors import TapError
from tap_shared.http import Answer, Known
from tap_shared.messages import HubWriter
from tap_shared.snapshot import (
    EmptyAnswer,
    KnownPage,
    Snapshot,
    all_as_sent,
    as_json,
    as_sent,
    content_of,
    given_content,
    known_pages,
)

if TYPE_CHECKING:
    from tap_shared.pages import Pages
    from tap_shared.tap import HubTap

Pair = tuple[Any, Mapping[str, Any]]


class Memory(Protocol):
    """What `deliver` compares rows with: a snapshot, or several behind one face."""

    def changed(self, key: str, row: Mapping[str, Any], content: bytes) -> bool:
        """Mark a row as seen and tell whether it is to be sent."""

    def keep(self, key: str) -> None:
        """Mark a rejected row as still there."""

    def part(self, scope: Any) -> Snapshot | None:
        """Return the snapshot that holds the rows of one scope, where it is one."""


@dataclass(slots=True)
class Tally:
    """What one read of one scope (an event, or '' for the account) came to."""

    scope: str = ""
    mode: str = "whole"
    received: int = 0
    sent: int = 0
    # Different records; `keyless_refusals` counts one that is met again while a list is read anew once more.
    rejected: int = 0
    keyless_refusals: int = 0
    # Of the rejected, those without a key: any of them may be one that was known under its key before.
    keyless: int = 0
    removed: int = 0
    at_provider: int | None = None
    calls: int = 0
    saved: int = 0
    # Answers that were not decoded: their bytes are those of the last complete read.
    known_pages: int = 0
    provider_clock: datetime | None = None
    rejects: set[str] = field(default_factory=set)

    def answered(self, answer: Answer) -> None:
        """Count the calls of an answer; the first one's clock is the read's."""
        self.calls += answer.calls
        if self.provider_clock is None:
            self.provider_clock = answer.provider_clock


Tallies = Tally | Mapping[Any, Tally]


class HubStream(Stream):
    """A stream is its columns and `walk`, which yields rows and commits bookmarks between them.

    The SDK writes each row before it asks for the next. So whatever `walk` does after a `yield`
    happens after that row was written: a bookmark committed there never runs ahead of its records.
    """

    columns: ClassVar[tuple[Column, ...]] = ()
    # Which column says what an answer about several events is counted under.
    scope_column = "event_id"
    # Which columns say under which partition's bookmark a row is remembered; none: under the stream's own.
    remembered_by: ClassVar[tuple[str, ...]] = ("event_id",)
    # Rows leave `Typer` as the schema wants them; conforming them again costs a third of the time.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    # State is written when a bookmark is committed, not every so many records.
    STATE_MSG_FREQUENCY = 2**62

    def __init__(self, tap: HubTap) -> None:
        """Prepare the columns; nothing is read."""
        super().__init__(tap, schema=schema_of(self.columns))
        self.hub = tap
        self.key_ids = tuple(key for key in self.primary_keys if key != "timing_partner_id")
        self.typer = Typer(self.columns, self.key_ids)
        self.bookmarks = Bookmarks(cast("dict[str, Any]", tap.state), self.name)
        # Changes when a column does: snapshots of other columns say nothing about these.
        self.edition = hashlib.blake2b(
            orjson.dumps(self.schema, option=orjson.OPT_SORT_KEYS), digest_size=8
        ).hexdigest()
        self.totals = Tally()
        self._schema_written = False
        self._plain = False
        # Columns that travel as the text of their JSON.
        self._packed = packed(self.schema)
        self._reported: set[tuple[str, str]] = set()

    # --- for a tap's streams -----------------------------------------------------------------------

    def remembered_under(self, row: Record) -> Context | None:
        """Return the partition whose snapshot holds a row, by the row's ids; None for the stream's own."""
        return {column: row[column] for column in self.remembered_by} or None

    def walk(self) -> Iterator[Record]:
        """Yield rows; override it."""
        raise NotImplementedError

    def tally(self, scope: str = "", mode: str = "whole") -> Tally:
        """Return a fresh count of one read."""
        return Tally(scope, mode)

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Return (field, reason) where a record contradicts itself; override it.

        It may also complete the row.
        """
        return None

    def deliver(
        self, pairs: Sequence[Pair], tally: Tallies, *, snapshot: Memory | Snapshot | None = None
    ) -> Iterator[Record]:
        """Yield the rows of one answer: typed, checked, and with a snapshot only the changed ones.

        Each pair is a record and the columns that the stream gives to it. Rejects go to their stream.
        An answer about several events is counted by a tally for each value of `scope_column`.
        Where rows are handed over as page files they go there, and none is yielded.
        """
        changed = pairs if snapshot is None else self._without_unchanged(pairs, tally, snapshot)
        # What is left of an answer says nothing about the shape of the whole, which was looked at.
        is_rest = len(changed) < len(pairs)
        if (pages := self._page_files()) is None:
            yield from self._typed_rows(changed, tally, snapshot, is_rest=is_rest)
        elif is_rest or not self._deliver_columns(pages, changed, tally, snapshot):
            pages.add_rows(self.name, self.schema, list(self._typed_rows(changed, tally, snapshot, is_rest=is_rest)))

    # Pages: an answer whose bytes are those of the last complete read is not decoded. A stream asks for its pages with
    # `known`, takes those that `skip`, and has the others delivered by `deliver_page`.

    def known(self, about: str, *values: str | None) -> Known:
        """Return the pages that all of some partitions remember, for the calls of a whole read.

        `about` is what else a record's meaning depends on: what was asked for, unless the answer says it.
        """
        about_all = f"{self.edition}\0{self.name}\0{about}".encode()
        seed = int.from_bytes(hashlib.blake2b(about_all, digest_size=8).digest(), "big")
        if self.hub.read_everything:
            return Known(seed, frozenset())
        first, *others = map(known_pages, values)
        return Known(seed, first.intersection(*others))

    def skip(self, answer: Answer, tally: Tally, snapshot: Snapshot) -> KnownPage | None:
        """Count the rows of an answer as received and unchanged where it is known; None where it has to be read."""
        if answer.unread is None or answer.digest is None or (page := snapshot.skippable(answer.digest)) is None:
            return None
        snapshot.skip(answer.digest)
        tally.received += page.rows
        tally.known_pages += 1
        return page

    def deliver_page(
        self, answer: Answer, pairs: Sequence[Pair], tally: Tally, snapshot: Snapshot, note: Any = None
    ) -> Iterator[Record]:
        """Do as `deliver` for an answer, and remember it for the next read, with what `skip` is to tell of it then."""
        if answer.digest is None or not pairs:
            yield from self.deliver(pairs, tally, snapshot=snapshot)
            return
        snapshot.begin_page()
        yield from self.deliver(pairs, tally, snapshot=snapshot)
        snapshot.end_page(answer.digest, len(pairs), note)

    def scope_of(self, record: Record, given: Mapping[str, Any]) -> Any:
        """Return what an untyped record is counted under; override it with `check` where that changes it."""
        return given.get(self.scope_column)

    def _without_unchanged(self, pairs: Sequence[Pair], tally: Tallies, snapshot: Memory | Snapshot) -> Sequence[Pair]:
        """Count the rows that are as they were sent last and return the others; all, where that is half or more.

        Typing is most of a row's cost, and a list read again is mostly rows that are known.
        """
        records, given = [record for record, _ in pairs], [columns for _, columns in pairs]
        parts: dict[Any, tuple[Snapshot, Tally, list[int]]] = {}
        if isinstance(tally, Tally):
            if not isinstance(snapshot, Snapshot) or not len(snapshot):
                return pairs
            parts[None] = snapshot, tally, list(range(len(pairs)))
        else:
            for at, (record, columns) in enumerate(pairs):
                scope = self.scope_of(record, columns) if type(record) is dict else None
                if scope not in parts:
                    part = None if isinstance(snapshot, Snapshot) else snapshot.part(scope)
                    if part is None or scope not in tally:
                        return pairs
                    parts[scope] = part, tally[scope], []
                parts[scope][2].append(at)
            if not any(len(part) for part, _, _ in parts.values()):
                return pairs
        keys = self.typer.keys_of(records, given)
        if keys is None or len(set(keys)) < len(keys):
            return pairs
        contents = _contents(all_as_sent(records), given)
        rest: list[int] = []
        counts: list[tuple[Tally, int]] = []
        for part, one, places in parts.values():
            others = part.others([keys[at] for at in places], [contents[at] for at in places])
            rest += [places[at] for at in others]
            counts.append((one, len(places) - len(others)))
        if 2 * len(rest) >= len(pairs):
            return pairs
        for one, number in counts:
            one.received += number
        return [pairs[at] for at in sorted(rest)]

    def suspects(self, columns: dict[str, Any], records: Sequence[Any]) -> Iterable[int] | None:
        """Return the places of records that `check` is to look at; None for all. Override it with `check`.

        As `check` may complete a row, this may complete the columns.
        """
        return () if type(self).check is HubStream.check else None

    def _deliver_columns(
        self,
        pages: Pages,
        pairs: Sequence[Pair],
        tally: Tallies,
        snapshot: Memory | Snapshot | None,
    ) -> bool:
        """Hand an answer over without work for each record; False where nothing was done, since that is needed."""
        records, given = [record for record, _ in pairs], [columns for _, columns in pairs]
        page = self.typer.plain(records, given)
        if page is None or len(set(page.keys)) < len(page.keys):
            return False
        found = self.suspects(page.columns, records)
        if found is None:
            return False
        doubted = set(found)
        if 4 * len(doubted) > len(records):
            # So many rejects may be a new shape.
            return False
        if doubted:
            rest = self.typer.some([pairs[at] for at in sorted(doubted)], check=self.check)
            pages.add_rows(self.name, self.schema, list(self._compared_rows(rest, tally, snapshot)))
        self._tell_unknown(page.unknown)
        documents = all_as_sent(records)
        places: Sequence[int] = [at for at in range(len(records)) if at not in doubted]
        self._count("received", tally, page, places)
        if snapshot is not None:
            places = self._changed_places(snapshot, page, documents, given, places)
        self._count("sent", tally, page, places)
        if not places:
            return True
        columns: dict[str, Any] = page.columns
        if len(places) < len(records):
            columns = {name: _some(values, places) for name, values in columns.items()}
            documents = [documents[at] for at in places]
        for name in columns.keys() & self._packed:
            columns[name] = [as_json(value) for value in columns[name]]
        columns["record"] = pages.texts_of(documents)
        columns |= pages.same_for_all(len(places), self.hub.timing_partner_id, self.hub.clock())
        pages.add(self.name, self.schema, columns)
        return True

    def _count(self, what: str, tally: Tallies, page: PlainPage, places: Sequence[int]) -> None:
        if isinstance(tally, Tally):
            setattr(tally, what, getattr(tally, what) + len(places))
            return
        scopes = page.columns[self.scope_column]
        for scope, number in Counter(scopes[at] for at in places).items():
            setattr(tally[scope], what, getattr(tally[scope], what) + number)

    def _changed_places(
        self,
        snapshot: Memory | Snapshot,
        page: PlainPage,
        documents: list[bytes],
        given: Sequence[Mapping[str, Any]],
        places: Sequence[int],
    ) -> Sequence[int]:
        keys = [page.keys[at] for at in places]
        if isinstance(snapshot, Snapshot) and snapshot.only_keys:
            return [places[at] for at in snapshot.changed_contents(keys, documents)]
        contents = _contents([documents[at] for at in places], [given[at] for at in places])
        if isinstance(snapshot, Snapshot):
            return [places[at] for at in snapshot.changed_contents(keys, contents)]
        apart: dict[Any, list[int]] = {}
        for number, at in enumerate(places):
            apart.setdefault(page.columns[self.scope_column][at], []).append(number)
        changed: list[int] = []
        for scope, numbers in apart.items():
            if (part := snapshot.part(scope)) is not None:
                found = part.changed_contents([keys[n] for n in numbers], [contents[n] for n in numbers])
                changed += [numbers[at] for at in found]
                continue
            names = page.columns.keys() & {"event_id", "race_id"}
            for n in numbers:
                if snapshot.changed(keys[n], {name: page.columns[name][places[n]] for name in names}, contents[n]):
                    changed.append(n)
        return [places[number] for number in sorted(changed)]

    def _page_files(self) -> Pages | None:
        """Return where to hand rows over, if not as messages."""
        if self.hub.pages is None or not self.selected:
            return None
        self._write_schema_message()
        return self.hub.pages if self._plain else None

    def _typed_rows(
        self, pairs: Sequence[Pair], tally: Tallies, snapshot: Memory | Snapshot | None, *, is_rest: bool = False
    ) -> Iterator[Record]:
        if is_rest:
            page = self.typer.some(pairs, check=self.check)
        else:
            page = self.typer.page(pairs, check=self.check, where=f"{self.hub.where(self.name)}: ")
        yield from self._compared_rows(page, tally, snapshot)

    def _tell_unknown(self, values: set[tuple[str, str]]) -> None:
        for unknown in values - self._reported:
            self._reported.add(unknown)
            self.logger.warning(
                "%s: unknown value %r of field %s is kept as sent", self.hub.where(self.name), unknown[1], unknown[0]
            )

    def _compared_rows(self, page: TypedPage, tally: Tallies, snapshot: Memory | Snapshot | None) -> Iterator[Record]:
        hub = self.hub
        self._tell_unknown(page.unknown)
        many: Mapping[Any, Tally] | None = None
        if isinstance(tally, Tally):
            one = tally
        else:
            many, one = tally, next(iter(tally.values()))
        read_at = as_text(hub.clock())
        for reject in page.rejects:
            if many is not None:
                one = self._tally_of(reject, many)
            one.received += 1
            one.keyless_refusals += reject.record_key is None
            reject_id = hub.rejects.add(self.name, one.scope, reject, read_at)
            if reject_id not in one.rejects:
                one.rejects.add(reject_id)
                one.rejected += 1
                one.keyless += reject.record_key is None
            if snapshot is not None and reject.record_key is not None:
                snapshot.keep(reject.record_key)
        tenant = hub.timing_partner_id
        column = self.scope_column
        for key, row, given in page.rows:
            if many is not None:
                one = many[row[column]]
            one.received += 1
            if snapshot is not None:
                content = content_of(as_sent(row["record"]), given_content(given))
                if not _has_changed(snapshot, key, row, content):
                    continue
            row["timing_partner_id"] = tenant
            row["read_at"] = read_at
            one.sent += 1
            yield row

    def _tally_of(self, reject: Reject, many: Mapping[Any, Tally]) -> Tally:
        for source in (reject.record, reject.given):
            value = source.get(self.scope_column) if isinstance(source, Mapping) else None
            if isinstance(value, (int, str)) and value in many:
                return many[value]
        return next(iter(many.values()))

    def snapshot(self, state_value: str | None) -> Snapshot:
        """Return the snapshot that a bookmark holds."""
        snapshot = Snapshot.from_state(state_value, self.edition)
        snapshot.send_all = self.hub.read_everything
        return snapshot

    def finish_snapshot(
        self,
        snapshot: Snapshot,
        tally: Tally,
        *,
        whole: bool = True,
        confirmed_empty: bool = False,
        settled: bool = False,
        elsewhere: Callable[[str], bool] | None = None,
    ) -> str:
        """Write what vanished and what came back; return the new value for the bookmark.

        Raises EmptyAnswer when rows were there before and a whole read met none (unless confirmed).
        With `settled` there is no next read, and the value is empty.
        What is `elsewhere`, in another partition, has moved and is no removal.
        """
        at = self.hub.clock()
        value, vanished = snapshot.finish(whole=whole, confirmed_empty=confirmed_empty, at=at, settled=settled)
        if elsewhere is not None:
            vanished = [key for key in vanished if not elsewhere(key)]
        for key in vanished:
            self.hub.removals.add(self.name, tally.scope, key, noticed_at=at)
        for key, noticed_at in snapshot.returned().items():
            self.hub.removals.add(self.name, tally.scope, key, noticed_at=noticed_at, returned_at=at)
        tally.removed += len(vanished)
        return value

    def report(self, tally: Tally) -> None:
        """Write the read to `reads` and add it to the stream's totals."""
        self.hub.reads.add(self.name, tally)
        for name in ("received", "sent", "rejected", "removed", "calls", "saved", "known_pages"):
            setattr(self.totals, name, getattr(self.totals, name) + getattr(tally, name))

    def skipped(self, calls_saved: int) -> None:
        """Report calls that were not needed: one row for the account, however many events it were.

        A row for each event would cost as much as what is stored, not as what changed, and would
        hide the counts of the event's last real read.
        """
        if calls_saved:
            self.report(Tally(mode="skipped", saved=calls_saved))

    def commit(self, context: Mapping[str, Any] | None, **fields: Any) -> None:
        """Put a bookmark into the state. Everything it stands for must have been yielded before."""
        if context is None:
            self.bookmarks.set(**fields)
        else:
            self.bookmarks.put(context, **fields)
        self.state_manager.is_flushed = False
        self._write_state_message()

    def take_doubtful(self, rows: Sequence[Record]) -> None:
        """Put rows into the snapshots as known and changed: they are stored, and no bookmark stands for them.

        A run that was killed after its rows were stored, and before its state was, leaves such: what is gone by now
        would never be missed, what is again as the bookmark knew it never be sent.
        """
        snapshots: dict[tuple[tuple[str, Any], ...] | None, Snapshot] = {}
        for row in rows:
            context = self.remembered_under(row)
            mark = self.bookmarks.own if context is None else self.bookmarks.get(context)
            if mark.get("settled"):
                # Nothing is missed there by design.
                continue
            place = None if context is None else tuple(sorted(context.items()))
            if place not in snapshots:
                snapshots[place] = Snapshot.from_state(mark.get("snapshot"), self.edition)
            removed_at = row.get("noticed_at")
            snapshots[place].doubt(
                "/".join(str(row[key]) for key in self.key_ids),
                removed_at=from_text(removed_at) if removed_at else None,
            )
        for place, snapshot in snapshots.items():
            value, _ = snapshot.finish(whole=False)
            if place is None:
                self.bookmarks.set(snapshot=value)
            else:
                mark = self.bookmarks.get(dict(place))
                # An event that was gone then has rows now.
                kept = {name: field for name, field in mark.items() if name not in ("context", "gone")}
                self.bookmarks.put(dict(place), **(kept | {"snapshot": value}))

    def emit(self, row: Record) -> None:
        """Write a row from another stream's walk."""
        if (pages := self._page_files()) is not None:
            pages.add_rows(self.name, self.schema, [row])
        elif self.selected:
            self._write_schema_message()
            self._write_record_message(row)

    # --- between the SDK and us --------------------------------------------------------------------

    def get_records(self, context: Any) -> Iterable[Record]:
        """Yield this stream's rows; a failure ends the stream and not the run."""
        if self.hub.run_is_over:
            self.logger.warning("%s: not read, since the run cannot go on", self.hub.where(self.name))
            return
        try:
            yield from self.walk()
        except (BrokenPipeError, MaxRecordsLimitException):
            raise
        except Exception as error:
            if not isinstance(error, TapError):
                self.logger.debug("traceback", exc_info=True)
                if isinstance(error, EmptyAnswer):
                    error = TapError(f"{self.hub.where(self.name)}: {error}")
            if not self.hub.fail(self, error):
                raise

    @property
    def partitions(self) -> list[dict] | None:
        """Return none: `walk` goes through its partitions itself, with several in one call."""
        return None

    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Leave bookmarks to `commit`: rows are in order of their ids, not of their changes."""

    def _write_starting_replication_value(self, context: Any) -> None:
        """Leave the state as it is."""

    def get_replication_key_signpost(self, context: Any = None) -> None:
        """Have none: bookmarks follow the provider's clock, not ours."""

    def _write_schema_message(self) -> None:
        if not self._schema_written:
            super()._write_schema_message()
            self._schema_written = True
            maps = self.stream_maps
            self._plain = (
                isinstance(self.hub.message_writer, HubWriter)
                and len(maps) == 1
                and type(maps[0]) is SameRecordTransform
                and not maps[0].flattening_enabled
                and all(self.mask.values())
            )

    def _write_record_message(self, record: Any) -> None:
        if self._plain:
            # Nothing to deselect, map or flatten: straight to the line.
            cast("HubWriter", self.hub.message_writer).write_record(self.name, record, record["read_at"])
            self.state_manager.is_flushed = False
        else:
            super()._write_record_message(record)

    def log_sync_costs(self) -> None:
        """Log what this stream's calls came to."""
        if self.selected:
            told = self.totals
            self.log(
                "%s: calls made %d, saved %d; rows received %d, sent %d, rejected %d, removed %d%s",
                self.hub.where(self.name),
                told.calls,
                told.saved,
                told.received,
                told.sent,
                told.rejected,
                told.removed,
                f"; answers as at the last read {told.known_pages}" if told.known_pages else "",
                level=logging.INFO,
            )


def packed(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the columns that hold objects, arrays or numbers, which pages carry as the text of their JSON."""
    kinds = schema["properties"].items()
    return frozenset(name for name, kind in kinds if {"object", "array", "number"} & set(kind["type"]))


def _some(values: Any, places: Sequence[int]) -> Any:
    """Return a column's values at some places: of a list, or of an Arrow array."""
    return [values[at] for at in places] if type(values) is list else values.take(places)


def _contents(documents: Sequence[bytes], given: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return what rows are compared by; columns that an answer's rows share are written once."""
    if len(set(map(id, given))) == 1:
        shared = given_content(given[0])
        return [shared + document for document in documents]
    return [content_of(document, given_content(columns)) for document, columns in zip(documents, given, strict=True)]


def _has_changed(memory: Memory | Snapshot, key: str, row: Mapping[str, Any], content: bytes) -> bool:
    if isinstance(memory, Snapshot):
        return memory.changed_content(key, content)
    return memory.changed(key, row, content)
