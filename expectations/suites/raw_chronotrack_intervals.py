"""ChronoTrack's intervals as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_chronotrack_intervals"
RELATION = "unified_timing_points"
NEEDS = ("raw_chronotrack.intervals", "raw_chronotrack.events")

VIEW = """
select
    'chronotrack/' || b.timing_partner_id || '/' || b.interval_id as row_key,
    b.timing_partner_id::int as timing_partner_id,
    'chronotrack'::text as source_provider,
    b.ctid::text as origin,
    exists (
        select from raw_chronotrack.events as e
        where e.timing_partner_id = b.timing_partner_id and e.event_id = b.event_id
    ) as interval_has_its_event
from raw_chronotrack.intervals as b
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "interval_has_its_event",
            "it refers to no event of this partner at ChronoTrack",
            "The event was hidden or moved to another account while its intervals were read.",
        ),
    )
