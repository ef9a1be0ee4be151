"""Pairs of entries that are one start, as they would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "entry_links"
RELATION = "entry_links"
NEEDS = ("candidate.entry_links", "candidate.unified_participants")

# A link belongs to two providers: the timer's, whose row it is about, stands for both.
VIEW = """
select
    p.link_key as row_key,
    p.timing_partner_id,
    p.timing_provider as source_provider,
    p.ctid::text as origin,
    starts_with(p.timing_participant_key, p.timing_provider || '/' || p.timing_partner_id || '/')
    and starts_with(p.registration_participant_key, p.registration_provider || '/' || p.timing_partner_id || '/')
        as link_is_within_a_partner,
    exists (select from candidate.unified_participants as t where t.participant_key = p.timing_participant_key)
    and exists (
        select from candidate.unified_participants as r where r.participant_key = p.registration_participant_key
    )
        as link_entries_are_present,
    cardinality(p.evidence) > 0 as link_has_evidence
from candidate.entry_links as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a link that partners will read."""
    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "link_is_within_a_partner",
            "it joins rows of two partners",
            "The join forgot the partner: one would read what is another's.",
        ),
        rules.holds(
            "link_entries_are_present",
            "one of its entries is not there",
            "The entry went and its link was not found again: the due keys of links lack a case.",
        ),
        rules.holds(
            "link_has_evidence",
            "it says nothing of why",
            "A way of linking was added without its words.",
        ),
    )
