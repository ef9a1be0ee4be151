"""How races are read: snapshots without a filter or an order, from which only what differs goes on.

Nothing tells what changed, and a row that was deleted is simply missing from the next answer (copernico.md, section 4).
So all rows of a race are read, compared with those of the last read, and what is not there any more is a removal; but
an answer without any row says nothing, since broken answers look empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from tap_shared.bookmarks import Context
from tap_shared.columns import Column, Record, Typer
from tap_shared.errors import Gone, TapError
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Tally

from tap_copernico.client import RaceUnreadable
from tap_copernico.columns import event_key, event_name, ident
from tap_copernico.directory import Found, Race

if TYPE_CHECKING:
    from tap_copernico.tap import TapCopernico

Mark = dict[str, Any]


class CopernicoStream(HubStream):
    """What all streams share."""

    def __init__(self, tap: Any) -> None:
        """Prepare the columns for the records that the chosen source sends."""
        super().__init__(tap)
        self.typer = Typer(self.columns_of(tap.config.get("source", "presets")), self.key_ids)

    def columns_of(self, source: str) -> tuple[Column, ...]:
        """Return the columns with the places they have in a source's records; names and types stay."""
        return self.columns

    @property
    def tap(self) -> TapCopernico:
        """Return the tap by its own type."""
        return cast("TapCopernico", self.hub)

    def finish_whole(self, snapshot: Snapshot, tally: Tally, *, keyless_before: int = 0, counted: bool = True) -> str:
        """Write removals and the read; return the new value for the bookmark.

        Nothing counts as removed after an answer without rows, nor where a row lost its key: it may be any of them.
        What is not `counted` is not compared with the number of rows that are stored.
        """
        tally.at_provider = snapshot.seen + tally.keyless if counted else None
        doubtful = len(snapshot) > 0 and snapshot.seen == 0
        if doubtful:
            self.logger.warning(
                "%s: %s: an answer without rows where the last read had %d: nothing counts as removed",
                *(self.hub.where(self.name), tally.scope or "all", len(snapshot)),
            )
        whole = not doubtful and tally.keyless <= keyless_before
        if not whole:
            tally.mode, tally.at_provider = "changes", None
        value = self.finish_snapshot(snapshot, tally, whole=whole)
        self.report(tally)
        return value


class AccountStream(CopernicoStream):
    """The list of races."""

    def walk(self) -> Iterator[Record]:
        """Yield changed races."""
        records, answer = self.tap.directory.read()
        tally = self.tally()
        if answer is not None:
            tally.answered(answer)
        mark = self.bookmarks.own
        snapshot = self.snapshot(mark.get("snapshot"))
        yield from self.deliver([(record, {}) for record in records], tally, snapshot=snapshot)
        value = self.finish_whole(snapshot, tally, keyless_before=mark.get("keyless", 0))
        self.commit(None, snapshot=value, keyless=tally.keyless or None)


class RaceStream(CopernicoStream):
    """What is below a race, one race after the other."""

    # Whether nothing after this stream needs what a race held.
    is_last = False

    def kept_under(self, race: Race, event: str = "") -> dict[str, str]:
        """Return what a bookmark is kept under."""
        return {"race_id": race.id, "event_id": event_key(race.id, event) if event else ""}

    def remembered_under(self, row: Record) -> Context | None:
        """Return what the bookmark that holds a row is kept under."""
        # The target API has no races.
        return {"race_id": row["race_id"] or "", "event_id": row["event_id"]}

    def due(self) -> Iterator[tuple[Race, list[Mark]]]:
        """Yield the races to read with their bookmarks; those that cannot have changed are counted as saved."""
        hub, saved = self.tap, 0
        marks: dict[str, list[Mark]] = {}
        for mark in self.bookmarks:
            marks.setdefault(mark["context"]["race_id"], []).append(mark)
        for race in hub.directory.races():
            own = marks.get(race.id, [])
            done = bool(own) and all(mark.get("settled") or mark.get("gone") for mark in own)
            settled = done and hub.is_over(race.ends_at)
            if not hub.is_wanted(race.ends_at) or (settled and not hub.read_everything):
                saved += sum(mark.get("calls", 0) for mark in own)
            else:
                yield race, own
        self.skipped(saved)

    def walk(self) -> Iterator[Record]:
        """Yield changed rows of all races that are due."""
        unreadable: list[TapError] = []
        for race, marks in self.due():
            try:
                found = self.tap.directory.found(race, self.name)
                yield from self.read_race(race, found, {mark["context"]["event_id"]: mark for mark in marks})
            except Gone as gone:
                # A name that does not fit exactly is an error too: nothing says that it was deleted.
                unreadable.append(RaceUnreadable(f"{gone}: its rows stay as they were last read"))
            except RaceUnreadable as error:
                unreadable.append(error)
            if self.is_last:
                self.tap.directory.forget(race)
        if unreadable:
            # The others were read; now the stream ends as failed.
            for other in unreadable[1:]:
                self.logger.error("STOPPED %s", other)
            raise unreadable[0]

    def read_race(self, race: Race, found: Found, marks: dict[str, Mark]) -> Iterator[Record]:
        """Yield what changed in one race and remember it; override it."""
        raise NotImplementedError

    def answered(self, tally: Tally, found: Found) -> None:
        """Count the calls of what was found, unless an earlier stream did; the clock is the first answer's."""
        for answer in found.take_answers():
            tally.answered(answer)
        if tally.provider_clock is None and found.first is not None:
            tally.provider_clock = found.first.provider_clock


