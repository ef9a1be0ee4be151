"""ChronoTrack's races (the distances of an event) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_chronotrack_races"
RELATION = "unified_races"
NEEDS = ("raw_chronotrack.races", "raw_chronotrack.events")

VIEW = """
select
    'chronotrack/' || r.timing_partner_id || '/' || r.race_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'chronotrack'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_chronotrack.events as e
        where e.timing_partner_id = r.timing_partner_id and e.event_id = r.event_id
    ) as race_has_its_event,
    r.race_planned_end_time >= r.race_planned_start_time as race_is_planned_forwards,
    r.race_actual_end_time >= r.race_actual_start_time as race_ends_after_it_starts
from raw_chronotrack.races as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "race_has_its_event",
            "it refers to no event of this partner at ChronoTrack",
            "The event was hidden or moved to another account while its races were read.",
        ),
        rules.holds(
            "race_is_planned_forwards",
            "its planned end is before its planned start",
            "A plan nobody corrected; times of the athletes do not depend on it.",
            effect=rules.WARN,
            remedy="ask the timer to correct the plan",
        ),
        rules.holds(
            "race_ends_after_it_starts",
            "its actual end is before its actual start",
            "The gun time is wrong, and with it every gun time of the race.",
        ),
    )
