"""The streams of Let's Do This: mostly their columns."""

from __future__ import annotations

from tap_shared.columns import Column, Record

from tap_letsdothis.columns import FIELDS, all_answers, key, reference, text, told, value
from tap_letsdothis.reading import AccountStream, DirectoryStream

# An open list: PENDING_BALLOT stands in the vendor's examples and not among its values (letsdothis.md, 4).
STATUSES = frozenset(
    {
        "CONFIRMED", "CANCELLED", "DEFERRED", "PENDING", "REFUNDING", "REFUNDED", "TO_BE_TRANSFERRED",
        "TRANSFERRED_EVENTS", "TRANSFERRED_TO_CREDIT", "FAILED", "PENDING_BALLOT",
    }
)  # fmt: skip
APPROVALS = frozenset({"PENDING", "PENDING_PAYMENT", "APPROVED", "REJECTED", "CANCELLED", "ELIGIBLE", "NOT_ELIGIBLE"})
RESOLUTIONS = frozenset({"BALLOT", "AUTOMATIC", "MANUAL"})
SOURCES = frozenset({"INCREMENTAL", "NON_INCREMENTAL"})


class Events(DirectoryStream):
    """One row per event, whatever the number of days on which it takes place."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    remembered_by = ()
    # The whole body is ASSUMED (letsdothis.md, 5.4), as are those of occurrences and races.
    columns = (
        key("event_id", "The provider's id"),
        text("title", "title", "As the organiser calls it", sent=True),
        text("description", "description"),
        text("status", "status"),
        value("created_at", "instant", "createdAt"),
        value("updated_at", "instant", "updatedAt"),
    )


class Occurrences(DirectoryStream):
    """One row per day on which an event takes place: what entries refer to."""

    name = "occurrences"
    primary_keys = ("timing_partner_id", "occurrence_id")
    remembered_by = ()
    columns = (
        key("occurrence_id", "The provider's id"),
        Column("event_id", "text", "The event that holds it", given=True),
        value("start_date", "instant", "startDate", sent=True),
        value("end_date", "instant", "endDate"),
        text("timezone", "timezone", "IANA name"),
        text("location_name", "location.name"),
        text("city", "location.city"),
        text("postcode", "location.postcode"),
        text("country", "location.country", "In English, or a code"),
        value("latitude", "number", "location.latitude"),
        value("longitude", "number", "location.longitude"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an occurrence that ends before it starts."""
        starts, ends = row["start_date"], row["end_date"]
        # Both are UTC in one format, so their texts compare like the instants.
        if starts is not None and ends is not None and ends < starts:
            return "end_date", "ends before it starts"
        return None


class Races(DirectoryStream):
    """One row per race of an occurrence."""

    name = "races"
    primary_keys = ("timing_partner_id", "race_id")
    remembered_by = ()
    columns = (
        key("race_id", "The provider's id"),
        Column("event_id", "text", "The event that holds it", given=True),
        Column("occurrence_id", "text", "The occurrence that holds it", given=True),
        text("title", "title", sent=True),
        value("distance", "number", "distance.value"),
        text("distance_unit", "distance.unit"),
        value("start_time", "instant", "startTime"),
        value("capacity", "integer", "capacity"),
    )


def _columns(entry: str) -> tuple[Column, ...]:
    """Return the columns that entrants and applicants have in common; `entry` names the id's column."""
    return (
        key(entry, "The provider's id"),
        Column("occurrence_id", "text", "The occurrence; the provider spells its name in two ways", given=True),
        reference("race_id", "raceId", "The race", sent=True),
        reference("booking_id", "bookingId", "One booking, several people", sent=True),
        value("participant_index", "integer", "participantIndex", "Place inside the booking, from 0 on"),
        reference("transaction_id", "transactionId"),
        reference("ticket_id", "ticketId"),
        text("ticket_title", "ticketTitle"),
        value("created_at", "instant", "createdAt", "When the booking was made", sent=True),
        value("updated_at", "instant", "updatedAt", "When the booking was last touched", sent=True),
        told("status", "status", "One of the answers of the form; an open list", known=STATUSES),
        told("first_name", "firstName"),
        told("last_name", "lastName"),
        told("email_address", "emailAddress"),
        told("gender", "gender", "MALE, FEMALE, NON BINARY, IDENTIFIES AS …, PREFER NOT TO SAY"),
        told("date_of_birth", "dateOfBirth", kind="date"),
        told("address_line1", "addressLine1"),
        told("address_line2", "addressLine2"),
        told("address_city", "addressCity"),
        told("address_postcode", "addressPostcode"),
        told("address_country", "addressCountry", "Its English name"),
        told("phone", "phone", "E.164"),
        told("emergency_contact_name", "emergencyContactName"),
        told("emergency_contact_phone", "emergencyContactPhone"),
        Column("answers", "object", "All answers of the form by their id", path=FIELDS, convert=all_answers),
        text("booker_first_name", "booker.firstName", "Who booked, where the form asks for them apart"),
        text("booker_last_name", "booker.lastName"),
        text("booker_email", "booker.email"),
        value(
            "ticket_price_minor", "integer", "originalTicketPrice.value", "List price in minor units, not what was paid"
        ),
        text("ticket_price_currency", "originalTicketPrice.currencyCode"),
        text("incremental_status", "incrementalStatus", known=SOURCES),
        text("bib_number", "bibNumber", "As printed"),
        value("booking_codes_used", "array", "bookingCodesUsed"),
    )


class Participants(AccountStream):
    """One row per entrant, those who came through an application among them."""

    name = "participants"
    primary_keys = ("timing_partner_id", "participant_id")
    remembered_by = ("occurrence_id",)
    replication_key = "updated_at"
    columns = (
        *_columns("participant_id"),
        reference("application_id", "applicationId", "The application it was born of"),
    )


class Applications(AccountStream):
    """One row per application: only where a ticket needs one, whether the applicant entered or not."""

    name = "applications"
    primary_keys = ("timing_partner_id", "application_id")
    remembered_by = ("occurrence_id",)
    replication_key = "updated_at"
    columns = (
        *_columns("application_id"),
        # Absent from the vendor's examples.
        text("approval_status", "approvalStatus", known=APPROVALS),
        text("application_resolution_type", "applicationResolutionType", known=RESOLUTIONS),
    )
