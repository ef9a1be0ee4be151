"""The races of the account, and what each of them holds: read once a run, whichever stream asks first."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import orjson
from tap_shared.bookmarks import Bookmarks
from tap_shared.columns import Record
from tap_shared.errors import Gone, StreamStopped, TapError
from tap_shared.http import Answer
from tap_shared.snapshot import Snapshot

from tap_copernico.client import RaceUnreadable, TooLarge
from tap_copernico.columns import event_key, event_name, ident
from tap_copernico.shapes import athlete_entries, mats_of

if TYPE_CHECKING:
    from tap_copernico.tap import TapCopernico

# assumed: a race has a day and no end; two days after its beginning it is over in every zone.
LASTS = timedelta(days=2)
# Columns that leaders are asked for beside their own.
LEADER_FIELDS = "gender,nationality,status"


@dataclass(frozen=True)
class Race:
    """One race, as far as reading what is below it needs it."""

    id: str
    ends_at: datetime | None = None
    events: tuple[str, ...] = ()
    competition_id: str = ""

    @classmethod
    def of(cls, record: Any) -> Race | None:
        """Return the race of a record; None where it has no id. A day that cannot be read is unknown."""
        if not isinstance(record, dict):
            return None
        try:
            race_id = ident(record["id"])
        except (ValueError, KeyError):
            return None
        events = record.get("events")
        return (
            cls(
                race_id,
                _ends(record.get("date")),
                # assumed fields (copernico.md, section 3): used where they come, never needed
                tuple(name for name in events if isinstance(name, str)) if isinstance(events, list) else (),
                str(record.get("competitionId") or ""),
            )
            if race_id
            else None
        )


def _ends(day: Any) -> datetime | None:
    try:
        begins = datetime.fromisoformat(day)
    except (ValueError, TypeError):
        return None
    return (begins if begins.tzinfo else begins.replace(tzinfo=UTC)) + LASTS


@dataclass
class Found:
    """What one race held, by event, as the name of an event is sent; kept packed, since a race may be megabytes."""

    race: Race
    # Whether every event was read; one that was not asked for is not gone.
    whole: bool = True
    # By event: the mats that anybody was seen at, and who was at most of them.
    mats: dict[str, set[str]] = field(default_factory=dict)
    guides: dict[str, str] = field(default_factory=dict)
    # By event, where athletes are asked for one by one: who was not, since the preset's row is what it was; and the
    # preset's rows as the next run is to compare them.
    unchanged: dict[str, list[str]] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    # By event: the rows of participants, and those of results where they come from elsewhere.
    _rows: dict[str, bytes] = field(default_factory=dict)
    _results: dict[str, bytes] | None = None
    # Answers not yet counted by a stream.
    answers: list[Answer] = field(default_factory=list)
    first: Answer | None = None
    gun_ms: int | None = None
    # Rows that name no event.
    strays: list[Any] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        """Return the names of the events that were met."""
        return list(self._rows)

    def put(self, event: str, rows: list[Any], results: bool = False) -> None:
        """Keep the rows of an event."""
        packed = zlib.compress(orjson.dumps(rows), 1)
        if not results:
            self._rows[event] = packed
            if event not in self.mats:
                self.mats[event] = mats_of(rows)
                known = [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]
                if known:
                    self.guides[event] = min(known, key=lambda row: (-len(mats_of([row])), row["id"]))["id"]
            return
        self._results = self._results or {}
        self._results[event] = packed

    def rows(self, event: str, results: bool = False) -> list[Any]:
        """Return the rows of an event; those of results are the same rows unless they come from elsewhere."""
        kept = self._results if results and self._results is not None else self._rows
        packed = kept.get(event)
        return [] if packed is None else orjson.loads(zlib.decompress(packed))

    def take_answers(self) -> list[Answer]:
        """Return the answers that no stream has counted yet; for the others the calls were made already."""
        taken, self.answers = self.answers, []
        return taken


class Directory:
    """What the account lists, and what its races hold."""

    def __init__(self, hub: TapCopernico) -> None:
        """Read nothing yet."""
        self.hub = hub
        self._listed: dict[str, Race] | None = None
        self._failed = False
        self._found: dict[str, Found | TapError] = {}
        self._known: dict[str, list[str]] | None = None

    # --- races --------------------------------------------------------------------------------------

    def read(self) -> tuple[list[Any], Answer | None]:
        """Return the records of all races, and the answer they came with; with setting race_ids, those and no call."""
        named = self.hub.race_ids
        records: list[Any] = [{"id": race_id} for race_id in named]
        answer = None
        if self.hub.config.get("api_key"):
            try:
                answer = self.hub.client.races("races")
            except TapError:
                self._failed = True
                raise
            listed = answer.data if isinstance(answer.data, list) else []
            records = [one for one in listed if not named or (isinstance(one, dict) and one.get("id") in named)]
        races = filter(None, map(Race.of, records))
        self._listed = {race.id: self._mapped(race) for race in races}
        return records, answer

    def _mapped(self, race: Race) -> Race:
        told = self.hub.race_map.get(race.id, {})
        return Race(
            race.id,
            race.ends_at,
            race.events or tuple(told.get("read", ())),
            told.get("competition_id") or race.competition_id,
        )

    def races(self) -> list[Race]:
        """Return the races that can be read."""
        if self._listed is None:
            if self._failed:
                raise TapError(
                    f"{self.hub.where()}: the list of races could not be read, so nothing below it was: see above"
                )
            self.read()
        return list((self._listed or {}).values())

    # --- what a race holds --------------------------------------------------------------------------

    def known_events(self, race_id: str) -> list[str]:
        """Return the names of a race's events as an earlier run met them, as they are sent."""
        if self._known is None:
            self._known = {}
            for mark in Bookmarks(cast("dict[str, Any]", self.hub.state), "participants"):
                race, event_id = mark["context"]["race_id"], mark["context"]["event_id"]
                if event_id and not mark.get("gone"):
                    self._known.setdefault(race, []).append(event_name(race, event_id))
        back = {ours: theirs for theirs, ours in self.hub.event_names(race_id).items()}
        return [back.get(name, name) for name in self._known.get(race_id, ())]

    def found(self, race: Race, stream: str) -> Found:
        """Return what a race holds, read once a run."""
        kept = self._found.get(race.id)
        if kept is None:
            try:
                kept = self._read(race, self.known_events(race.id), stream)
            except TapError as error:
                kept = error
            self._found[race.id] = kept
        if isinstance(kept, TapError):
            raise kept
        return kept

    def forget(self, race: Race) -> None:
        """Let go of what a race held: the last stream has it."""
        self._found.pop(race.id, None)

    def _read(self, race: Race, known: list[str], stream: str) -> Found:
        names = list(dict.fromkeys((*race.events, *known)))
        found = Found(race)
        source = self.hub.config["source"]
        if source == "ranking_files":
            self._read_files(found, names, stream)
            return found
        self._read_presets(found, names, stream)
        if source == "athletes":
            self._read_athletes(found, stream)
        elif source == "leaders":
            self._read_leaders(found, stream)
        return found

    def _keep(self, found: Found, answer: Answer) -> None:
        found.answers.append(answer)
        found.first = found.first or answer

    # --- presets ------------------------------------------------------------------------------------

    def _read_presets(self, found: Found, names: list[str], stream: str) -> None:
        """Read all presets of a race in one piece, or by event where that is too much.

        Several presets are parts of one: of its columns, or by filters of its rows. What has the same id is one row.
        """
        rows: dict[str, dict[Any, Record]] = {}
        for preset in self.hub.presets:
            try:
                answer = self.hub.client.preset(found.race.id, preset, "", stream)
                parts = [("", answer)]
            except (TooLarge, StreamStopped) as error:
                parts = self._by_event(found, preset, names, stream, error)
            for event, answer in parts:
                self._keep(found, answer)
                self._sort(found, event, rows_of(answer, found), rows)
        for event, parts_of in rows.items():
            found.put(event, list(parts_of.values()))

    def _by_event(
        self, found: Found, preset: str, names: list[str], stream: str, error: Exception
    ) -> list[tuple[str, Answer]]:
        where = f"{self.hub.where(stream)}: race {found.race.id}: preset {preset}"
        if isinstance(error, StreamStopped) and ("(502)" not in str(error) or not names):
            raise error
        if not names:
            raise RaceUnreadable(
                f"{where} is too large (413): name its events in setting race_map, or divide it (setting presets)"
            ) from None
        # An event that nobody has heard of yet would not be asked for.
        found.whole = False
        try:
            return [(name, self.hub.client.preset(found.race.id, preset, name, stream)) for name in names]
        except TooLarge:
            raise RaceUnreadable(
                f"{where} is too large even by event (413): divide its columns over several (setting presets)"
            ) from None

    def _sort(self, found: Found, asked: str, records: list[Any], rows: dict[str, dict[Any, Record]]) -> None:
        key = "id" if self.hub.config["participant_key"] == "id" else "dorsal"
        for record in records:
            event = asked
            if isinstance(record, dict):
                event = record.get("event") or asked
            if not isinstance(record, dict) or not isinstance(event, str) or not event:
                found.strays.append(record)
                continue
            there = rows.setdefault(event, {})
            # A row without a key stays a row of its own, to be refused as one.
            name = record.get(key) if isinstance(record.get(key), (str, int)) and record.get(key) != "" else None
            at: Any = object() if name is None else str(name)
            if key == "dorsal" and at in there and len(self.hub.presets) == 1:
                # Two with one bib are kept apart, for the second to be refused.
                at = object()
            there[at] = there.get(at, {}) | record

    # --- athletes, leaders, files -------------------------------------------------------------------

    def _read_athletes(self, found: Found, stream: str) -> None:
        """Replace the rows by the athletes' own answers, asked for one by one."""
        full: dict[str, list[Any]] = {event: [] for event in found.events}
        for event in found.events:
            rows = {one["id"]: one for one in found.rows(event) if isinstance(one.get("id"), str)}
            if len(rows) < len(found.rows(event)):
                raise RaceUnreadable(
                    f"{self.hub.where(stream)}: race {found.race.id}: a row of the preset has no id, or that of "
                    "another: add column id to it, which source athletes needs"
                )
            ids = self._moved(found, event, rows)
            asked = self.hub.ahead.each(ids, lambda one: self.hub.client.athlete(found.race.id, one, stream))
            for athlete_id, future in asked:
                try:
                    answer = future.result()
                except Gone:
                    # Deleted since the preset was read.
                    del rows[athlete_id]
                    continue
                self._keep(found, answer)
                if not isinstance(answer.data, Mapping) or not answer.data:
                    # Code 1 without data: nothing found, which does not say that it is gone. To be asked again.
                    found.unchanged[event].append(athlete_id)
                    del rows[athlete_id]
                    continue
                mine = [entry for entry in athlete_entries(answer.data) if entry.get("event", event) == event]
                full[event] += mine
            now = Snapshot.from_state(self._listed_before(found, event)[0])
            for athlete_id, row in rows.items():
                now.changed(athlete_id, row)
            found.listed[event] = now.finish(confirmed_empty=True)[0]
        for event, entries in full.items():
            found.put(event, entries)

    def _listed_before(self, found: Found, event: str) -> list[str | None]:
        name = self.hub.event_names(found.race.id).get(event, event)
        context = {"race_id": found.race.id, "event_id": event_key(found.race.id, name)}
        state = cast("dict[str, Any]", self.hub.state)
        return [Bookmarks(state, stream).get(context).get("listed") for stream in ("participants", "results")]

    def _moved(self, found: Found, event: str, rows: Mapping[str, Record]) -> list[str]:
        """Return whose row of the preset is not what it was when either stream last had the athlete's answer.

        What a preset does not show may change unnoticed; the last read of a race asks for everybody.
        """
        before = [Snapshot.from_state(value) for value in self._listed_before(found, event)]
        everybody = self.hub.read_everything or self.hub.is_over(found.race.ends_at)
        moved = []
        for athlete_id, row in rows.items():
            # Not any(): each of them is to see every row.
            if everybody or sum(one.changed(athlete_id, row) for one in before):
                moved.append(athlete_id)
            else:
                found.unchanged.setdefault(event, []).append(athlete_id)
        found.unchanged.setdefault(event, [])
        return moved

    def _read_leaders(self, found: Found, stream: str) -> None:
        for event in found.events:
            rows: list[Any] = []
            for wanted in self.hub.leaders_filters:
                answer = self.hub.client.leaders(found.race.id, event, wanted, LEADER_FIELDS, stream)
                self._keep(found, answer)
                rows += answer.data
            found.put(event, rows, results=True)

    def _read_files(self, found: Found, names: list[str], stream: str) -> None:
        race = found.race
        if not race.competition_id or not names:
            raise RaceUnreadable(
                f"{self.hub.where(stream)}: race {race.id}: its ranking files are not known: "
                "name its competition_id and events in setting race_map"
            )
        found.whole = False
        for name in names:
            answer = self.hub.client.ranking_file(race.competition_id, name, stream)
            self._keep(found, answer)
            found.put(name, answer.data)


def rows_of(answer: Answer, found: Found) -> list[Any]:
    """Return the rows of a preset's answer: an array, or an object with `data` that tells the gun too."""
    if isinstance(answer.data, dict):
        gun = answer.data.get("gunTime")
        found.gun_ms = gun if type(gun) is int else found.gun_ms
        return answer.data.get("data") or []
    return answer.data
