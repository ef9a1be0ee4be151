"""Copernico's events (the distances of a race) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_copernico_events"
RELATION = "unified_events"
NEEDS = ("raw_copernico.events", "raw_copernico.races")

VIEW = """
select
    'copernico/' || e.timing_partner_id || '/' || e.event_id as row_key,
    e.timing_partner_id::int as timing_partner_id,
    'copernico'::text as source_provider,
    e.ctid::text as origin,
    e.race_id is null or exists (
        select from raw_copernico.races as r
        where r.timing_partner_id = e.timing_partner_id and r.race_id = e.race_id
    ) as event_has_its_race,
    e.distance_m > 0 as event_has_a_length
from raw_copernico.events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "event_has_its_race",
            "it refers to no race of this partner at Copernico",
            "The race left the list, or was refused, while its events were read.",
        ),
        rules.holds(
            "event_has_a_length",
            "its length is not above 0",
            "The timer has not set the course up; splits will have no distances either.",
            effect=rules.WARN,
        ),
    )
