"""Race Roster's events as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_raceroster_events"
RELATION = "unified_events"
NEEDS = ("raw_raceroster.events",)

VIEW = """
select
    'raceroster/' || e.timing_partner_id || '/' || e.event_id as row_key,
    e.timing_partner_id::int as timing_partner_id,
    'raceroster'::text as source_provider,
    e.ctid::text as origin,
    e.registration_close_date >= e.registration_open_date as registration_closes_after_it_opens
from raw_raceroster.events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "registration_closes_after_it_opens",
            "its registration closes before it opens",
            "One of the two was typed wrongly at Race Roster; the event itself may well be right.",
            effect=rules.WARN,
        ),
    )
