"""Who is who over all providers of a partner, as it would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "participant_tracking"
RELATION = "participant_tracking"
NEEDS = ("candidate.participant_tracking",)

# Persons belong to a partner and to no single provider: 'all' stands in its place.
VIEW = """
select
    t.timing_partner_id || '/' || t.global_participant_id as row_key,
    t.timing_partner_id,
    'all'::text as source_provider,
    t.ctid::text as origin,
    t.global_participant_id,
    t.events_participated,
    cardinality(t.providers_used) > 0 as person_comes_from_a_provider
from candidate.participant_tracking as t
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a person that partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        gxe.ExpectColumnValuesToBeBetween(
            column="events_participated",
            min_value=1,
            **rules.named(
                "person_took_part",
                rules.WARN,
                "it counts no event",
                "Persons are made from entries, so the join to them lost some.",
            ),
        ),
        rules.holds(
            "person_comes_from_a_provider",
            "it names no provider",
            "Persons are made from entries, so the join to them lost some.",
            effect=rules.WARN,
        ),
    )
