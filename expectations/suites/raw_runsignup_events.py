"""RunSignUp's events (their distances) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_runsignup_events"
RELATION = "unified_events"
NEEDS = ("raw_runsignup.events", "raw_runsignup.races")

VIEW = """
select
    'runsignup/' || e.timing_partner_id || '/' || e.event_id as row_key,
    e.timing_partner_id::int as timing_partner_id,
    'runsignup'::text as source_provider,
    e.ctid::text as origin,
    e.event_id > 0 as event_id_is_real,
    exists (
        select from raw_runsignup.races as r
        where r.timing_partner_id = e.timing_partner_id and r.race_id = e.race_id
    ) as event_has_its_race,
    e.end_time >= e.start_time as event_ends_after_it_starts
from raw_runsignup.events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "event_id_is_real",
            "its id is not a positive number",
            "RunSignUp uses -1 for a template; a template is not an event.",
        ),
        rules.holds(
            "event_has_its_race",
            "it belongs to a race that this partner's account does not show",
            "Name, place and time zone come from the race: without it the start cannot be an instant.",
        ),
        rules.holds(
            "event_ends_after_it_starts",
            "it ends before it starts",
            "One of the two was typed wrongly at RunSignUp, or a date was read in the wrong order.",
        ),
    )
