"""Haku's categories (the distances of an event) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_haku_categories"
RELATION = "unified_races"
NEEDS = ("raw_haku.categories", "raw_haku.events")

VIEW = """
select
    'haku/' || c.timing_partner_id || '/' || c.event_id || '/' || c.category_id as row_key,
    c.timing_partner_id::int as timing_partner_id,
    'haku'::text as source_provider,
    c.ctid::text as origin,
    exists (
        select from raw_haku.events as e
        where e.timing_partner_id = c.timing_partner_id and e.event_id = c.event_id
    ) as category_has_its_event
from raw_haku.categories as c
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "category_has_its_event",
            "it refers to no event of this partner at Haku",
            "The event was hidden or moved to another organisation while its registrations were read.",
        ),
    )
