"""The project's target API, with setting source at target_api. Nobody has seen it: all of this is ASSUMED.

Events, participants and results by page, `updatedSince` where something is known already (copernico.md, section 3).
Deleted participants stay listed as cancelled; what else vanishes, whole reads find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tap_shared.clock import as_text, from_text
from tap_shared.columns import Column, Record
from tap_shared.errors import Gone, ShapeChanged, TapError
from tap_shared.stream import Tally

from tap_copernico.client import RaceUnreadable
from tap_copernico.columns import ident, milliseconds, place
from tap_copernico.directory import LASTS
from tap_copernico.reading import CopernicoStream, Mark
from tap_copernico.shapes import Unreadable, read
from tap_copernico.streams import Events, Participants, Races, Results, unkeyed

MOST_PAGES = 10_000


class TargetStream(CopernicoStream):
    """Pages of one of the target API's lists."""

    service: ClassVar[str] = "brrm-api"
    # Columns that stand elsewhere in these records; None for those that the records do not have.
    paths: ClassVar[Mapping[str, str]] = {}
    known_columns: ClassVar[tuple[Column, ...]] = ()

    def columns_of(self, source: str) -> tuple[Column, ...]:
        """Return the columns at the places they have in these records."""
        return tuple(
            replace(column, path=self.paths[column.name]) if column.name in self.paths else column
            for column in self.columns
        )

    def pages(self, path: str, tally: Tally, service: str = "", **more: str) -> Iterator[list[Any]]:
        """Yield the rows of each page."""
        size, service = self.tap.config["page_size"], service or self.service
        for number in range(1, MOST_PAGES):
            answer = self.tap.client.target(service, path, {"page": number, "pageSize": size, **more}, self.name)
            tally.answered(answer)
            body = answer.data if isinstance(answer.data, dict) else {}
            rows, told = body.get("data"), body.get("pagination") or {}
            if not isinstance(rows, list):
                raise ShapeChanged(
                    f"{self.hub.where(self.name)}: {answer.url}: expected an array of rows: update the tap"
                )
            yield rows
            if number >= (told.get("totalPages") or 0):
                return


class TargetRaces(Races):
    """The target API has no races: each of its events is one distance."""

    def walk(self) -> Iterator[Record]:
        """Yield nothing."""
        yield from ()


