"""Haku's events as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_haku_events"
RELATION = "unified_events"
NEEDS = ("raw_haku.events",)

VIEW = """
select
    'haku/' || e.timing_partner_id || '/' || e.event_id as row_key,
    e.timing_partner_id::int as timing_partner_id,
    'haku'::text as source_provider,
    e.ctid::text as origin,
    e.event_end_day >= e.event_day as event_ends_after_it_starts
from raw_haku.events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "event_ends_after_it_starts",
            "it ends on a day before it starts",
            "One of the two was typed wrongly at Haku, or a date was read in the wrong order.",
        ),
    )
