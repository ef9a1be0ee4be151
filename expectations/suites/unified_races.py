"""Races (startable distances) as they would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_races"
RELATION = "unified_races"
NEEDS = ("candidate.unified_races", "candidate.unified_events")

SHORTEST_M = 10  # a toddlers' dash; marathons in kilometres (42.195) come out as 42 m, miles as 26
LONGEST_M = 1_000_000

VIEW = """
select
    r.race_key as row_key,
    r.timing_partner_id,
    r.source_provider,
    r.ctid::text as origin,
    coalesce(starts_with(r.race_key, r.source_provider || '/' || r.timing_partner_id || '/'), false)
        as race_key_is_well_formed,
    exists (select from candidate.unified_events as e where e.event_key = r.event_key) as race_event_is_present,
    r.distance_m,
    r.started_at between r.starts_at - interval '2 days' and r.starts_at + interval '2 days'
        as race_starts_when_planned
from candidate.unified_races as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a race that partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "race_key_is_well_formed",
            "its key does not begin with provider/partner/",
            "A model built the key by hand: the same id under two partners could become one race.",
        ),
        rules.holds(
            "race_event_is_present",
            "its event is not there",
            "The event was refused on arrival, or the key of one of the two is built differently.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="distance_m",
            min_value=SHORTEST_M,
            max_value=LONGEST_M,
            **rules.named(
                "distance_is_plausible",
                rules.WARN,
                f"its distance is not between {SHORTEST_M} m and {LONGEST_M // 1000} km",
                "One is a typing mistake; many at once are kilometres or miles taken for metres.",
                remedy="compare distance_m with the race's name, then correct the unit in staging",
                shows_value=True,
            ),
        ),
        rules.holds(
            "race_starts_when_planned",
            "its gun was more than two days from its plan",
            "A postponed race, or a gun time in another zone or unit.",
            effect=rules.WARN,
        ),
    )
