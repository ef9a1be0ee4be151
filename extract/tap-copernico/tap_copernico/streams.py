"""The streams of Copernico: races, their events, who takes part, and their results with splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from tap_shared.bookmarks import Context
from tap_shared.clock import as_text, from_text
from tap_shared.columns import Column, Record
from tap_shared.errors import Gone
from tap_shared.snapshot import Snapshot

from tap_copernico.client import RaceUnreadable
from tap_copernico.columns import (
    date,
    event_key,
    given,
    inside,
    instant,
    integer,
    joined,
    key,
    number,
    reference,
    repaired,
    text,
)
from tap_copernico.directory import Found, Race
from tap_copernico.reading import AccountStream, EventRowsStream, Mark, RaceStream
from tap_copernico.shapes import TIMES, Unreadable, athlete_entries, person_of, sport_of, was_seen, whole

# notstarted, running and finished are documented, dnf, dsq and withdrawn were seen; the others are only tolerated by
# clients, and registered, confirmed and cancelled are the target API's (copernico.md, section 5).
STATUSES = frozenset(
    {
        "notstarted", "running", "finished", "dnf", "dsq", "withdrawn", "dns", "started", "active", "retired",
        "abandoned", "disqualified", "registered", "confirmed", "cancelled",
    }
)  # fmt: skip
# The words of all surfaces: copernico.md, section 7.
GENDERS = frozenset({"male", "female", "mixed", "gender_0", "gender_1", ""})


class Races(AccountStream):
    """One row per race: a day or weekend of racing, under its slug."""

    name = "races"
    primary_keys = ("timing_partner_id", "race_id")
    remembered_by = ()
    columns = (
        key("race_id", "The provider's id, a slug", path="id"),
        text("race_name", "As the organiser calls it", path="name"),
        text("status", "notstarted, running, finished"),
        date("race_date", "The day it begins", path="date"),
        # assumed (copernico.md, section 3): fields of a race beyond these four
        reference("competition_id", "The catalogue's UUID, which ranking files are kept under", path="competitionId"),
        text("location"),
        text("country"),
        reference("time_zone", "IANA name", path="timezone"),
    )


class Events(RaceStream):
    """One row per event: a startable distance of a race. Its name is its id there."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    columns = (
        given("event_id", description="Race and name, since Copernico has no id of its own for an event"),
        given("race_id", description="The race it belongs to"),
        given("event_name", description="As sent, put right where it is garbled"),
        given("time_zone", description="IANA name, from setting race_map"),
        instant("gun_time", "The gun, of the first wave seen", path="gunTime"),
        number("distance_m", "Metres", path="distance"),
        Column("splits", "array", "The mats: name, order, distance_m", sent=False),
        # Of the target API only.
        instant("event_date"),
        text("location"),
        text("discipline"),
        text("event_status"),
        integer("max_participants"),
        reference("organization_id"),
        instant("updated_at"),
    )

    def remembered_under(self, row: Record) -> Context | None:
        """Return what the bookmark of all events of a race is kept under."""
        return {"race_id": row["race_id"], "event_id": ""}

    def read_race(self, race: Race, found: Found, marks: dict[str, Mark]) -> Iterator[Record]:
        """Yield the events of a race that changed.

        An event shows in its athletes only: its length, its gun and where its mats lie are in the answer about one of
        them, which is asked for when the mats that were passed change, and once in event_details_minutes.
        """
        mark = marks.get("", {})
        tally = self.tally(scope=race.id)
        self.answered(tally, found)
        names = self.tap.event_names(race.id)
        met = {names.get(sent, sent): sent for sent in found.events}
        shape = hashlib.blake2b(
            orjson.dumps({event: sorted(found.mats[sent]) for event, sent in met.items()}), digest_size=8
        ).hexdigest()
        snapshot = self.snapshot(mark.get("snapshot"))
        context = self.kept_under(race)
        if met and not self.is_fresh(mark, shape):
            pairs = []
            for event, sent in met.items():
                record = self.details(race, sent, found, tally)
                fields = {
                    "event_id": event_key(race.id, event),
                    "race_id": race.id,
                    "event_name": repaired(event),
                    "time_zone": self.tap.time_zone(race.id),
                }
                pairs.append((record, fields))
            yield from self.deliver(pairs, tally, snapshot=snapshot)
            mark = {"shape": shape, "details_at": as_text(self.hub.now())}
        else:
            for event in met:
                snapshot.keep(event_key(race.id, event))
        if not found.whole:
            for event_id in snapshot.unseen():
                snapshot.keep(event_id)
        # Read by race, stored by event: their number would be compared with that of one event.
        value = self.finish_whole(snapshot, tally, counted=False)
        if self.hub.is_over(race.ends_at) and (met or not len(snapshot)):
            self.commit(context, settled=True, calls=tally.calls or None)
        else:
            kept = {name: mark.get(name) for name in ("shape", "details_at")}
            self.commit(context, snapshot=value, calls=tally.calls or None, **kept)

    def is_fresh(self, mark: Mark, shape: str) -> bool:
        """Tell whether what is known of a race's events need not be asked for again."""
        if self.hub.read_everything or mark.get("shape") != shape or not mark.get("details_at"):
            return False
        age = self.hub.now() - from_text(mark["details_at"])
        return age < timedelta(minutes=self.tap.config["event_details_minutes"])

    def details(self, race: Race, event: str, found: Found, tally: Any) -> Record:
        """Return an event as one of its athletes tells of it; only its name where none can be asked."""
        record: Record = {"event": event}
        if found.gun_ms:
            record["gunTime"] = as_text(datetime.fromtimestamp(found.gun_ms / 1000, UTC))
        guide = found.guides.get(event)
        rows = [row for row in found.rows(event) if isinstance(row, dict) and row.get("id") == guide]
        entry = next((row for row in rows if row.get("gunTime")), None)
        if entry is None and guide and self.tap.config.get("api_key"):
            try:
                answer = self.tap.client.athlete(race.id, guide, self.name)
            except (Gone, RaceUnreadable):
                return record
            tally.answered(answer)
            data = answer.data if isinstance(answer.data, dict) else {}
            entry = next((one for one in athlete_entries(data) if one.get("event") == event), None)
        if entry is None:
            return record
        try:
            mats = [{**inside(entry, "times", name), "split": name} for name in inside(entry, "times")]
        except TypeError:
            mats = []
        return record | {
            "gunTime": entry.get("gunTime") or record.get("gunTime"),
            "distance": entry.get("distance"),
            "splits": sorted(
                ({"name": mat["split"], "order": mat.get("order"), "distance_m": mat.get("distance")} for mat in mats),
                key=lambda mat: (mat["order"] is None, mat["order"], mat["name"]),
            ),
        }


