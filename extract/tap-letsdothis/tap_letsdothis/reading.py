"""How lists are read: what changed since the bookmark, and now and then all of what may still change."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record, to_instant
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_letsdothis.client import AUTO, LAST_ROW, NEXT, Page, Pass, pages
from tap_letsdothis.columns import instant_text

if TYPE_CHECKING:
    from tap_letsdothis.tap import TapLetsDoThis

# A list that moves while it is read is read again, but not for ever.
MOST_READS = 4
# `createdAt[after]` is strict, and instants have a fraction.
A_SECOND = timedelta(seconds=1)

Mark = Mapping[str, Any]


class LetsDoThisStream(HubStream):
    """What the streams of this tap have in common."""

    @property
    def tap(self) -> TapLetsDoThis:
        """Return the tap by its own type."""
        return cast("TapLetsDoThis", self.hub)


class DirectoryStream(LetsDoThisStream):
    """Events, occurrences or races: all three come in the same answers."""

    def walk(self) -> Iterator[Record]:
        """Yield the stream's rows; those of the other two go to their own streams on the way."""
        directory = self.tap.directory
        for owner, row in directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)
        if self.name in directory.errors:
            raise directory.errors[self.name]


class Parts:
    """The occurrences that one read met: what was known of each, and what came."""

    def __init__(self, stream: AccountStream, mode: str) -> None:
        """Begin without any."""
        self._stream = stream
        self.mode = mode
        self.snapshots: dict[str, Snapshot] = {}
        self.tallies: dict[str, Tally] = {}
        # The earliest booking of each: nothing before it has to be read for its sake.
        self.since: dict[str, str] = {}
        self.latest: str | None = None

    def of(self, occurrence: str) -> tuple[Snapshot, Tally]:
        """Return what is known of an occurrence, and its count."""
        if occurrence not in self.snapshots:
            mark = self._stream.bookmarks.get({"occurrence_id": occurrence})
            self.snapshots[occurrence] = self._stream.snapshot(mark.get("snapshot"))
            self.tallies[occurrence] = self._stream.tally(occurrence, self.mode)
            if mark.get("since"):
                self.since[occurrence] = mark["since"]
        return self.snapshots[occurrence], self.tallies[occurrence]

    def note(self, occurrence: str, records: Iterable[Any]) -> None:
        """Remember the earliest booking of an occurrence, and the latest change of all."""
        for record in records:
            created, updated = _moment(record, "createdAt"), _moment(record, "updatedAt")
            if created is not None:
                self.since[occurrence] = min(created, self.since.get(occurrence, created))
            if updated is not None:
                self.latest = max(updated, self.latest or updated)

    def restart(self) -> None:
        """Forget which rows were met, for reading once more."""
        for snapshot in self.snapshots.values():
            snapshot.restart()

    def is_doubtful(self) -> bool:
        """Tell whether a row that was there before was not met."""
        return any(snapshot.unseen() for snapshot in self.snapshots.values())

    @property
    def keyless(self) -> int:
        """Return how many rows had no key."""
        return sum(tally.keyless for tally in self.tallies.values())


