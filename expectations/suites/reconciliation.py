"""Rows received = rows in a candidate + refused + superseded, per stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "reconciliation"
RELATION = ""
NEEDS = ("candidate.reconciliation",)

VIEW = """
select
    r.stream as relation,
    r.source_provider,
    r.timing_partner_id,
    r.received,
    r.unaccounted
from candidate.reconciliation as r
"""


def suite() -> gx.ExpectationSuite:
    """Return the expectation that nothing vanishes silently."""
    return rules.build(
        NAME,
        rules.no_rows(
            """
select source_provider, timing_partner_id, relation, abs(unaccounted) as failing, null as sample_keys,
    unaccounted || ' of ' || received || ' rows received are in no candidate and in no list' as detail
from {batch}
where unaccounted is distinct from 0
""",
            **rules.named(
                "nothing_unaccounted",
                rules.STOP,
                "rows are unaccounted for",
                "A join or a filter in the models drops rows, or counts some twice (a negative number).",
                remedy="compare the raw keys of that stream with the candidate's, then repair the model",
            ),
        ),
    )