PERSON = (
    given("event_id", description="The event: race and name"),
    given("participant_id", description="The athlete's UUID or, without ids, the bib in its event"),
    given("race_id", description="The race"),
    given("event_name", description="The event's name, which is its id in the race"),
    reference("athlete_id", "The athlete's UUID", path="id"),
    # As printed: neither trimmed nor put right.
    Column("dorsal", "text", "The bib as printed", sent=True),
    text("name", "First name", sent=True),
    text("surname", sent=True),
    text("gender", "male, female, mixed", known=GENDERS),
    text("category"),
    text("status", known=STATUSES, sent=True),
)


class Participants(EventRowsStream):
    """One row per athlete and event."""

    name = "participants"
    primary_keys = ("timing_partner_id", "event_id", "participant_id")
    columns = (
        *PERSON,
        text("full_name", path="fullName"),
        date("birthdate"),
        integer("age", "Of the target API only"),
        reference("nationality", "ISO alpha-3"),
        text("club"),
        text("team"),
        text("wave"),
        Column("chip", "text", "One or several, with commas between", sent=False, convert=joined),
        text("email", path="e-mail"),
        text("phone"),
        reference("import_id", "The registration system's own id", path="importId"),
        reference("license_number", "Of the target API only"),
        text("real_status", "As worked out; status may be forced by the timer (assumed)", path="realStatus"),
        instant("updated_at", "Of the target API only"),
    )

    def pairs(self, race: Race, event: str, found: Found, sent: str, snapshot: Snapshot) -> list[tuple[Any, Record]]:
        """Return who takes part, without their times: a split is no change of a participant."""
        return [
            (person_of(one) if isinstance(one, dict) else one, self.given(race, event, one)) for one in found.rows(sent)
        ]

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row without a key or an event."""
        return unkeyed(row)


class Results(EventRowsStream):
    """One row per athlete and event that was seen somewhere, splits inside. Times are milliseconds from the gun."""

    name = "results"
    is_last = True
    of_results = True
    primary_keys = ("timing_partner_id", "event_id", "participant_id")
    columns = (
        *PERSON,
        given("start_ms", "integer", "When the athlete crossed the start"),
        given("official_ms", "integer", "The finish, from the gun"),
        given("real_ms", "integer", "The finish, from the athlete's own start"),
        given("splits", "array", "Mats on the way: name, official_ms, real_ms, and order and distance_m where told"),
        given("pos", "integer", "Overall, by gun time"),
        given("pos_gender", "integer"),
        given("pos_category", "integer"),
        given("net_pos", "integer", "Overall, by net time"),
        given("net_pos_gender", "integer"),
        given("net_pos_category", "integer"),
        # Of the target API only.
        instant("start_time"),
        instant("finish_time"),
        instant("updated_at"),
    )

    def pairs(self, race: Race, event: str, found: Found, sent: str, snapshot: Snapshot) -> list[tuple[Any, Record]]:
        """Return the times of who was seen; who was once and is no longer, with the null that this is now."""
        cut = whole if self.tap.config["source"] == "leaders" else sport_of
        pairs = []
        for one in found.rows(sent, results=True):
            fields = self.given(race, event, one)
            key = f"{fields['event_id']}/{fields['participant_id']}"
            if not isinstance(one, dict):
                pairs.append((one, fields))
            elif key in snapshot or self.is_result(one):
                pairs.append((cut(one), fields))
        return pairs

    def columns_of(self, source: str) -> tuple[Column, ...]:
        """Return the columns; leaders tell a status only where they can be asked for it (assumed)."""
        if source != "leaders":
            return self.columns
        return tuple(replace(column, sent=False) if column.name == "status" else column for column in self.columns)

    def is_result(self, record: Record) -> bool:
        """Tell whether somebody was seen; times that cannot be read are for `check` to refuse."""
        try:
            return was_seen(self.times(record), record.get("status"))
        except (Unreadable, ValueError, TypeError):
            return True

    def times(self, record: Record) -> dict[str, Any]:
        """Return the times of a record as its source writes them."""
        config = self.tap.config
        return TIMES[config["source"]](record, config["start_split"], config["finish_split"])

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row without a key, or with times that are none; complete the row with its times."""
        if wrong := unkeyed(row):
            return wrong
        try:
            row |= self.times(record)
        except Unreadable as error:
            return error.field, str(error)
        except (ValueError, TypeError) as error:
            return "times", str(error)
        return None

    def suspects(self, columns: dict[str, list[Any]], records: Any) -> None:
        """Have every row looked at: its times stand under names that differ from race to race."""


def unkeyed(row: Record) -> tuple[str, str] | None:
    """Return what is wrong with a row that names no athlete or no event."""
    if not row.get("event_name"):
        return "event", "missing"
    if not row.get("participant_id"):
        return "participant_id", "missing"
    return None
