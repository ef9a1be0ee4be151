"""The streams of Haku: mostly their columns."""

from __future__ import annotations

from collections.abc import Iterator

from tap_shared.columns import Column, Record

from tap_haku.columns import array, boolean, date, instant, integer, key, of_event, text, time_of
from tap_haku.reading import HakuStream, ListStream, SingleStream

# Assumed: no client shows the values. Others are kept, and reported once.
GENDERS = frozenset({"Male", "Female", "Non-Binary", ""})
STATUSES = frozenset({"active", "inactive", ""})


class Events(HakuStream):
    """One record for each event, a day of racing with one or more categories."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    remembered_by = ()
    columns = (
        key("event_id", "The provider's id, as text", path="id"),
        text("name", sent=True),
        text("event_date", "A day, or a time, as sent", sent=True),
        date("event_day", "The day of event_date, in whichever zone it is meant", path="event_date"),
        instant("starts_at", "Of event_date; null where that is only a day", path="event_date", convert=time_of),
        text("event_end_date", "A day, or a time, as sent"),
        date("event_end_day", "The day of event_end_date", path="event_end_date"),
        instant("ends_at", "Of event_end_date; null where that is only a day", path="event_end_date", convert=time_of),
        text("location_name"),
        text("location_city"),
        text("location_state"),
        text("location_country"),
        text("event_type"),
        text("distance", "A number without a unit, or words such as 10K, as sent"),
        integer("registration_limit"),
        instant("registration_open_date"),
        instant("registration_close_date"),
        text("base_price", "As sent: a number, or text such as $1,045.00"),
        text("currency"),
        text("status", known=STATUSES),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event that ends before it starts."""
        starts, ends = row["starts_at"], row["ends_at"]
        # Both are UTC in one form; compared without their fractions, which one of them may lack.
        if starts is not None and ends is not None and ends[:19] < starts[:19]:
            return "event_end_date", "ends before it starts"
        return None

    def walk(self) -> Iterator[Record]:
        """Yield the changed events, unless another stream has had them written already."""
        yield from self.tap.directory.walk()


class Categories(HakuStream):
    """One record for each category of an event, which is Haku's word for a distance that can be entered.

    No list of them is known: they come inside registrations, and are written when those are read.
    """

    name = "categories"
    primary_keys = ("timing_partner_id", "event_id", "category_id")
    columns = (
        of_event(),
        key("category_id", "The provider's id, as text", path="id"),
        text("name", sent=True),
        text("master_name"),
    )

    def walk(self) -> Iterator[Record]:
        """Yield nothing by itself."""
        yield from ()


class Participants(ListStream):
    """One record for each registration as its event's list has it: short, and there first."""

    name = "participants"
    primary_keys = ("timing_partner_id", "event_id", "registration_number")
    replication_key = "updated_at"
    # The list comes newest change first, and a bookmark is the provider's clock.
    is_sorted = False
    columns = (
        of_event(),
        key("registration_number", "The provider's number"),
        text("person_full_name", "First and last name in one", sent=True),
        text("email", sent=True),
        text("gender", known=GENDERS),
        integer("age"),
        text("team_name", path="team.name"),
        text("event_category_info", "The category's name"),
        boolean("is_cancelled", "The only status there is", sent=True),
        instant("registered_at"),
        text("transaction_amount", "As sent: a number, or text"),
        instant("updated_at", "Assumed to be there: one can sort by it"),
        text("bib", "Assumed, as the project's field mapping wants it; registrations have it as tag_number"),
    )


class Registrations(SingleStream):
    """One record for each registration in full, which takes a call each."""

    name = "registrations"
    primary_keys = ("timing_partner_id", "event_id", "registration_number")
    columns = (
        of_event(),
        Column("registration_number", "text", "The number it was asked for with", given=True, required=True),
        instant("created_at"),
        instant("updated_at"),
        boolean("is_cancelled", "The only status there is", sent=True),
        instant("cancelled_at"),
        text("transaction_amount", "As sent: a number, or text; may fall to 0 with a refund"),
        text("account_number", path="participant.account_number"),
        text("first_name", path="participant.first_name", sent=True),
        text("middle_initial", path="participant.middle_initial"),
        text("last_name", path="participant.last_name", sent=True),
        text("email", path="participant.email", sent=True),
        text("phone", path="participant.phone"),
        date("dob", path="participant.dob"),
        text("gender", path="participant.gender", known=GENDERS),
        text("line1", path="participant.address.line1"),
        text("line2", path="participant.address.line2"),
        text("city", path="participant.address.city"),
        text("state", path="participant.address.state"),
        text("zip_code", path="participant.address.zip_code"),
        text("country", path="participant.address.country"),
        # Of the category it is in; see columns.active_category.
        Column("category_id", "text", "The active category's id", given=True),
        Column("category_name", "text", "The active category's name", given=True),
        Column("tag_number", "text", "The bib: the active category's tag_number", given=True),
        Column("chip_number", "text", "Never a bib", given=True),
        Column("wave_name", "text", given=True),
        Column("corral_name", "text", given=True),
        Column("active_categories", "integer", "How many are active: more than one is somebody in two", given=True),
        array("event_categories", "All of them, as sent"),
        text("team_name", path="team.name"),
        text("club_name", path="club.name"),
        text("emergency_contact_name"),
        text("emergency_contact_phone_number"),
        text("emergency_contact_relationship"),
        text("shirt_size_name"),
        text("shirt_size_code"),
        text("current_pace"),
        text("formatted_submitted_result_time", "What the runner says, no result"),
        text("fundraising_option"),
        text("fundraised_amount"),
        text("fundraiser_goal"),
        array("products"),
        array("additional_questions", "The registration's own fields: id, question, answer (assumed)"),
        array("participant_questions", "The person's own fields", path="participant.additional_questions"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an answer about another registration than the one asked for."""
        told = record.get("registration_number")
        if told is not None and str(told) != row["registration_number"]:
            return "registration_number", f"of {told}, asked for {row['registration_number']}"
        return None
