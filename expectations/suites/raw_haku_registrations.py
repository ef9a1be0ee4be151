"""Haku's full registrations as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_haku_registrations"
RELATION = "unified_participants"
NEEDS = ("raw_haku.registrations", "raw_haku.participants")

VIEW = """
select
    'haku/' || r.timing_partner_id || '/' || r.registration_number as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'haku'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_haku.participants as p
        where p.timing_partner_id = r.timing_partner_id and p.event_id = r.event_id
            and p.registration_number = r.registration_number
    ) as registration_is_listed,
    r.dob <= %(today)s::date as registrant_born_in_the_past,
    r.active_categories <= 1 as registration_is_in_one_category
from raw_haku.registrations as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "registration_is_listed",
            "it is in no list of this partner's events",
            "The short row was refused; without it nothing says whether it still stands.",
        ),
        rules.holds(
            "registrant_born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century.",
        ),
        rules.holds(
            "registration_is_in_one_category",
            "it is in two categories at once",
            "The first one counts, and its bib; the other one is in provider_fields only.",
            effect=rules.WARN,
            remedy="ask the organiser which one it is",
        ),
    )
