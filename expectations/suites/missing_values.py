"""Key facts that were there until the last publish and are missing in what came since."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

JUMP = 0.30
JUMP_ROWS = 20


@dataclass(frozen=True)
class MissingValues:
    """The suite over the watched columns of one stage."""

    stage: str
    RELATION: str = ""
    NEEDS: tuple[str, ...] = ("hub.gate_measures", "hub.gate_baselines")

    @property
    def NAME(self) -> str:  # noqa: N802 - a suite module's name
        """Return the name of suite and view."""
        return f"{self.stage}_missing_values"

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select with one row per watched column."""
        # Only what came since the last publish is asked: among all rows, a thousand without a name
        # beside a hundred thousand with one would not be seen. Before: of all that arrived until then.
        return f"""
select
    m.relation,
    m.source_provider,
    m.timing_partner_id,
    fact.key as column_name,
    m.recent,
    (fact.value ->> 'recent_nulls')::bigint as recent_nulls,
    (fact.value ->> 'recent_nulls')::numeric / greatest(m.recent, 1) as share,
    coalesce((b.facts -> fact.key ->> 'nulls')::numeric, 0) / greatest(coalesce(b.arrivals, b.live), 1)
        as share_before
from hub.gate_measures as m
inner join hub.gate_baselines as b
    on b.stage = m.stage and b.relation = m.relation
    and b.source_provider = m.source_provider and b.timing_partner_id = m.timing_partner_id
cross join lateral jsonb_each(m.facts) as fact
where m.stage = '{self.stage}' and m.run_id = %(run_id)s and m.recent > 0 and b.live > 0
"""

    def suite(self) -> gx.ExpectationSuite:
        """Return the expectation that no watched column went missing."""
        return rules.build(
            self.NAME,
            rules.no_rows(
                f"""
select source_provider, timing_partner_id, relation, null as sample_keys, recent_nulls as failing,
    column_name || ' is missing in ' || recent_nulls || ' of ' || recent
    || ' rows since the last publish' as detail
from {{batch}}
where recent_nulls >= {JUMP_ROWS} and share - share_before > {JUMP}
""",
                **rules.named(
                    "nulls_jump",
                    rules.STOP,
                    "a key fact is missing where it was not",
                    "A field was renamed or moved, or a flag of the connection that asks for it was turned off.",
                    remedy="compare `record` of a new row with an old one; correct the tap or the connection",
                ),
            ),
        )


SUITES = {stage: MissingValues(stage) for stage in ("arrivals", "candidates")}
