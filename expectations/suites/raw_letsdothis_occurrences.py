"""Let's Do This's occurrences (the days of its events) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_letsdothis_occurrences"
RELATION = "unified_events"
NEEDS = ("raw_letsdothis.occurrences", "raw_letsdothis.events")

VIEW = """
select
    'letsdothis/' || o.timing_partner_id || '/' || o.occurrence_id as row_key,
    o.timing_partner_id::int as timing_partner_id,
    'letsdothis'::text as source_provider,
    o.ctid::text as origin,
    exists (
        select from raw_letsdothis.events as e
        where e.timing_partner_id = o.timing_partner_id and e.event_id = o.event_id
    ) as occurrence_has_its_event,
    o.end_date >= o.start_date as occurrence_ends_after_it_starts
from raw_letsdothis.occurrences as o
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "occurrence_has_its_event",
            "it belongs to an event that this partner's account does not show",
            "Its name comes from the event, which was refused or came without its id.",
        ),
        rules.holds(
            "occurrence_ends_after_it_starts",
            "it ends before it starts",
            "One of the two was typed wrongly at Let's Do This, or a date was read in the wrong order.",
        ),
    )
