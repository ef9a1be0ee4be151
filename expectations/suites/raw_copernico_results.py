"""Copernico's results, one row per athlete and event, as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_copernico_results"
RELATION = "unified_results"
NEEDS = ("raw_copernico.results", "raw_copernico.events")

VIEW = """
select
    'copernico/' || r.timing_partner_id || '/' || r.event_id || '/' || r.participant_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'copernico'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_copernico.events as e
        where e.timing_partner_id = r.timing_partner_id and e.event_id = r.event_id
    ) as result_has_its_event,
    r.real_ms <= r.official_ms as net_time_within_gun_time
from raw_copernico.results as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "result_has_its_event",
            "it refers to no event of this partner at Copernico",
            "The event was renamed or hidden while its results were read.",
        ),
        rules.holds(
            "net_time_within_gun_time",
            "its net time is longer than its gun time",
            "Somebody started before the gun of the wave, or two chips were swapped.",
            effect=rules.WARN,
        ),
    )
