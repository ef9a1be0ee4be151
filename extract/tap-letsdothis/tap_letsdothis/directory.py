"""The events of an account with their occurrences and races: read once a run, whoever asks first.

The vendor's documentation of 2023 has no call for events; older pages name `/events/{id}` without a body
(letsdothis.md, 3 and 5.4). So the list, its body and its pages are ASSUMED here, and there are two ways round it:
`event_ids` names the events to ask for one by one, `events_json` holds what would be answered.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_shared.clock import from_text
from tap_shared.columns import Record, to_instant
from tap_shared.errors import Gone, ShapeChanged, StreamStopped
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Pair, Tally

from tap_letsdothis.client import NEXT, Pass, id_of, pages

if TYPE_CHECKING:
    from tap_letsdothis.tap import TapLetsDoThis


def events_written(text: str | None) -> list[Any] | None:
    """Return the events of a setting; None where it is not set. Raises ValueError where it holds none."""
    if not text:
        return None
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("not an array")  # noqa: TRY004 - as a text that is no JSON
    return found


class Directory:
    """Events, occurrences and races, and when each occurrence ends."""

    def __init__(self, tap: TapLetsDoThis) -> None:
        """Read nothing yet."""
        self._tap = tap
        self._read = False
        # Kept until the stream's own turn, so that it is that stream which stops.
        self.errors: dict[str, StreamStopped] = {}
        self._ends: dict[str, datetime | None] = {}

    @cached_property
    def streams(self) -> tuple[HubStream, HubStream, HubStream]:
        """Return the three streams."""
        found = self._tap.streams
        return found["events"], found["occurrences"], found["races"]  # type: ignore[return-value]

    def ends_at(self, occurrence_id: str | None) -> datetime | None:
        """Return when an occurrence ends; None where that is not known."""
        return self._ends.get(occurrence_id) if occurrence_id is not None else None

    def walk(self) -> Iterator[tuple[HubStream, Record]]:
        """Yield the rows of all three streams, unless this run has read them."""
        if self._read:
            return
        # Set at once: after a failure the other streams go on without knowing when occurrences end.
        self._read = True
        try:
            yield from self._walk()
        except GeneratorExit:
            # Only this reader had enough (`--test` takes one row); the next one needs all.
            self._read = False
            raise

    def ensure(self) -> None:
        """Read the events unless this run has."""
        for owner, row in self.walk():
            owner.emit(row)

    def _walk(self) -> Iterator[tuple[HubStream, Record]]:
        tallies = {stream.name: stream.tally() for stream in self.streams}
        snapshots = {stream.name: stream.snapshot(stream.bookmarks.own.get("snapshot")) for stream in self.streams}
        complete = yield from self._all(tallies, snapshots)
        if any(snapshot.unseen() for snapshot in snapshots.values()):
            # An answer may be empty by accident: only what is missing twice is gone.
            for snapshot in snapshots.values():
                snapshot.restart()
            complete = yield from self._all(tallies, snapshots)
        # An event that was refused may hide its occurrences: nothing counts as removed then.
        refused = sum(tally.rejected for tally in tallies.values())
        complete = complete and not refused and not self.errors
        for stream in self.streams:
            if stream.name in self.errors:
                continue
            tally, snapshot = tallies[stream.name], snapshots[stream.name]
            tally.mode = "whole" if complete else "changes"
            tally.at_provider = snapshot.seen + tally.keyless if complete else None
            kept = stream.finish_snapshot(snapshot, tally, whole=complete, confirmed_empty=True)
            stream.report(tally)
            stream.commit(None, snapshot=kept)

    def _all(
        self, tallies: dict[str, Tally], snapshots: dict[str, Snapshot]
    ) -> Generator[tuple[HubStream, Record], None, bool]:
        """Yield the rows of all events; return whether all of them were met."""
        tap, events = self._tap, self.streams[0]
        written = events_written(tap.config.get("events_json"))
        if written is not None:
            yield from self._deliver(written, tallies, snapshots)
            return True
        if tap.config.get("event_ids"):
            for event_id in dict.fromkeys(part.strip() for part in tap.config["event_ids"].split(",")):
                if event_id and (answer := self._ask(event_id)) is not None:
                    tallies["events"].answered(answer)
                    yield from self._deliver([self._inside(answer)], tallies, snapshots)
            return True
        found = Pass(tap.config["page_size"])
        # ASSUMED: the list of events has the pages that the documented lists have.
        order = {"sort[createdAt]": 1}
        how = NEXT if tap.config["cursor"] == "auto" else tap.config["cursor"]
        try:
            for page in pages(tap.client, "events", order, found, how, tap.ahead, events.name):
                tallies["events"].answered(page.answer)
                yield from self._deliver(page.rows, tallies, snapshots)
        except Gone as gone:
            raise StreamStopped(
                f"{gone}: this account does not list its events; name them by setting event_ids, or write them down "
                "in setting events_json"
            ) from None
        return not found.is_short

    def _ask(self, event_id: str) -> Answer | None:
        tap = self._tap
        try:
            return tap.client.get(f"events/{event_id}", stream="events")
        except Gone as gone:
            tap.logger.warning("%s: named by setting event_ids; left out", gone)
            return None

    def _inside(self, answer: Answer) -> Any:
        event = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(event, dict):
            raise ShapeChanged(
                f"{self._tap.where('events')}: {answer.url}: the answer holds no event: "
                "the provider changed its shape; read its release notes and update the tap"
            )
        return event

    def _deliver(
        self, events: list[Any], tallies: dict[str, Tally], snapshots: dict[str, Snapshot]
    ) -> Iterator[tuple[HubStream, Record]]:
        """Yield the changed rows of some events: theirs, their occurrences', their races'."""
        found: dict[str, list[Pair]] = {"events": [(event, {}) for event in events], "occurrences": [], "races": []}
        for event in events:
            for occurrence in self._listed(event, "occurrences", "occurrences"):
                given = {"event_id": id_of(event)}
                found["occurrences"].append((occurrence, given))
                self._note(occurrence)
                for race in self._listed(occurrence, "races", "races"):
                    found["races"].append((race, given | {"occurrence_id": id_of(occurrence)}))
        for stream in self.streams:
            try:
                name = stream.name
                for row in stream.deliver(found[name], tallies[name], snapshot=snapshots[name]):
                    yield stream, row
            except StreamStopped as error:
                if stream is self.streams[0]:
                    raise
                self.errors.setdefault(stream.name, error)

    def _listed(self, record: Any, name: str, stream: str) -> list[Any]:
        """Return what a record holds of its own; it may be left out (assumed)."""
        if id_of(record) is None:
            # The record is a reject; without its id nothing can belong to it.
            return []
        inside = record.get(name) or []
        if not isinstance(inside, list):
            self.errors.setdefault(
                stream,
                ShapeChanged(
                    f"{self._tap.where(stream)}: {name} of {record['id']} is no list: the provider changed its "
                    "shape; read its release notes and update the tap"
                ),
            )
            return []
        return inside

    def _note(self, occurrence: Any) -> None:
        """Remember when an occurrence ends."""
        if (occurrence_id := id_of(occurrence)) is None:
            return
        for name in ("endDate", "startDate"):
            try:
                ends = to_instant(occurrence.get(name) or "")
            except (ValueError, TypeError):
                continue
            if ends is not None:
                self._ends[occurrence_id] = from_text(ends)
                return
