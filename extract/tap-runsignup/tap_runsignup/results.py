"""How results are read: by changes where a count tells what was deleted, else whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import Gone, ShapeChanged
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot, canonical
from tap_shared.stream import Pair, Tally

from tap_runsignup.columns import epoch
from tap_runsignup.directory import Event
from tap_runsignup.reading import RunSignUpStream

# A list that moves while it is read is read again, but not for ever.
MOST_READS = 3
# Results may be tried out in the morning, and start times are entered by hand.
BEFORE_THE_START = timedelta(hours=12)


@dataclass
class Whole:
    """What a whole read of an event's results came to."""

    pages: int = 0
    rows: int = 0
    # The total differed between two pages: rows came or went while they were turned.
    moved: bool = False
    sets: dict[str, str] = field(default_factory=dict)
    finishers: int | None = None


class ResultStream(RunSignUpStream):
    """Reads the result sets of one event after the other, from the hours before its start on."""

    def walk(self) -> Iterator[Record]:
        """Yield the results of every event that has begun and may still change."""
        for event, first in self.hub.ahead.each(self.events(), self.begin):
            try:
                yield from self._event(event, first)
            except Gone as gone:
                self.logger.warning("%s; left out", gone)

    def events(self) -> Iterator[Event]:
        """Yield the events to read."""
        saved = 0
        now = self.hub.now()
        for _, events in self.directory:
            for event in events:
                if not self.hub.is_wanted(event.ends_at):
                    continue
                begun = event.starts_at is None or now >= event.starts_at - BEFORE_THE_START
                if begun and not self.is_settled(event, self.bookmarks.get({"event_id": event.event_id})):
                    yield event
                else:
                    saved += 1
        self.skipped(saved)

    def since(self, event: Event) -> int | None:
        """Return from when on changes are enough; None where only a whole read will do."""
        bookmark = self.bookmarks.get({"event_id": event.event_id})
        if self.hub.read_everything or not bookmark.get("probe") or not bookmark.get("replication_key_value"):
            return None
        if self.hub.is_over(event.ends_at):
            # The last one: afterwards the event is settled.
            return None
        if bookmark.get("rows", 0) < self.page_size:
            # One call either way, and only the whole shows what was deleted.
            return None
        now, whole_at = self.hub.now(), bookmark.get("whole_at")
        # Corrections grow rarer: an hour apart on the day, a tenth of the event's age later.
        age = now - event.ends_at if event.ends_at is not None else timedelta()
        if whole_at is None or now - from_text(whole_at) >= max(timedelta(hours=1), age / 10):
            return None
        return epoch(from_text(bookmark["replication_key_value"]))

    def begin(self, event: Event) -> Answer:
        """Call for the first page of what is needed."""
        return self.fetch(event, self.since(event), 1)

    def fetch(self, event: Event, since: int | None, page: int) -> Answer:
        """Call for one page of all result sets of an event."""
        params: dict[str, Any] = {
            "event_id": event.event_id,
            "page": page,
            "results_per_page": self.page_size,
            # The number of rows that the whole set holds tells a deletion, which no increment shows.
            "include_total_finishers": "T",
            "supports_nb": "T",
        }
        known = None
        if since is not None:
            params["modified_after_timestamp"] = since
        else:
            value = self.bookmarks.get({"event_id": event.event_id}).get("snapshot")
            known = self.known(f"{event.race_id}/{event.event_id}", value)
        path = f"race/{event.race_id}/results/get-results"
        return self.hub.client.get(path, params, stream=self.name, known=known)

    def _event(self, event: Event, first: Future[Answer]) -> Iterator[Record]:
        context = {"event_id": event.event_id}
        bookmark = self.bookmarks.get(context)
        since = self.since(event)
        tally = self.tally(str(event.event_id), "whole" if since is None else "changes")
        snapshot = self.snapshot(bookmark.get("snapshot"))
        read = Whole()
        yield from self._pages(event, since, first, tally, snapshot, read)
        probe = True
        if since is not None:
            value = self.finish_snapshot(snapshot, tally, whole=False)
            rows = len(self.snapshot(value)) if tally.received else len(snapshot)
            unchanged = read.sets == (bookmark.get("sets") or {})
            if unchanged and read.finishers is not None and rows - read.finishers == bookmark.get("unranked"):
                self.report(tally)
                self._commit(event, tally, dict(bookmark) | {"rows": rows}, snapshot=value)
                return
            # A set was renamed, made official or taken back, or rows are fewer than they should be.
            counted = read.finishers
            tally.mode = "whole"
            before, read = tally.sent, Whole()
            snapshot = self.snapshot(value)
            yield from self._pages(event, None, self._soon(event, 1), tally, snapshot, read)
            found_nothing = tally.sent == before and snapshot.seen == len(snapshot)
            # Where the number of a filtered answer is no total, asking for it saves nothing.
            probe = not (unchanged and found_nothing and counted != read.finishers)
        over = self.hub.is_over(event.ends_at)
        doubtful = (snapshot.unseen() and (read.pages > 1 or snapshot.seen == 0)) or (over and snapshot.seen == 0)
        for _ in range(MOST_READS):
            if not (doubtful or read.moved):
                break
            # Rows may have moved across a page's edge between two calls, and an empty answer may be
            # an accident: only what is missing twice is gone.
            doubtful, read = False, Whole()
            yield from self._pages(event, None, self._soon(event, 1), tally, snapshot, read)
        # Rows that moved about: one that went away in the middle may have been met before that.
        probe = probe and read.rows == snapshot.seen + tally.keyless
        # A row that lost its key looks like one removed and one rejected: this time nothing counts as removed.
        complete = tally.keyless <= bookmark.get("keyless", 0) and not read.moved
        value = self.finish_snapshot(snapshot, tally, whole=complete, confirmed_empty=True)
        tally.mode = "whole" if complete else "changes"
        tally.at_provider = snapshot.seen + tally.keyless if complete else None
        self.report(tally)
        clock = tally.provider_clock
        self._commit(
            event,
            tally,
            {
                "rows": snapshot.seen,
                "sets": read.sets,
                "unranked": None if read.finishers is None else snapshot.seen - read.finishers,
                "whole_at": None if clock is None else as_text(clock),
                # Without a count a changed row says nothing about deleted ones.
                "probe": True if complete and probe and read.finishers is not None and clock is not None else None,
                "keyless": tally.keyless or None,
                "settled": True if over and complete else None,
            },
            snapshot=value,
        )

    def _commit(self, event: Event, tally: Tally, fields: dict[str, Any], *, snapshot: str) -> None:
        clock = tally.provider_clock
        fields.pop("context", None)
        fields |= {"replication_key_value": None if clock is None else as_text(clock - self.overlap)}
        if fields.get("settled"):
            # What is not read again needs no memory of its rows: all of them would be megabytes of state.
            fields = {"settled": True, "replication_key_value": fields["replication_key_value"]}
        else:
            fields["snapshot"] = snapshot
        self.commit({"event_id": event.event_id}, **fields)

    def _soon(self, event: Event, page: int) -> Future[Answer]:
        return self.hub.ahead.soon(partial(self.fetch, event, None, page))

    def _pages(
        self,
        event: Event,
        since: int | None,
        first: Future[Answer],
        tally: Tally,
        snapshot: Snapshot,
        read: Whole,
    ) -> Iterator[Record]:
        answer = first.result()
        while True:
            tally.answered(answer)
            read.pages += 1
            pairs: list[Pair] = []
            if known := self.skip(answer, tally, snapshot):
                number, (faces, finishers) = known.rows, known.note
            else:
                sets = self._sets(answer.read(), event)
                for result_set in sets:
                    pairs += self._rows(result_set, event)
                number, faces, finishers = len(pairs), _faces(sets), _finishers(sets)
            read.sets |= faces
            read.rows += number
            if read.pages == 1:
                read.finishers = finishers
            elif finishers is not None and finishers != read.finishers:
                read.moved = True
            coming = None
            # Whether a page is counted over all sets or for each, it is the last one when it is not full.
            if number >= self.page_size:
                coming = self.hub.ahead.soon(partial(self.fetch, event, since, read.pages + 1))
            if known is None:
                yield from self.deliver_page(answer, pairs, tally, snapshot, (faces, finishers))
            if coming is None:
                return
            answer = coming.result()

    def _sets(self, data: Any, event: Event) -> list[dict[str, Any]]:
        sets = data.get("individual_results_sets") if isinstance(data, dict) else None
        if sets is None and isinstance(data, dict) and not data:
            sets = []
        if not isinstance(sets, list) or not all(isinstance(item, dict) for item in sets):
            raise ShapeChanged(
                f"{self.hub.where(self.name)}: the answer about event {event.event_id} holds no list of "
                "result sets: the provider changed its shape; read its release notes and update the tap"
            )
        return sets

    def _rows(self, result_set: dict[str, Any], event: Event) -> list[Pair]:
        rows = result_set.get("results")
        if rows is None:
            return []
        headers = result_set.get("results_headers")
        if not isinstance(rows, list) or not isinstance(headers, (dict, list, type(None))):
            raise ShapeChanged(
                f"{self.hub.where(self.name)}: a result set of event {event.event_id} holds no list of "
                "results: the provider changed its shape; read its release notes and update the tap"
            )
        given = {
            "race_id": event.race_id,
            "event_id": event.event_id,
            "result_set_id": result_set.get("individual_result_set_id"),
            "result_set_name": result_set.get("individual_result_set_name"),
            "is_public": _flag(result_set.get("public_results")),
            "is_preliminary": _flag(result_set.get("preliminary_results")),
        }
        splits = split_labels(headers if isinstance(headers, dict) else {})
        return [(row, given | {"splits": _splits(row, splits)}) for row in rows]


