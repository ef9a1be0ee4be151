"""Haku's registrations as the events' lists have them, as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_haku_participants"
RELATION = "unified_participants"
NEEDS = ("raw_haku.participants", "raw_haku.events")

VIEW = """
select
    'haku/' || p.timing_partner_id || '/' || p.registration_number as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'haku'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_haku.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as participant_has_its_event
from raw_haku.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "participant_has_its_event",
            "it refers to no event of this partner at Haku",
            "The event was hidden or moved to another organisation while its list was read.",
        ),
    )
