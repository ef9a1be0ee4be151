"""Race Roster's results as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_raceroster_results"
RELATION = "unified_results"
NEEDS = ("raw_raceroster.results", "raw_raceroster.events")

VIEW = """
select
    'raceroster/' || r.timing_partner_id || '/' || r.result_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'raceroster'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_raceroster.events as e
        where e.timing_partner_id = r.timing_partner_id and e.event_id = r.event_id
    ) as result_has_its_event,
    r.gun_time_sec >= r.chip_time_sec as gun_time_not_shorter_than_chip_time
from raw_raceroster.results as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "result_has_its_event",
            "it refers to no event of this partner at Race Roster",
            "The event was refused, or moved to another account while its results were read.",
        ),
        rules.holds(
            "gun_time_not_shorter_than_chip_time",
            "it was longer on the course than since the gun",
            "A mat's clock is wrong, or a wave's start; the tap refuses such rows, older ones may be here.",
        ),
    )
