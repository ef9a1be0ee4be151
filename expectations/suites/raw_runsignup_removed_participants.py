"""RunSignUp's registrations that were cancelled, refunded, moved or deferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_runsignup_removed_participants"
RELATION = "unified_participants"
NEEDS = ("raw_runsignup.removed_participants", "raw_runsignup.events")

# https://runsignup.com/API/race/:race_id/removed-participants/GET
REMOVED_REASONS = ("cleared", "removed", "transferred", "deferred")

VIEW = """
select
    'runsignup/' || p.timing_partner_id || '/' || p.registration_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'runsignup'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_runsignup.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as removed_registration_has_its_event,
    p.dob <= %(today)s::date as removed_person_born_in_the_past,
    p.removed_reason,
    p.removed_reason is distinct from 'transferred' or p.new_registration_id is not null
        as transfer_names_its_successor
from raw_runsignup.removed_participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.holds(
            "removed_registration_has_its_event",
            "it refers to no event of this partner at RunSignUp",
            "The events stream stopped or was refused, or the row was answered for another event.",
        ),
        rules.holds(
            "removed_person_born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="removed_reason",
            value_set=list(REMOVED_REASONS),
            **rules.named(
                "removed_reason_is_known",
                rules.WARN,
                "its removed_reason is new to us",
                "RunSignUp has a new way to leave an event; the row is kept with status removed.",
                remedy="teach the reason to the staging model and to this suite",
                shows_value=True,
            ),
        ),
        rules.holds(
            "transfer_names_its_successor",
            "it was transferred and does not say where to",
            "The successor is found by person instead; nothing is lost unless there are many.",
            effect=rules.WARN,
        ),
    )
