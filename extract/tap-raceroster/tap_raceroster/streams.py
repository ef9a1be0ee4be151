"""The streams of Race Roster: mostly their columns.

Fields of events and sub-events were seen in clients, those of participants are assumed unless raceroster.md says
otherwise (section 5), those of results come from captures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from tap_shared.columns import Column, Record

from tap_raceroster.columns import (
    date,
    event_number,
    integer,
    key,
    moment,
    number,
    of_event,
    reference,
    results_code,
    text,
    thing,
)
from tap_raceroster.reading import ChangingStream, RaceRosterStream
from tap_raceroster.results import ResultStream

# Section 5.1: not disclosed, male, female, co-ed team, non-binary; numbers, and text is taken too.
GENDERS = frozenset({"0", "1", "2", "8", "9"})
# assumed (section 4).
STATUSES = frozenset({"active", "pending", "transferred", "deferred", "cancelled", "refunded", "removed"})
PAYMENTS = frozenset({"paid", "pending", "refunded", "partially_refunded"})
# Seen in captures (section 5.4); DQ is assumed.
RACE_STATUSES = frozenset({"COMPLETE", "DNF", "DNS", "DQ"})
GENDER_WORDS = frozenset({"Male", "Female", "Non-binary", "Unknown"})


class DirectoryStream(RaceRosterStream):
    """Events and sub-events, which come in the same answers."""

    def walk(self) -> Iterator[Record]:
        """Yield this stream's rows and pass the other's on, unless the other has passed on these."""
        for owner, row in self.tap.directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)


class Events(DirectoryStream):
    """One row per event, a day or weekend of racing."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    remembered_by = ()
    replication_key = "last_modified_date"
    is_sorted = False
    columns = (
        key("event_id", "eventId", "The provider's id: opaque text, and not the number in the address"),
        text("type"),
        text("name", sent=True),
        text("city"),
        text("address", description="One line, with the post code"),
        text("description", description="May hold HTML"),
        text("locale"),
        text("region_code", "region.code"),
        text("region_name", "region.name"),
        text("country_code", "country.code"),
        text("country_name", "country.name"),
        moment("start_date", "startDate", "Midnight there often means that no time was set", sent=True),
        text("time_zone", "timeZone", "IANA name"),
        moment("registration_open_date", "registrationOpenDate"),
        moment("registration_close_date", "registrationCloseDate"),
        moment("last_modified_date", "lastModifiedDate"),
        text("url"),
        Column("event_number", "integer", "The number in the address", path="url", convert=event_number, sent=False),
        text("organizer_name", "organizerName"),
        text("organizer_email", "organizerEmail"),
        text("organizer_phone", "organizerPhone"),
        number("latitude"),
        number("longitude"),
        text("results_url", "resultsUrl"),
        Column("results_code", "text", "assumed: the results service's code, from the address of the results",
               path="resultsUrl", convert=results_code, sent=False),
    )  # fmt: skip

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event whose registration closes before it opens."""
        opens, closes = row["registration_open_date"], row["registration_close_date"]
        # Both are UTC in one format, so their texts compare like the instants.
        if opens is not None and closes is not None and closes[:19] < opens[:19]:
            return "registration_close_date", f"{closes} is before {opens}"
        return None


class SubEvents(DirectoryStream):
    """One row per distance, crew or merchandise of an event; the last two have no length."""

    name = "sub_events"
    primary_keys = ("timing_partner_id", "sub_event_id")
    columns = (
        key("sub_event_id", "subEventId", "The provider's id; sometimes a text"),
        of_event(),
        text("name", sent=True),
        integer("max_participants", "maxParticipants"),
        integer("participant_min_age", "participantMinAge"),
        integer("participant_max_age", "participantMaxAge"),
        text("sport", "subEventDistance.type", "running, …"),
        text("distance_label", "subEventDistance.label"),
        number("distance_value", "subEventDistance.value"),
        text("distance_unit", "subEventDistance.unit"),
        number("distance_m", "subEventDistance.inMeters"),
        number("distance", description="The older field, in distance_type"),
        text("distance_type", "distanceType", "km, mi or m"),
        moment("custom_sub_event_date", "customSubEventDate", "Null: it starts with the event"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a sub-event whose youngest runner is older than its oldest."""
        youngest, oldest = row["participant_min_age"], row["participant_max_age"]
        if youngest is not None and oldest is not None and oldest < youngest:
            return "participant_max_age", f"{oldest} is below the least age {youngest}"
        return None