class TargetEvents(TargetStream, Events):
    """Events of brrm-api: a snapshot, since it is one call."""

    paths: ClassVar[Mapping[str, str]] = {"distance_m": "distance", "gun_time": "event_date"}

    def remembered_under(self, row: Record) -> None:
        """Return that the stream's own bookmark holds its rows."""

    def walk(self) -> Iterator[Record]:
        """Yield changed events."""
        tally = self.tally()
        mark = self.bookmarks.own
        snapshot = self.snapshot(mark.get("snapshot"))
        listed: dict[str, datetime | None] = {}
        try:
            for rows in self.pages("events", tally):
                pairs = []
                for one in rows:
                    event_id = one.get("event_id") if isinstance(one, dict) else None
                    name = one.get("event_name") if isinstance(one, dict) else None
                    fields = {"event_id": event_id, "race_id": None, "event_name": name, "time_zone": None}
                    pairs.append((one, fields))
                    if isinstance(event_id, str):
                        listed[event_id] = ends_at(one)
                yield from self.deliver(pairs, tally, snapshot=snapshot)
        except TapError:
            # Whoever asks for the list after this is told that there is none.
            self.tap.target_failed = True
            raise
        self.tap.target_events = listed
        value = self.finish_whole(snapshot, tally, keyless_before=mark.get("keyless", 0))
        self.commit(None, snapshot=value, keyless=tally.keyless or None)

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row without a key; kilometres become metres."""
        if not row.get("event_id"):
            return "event_id", "missing"
        if row["distance_m"] is not None:
            row["distance_m"] = round(row["distance_m"] * 1000, 3)
        return None


def ends_at(event: Record) -> datetime | None:
    """Return when an event is over for certain."""
    try:
        return from_text(event["event_date"]) + LASTS
    except (ValueError, TypeError, KeyError):
        return None


class ChangesStream(TargetStream):
    """Rows of each event: all at first, then what was updated since, with an overlap."""

    child: ClassVar[str]

    def walk(self) -> Iterator[Record]:
        """Yield changed rows of all events that are due."""
        hub, saved = self.tap, 0
        unreadable: list[TapError] = []
        for event_id, over in self.events().items():
            context = {"race_id": "", "event_id": event_id}
            mark = self.bookmarks.get(context)
            if not hub.is_wanted(over) or (mark.get("settled") and not hub.read_everything):
                saved += mark.get("calls", 1)
                continue
            try:
                yield from self.read_target(event_id, over, mark, context)
            except Gone as gone:
                unreadable.append(RaceUnreadable(f"{gone}: its rows stay as they were last read"))
        self.skipped(saved)
        if unreadable:
            raise unreadable[0]

    def events(self) -> dict[str, datetime | None]:
        """Return the events with when each is over; read here where stream events was not."""
        hub = self.tap
        if hub.target_events is None:
            if hub.target_failed:
                raise TapError(
                    f"{hub.where()}: the list of events could not be read, so nothing below it was: see above"
                )
            tally = self.tally()
            rows = [one for page in self.pages("events", tally, "brrm-api") for one in page if isinstance(one, dict)]
            hub.target_events = {one["event_id"]: ends_at(one) for one in rows if isinstance(one.get("event_id"), str)}
        return hub.target_events

    def read_target(
        self, event_id: str, over: datetime | None, mark: Mark, context: Mapping[str, str]
    ) -> Iterator[Record]:
        """Yield what changed in one event and remember it."""
        hub = self.tap
        last = hub.is_over(over)
        age = hub.now() - from_text(mark["whole_at"]) if mark.get("whole_at") else None
        due = age is None or age >= timedelta(minutes=hub.config["whole_read_minutes"])
        is_whole = hub.read_everything or last or due or not mark.get("since")
        tally = self.tally(scope=event_id, mode="whole" if is_whole else "changes")
        snapshot = self.snapshot(mark.get("snapshot"))
        more = {} if is_whole else {"updatedSince": mark["since"]}
        for rows in self.pages(f"events/{event_id}/{self.child}", tally, **more):
            yield from self.deliver([(one, self.fields(event_id, one)) for one in rows], tally, snapshot=snapshot)
        if is_whole:
            value = self.finish_whole(snapshot, tally, keyless_before=mark.get("keyless", 0))
        else:
            value = self.finish_snapshot(snapshot, tally, whole=False)
            self.report(tally)
        if last and tally.mode == "whole":
            self.commit(context, settled=True, calls=tally.calls)
            return
        asked_at = tally.provider_clock or hub.now()
        since = as_text(asked_at - timedelta(seconds=hub.config["overlap_seconds"]))
        # A row that was refused may come again mended: the next read asks for the same time.
        self.commit(
            context,
            snapshot=value,
            since=mark.get("since") if tally.rejected and not is_whole else since,
            whole_at=as_text(hub.now()) if tally.mode == "whole" else mark.get("whole_at"),
            calls=tally.calls,
            keyless=tally.keyless or None,
        )

    def fields(self, event_id: str, record: Any) -> Record:
        """Return the columns that say what a record belongs to."""
        try:
            participant_id = ident(record["participant_id"])
        except (ValueError, KeyError, TypeError):
            participant_id = None
        return {"race_id": None, "event_id": event_id, "event_name": None, "participant_id": participant_id}

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row without a key, or of another event than the one asked for."""
        told = record.get("event_id")
        if told and told != row["event_id"]:
            return "event_id", f"of event {told}, asked for {row['event_id']}"
        return unkeyed(row | {"event_name": row["event_id"]})


class TargetParticipants(ChangesStream, Participants):
    """Participants of brrm-api."""

    child = "participants"
    paths: ClassVar[Mapping[str, str]] = {
        "athlete_id": "participant_id", "dorsal": "bib_number", "name": "first_name", "surname": "last_name",
        "status": "registration_status", "club": "club_team", "email": "email",
    }  # fmt: skip


class TargetResults(ChangesStream, Results):
    """Results of rankings-api."""

    service = "rankings-api"
    child = "results"
    paths: ClassVar[Mapping[str, str]] = {"athlete_id": "participant_id", "dorsal": "bib_number"}

    def columns_of(self, source: str) -> tuple[Column, ...]:
        """Leave out that every record has a name: results have none here."""
        moved = super().columns_of(source)
        return tuple(replace(column, sent=False) if column.name in ("name", "surname") else column for column in moved)

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse what is wrong with a row; complete it with its times."""
        if wrong := ChangesStream.check(self, row, record):
            return wrong
        try:
            row |= self.times(record)
        except Unreadable as error:
            return error.field, str(error)
        return None

    def times(self, record: Record) -> dict[str, Any]:
        """Return the times of a record; total_time is from start to finish, as in the page's sample."""
        splits, real = [], read("total_time", milliseconds, record.get("total_time"))
        official: int | None = None
        told = record.get("split_times") or []
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            raise Unreadable("split_times", "expected an array of objects")
        for one in told:
            at = read("split_times", milliseconds, one.get("time"))
            net = read("split_times", milliseconds, one.get("net_time"))
            if one.get("split") == self.tap.config["finish_split"]:
                official, real = at, real or net
            else:
                splits.append(
                    {
                        "name": one.get("split"),
                        "order": one.get("order"),
                        "distance_m": one.get("distance"),
                        "official_ms": at,
                        "real_ms": net,
                    }
                )
        return {
            "start_ms": None,
            "official_ms": official,
            "real_ms": real,
            "splits": splits,
            "pos": read("overall_position", place, record.get("overall_position")),
            "pos_gender": read("gender_position", place, record.get("gender_position")),
            "pos_category": read("category_position", place, record.get("category_position")),
            "net_pos": None,
            "net_pos_gender": None,
            "net_pos_category": None,
        }
