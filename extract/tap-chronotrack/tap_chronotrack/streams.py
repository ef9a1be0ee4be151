"""The streams of ChronoTrack Live: mostly their columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tap_shared import together
from tap_shared.columns import Column, Record

from tap_chronotrack.columns import boolean, date, instant, integer, key, number, of_event, reference, text
from tap_chronotrack.reading import AccountStream, EventStream
from tap_chronotrack.results import ProbedStream

SEXES = frozenset({"M", "F", "X", ""})
# CONF, FIN, DNF and DQ were seen; the others are assumed (chronotrack.md).
STATUSES = frozenset({"CONF", "FIN", "DNF", "DQ", "DNS", "WD", "PEND", "TRANS", ""})
BRACKETS = frozenset({"OPEN", "SEX", "AGE", "ELITE", "OTHER", ""})


def backwards(row: Record, start: str, end: str) -> tuple[str, str] | None:
    """Return what is wrong where something ends before it starts; both are UTC texts of one form."""
    begun, ended = row[start], row[end]
    # Texts of one form compare like times, unless a fraction was left out: 08:00:00+ sorts before 08:00:00.5.
    if begun is not None and ended is not None and ended[:19] < begun[:19]:
        return end, f"{ended} is before {start} {begun}"
    return None


class Events(AccountStream):
    """One row per event, a day or weekend of racing."""

    name = "events"
    primary_keys = ("timing_partner_id", "event_id")
    remembered_by = ()
    columns = (
        key("event_id", "The provider's id"),
        text("event_name", "As the organiser calls it", sent=True),
        text("event_type"),
        boolean("event_is_published", "Whether athletes can see it"),
        instant("event_start_time", "When it begins", sent=True),
        instant("event_end_time", "When it ends", sent=True),
        text("location_city"),
        text("location_region"),
        text("location_country"),
        text("location_time_zone", "IANA name"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse an event that ends before it starts."""
        return backwards(row, "event_start_time", "event_end_time")


class Races(EventStream):
    """One row per startable distance of an event."""

    name = "races"
    path = "race"
    primary_keys = ("timing_partner_id", "race_id")
    columns = (
        key("race_id", "The provider's id"),
        of_event(),
        text("race_name", sent=True),
        text("race_tag"),
        text("race_type", "running, biking, swimming, multisport, other"),
        text("race_subtype"),
        number("race_course_distance", "Metres"),
        text("race_pref_distance_unit", "The unit in which to show the distance"),
        instant("race_planned_start_time"),
        instant("race_planned_end_time"),
        instant("race_actual_start_time", "The gun"),
        instant("race_actual_end_time"),
        instant("race_age_ref_time", "The moment at which ages count"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a race of another event, or one that ends before it starts."""
        return (
            super().check(row, record)
            or backwards(row, "race_planned_start_time", "race_planned_end_time")
            or backwards(row, "race_actual_start_time", "race_actual_end_time")
        )


class Entries(EventStream):
    """One row per athlete and race."""

    name = "entries"
    path = "entry"
    primary_keys = ("timing_partner_id", "entry_id")
    columns = (
        key("entry_id", "The provider's id"),
        of_event(),
        reference("race_id", "The distance", sent=True),
        reference("athlete_id", "The provider's id of the athlete, where it has one"),
        text("entry_external_id", "The registration system's own id"),
        text("entry_name", "As shown, often in capitals"),
        text("entry_type"),
        text("entry_status", "CONF, FIN, DNF, DQ, …", sent=True, known=STATUSES),
        text("entry_bib", "As printed; empty before bibs are given out", sent=True),
        integer("entry_race_age", "Age on race day as sent"),
        text("athlete_first_name", sent=True),
        text("athlete_last_name", sent=True),
        text("athlete_sex", sent=True, known=SEXES),
        date("athlete_birthdate", "With setting include_birthdate"),
        text("athlete_email", "With setting include_contact"),
        text("athlete_home_phone", "With setting include_contact"),
        text("athlete_mobile_phone", "With setting include_contact"),
        text("location_street"),
        text("location_city"),
        text("location_region"),
        text("location_postal_code"),
        text("location_country"),
        text("bracket_name", "The age group"),
        text("wave_name"),
        text("race_name"),
        reference("reg_choice_id", "The registration option"),
        text("reg_choice_name"),
        reference("team_id"),
        text("team_name"),
    )

    def params(self) -> dict[str, str]:
        """Ask for what the settings want."""
        config = self.config
        asked = {"include_test_entries": str(config["include_test_entries"]).lower()}
        if config["include_contact"]:
            asked["contact_details"] = "true"
        if config["include_birthdate"]:
            asked["need_athlete_birthdate"] = "true"
        return asked


class Brackets(EventStream):
    """One row per group that is ranked by itself."""

    name = "brackets"
    path = "bracket"
    primary_keys = ("timing_partner_id", "bracket_id")
    columns = (
        key("bracket_id", "The provider's id"),
        of_event(),
        reference("race_id", sent=True),
        text("bracket_name", sent=True),
        text("bracket_type", known=BRACKETS),
        boolean("bracket_wants_leaderboard"),
    )


class Intervals(EventStream):
    """One row per timed stretch of a race, the whole course included."""

    name = "intervals"
    path = "interval"
    primary_keys = ("timing_partner_id", "interval_id")
    columns = (
        key("interval_id", "The provider's id"),
        of_event(),
        reference("race_id", sent=True),
        text("interval_name", sent=True),
        text("race_name"),
        Column("interval_distance_m", "number", "From the start", path="interval_iv_distance_m", sent=False),
    )


class Results(ProbedStream):
    """One row per athlete and interval; the finish is the row with results_interval_full."""

    name = "results"
    path = "results"
    primary_keys = ("timing_partner_id", "event_id", "results_entry_id", "results_interval_id")
    columns = (
        of_event(),
        key("results_entry_id", "The entry"),
        key("results_interval_id", "The interval"),
        reference("results_race_id", sent=True),
        text("results_bib", "As printed; empty for some", sent=True),
        text("results_first_name"),
        text("results_last_name"),
        text("results_sex", known=SEXES),
        integer("results_age"),
        text("results_hometown", "City, region, country"),
        text("results_city"),
        text("results_state_code"),
        text("results_country_code"),
        text("results_race_name"),
        text("results_interval_name"),
        boolean("results_interval_full", "True on the whole course", sent=True),
        text("results_bracket_name"),
        text("results_primary_bracket_name", "The age group"),
        integer("results_rank", "Overall on this interval"),
        text("results_time", "Net time as sent", sent=True),
        text("results_gun_time", "Gun time as sent"),
        text("results_pace"),
        text("results_gun_pace"),
        text("results_penalty_time"),
        instant("results_begin_chip_time"),
        instant("results_end_chip_time"),
    )

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        """Refuse a row of another event, or one whose interval ends before it begins."""
        return super().check(row, record) or backwards(row, "results_begin_chip_time", "results_end_chip_time")

    def suspects(self, columns: dict[str, Any], records: Sequence[Any]) -> Iterable[int]:
        """Do as `check` for all rows of an answer."""
        late = together.backwards(columns["results_begin_chip_time"], columns["results_end_chip_time"])
        return late + self.strangers(columns, records)

    def params(self) -> dict[str, str]:
        """Ask for the splits beside the finish."""
        return {"interval": "ALL"}
