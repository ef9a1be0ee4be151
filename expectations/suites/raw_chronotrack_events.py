"""ChronoTrack's events as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_chronotrack_events"
RELATION = "unified_events"
NEEDS = ("raw_chronotrack.events",)

VIEW = """
select
    'chronotrack/' || e.timing_partner_id || '/' || e.event_id as row_key,
    e.timing_partner_id::int as timing_partner_id,
    'chronotrack'::text as source_provider,
    e.ctid::text as origin,
    e.event_end_time >= e.event_start_time as event_ends_after_it_starts
from raw_chronotrack.events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "event_ends_after_it_starts",
            "it ends before it starts",
            "One of the two was typed wrongly at ChronoTrack; an end of 0 must arrive as no end at all.",
        ),
    )
