"""The races of an account and their events: read once a run, remembered in the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Record
from tap_shared.errors import CredentialsRefused, Gone, ShapeChanged, StreamStopped
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot
from tap_shared.stream import HubStream, Pair, Tally

from tap_runsignup.columns import eastern_day, in_race_zone

if TYPE_CHECKING:
    from tap_runsignup.tap import TapRunSignUp

# The documented maximum.
PAGE = 1000
# Only a list of all races shows that one is gone, and whether an edited event counts as an edit of
# its race is not documented. So the whole list is read once a day, changes in between.
WHOLE_EVERY = timedelta(days=1)
# `modified_since` is a day; in which zone is not documented.
DAY_OF_OVERLAP = timedelta(days=1)
# A race that is no longer listed is asked for by itself before it counts as gone.
MOST_CONFIRMATIONS = 50


@dataclass(frozen=True, slots=True)
class Event:
    """What the other streams must know about an event."""

    race_id: int
    event_id: int
    starts_at: datetime | None
    ends_at: datetime | None


class Directory:
    """The events by race, from the state and from this run's list of races."""

    def __init__(self, tap: TapRunSignUp) -> None:
        """Look at what the state knows."""
        self._tap = tap
        self._read = self._failed = False
        # Kept until the events stream's own turn, so that it is that stream which stops.
        self.events_error: StreamStopped | None = None
        self.by_race: dict[int, list[Event]] = {}
        # Events that stay although no answer of this run held them.
        self._kept = 0

    @property
    def page_size(self) -> int:
        """Return how many races to ask for at once."""
        return min(self._tap.config["page_size"], PAGE)

    @property
    def races(self) -> HubStream:
        """Return the stream of races."""
        return self._tap.streams["races"]  # type: ignore[return-value]

    @property
    def events(self) -> HubStream:
        """Return the stream of events."""
        return self._tap.streams["events"]  # type: ignore[return-value]

    def ensure(self) -> None:
        """Read the list of races unless this run has."""
        for owner, row in self.walk():
            owner.emit(row)

    def __iter__(self) -> Iterator[tuple[int, list[Event]]]:
        """Yield each race with its events, in a fixed order."""
        self.ensure()
        if self._failed:
            # Better the events known than none; the run ends with an error either way.
            self._tap.logger.warning(
                "%s: the list of races was not read: going on with the %d races known from before",
                self._tap.where(),
                len(self.by_race),
            )
        yield from sorted(self.by_race.items())

    def _remember(self) -> None:
        self.by_race = {}
        for entry in self.events.bookmarks:
            race_id = entry["context"]["race_id"]
            self.by_race[race_id] = [
                Event(race_id, int(event_id), _instant(starts), _instant(ends))
                for event_id, (starts, ends) in (entry.get("events") or {}).items()
            ]

    def walk(self) -> Iterator[tuple[HubStream, Record]]:
        """Yield the rows of both streams, unless this run has read them."""
        if self._read:
            return
        # Set at once: after a failure the other streams go on with what the state knows.
        self._read = True
        self._remember()
        try:
            yield from self._walk()
        except GeneratorExit:
            # Only this reader had enough (`--test` takes one row); the next one needs all.
            self._read = False
            raise
        except BaseException:
            self._failed = True
            raise

    def _walk(self) -> Iterator[tuple[HubStream, Record]]:
        tap, races = self._tap, self.races
        own = races.bookmarks.own
        whole_at, since = _instant(own.get("whole_at")), _instant(own.get("replication_key_value"))
        # Both are the provider's clock: ours may be another.
        whole = tap.read_everything or since is None or whole_at is None or since - whole_at >= WHOLE_EVERY
        params: dict[str, Any] = {"events": "T", "results_per_page": self.page_size, "sort": "date ASC"}
        if not whole and since is not None:
            params["modified_since"] = eastern_day(since - DAY_OF_OVERLAP)
        tally = races.tally(mode="whole" if whole else "changes")
        events_tally = self.events.tally(mode=tally.mode)
        snapshot = races.snapshot(own.get("snapshot"))
        bookmark: datetime | None = None
        for answer in self._pages(params):
            if bookmark is None and answer.provider_clock is not None:
                bookmark = answer.provider_clock - timedelta(seconds=tap.config["overlap_seconds"])
            tally.answered(answer)
            records = _races(answer.data, races)
            pairs: list[Pair] = [(record, {}) for record in records]
            for row in races.deliver(pairs, tally, snapshot=snapshot):
                yield races, row
            yield from self._events_of(records, tally, events_tally)
        if whole:
            self._confirm_gone(snapshot, tally, events_tally)
            tally.at_provider = snapshot.seen + tally.keyless
            events_tally.at_provider = events_tally.received + self._kept
        value = races.finish_snapshot(snapshot, tally, whole=whole, confirmed_empty=True)
        races.report(tally)
        events_tally.provider_clock = tally.provider_clock
        self.events.report(events_tally)
        if self.events_error is None:
            # Events come in the same answers: as long as theirs are not taken, these are read again.
            seen_at = bookmark or since
            text = _text(seen_at)
            # A race or event that was refused is looked at again next time: all else hangs on it.
            refused = tally.rejected + events_tally.rejected > 0
            races.commit(
                None,
                replication_key=races.replication_key,
                replication_key_value=text,
                whole_at=None if refused else text if whole else own.get("whole_at"),
                snapshot=value,
            )

    def _pages(self, params: dict[str, Any]) -> Iterator[Answer]:
        tap = self._tap

        def fetch(page: int) -> Answer:
            return tap.client.get("races", params | {"page": page}, stream="races")

        page, answer = 1, fetch(1)
        # The last page is the one with fewer rows than asked for.
        while len(_races(answer.data, self.races)) >= self.page_size:
            page += 1
            coming = tap.ahead.soon(partial(fetch, page))
            yield answer
            answer = coming.result()
        yield answer

    def _events_of(self, races: list[Any], races_tally: Tally, tally: Tally) -> Iterator[tuple[HubStream, Record]]:
        """Yield the changed events of one page of races, and remember all of them."""
        tap, events = self._tap, self.events
        found: dict[int, list[Any]] = {}
        pairs: list[Pair] = []
        snapshots = _Snapshots()
        for listed in races:
            race = listed
            race_id = race.get("race_id") if isinstance(race, dict) else None
            if type(race_id) is not int:
                # The race is a reject; without its id its events cannot be asked for anything.
                continue
            if isinstance(race.get("events"), list):
                ids = {event.get("event_id") for event in race["events"] if isinstance(event, dict)}
                known = self.by_race.get(race_id, [])
                if any(e.event_id not in ids and not tap.is_over(e.ends_at) for e in known):
                    # Whether the list leaves out past events is not documented; the race itself shows all.
                    race = self._ask(race_id, races_tally) or race
            if not isinstance(race.get("events"), list):
                self.events_error = self.events_error or ShapeChanged(
                    f"{tap.where('events')}: race {race_id} comes without its events: the provider changed "
                    "its shape; read its release notes and update the tap"
                )
                continue
            context = {"race_id": race_id}
            snapshots.by_race[race_id] = events.snapshot(events.bookmarks.get(context).get("snapshot"))
            found[race_id] = race["events"]
            given = context | {"timezone": race.get("timezone") or None}
            for event in race["events"]:
                pairs.append((event, given))
                if isinstance(event, dict):
                    snapshots.race_of[str(event.get("event_id"))] = race_id
        taken = False
        try:
            for row in events.deliver(pairs, tally, snapshot=snapshots):
                yield events, row
            taken = True
        except StreamStopped as error:
            self.events_error = self.events_error or error
        zones = {given["race_id"]: given["timezone"] for _, given in pairs}
        for race_id, listed_events in found.items():
            self._keep(race_id, listed_events, zones.get(race_id), snapshots.by_race[race_id])
            if taken:
                self._commit(race_id, snapshots.by_race[race_id], tally)

    def _keep(self, race_id: int, found: list[Any], timezone: str | None, snapshot: Snapshot) -> None:
        """Remember the events of a race for this run."""
        kept: dict[int, Event] = {}
        nameless = False
        for event in found:
            event_id = event.get("event_id") if isinstance(event, dict) else None
            if type(event_id) is int:
                kept[event_id] = _event(race_id, event_id, event, timezone)
            else:
                nameless = True
        for old in self.by_race.get(race_id, []):
            if old.event_id not in kept and (nameless or self._tap.is_over(old.ends_at)):
                # One without an id may be any of those known. And one that is not listed and long over
                # nobody asked about.
                kept[old.event_id] = old
                snapshot.keep(str(old.event_id))
                self._kept += 1
        self.by_race[race_id] = list(kept.values())

    def _commit(self, race_id: int, snapshot: Snapshot, tally: Tally) -> None:
        # Confirmed: an event that is missing from the list was looked for in the race itself.
        value = self.events.finish_snapshot(snapshot, tally, confirmed_empty=True)
        known = self.by_race.get(race_id, [])
        self.events.commit(
            {"race_id": race_id},
            events={str(e.event_id): [_text(e.starts_at), _text(e.ends_at)] for e in known},
            snapshot=value,
        )

    def _ask(self, race_id: int, tally: Tally) -> dict[str, Any] | None:
        """Return the race by itself; None when it is gone."""
        try:
            answer = self._tap.client.get(f"race/{race_id}", stream="races")
        except Gone:
            return None
        tally.answered(answer)
        race = answer.data.get("race") if isinstance(answer.data, dict) else None
        return race if isinstance(race, dict) else None

    def _confirm_gone(self, snapshot: Snapshot, tally: Tally, events_tally: Tally) -> None:
        """Ask for each race that is no longer listed: only one that is not found counts as removed."""
        tap, events = self._tap, self.events
        for number, race_id in enumerate(map(int, snapshot.unseen())):
            if number >= MOST_CONFIRMATIONS:
                snapshot.keep(str(race_id))
                continue
            try:
                gone = self._ask(race_id, tally) is None
            except CredentialsRefused as error:
                tap.logger.warning("%s; no longer listed and no longer read, its rows stay", error)
                snapshot.keep(str(race_id))
                events.bookmarks.drop({"race_id": race_id})
                self.by_race.pop(race_id, None)
                continue
            if gone:
                self.by_race.pop(race_id, None)
                before = events.snapshot(events.bookmarks.get({"race_id": race_id}).get("snapshot"))
                self._commit(race_id, before, events_tally)
            else:
                # A page shifted while it was read, or the list leaves it out for reasons of its own.
                snapshot.keep(str(race_id))


