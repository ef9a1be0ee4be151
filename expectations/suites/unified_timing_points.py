"""Timing points (mats, splits) as they would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_timing_points"
RELATION = "unified_timing_points"
NEEDS = ("candidate.unified_timing_points", "candidate.unified_events", "candidate.unified_races")

VIEW = """
select
    p.timing_point_key as row_key,
    p.timing_partner_id,
    p.source_provider,
    p.ctid::text as origin,
    coalesce(starts_with(p.timing_point_key, p.source_provider || '/' || p.timing_partner_id || '/'), false)
        as timing_point_key_is_well_formed,
    exists (select from candidate.unified_events as e where e.event_key = p.event_key)
        as timing_point_event_is_present,
    p.race_key is null or exists (select from candidate.unified_races as r where r.race_key = p.race_key)
        as timing_point_race_is_present,
    p.distance_m >= 0 as timing_point_is_on_the_course
from candidate.unified_timing_points as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a timing point that partners will read."""
    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "timing_point_key_is_well_formed",
            "its key does not begin with provider/partner/",
            "A model built the key by hand: the same id under two partners could become one.",
        ),
        rules.holds(
            "timing_point_event_is_present",
            "its event is not there",
            "The event was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "timing_point_race_is_present",
            "its race is not there",
            "The race was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "timing_point_is_on_the_course",
            "it lies before the start",
            "A negative distance; splits would be shown in the wrong order.",
        ),
    )
