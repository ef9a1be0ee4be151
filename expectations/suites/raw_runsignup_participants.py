"""RunSignUp's registrations as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_runsignup_participants"
RELATION = "unified_participants"
NEEDS = ("raw_runsignup.participants", "raw_runsignup.events")

VIEW = """
select
    'runsignup/' || p.timing_partner_id || '/' || p.registration_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'runsignup'::text as source_provider,
    p.ctid::text as origin,
    p.registration_id > 0 as registration_id_is_real,
    exists (
        select from raw_runsignup.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as registration_has_its_event,
    p.dob <= %(today)s::date as born_in_the_past,
    p.last_modified <= %(now)s::timestamptz + interval '1 day' as changed_in_the_past
from raw_runsignup.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "registration_id_is_real",
            "its id is not a positive number",
            "RunSignUp answers a template with id -1 when asked for one; nobody of that id will run.",
        ),
        rules.holds(
            "registration_has_its_event",
            "it refers to no event of this partner at RunSignUp",
            "The events stream stopped or was refused, or the row was answered for another event.",
        ),
        rules.holds(
            "born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century; many at once are a date format.",
        ),
        rules.holds(
            "changed_in_the_past",
            "it says that it was changed in the future",
            "Seconds read as milliseconds, or a clock that is wrong: bookmarks built on it would skip changes.",
            effect=rules.WARN,
            remedy="compare last_modified in `record` with the clock; if all are off, reset the stream's bookmark",
        ),
    )
