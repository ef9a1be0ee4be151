"""Example's participants as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_example_participants"
RELATION = "unified_participants"
NEEDS = ("raw_example.participants", "raw_example.events")

VIEW = """
select
    'example/' || p.timing_partner_id || '/' || p.participant_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'example'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_example.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as participant_has_its_event,
    p.birth_date <= %(today)s::date as born_in_the_past
from raw_example.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "participant_has_its_event",
            "it refers to no event of this partner at Example",
            "The events stream stopped or was refused, or the event was hidden while its participants were read.",
        ),
        rules.holds(
            "born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century; many at once are a date format.",
        ),
    )