class _Snapshots:
    """The snapshots of several races' events behind the face of one."""

    def __init__(self) -> None:
        self.by_race: dict[int, Snapshot] = {}
        self.race_of: dict[str, int] = {}

    def changed(self, key: str, row: Mapping[str, Any], content: bytes) -> bool:
        """Compare with the snapshot of the row's race."""
        return self.by_race[row["race_id"]].changed_content(key, content)

    def part(self, scope: Any) -> Snapshot | None:
        """Return none: events are few, and counted together."""
        return None

    def keep(self, key: str) -> None:
        """Keep a rejected event."""
        if key in self.race_of:
            self.by_race[self.race_of[key]].keep(key)


def _event(race_id: int, event_id: int, record: Record, timezone: str | None) -> Event:
    times: list[datetime | None] = []
    for name in ("start_time", "end_time"):
        try:
            times.append(_instant(in_race_zone(record.get(name) or "", {"timezone": timezone})))
        except (ValueError, TypeError):
            # Its row is a reject; without its times it is merely never settled.
            times.append(None)
    starts, ends = times
    if starts is not None and (ends is None or ends < starts):
        ends = starts + timedelta(days=1)
    return Event(race_id, event_id, starts, ends)


def _races(data: Any, stream: HubStream) -> list[Any]:
    found = data.get("races") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise ShapeChanged(
            f"{stream.hub.where('races')}: the answer holds no list of races: the provider changed its "
            "shape; read its release notes and update the tap"
        )
    return [item.get("race") if isinstance(item, dict) and "race" in item else item for item in found]


def _instant(text: str | None) -> datetime | None:
    return from_text(text) if text else None


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else as_text(instant)