class Participants(ChangingStream):
    """One row per registration of a person for a sub-event; one that was taken back keeps its row."""

    name = "participants"
    paths: ClassVar = {"observed": "participants", "project": "registrations"}
    primary_keys = ("timing_partner_id", "participant_id")
    replication_key = "last_modified_date"
    is_sorted = False
    columns = (
        key("participant_id", "participantId", "The provider's id"),
        of_event(),
        reference("sub_event_id", "subEventId", "Changes when the runner moves to another distance", sent=True),
        text("sub_event_name", "subEventName"),
        reference("registration_id", "registrationId"),
        reference("transaction_id", "transactionId"),
        text("bib_number", "bibNumber", "As printed; empty or null before bibs are given out"),
        text("first_name", "firstName", sent=True),
        text("last_name", "lastName", sent=True),
        text("email_address", "emailAddress"),
        text("phone"),
        date("date_of_birth", "dateOfBirth"),
        text("gender", description="0 not disclosed, 1 male, 2 female, 9 non-binary", known=GENDERS | {None}),
        integer("age", description="On the day of the event"),
        text("address_line1", "addressLine1"),
        text("address_line2", "addressLine2"),
        text("city"),
        text("province_state", "provinceState"),
        text("postal_code", "postalCode"),
        text("country"),
        thing("emergency_contact", "emergencyContact"),
        text("team_name", "teamName"),
        text("division"),
        text("wave_name", "waveName"),
        moment("registration_date", "registrationDate"),
        moment("last_modified_date", "lastModifiedDate", sent=True),
        text("registration_status", "registrationStatus", sent=True, known=STATUSES),
        text("payment_status", "paymentStatus", known=PAYMENTS | {None}),
        number("amount_paid", "amountPaid"),
        text("currency", description="ISO 4217"),
        reference("transferred_to_participant_id", "transferredToParticipantId"),
        reference("transferred_from_participant_id", "transferredFromParticipantId"),
        thing("custom_fields", "customFields", kind="array"),
    )


class Results(ResultStream):
    """One row per athlete and race of the results service."""

    name = "results"
    primary_keys = ("timing_partner_id", "result_id")
    columns = (
        key("result_id", "id", "The public id: 16 letters and digits"),
        of_event(),
        Column("sub_event_name", "text", "As the service calls the sub-event", given=True),
        reference("result_number", "resultId"),
        reference("result_event_id", "resultEventId"),
        reference("result_sub_event_id", "resultSubEventId", "The service's own id, another than sub_event_id"),
        text("participant_num", "participantNum", "A UUID"),
        integer("overall_place", "overallPlace", "Null for who did not finish", sent=True),
        integer("gender_place", "genderPlace"),
        text("division"),
        text("division_place", "divisionPlace", "n / m"),
        text("name", sent=True),
        text("bib", description="As printed; only one by one"),
        text("gender", description="A word", known=GENDER_WORDS | {None}),
        integer("age"),
        text("chip_time", "chipTime", "As shown"),
        text("gun_time", "gunTime"),
        number("chip_time_sec", "chipTimeSec"),
        number("gun_time_sec", "gunTimeSec"),
        number("final_time_sec", "finalTimeSec"),
        text("overall_pace", "overallPace"),
        text("overall_pace_units", "overallPaceUnits"),
        text("team_name", "teamName"),
        text("from_city", "fromCity"),
        text("from_prov_state", "fromProvState"),
        text("from_country", "fromCountry"),
        text("nationality"),
        text("race_status", "raceStatus", "COMPLETE, DNF, DNS", known=RACE_STATUSES | {None}),
        thing("custom", kind="array"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row whose chip time is longer than the time from the gun."""
        gun, chip = row["gun_time_sec"], row["chip_time_sec"]
        if gun is not None and chip is not None and chip > gun:
            return "chip_time_sec", f"{chip} s from the start mat, {gun} s from the gun"
        return super().check(row, record)

    def suspects(self, columns: dict[str, list[Any]], records: Sequence[Any]) -> Iterable[int] | None:
        """Have every row checked: they come one by one."""
        return None
