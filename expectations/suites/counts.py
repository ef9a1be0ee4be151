"""Every relation as a whole, compared with what it was when it was last published."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

COLLAPSE_SHARE = 0.30
COLLAPSE_ROWS = 50
# Below this a season's last event may well be deleted by hand.
EMPTY_FROM_ROWS = 10
QUARANTINE_SHARE = 0.05
QUARANTINE_ROWS = 20


@dataclass(frozen=True)
class Counts:
    """The suite over the counts of one stage."""

    stage: str
    RELATION: str = ""
    NEEDS: tuple[str, ...] = ("hub.gate_measures", "hub.gate_baselines")

    @property
    def NAME(self) -> str:  # noqa: N802 - a suite module's name
        """Return the name of suite and view."""
        return f"{self.stage}_counts"

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select that sets this run's counts beside the last published ones, where they differ."""
        return f"""
select
    relation,
    source_provider,
    timing_partner_id,
    m.rows,
    m.live,
    coalesce(b.live, 0) as live_before,
    m.quarantined,
    m.quarantined::numeric / greatest(m.rows, 1) as quarantined_share,
    coalesce(b.quarantined, 0)::numeric / greatest(b.rows, 1) as quarantined_share_before
from (
    select * from hub.gate_measures where stage = '{self.stage}' and run_id = %(run_id)s
) as m
left join (
    select * from hub.gate_baselines where stage = '{self.stage}'
) as b using (relation, source_provider, timing_partner_id)
where (m.rows, m.live, m.quarantined) is distinct from (b.rows, b.live, b.quarantined)
"""

    def suite(self) -> gx.ExpectationSuite:
        """Return what must hold between two publishes."""
        columns = "source_provider, timing_partner_id, relation, null as sample_keys"
        return rules.build(
            self.NAME,
            rules.no_rows(
                f"""
select {columns}, live_before - live as failing,
    live || ' live rows, ' || live_before || ' at the last publish' as detail
from {{batch}}
where live > 0 and live_before - live > {COLLAPSE_ROWS}
    and live_before - live > {COLLAPSE_SHARE} * live_before
""",
                **rules.named(
                    "count_collapse",
                    rules.STOP,
                    f"more than {COLLAPSE_SHARE:.0%} and more than {COLLAPSE_ROWS} rows are gone",
                    "The account lost sight of events, a filter crept in, or a page was read as the last one.",
                    remedy="look at the account in the provider's own pages, then sync again",
                ),
            ),
            rules.no_rows(
                f"""
select {columns}, live_before as failing,
    'no live row is left of ' || live_before || ' at the last publish' as detail
from {{batch}}
where live = 0 and live_before >= {EMPTY_FROM_ROWS}
""",
                **rules.named(
                    "suddenly_empty",
                    rules.STOP,
                    "nothing is left",
                    "An empty answer was believed: lost rights, an expired login, or a renamed wrapper key.",
                    remedy="look at the account in the provider's own pages, then sync again",
                ),
            ),
            rules.no_rows(
                f"""
select {columns}, quarantined as failing,
    quarantined || ' of ' || rows || ' rows are held back' as detail
from {{batch}}
where quarantined > {QUARANTINE_ROWS}
    and quarantined_share - quarantined_share_before > {QUARANTINE_SHARE}
""",
                **rules.named(
                    "quarantine_share",
                    rules.STOP,
                    f"more than {QUARANTINE_SHARE:.0%} and more than {QUARANTINE_ROWS} rows are held back",
                    "Stray rows come alone. Many at once mean that a unit, a format or a field has changed.",
                    remedy="read the commonest rule in hub.quarantine and correct staging",
                ),
            ),
        )


SUITES = {stage: Counts(stage) for stage in ("arrivals", "candidates")}