SPLIT = re.compile(r"split-(\d+)")


def split_labels(headers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, id, label) of each split: ids differ between sets of the same course, labels do not."""
    found = ((key, SPLIT.fullmatch(key), label) for key, label in headers.items())
    return [(key, match[1], str(label)) for key, match, label in found if match]


def _splits(row: Any, splits: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    if not isinstance(row, dict):
        return []
    return [{"id": number, "name": label, "time": row.get(key) or None} for key, number, label in splits]


def _flag(value: Any) -> bool | None:
    return {"T": True, "F": False}.get(value) if isinstance(value, str) else None


def _faces(sets: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the face of each set of an answer."""
    return {str(one.get("individual_result_set_id")): _face(one) for one in sets}


def _finishers(sets: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how many finishers all sets of an answer hold together; None where one of them does not say."""
    numbers = [number for one in sets if type(number := one.get("num_finishers")) is int]
    return sum(numbers) if numbers and len(numbers) == len(sets) else None


def _face(result_set: Mapping[str, Any]) -> str:
    """Return what every row of a set takes from it, so that a change of it is noticed."""
    parts = (result_set.get(name) for name in ("individual_result_set_name", "public_results", "preliminary_results"))
    headers = result_set.get("results_headers")
    labels = split_labels(headers) if isinstance(headers, dict) else []
    return hashlib.blake2b(canonical([*parts, labels]), digest_size=6).hexdigest()
