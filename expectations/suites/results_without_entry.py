"""Whose the results without an entry are, as it would be published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "results_without_entry"
RELATION = "results_without_entry"
NEEDS = ("candidate.results_without_entry", "candidate.unified_results")

VIEW = """
select
    p.result_key as row_key,
    p.timing_partner_id,
    p.source_provider,
    p.ctid::text as origin,
    exists (
        select from candidate.unified_results as r where r.result_key = p.result_key and r.participant_key is null
    ) as result_is_present_and_has_no_entry,
    p.person_confidence is not null as result_has_been_linked,
    p.person_confidence
from candidate.results_without_entry as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a result whose person partners will read."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "result_is_present_and_has_no_entry",
            "there is no such result, or it has an entry",
            "The result went or found its entry, and was not noted as due: its person may be another one.",
        ),
        rules.holds(
            "result_has_been_linked",
            "nobody has looked whose it is",
            "The step between the builds was left out: p88 publish does it.",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="person_confidence",
            min_value=0,
            max_value=1,
            **rules.named(
                "person_confidence_is_a_share",
                rules.QUARANTINE,
                "its confidence is not between 0 and 1",
                "Bits were taken for a probability.",
                shows_value=True,
            ),
        ),
    )
