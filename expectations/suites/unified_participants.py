"""Participants as they would be published."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_participants"
RELATION = "unified_participants"
NEEDS = ("candidate.unified_participants", "candidate.unified_events", "candidate.unified_races")

OLDEST = 115
GENDERS = ("F", "M", "X", "U")
STATUSES = (
    "registered", "confirmed", "cancelled", "refunded", "transferred", "deferred", "withdrawn", "disqualified",
    "did_not_start", "did_not_finish", "finished", "pending", "removed", "unknown",
)  # fmt: skip
# RunSignUp's age is that of registration or of a day the race chose, so one year apart is no contradiction.
AGE_TOLERANCE = 1
LARGEST_AMOUNT = 10_000

VIEW = f"""
select
    p.participant_key as row_key,
    p.timing_partner_id,
    p.source_provider,
    p.ctid::text as origin,
    p.race_key,
    p.bib_number,
    p.is_removed,
    coalesce(
        p.participant_key = p.source_provider || '/' || p.timing_partner_id || '/' || p.participant_id, false
    ) as participant_key_is_well_formed,
    exists (select from candidate.unified_events as e where e.event_key = p.event_key)
        as participant_event_is_present,
    p.race_key is null or exists (select from candidate.unified_races as r where r.race_key = p.race_key)
        as participant_race_is_present,
    coalesce(btrim(p.first_name), '') <> '' or coalesce(btrim(p.last_name), '') <> '' as participant_has_a_name,
    p.age,
    p.birth_date <= %(today)s::date as participant_is_born,
    p.gender,
    p.status,
    coalesce(p.provider_fields -> 'unreadable', 'null') in ('null', '[]', '{{}}') as participant_is_readable,
    p.status <> 'unknown' as participant_status_is_understood,
    case when p.birth_date is not null then abs(p.age - p.age_as_sent) <= {AGE_TOLERANCE} end
        as age_agrees_with_birth_date,
    greatest(abs(p.race_fee), abs(p.amount_paid)) <= {LARGEST_AMOUNT} as amounts_are_plausible,
    p.registration_date <= %(now)s::timestamptz + interval '1 day' as registered_in_the_past
from candidate.unified_participants as p
"""

# A bib may be given to a second entry without a change of the first one.
BESIDE = """
select u.participant_key as row_key
from hub.candidate_changes as k
inner join candidate.unified_participants as c on c.participant_key = k.row_key
inner join unified.unified_participants as u
    on u.bib_number = c.bib_number and u.timing_partner_id = c.timing_partner_id and u.event_key = c.event_key
    and u.race_key = c.race_key
where k.relation = 'unified_participants'
"""

# Relays share a bib on purpose: told, never held back. A removed entry gives its bib free again.
BIBS = """
select
    source_provider,
    timing_partner_id,
    'unified_participants' as relation,
    sum(holders) as failing,
    (array_agg(first_key order by first_key))[1:5] as sample_keys,
    'bibs held by more than one entry of a race: ' || count(*) as detail
from (
    select source_provider, timing_partner_id, min(row_key) as first_key, count(*) as holders
    from {batch}
    where bib_number is not null and race_key is not null and not coalesce(is_removed, false)
    group by source_provider, timing_partner_id, race_key, bib_number
    having count(*) > 1
) as shared
group by source_provider, timing_partner_id
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a participant that partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "participant_key_is_well_formed",
            "its key is not provider/partner/id",
            "A model built the key by hand: the same id under two partners could become one person's entry.",
        ),
        rules.holds(
            "participant_event_is_present",
            "its event is not there",
            "The event was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "participant_race_is_present",
            "its race is not there",
            "The race was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "participant_has_a_name",
            "it has neither a first nor a last name",
            "A placeholder sold in bulk; many at once are renamed name fields.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="age",
            min_value=0,
            max_value=OLDEST,
            **rules.named(
                "age_is_plausible",
                rules.QUARANTINE,
                f"its age is not between 0 and {OLDEST}",
                "A birth date of 1900-01-01 stands for unknown; many at once are a changed date format.",
                shows_value=True,
            ),
        ),
        rules.holds(
            "participant_is_born",
            "its birth date is in the future",
            "A two-digit year put into the wrong century.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="gender",
            value_set=list(GENDERS),
            **rules.named(
                "gender_is_known",
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
                "participant_status_is_known",
                rules.QUARANTINE,
                "its status is none of ours",
                "A provider's own status went through staging untranslated; unknown ones must say 'unknown'.",
                shows_value=True,
            ),
        ),
        rules.holds(
            "participant_is_readable",
            "an amount or a date of it could not be read",
            "provider_fields.unreadable names the field and what was sent; many at once are a new currency format.",
        ),
        rules.holds(
            "participant_status_is_understood",
            "its status_as_sent is new to us",
            "The provider has a new status; the row is published with status unknown.",
            effect=rules.WARN,
            remedy="teach status_as_sent to the staging model",
        ),
        rules.holds(
            "age_agrees_with_birth_date",
            f"its age as sent is more than {AGE_TOLERANCE} year from what its birth date gives",
            "A parent's birth date on a child's entry, or a corrected date; the birth date is believed.",
            effect=rules.WARN,
        ),
        rules.holds(
            "amounts_are_plausible",
            f"its fee or payment is above {LARGEST_AMOUNT}",
            "A charity place or a group's payment; many at once are cents taken for dollars.",
            effect=rules.WARN,
        ),
        rules.holds(
            "registered_in_the_past",
            "it was registered in the future",
            "A wall-clock time read in the wrong zone, or a clock that is wrong.",
            effect=rules.WARN,
        ),
        rules.no_rows(
            BIBS,
            **rules.named(
                "bib_once_per_race",
                rules.WARN,
                "entries of one race share a bib",
                "Relays do so on purpose; otherwise results may be given to the wrong person.",
                remedy="ask the timer to give one of them another bib",
            ),
        ),
    )