class EventRowsStream(RaceStream):
    """Rows of each event of a race, with a bookmark for each event."""

    # Whether these rows are the results.
    of_results = False

    def pairs(self, race: Race, event: str, found: Found, sent: str, snapshot: Snapshot) -> list[tuple[Any, Record]]:
        """Return the records of an event with the columns that are given to them; override it."""
        raise NotImplementedError

    def apart(self, pairs: list[tuple[Any, Record]]) -> list[tuple[Any, Record]]:
        """Return the pairs with the key taken from whoever has the bib of one before; ids are the provider's matter."""
        if self.tap.config["participant_key"] == "id":
            return pairs
        met: set[str | None] = set()
        for _, fields in pairs:
            if fields["participant_id"] in met:
                fields["participant_id"] = None
            met.add(fields["participant_id"])
        return pairs

    def given(self, race: Race, event: str, record: Any) -> Record:
        """Return the columns that say what a record belongs to. Without a key, participant_id is null."""
        return {
            "race_id": race.id,
            "event_id": event_key(race.id, event),
            "event_name": event,
            "participant_id": self.participant_id(record),
        }

    def participant_id(self, record: Any) -> str | None:
        """Return an athlete's id or, with setting participant_key dorsal, what stands for it."""
        if not isinstance(record, dict):
            return None
        by_id = self.tap.config["participant_key"] == "id"
        try:
            name = ident(record["id" if by_id else "dorsal"])
        except (ValueError, KeyError):
            return None
        # A slash would end the key's part.
        return name if by_id or name is None else f"dorsal {name.replace('/', '%2F')}"

    def read_race(self, race: Race, found: Found, marks: dict[str, Mark]) -> Iterator[Record]:
        """Yield what changed in the events of a race; an event that is gone takes its rows along."""
        names = self.tap.event_names(race.id)
        met: dict[str, list[str]] = {}
        for sent in found.events:
            met.setdefault(names.get(sent, sent), []).append(sent)
        for event, as_sent in met.items():
            yield from self.read_event(race, event, found, as_sent, marks.get(event_key(race.id, event), {}))
        if found.strays and not self.of_results:
            tally = self.tally(scope=race.id)
            yield from self.deliver([(one, self.given(race, "", one)) for one in found.strays], tally)
            self.report(tally)
        if not met:
            # Broken answers look empty: whatever was there stays.
            self.doubt(race, found, marks)
            return
        if found.whole and not found.strays:
            for event_id, mark in marks.items():
                if event_id and event_name(race.id, event_id) not in met and not mark.get("gone"):
                    self.end(race, event_id, mark, found)

    def read_event(self, race: Race, event: str, found: Found, as_sent: list[str], mark: Mark) -> Iterator[Record]:
        """Yield what changed in one event and remember it."""
        tally = self.tally(scope=event_key(race.id, event))
        self.answered(tally, found)
        snapshot = self.snapshot(mark.get("snapshot"))
        for sent in as_sent:
            for athlete_id in found.unchanged.get(sent, ()):
                if (key := f"{event_key(race.id, event)}/{athlete_id}") in snapshot:
                    snapshot.keep(key)
            pairs = self.apart(self.pairs(race, event, found, sent, snapshot))
            yield from self.deliver(pairs, tally, snapshot=snapshot)
        value = self.finish_whole(snapshot, tally, keyless_before=mark.get("keyless", 0))
        context = self.kept_under(race, event)
        if self.hub.is_over(race.ends_at) and tally.mode == "whole":
            # It will not be read again, so its rows need not be remembered.
            self.commit(context, settled=True, calls=tally.calls or None)
        else:
            kept: dict[str, Any] = {"calls": tally.calls or None, "keyless": tally.keyless or None}
            if tally.mode == "whole" and not tally.rejected:
                kept["listed"] = found.listed.get(as_sent[-1])
            self.commit(context, snapshot=value, **kept)

    def doubt(self, race: Race, found: Found, marks: dict[str, Mark]) -> None:
        """Report a read that met no row at all; one that never met any is done with when the race is long over."""
        tally = self.tally(scope=race.id, mode="changes")
        self.answered(tally, found)
        known = [event_id for event_id, mark in marks.items() if event_id and not mark.get("gone")]
        if known:
            self.logger.warning(
                "%s: race %s: an answer without rows where %d events were: nothing counts as removed",
                *(self.hub.where(self.name), race.id, len(known)),
            )
        self.report(tally)
        if not known and self.hub.is_over(race.ends_at):
            self.commit(self.kept_under(race), settled=True, calls=tally.calls or None)

    def end(self, race: Race, event_id: str, mark: Mark, found: Found) -> None:
        """Remove the rows of an event that is not in the race any more."""
        tally = self.tally(scope=event_id)
        snapshot = self.snapshot(mark.get("snapshot"))
        tally.at_provider = 0
        self.logger.warning(
            "%s: event %s is gone from its race: if it was renamed, tell setting race_map",
            *(self.hub.where(), event_id),
        )
        value = self.finish_snapshot(snapshot, tally, confirmed_empty=True)
        self.report(tally)
        self.commit({"race_id": race.id, "event_id": event_id}, snapshot=value, gone=True)