class AccountStream(LetsDoThisStream):
    """A list of the whole account: its changes in one call, and what vanished from it once a day.

    The documented lists hold all occurrences together, so one chain of calls shows every change of the account. What
    is remembered of the rows is kept for each occurrence, and only until it is settled.
    """

    scope_column = "occurrence_id"

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row that belongs to no occurrence."""
        return ("occurrence_id", "missing") if row["occurrence_id"] is None else None

    def suspects(self, columns: dict[str, list[Any]], records: Sequence[Any]) -> Iterable[int] | None:
        """Do as `check`: the rows of an answer are delivered by their occurrence, so all of them are or none."""
        return None if columns["occurrence_id"][0] is None else ()

    # --- one run -----------------------------------------------------------------------------------

    def walk(self) -> Iterator[Record]:
        """Yield what changed and, when that is due, go through all that may still change."""
        self.tap.directory.ensure()
        account = self.tally()
        value = self.bookmarks.own.get("replication_key_value")
        is_first = self.hub.read_everything or value is None
        latest = None
        if value is not None and not is_first:
            latest = yield from self._changes(from_text(value), account)
        if is_first or self._is_whole_read_due():
            found = yield from self._whole(account, is_first=is_first)
            latest = max(filter(None, (latest, found)), default=None)
        self.report(account)
        # Rows that change while pages turn may lie before what is met after them: never beyond the first answer.
        clock = account.provider_clock
        if latest is not None and clock is not None:
            latest = min(latest, as_text(clock))
        self.commit(
            None,
            replication_key=self.replication_key,
            replication_key_value=max(filter(None, (latest, value)), default=None),
        )

    def _is_whole_read_due(self) -> bool:
        whole_at = self.bookmarks.own.get("whole_at")
        every = timedelta(hours=self.tap.config["whole_read_hours"])
        return whole_at is None or self.hub.now() - from_text(whole_at) >= every

    def _changes(self, since: datetime, account: Tally) -> Generator[Record, None, str | None]:
        """Yield what changed after an instant; return the latest change."""
        account.mode = "changes"
        # Strictly after, and several rows share an instant: a booking's, or a bulk change's.
        after = as_text(since - timedelta(seconds=self.tap.config["overlap_seconds"]))
        params = {"updatedAt[after]": instant_text(after), "sort[updatedAt]": 1}
        parts = Parts(self, "changes")
        found = yield from self._read(params, parts, account, lambda _: False)
        if found.is_short:
            self._tell_short(found)
        for occurrence, tally in parts.tallies.items():
            value = self.finish_snapshot(parts.snapshots[occurrence], tally, whole=False)
            self.report(tally)
            mark = self._mark(occurrence)
            if not mark.get("settled"):
                self._commit(occurrence, mark | {"snapshot": value, "since": parts.since.get(occurrence)})
        return None if found.is_short else parts.latest

    def _whole(self, account: Tally, *, is_first: bool) -> Generator[Record, None, str | None]:
        """Yield what differs of all that may still change, notice what vanished; return the latest change."""
        settled = {entry["context"]["occurrence_id"] for entry in self.bookmarks if entry.get("settled")}
        live = {entry["context"]["occurrence_id"] for entry in self.bookmarks} - settled
        parts = Parts(self, "whole")
        for occurrence in live:
            parts.of(occurrence)
        if not is_first and not live:
            self.commit(None, whole_at=as_text(self.hub.now()))
            return None
        params: dict[str, Any] = {"sort[createdAt]": 1}
        if not is_first and len(parts.since) == len(live):
            # Bookings keep the instant at which they were made, so what is settled need not be read.
            params["createdAt[after]"] = instant_text(as_text(from_text(min(parts.since.values())) - A_SECOND))

        def leave_out(occurrence: str) -> bool:
            return not is_first and occurrence in settled

        found = yield from self._read(params, parts, account, leave_out)
        if not found.is_short and parts.is_doubtful():
            # Rows move, and an answer may be empty by accident: only what is missing twice is gone.
            parts.restart()
            found = yield from self._read(params, parts, account, leave_out)
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = not found.is_short and parts.keyless <= self.bookmarks.own.get("keyless", 0)
        if found.is_short:
            self._tell_short(found)
        account.mode = "whole" if complete else "changes"
        for occurrence in parts.tallies:
            self._finish(occurrence, parts, found, complete=complete)
        self.commit(
            None,
            whole_at=as_text(account.provider_clock or self.hub.now()) if complete else self._own("whole_at"),
            keyless=parts.keyless or None,
        )
        return None if found.is_short else parts.latest

    def _finish(self, occurrence: str, parts: Parts, found: Pass, *, complete: bool) -> None:
        snapshot, tally = parts.of(occurrence)
        tally.mode = "whole" if complete else "changes"
        tally.at_provider = snapshot.seen + tally.keyless if complete else None
        value = self.finish_snapshot(
            # A row that moved to another occurrence is not gone.
            snapshot, tally, whole=complete, confirmed_empty=True, elsewhere=found.ids.__contains__
        )  # fmt: skip
        self.report(tally)
        if not occurrence:
            # Rows without an occurrence are all refused: there is nothing to remember.
            return
        if complete and self.hub.is_over(self.tap.directory.ends_at(occurrence)):
            # What is not read again needs no memory of its rows: all of them would be megabytes of state.
            self._commit(occurrence, {"settled": True})
        else:
            self._commit(occurrence, {"snapshot": value, "since": parts.since.get(occurrence)})

    def _own(self, name: str) -> Any:
        return self.bookmarks.own.get(name)

    def _mark(self, occurrence: str) -> dict[str, Any]:
        mark = self.bookmarks.get({"occurrence_id": occurrence})
        mark.pop("context", None)
        return mark

    def _commit(self, occurrence: str, fields: Mark) -> None:
        if occurrence:
            self.commit({"occurrence_id": occurrence}, **fields)

    def _tell_short(self, found: Pass) -> None:
        self.logger.warning(
            "%s: %d rows met where the provider counts %d, in %d reads: what was missed is found next time",
            *(self.hub.where(self.name), found.met, found.total, MOST_READS),
        )

    # --- pages -------------------------------------------------------------------------------------

    def _read(
        self, params: Mark, parts: Parts, account: Tally, leave_out: Callable[[str], bool]
    ) -> Generator[Record, None, Pass]:
        """Yield the rows of a list until none can have been missed; return what the last pass came to.

        Fewer rows than the provider counts: a cursor was read in the other way, or rows moved between two calls.
        """
        asked = self.tap.config["cursor"]
        how = (self._own("cursor") or NEXT) if asked == AUTO else asked
        found = Pass(self.tap.config["page_size"])
        for _ in range(MOST_READS):
            found = Pass(self.tap.config["page_size"])
            parts.restart()
            for page in pages(self.tap.client, self.name, params, found, how, self.hub.ahead, self.name):
                account.answered(page.answer)
                yield from self._page(page, parts, leave_out)
            if not found.is_short:
                break
            if asked == AUTO and found.pages > 1:
                how = LAST_ROW if how == NEXT else NEXT
        if asked == AUTO and found.pages > 1 and not found.is_short and how != (self._own("cursor") or NEXT):
            self.commit(None, cursor=how)
        return found

    def _page(self, page: Page, parts: Parts, leave_out: Callable[[str], bool]) -> Iterator[Record]:
        """Yield the changed rows of a page, by occurrence."""
        by_occurrence: dict[str | None, list[Any]] = {}
        for record in page.rows:
            by_occurrence.setdefault(occurrence_of(record), []).append(record)
        for occurrence, records in by_occurrence.items():
            if occurrence is not None and leave_out(occurrence):
                continue
            if not self.hub.is_wanted(self.tap.directory.ends_at(occurrence)):
                continue
            snapshot, tally = parts.of(occurrence or "")
            given = {"occurrence_id": occurrence}
            yield from self.deliver([(record, given) for record in records], tally, snapshot=snapshot)
            parts.note(occurrence or "", records)


def occurrence_of(record: Any) -> str | None:
    """Return the occurrence that a row belongs to: the vendor's text has one r where its examples have two."""
    if not isinstance(record, dict):
        return None
    found = record.get("eventOccurrenceId") or record.get("eventOccurenceId")
    return found.strip() or None if isinstance(found, str) else None


def _moment(record: Any, name: str) -> str | None:
    """Return an instant of a record in one form, so that texts compare like instants; None where it is none."""
    try:
        found = to_instant(record[name])
    except (KeyError, TypeError, ValueError):
        return None
    # With and without a fraction, texts would not compare.
    return found if found is None or "." in found else f"{found[:19]}.000000{found[19:]}"
