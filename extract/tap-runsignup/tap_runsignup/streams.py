"""The streams: what RunSignUp sends, and which of it has a column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from tap_shared import together
from tap_shared.columns import Column, Record, to_epoch

from tap_runsignup.columns import GENDERS, day, eastern_time, flag, in_race_zone
from tap_runsignup.reading import RegistrationStream, RunSignUpStream
from tap_runsignup.results import ResultStream

# The documented maximum.
PAGE = 2500


class Races(RunSignUpStream):
    """One record for each race, which is RunSignUp's word for the occasion that holds the events."""

    name = "races"
    primary_keys = ("timing_partner_id", "race_id")
    remembered_by = ()
    replication_key = "last_modified"
    columns = (
        Column("race_id", "integer", required=True),
        Column("name"),
        Column("timezone", description="IANA zone in which the events' times are meant"),
        Column("url"),
        flag("is_draft_race"),
        flag("is_private_race"),
        Column("city", path="address.city"),
        Column("state", path="address.state"),
        Column("zipcode", path="address.zipcode"),
        Column("country_code", path="address.country_code"),
        eastern_time("created"),
        eastern_time("last_modified"),
    )

    def walk(self) -> Iterator[Record]:
        """Yield the races; their events go to their own stream on the way."""
        for owner, row in self.directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)


class Events(RunSignUpStream):
    """One record for each event, which is RunSignUp's word for a distance that can be entered."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    remembered_by = ("race_id",)
    columns = (
        Column("event_id", "integer", required=True),
        Column("race_id", "integer", "The race that holds it", given=True),
        Column("race_event_days_id", "integer", "Groups the events of one edition"),
        Column("name"),
        Column("details"),
        Column("start_time", "instant", "From the race's own zone", within=in_race_zone),
        Column("end_time", "instant", "From the race's own zone", within=in_race_zone),
        eastern_time("registration_opens"),
        Column("age_calc_base_date", "date", convert=day),
        Column("event_type"),
        Column("distance", description="As sent, such as 5K"),
        flag("volunteer"),
        flag("require_dob"),
        flag("require_phone"),
        Column("giveaway", sent=False),
        Column("timezone", description="The race's zone", given=True),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event that ends before it starts."""
        starts, ends = row["start_time"], row["end_time"]
        # Both are UTC in one format, so their texts compare like the instants.
        if starts is not None and ends is not None and ends < starts:
            return "end_time", "ends before it starts"
        return None

    def walk(self) -> Iterator[Record]:
        """Yield the events, unless the races' stream has passed them on already."""
        for owner, row in self.directory.walk():
            if owner is self:
                yield row
            else:
                owner.emit(row)
        if self.directory.events_error is not None:
            raise self.directory.events_error


class Participants(RegistrationStream):
    """One record for each active registration; a runner in two events appears twice."""

    name = "participants"
    endpoint = "participants"
    # supports_nb: without it a non-binary runner's gender is null. The transferred ones are left to
    # removed_participants, which says where they went.
    flags: ClassVar = {"supports_nb": "T", "include_profile_image_url": "T", "include_fundraisers": "T"}
    columns = (
        Column("registration_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", "Changes when the runner moves to another event", required=True),
        Column("user_id", "integer", path="user.user_id"),
        Column("first_name", path="user.first_name"),
        Column("middle_name", path="user.middle_name"),
        Column("last_name", path="user.last_name"),
        Column("email", path="user.email"),
        Column("street", path="user.address.street"),
        Column("city", path="user.address.city"),
        Column("state", path="user.address.state"),
        Column("zipcode", path="user.address.zipcode"),
        Column("country_code", path="user.address.country_code"),
        Column("dob", "date", path="user.dob", many=together.days),
        Column("gender", path="user.gender", known=GENDERS),
        Column("phone", path="user.phone"),
        Column("profile_image_url", path="user.profile_image_url", sent=False),
        Column("bib_num"),
        Column("chip_num"),
        Column("age", "integer", "At registration or at the event's age_calc_base_date"),
        eastern_time("registration_date"),
        Column("last_modified", "instant", convert=to_epoch, many=together.epochs),
        flag("imported"),
        Column("transaction_id"),
        Column("team_id", "integer"),
        Column("team_name"),
        Column("giveaway", sent=False),
        Column("race_fee", description="Dollar text as sent"),
        Column("processing_fee", description="Dollar text as sent"),
        Column("amount_paid", description="Dollar text as sent"),
        Column("fundraiser_charity_name", sent=False),
    )


class RemovedParticipants(RegistrationStream):
    """One record for each registration that was refunded, transferred, deferred or undone."""

    name = "removed_participants"
    endpoint = "removed-participants"
    flags: ClassVar = {"supports_nb": "T"}
    columns = (
        Column("registration_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", "The event that it was removed from", given=True, required=True),
        Column("first_name", path="user.first_name"),
        Column("last_name", path="user.last_name"),
        Column("email", path="user.email"),
        Column("dob", "date", path="user.dob", many=together.days),
        Column("gender", path="user.gender", known=GENDERS),
        Column("age", "integer"),
        Column("removed_reason", known=frozenset({"cleared", "removed", "transferred", "deferred"})),
        Column("new_registration_id", "integer", "Its successor after a transfer"),
        eastern_time("registration_date"),
        Column("last_modified", "instant", path="last_modified_ts", convert=to_epoch, many=together.epochs),
    )


class Results(ResultStream):
    """One record for each row of a result set, with the splits of its time."""

    name = "results"
    primary_keys = ("timing_partner_id", "result_id")
    columns = (
        Column("result_id", "integer", required=True),
        Column("race_id", "integer", given=True),
        Column("event_id", "integer", given=True),
        Column("result_set_id", "integer", given=True),
        Column("result_set_name", given=True),
        Column("is_public", "boolean", given=True),
        Column("is_preliminary", "boolean", given=True),
        Column("registration_id", "integer", sent=False),
        Column("bib"),
        Column("place", "integer", description="Null for who did not finish"),
        Column("first_name"),
        Column("last_name"),
        Column("gender", known=GENDERS, sent=False),
        Column("age", "integer", sent=False),
        Column("city", sent=False),
        Column("state", sent=False),
        Column("country_code", sent=False),
        Column("clock_time", description="As sent: a time, DNF, DNS, DQ or DNQ"),
        Column("chip_time", description="As sent; empty where untimed"),
        Column("pace", sent=False),
        Column("splits", "array", "id, name and time of each split, in the order of the headers", given=True),
    )
