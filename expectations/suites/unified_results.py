"""Results as they would be published."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_results"
RELATION = "unified_results"
NEEDS = (
    "candidate.unified_results",
    "candidate.unified_events",
    "candidate.unified_races",
    "candidate.unified_participants",
)

ONE_MINUTE = 60
ONE_WEEK = 7 * 24 * 3600
OLDEST = 115
GENDERS = ("F", "M", "X", "U")
STATUSES = (
    "finished", "did_not_finish", "did_not_start", "disqualified", "in_progress", "unknown", "removed",
)  # fmt: skip
# The gun fires before anybody crosses the start mat; a second or two is rounding, more is a wrong gun.
GUN_TOLERANCE_S = 5
# A split at the finish line itself may be rounded differently from the finish.
SPLIT_TOLERANCE_S = 1

VIEW = f"""
select
    r.result_key as row_key,
    r.timing_partner_id,
    r.source_provider,
    r.ctid::text as origin,
    coalesce(starts_with(r.result_key, r.source_provider || '/' || r.timing_partner_id || '/'), false)
        as result_key_is_well_formed,
    exists (select from candidate.unified_events as e where e.event_key = r.event_key)
        as result_event_is_present,
    r.race_key is null or exists (select from candidate.unified_races as c where c.race_key = r.race_key)
        as result_race_is_present,
    coalesce(btrim(r.first_name), '') <> ''
    or coalesce(btrim(r.last_name), '') <> ''
    or coalesce(btrim(r.bib_number), '') <> '' as result_belongs_to_somebody,
    r.age,
    r.gender,
    r.status,
    r.chip_seconds,
    r.gun_seconds,
    r.overall_place,
    r.gun_seconds >= r.chip_seconds - {GUN_TOLERANCE_S} as gun_is_not_before_chip,
    r.status <> 'finished' or r.chip_seconds is not null or r.gun_seconds is not null as finish_has_a_time,
    case
        when jsonb_typeof(r.splits) = 'array' then not exists (
            select from jsonb_array_elements(r.splits) as s
            where (s ->> 'chip_seconds')::numeric > r.chip_seconds + {SPLIT_TOLERANCE_S}
        )
    end as splits_are_before_the_finish,
    coalesce(r.provider_fields -> 'unreadable', 'null') in ('null', '[]', '{{}}') as result_is_readable,
    r.status <> 'unknown' as result_status_is_understood,
    r.participant_key is null
    or exists (select from candidate.unified_participants as p where p.participant_key = r.participant_key)
        as result_participant_is_present
from candidate.unified_results as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a result that partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "result_key_is_well_formed",
            "its key does not begin with provider/partner/",
            "A model built the key by hand: the same id under two partners could become one result.",
        ),
        rules.holds(
            "result_event_is_present",
            "its event is not there",
            "The event was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "result_race_is_present",
            "its race is not there",
            "The race was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "result_belongs_to_somebody",
            "it has neither a name nor a bib",
            "A chip that was never given out, or renamed fields; nobody could find this result.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="age",
            min_value=0,
            max_value=OLDEST,
            **rules.named(
                "result_age_is_plausible",
                rules.QUARANTINE,
                f"its age is not between 0 and {OLDEST}",
                "A birth year in the age field, or a placeholder birth date.",
                shows_value=True,
            ),
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="gender",
            value_set=list(GENDERS),
            **rules.named(
                "result_gender_is_known",
                rules.QUARANTINE,
                f"its gender is none of {', '.join(GENDERS)}",
                "A provider's own code went through staging untranslated.",
                shows_value=True,
            ),
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="status",
            value_set=list(STATUSES),
            **rules.named(
                "result_status_is_known",
                rules.QUARANTINE,
                "its status is none of ours",
                "A provider's own status went through staging untranslated; unknown ones must say 'unknown'.",
                shows_value=True,
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="chip_seconds",
            min_value=ONE_MINUTE,
            max_value=ONE_WEEK,
            **rules.named(
                "chip_time_is_plausible",
                rules.QUARANTINE,
                "its chip time is not between one minute and one week",
                "A stray read is a mat fault; many at once are minutes sent as seconds.",
                shows_value=True,
            ),
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="gun_seconds",
            min_value=ONE_MINUTE,
            max_value=ONE_WEEK,
            **rules.named(
                "gun_time_is_plausible",
                rules.QUARANTINE,
                "its gun time is not between one minute and one week",
                "A wrong gun moves a whole race; many at once are minutes sent as seconds.",
                shows_value=True,
            ),
        ),
        rules.holds(
            "gun_is_not_before_chip",
            f"its gun time is more than {GUN_TOLERANCE_S} s shorter than its chip time",
            "Nobody starts before the gun: the two were swapped, or the wave's gun is wrong.",
        ),
        rules.holds(
            "finish_has_a_time",
            "it is finished and has no time",
            "A time that reads as nothing, such as '-'; many at once are a renamed field.",
        ),
        rules.holds(
            "splits_are_before_the_finish",
            "a split of it is later than its finish",
            "Splits of another lap or another athlete; or the finish is a split.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="overall_place",
            min_value=1,
            **rules.named(
                "place_is_positive",
                rules.QUARANTINE,
                "its place is below 1",
                "0 stands for no place at some timers and must be null.",
                shows_value=True,
            ),
        ),
        rules.holds(
            "result_is_readable",
            "a time of it could not be read",
            "provider_fields.unreadable names the field and what was sent; many at once are a new time format.",
        ),
        rules.holds(
            "result_status_is_understood",
            "its status is new to us",
            "The provider has a new status; the row is published with status unknown.",
            effect=rules.WARN,
            remedy="teach the status to the staging model",
        ),
        rules.holds(
            "result_participant_is_present",
            "its participant is not there",
            "The entry was refused on arrival; the result is published and links to nobody.",
            effect=rules.WARN,
        ),
    )
