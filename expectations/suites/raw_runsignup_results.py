"""RunSignUp's results as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_runsignup_results"
RELATION = "unified_results"
NEEDS = ("raw_runsignup.results", "raw_runsignup.events")

VIEW = """
select
    'runsignup/' || r.timing_partner_id || '/' || r.result_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'runsignup'::text as source_provider,
    r.ctid::text as origin,
    r.result_id > 0 as result_id_is_real,
    exists (
        select from raw_runsignup.events as e
        where e.timing_partner_id = r.timing_partner_id and e.event_id = r.event_id
    ) as result_has_its_event
from raw_runsignup.results as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "result_id_is_real",
            "its id is not a positive number",
            "A preview row or a template; it would collide with the next one.",
        ),
        rules.holds(
            "result_has_its_event",
            "it refers to no event of this partner at RunSignUp",
            "The events stream stopped or was refused, or a result set names alternative events.",
        ),
    )
