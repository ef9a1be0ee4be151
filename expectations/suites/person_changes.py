"""What became of persons' ids, as it would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "person_changes"
RELATION = "person_changes"
NEEDS = ("candidate.person_changes", "hub.persons")

TYPES = ("merged", "split", "moved", "ended", "forgotten")

# Persons belong to a partner and to no single provider: 'all' stands in its place.
VIEW = """
select
    p.change_key as row_key,
    p.timing_partner_id,
    'all'::text as source_provider,
    p.ctid::text as origin,
    p.change_type,
    (p.change_type in ('ended', 'forgotten')) = (p.other_global_participant_id is null) as change_says_whose_they_are,
    not exists (
        select from hub.persons as h
        where
            h.person_id in (p.global_participant_id, p.other_global_participant_id)
            and h.timing_partner_id <> p.timing_partner_id
    ) as change_is_within_a_partner
from candidate.person_changes as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a change that partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        gxe.ExpectColumnValuesToBeInSet(
            column="change_type",
            value_set=list(TYPES),
            **rules.named(
                "change_type_is_known",
                rules.QUARANTINE,
                f"its type is none of {', '.join(TYPES)}",
                "The registry learned a new kind of change.",
                shows_value=True,
            ),
        ),
        rules.holds(
            "change_says_whose_they_are",
            "it does not say whose the records are",
            "A person ended that has a successor, or the other way round.",
        ),
        rules.holds(
            "change_is_within_a_partner",
            "it names a person of another partner",
            "Two partners' records were matched as one's: one would read what is another's.",
        ),
    )
