"""Divisions (age groups, brackets) as they would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_divisions"
RELATION = "unified_divisions"
NEEDS = ("candidate.unified_divisions", "candidate.unified_events", "candidate.unified_races")

VIEW = """
select
    p.division_key as row_key,
    p.timing_partner_id,
    p.source_provider,
    p.ctid::text as origin,
    coalesce(starts_with(p.division_key, p.source_provider || '/' || p.timing_partner_id || '/'), false)
        as division_key_is_well_formed,
    exists (select from candidate.unified_events as e where e.event_key = p.event_key)
        as division_event_is_present,
    p.race_key is null or exists (select from candidate.unified_races as r where r.race_key = p.race_key)
        as division_race_is_present
from candidate.unified_divisions as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a division that partners will read."""
    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "division_key_is_well_formed",
            "its key does not begin with provider/partner/",
            "A model built the key by hand: the same id under two partners could become one.",
        ),
        rules.holds(
            "division_event_is_present",
            "its event is not there",
            "The event was refused on arrival, or the key of one of the two is built differently.",
        ),
        rules.holds(
            "division_race_is_present",
            "its race is not there",
            "The race was refused on arrival, or the key of one of the two is built differently.",
        ),
    )
