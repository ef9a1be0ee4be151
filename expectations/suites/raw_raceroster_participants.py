"""Race Roster's participants as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_raceroster_participants"
RELATION = "unified_participants"
NEEDS = ("raw_raceroster.participants", "raw_raceroster.events", "raw_raceroster.sub_events")

# Assumed: no page of the vendor lists them.
STATUSES = ("active", "pending", "transferred", "deferred", "cancelled", "refunded", "removed")

VIEW = """
select
    'raceroster/' || p.timing_partner_id || '/' || p.participant_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'raceroster'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_raceroster.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as participant_has_its_event,
    p.sub_event_id is null or exists (
        select from raw_raceroster.sub_events as s
        where s.timing_partner_id = p.timing_partner_id and s.sub_event_id = p.sub_event_id
    ) as participant_has_its_sub_event,
    p.date_of_birth <= %(today)s::date as born_in_the_past,
    lower(nullif(p.registration_status, '')) as registration_status
from raw_raceroster.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.holds(
            "participant_has_its_event",
            "it refers to no event of this partner at Race Roster",
            "The event was refused, or moved to another account while its participants were read.",
        ),
        rules.holds(
            "participant_has_its_sub_event",
            "it refers to no sub-event of this partner at Race Roster",
            "The sub-event was deleted, or its record was refused.",
        ),
        rules.holds(
            "born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="registration_status",
            value_set=list(STATUSES),
            **rules.named(
                "registration_status_is_known",
                rules.WARN,
                "its registrationStatus is new to us",
                "Race Roster has a status we have not met; the entry is kept with status unknown.",
                remedy="teach the status to the seed status_vocabulary and to this suite",
                shows_value=True,
            ),
        ),
    )
