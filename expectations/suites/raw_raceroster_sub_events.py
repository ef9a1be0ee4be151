"""Race Roster's sub-events as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_raceroster_sub_events"
RELATION = "unified_races"
NEEDS = ("raw_raceroster.sub_events", "raw_raceroster.events")

VIEW = """
select
    'raceroster/' || s.timing_partner_id || '/' || s.sub_event_id as row_key,
    s.timing_partner_id::int as timing_partner_id,
    'raceroster'::text as source_provider,
    s.ctid::text as origin,
    exists (
        select from raw_raceroster.events as e
        where e.timing_partner_id = s.timing_partner_id and e.event_id = s.event_id
    ) as sub_event_has_its_event
from raw_raceroster.sub_events as s
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "sub_event_has_its_event",
            "it refers to no event of this partner at Race Roster",
            "The event itself was refused: it waits in quarantine, and its sub-events with it.",
        ),
    )
