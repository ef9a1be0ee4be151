"""What the taps say about their own reading, held against what is stored."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations import rules
from expectations.streams import STREAMS, held_rows

if TYPE_CHECKING:
    import great_expectations as gx

STALE_WARN_DAYS = 3
STALE_STOP_DAYS = 14


@dataclass(frozen=True)
class Freshness:
    """The suite that asks when each stream was last read."""

    provider: str
    RELATION: str = ""

    @property
    def NAME(self) -> str:  # noqa: N802 - a suite module's name
        """Return the name of suite and view."""
        return f"{self.provider}_freshness"

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """Return the tables that must be there."""
        return (f"raw_{self.provider}.reads", "hub.timing_partners", "hub.connections")

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select with the last reading of every stream of an enabled connection."""
        return f"""
select
    'raw_{self.provider}.' || r.stream as relation,
    '{self.provider}'::text as source_provider,
    r.timing_partner_id::int as timing_partner_id,
    max(r.read_at) as read_at,
    extract(epoch from %(now)s::timestamptz - max(r.read_at)) / 86400 as days
from raw_{self.provider}.reads as r
inner join hub.timing_partners as t
    on t.timing_partner_id = r.timing_partner_id and t.api_access_enabled is not false
where exists (
    select from hub.connections as c
    where c.timing_partner_id = r.timing_partner_id
        and c.provider_name = '{self.provider}' and c.enabled is not false
)
group by r.stream, r.timing_partner_id
"""

    def suite(self) -> gx.ExpectationSuite:
        """Return how old a reading may be."""
        columns = """
source_provider, timing_partner_id, relation, null as sample_keys, 1 as failing,
    'last read ' || to_char(read_at, 'YYYY-MM-DD HH24"h"MI') || ' UTC, ' || round(days, 1) || ' days ago' as detail
"""
        return rules.build(
            self.NAME,
            rules.no_rows(
                f"select {columns} from {{batch}} where days > {STALE_STOP_DAYS}",
                **rules.named(
                    "freshness",
                    rules.STOP,
                    f"not read for more than {STALE_STOP_DAYS} days",
                    "Nobody is syncing this connection, and readers would take old data for current.",
                    remedy="sync it, or disable the connection if the partner has left",
                ),
            ),
            rules.no_rows(
                f"select {columns} from {{batch}} where days > {STALE_WARN_DAYS} and days <= {STALE_STOP_DAYS}",
                **rules.named(
                    "freshness_warning",
                    rules.WARN,
                    f"not read for more than {STALE_WARN_DAYS} days",
                    "The schedule skips this connection, or its runs fail.",
                    remedy="look at its last runs",
                ),
            ),
        )


@dataclass(frozen=True)
class Complete:
    """The suite that asks whether a complete reading is completely stored."""

    provider: str
    RELATION: str = ""

    @property
    def NAME(self) -> str:  # noqa: N802 - a suite module's name
        """Return the name of suite and view."""
        return f"{self.provider}_complete_reads"

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """Return the tables that must be there."""
        side = tuple(f"raw_{self.provider}.{name}" for name in ("reads", "rejects", "removals"))
        return side + tuple(s.table for s in STREAMS if s.provider == self.provider)

    @property
    def VIEW(self) -> str:  # noqa: N802
        """Return the select with one row per complete reading since the last publish."""
        held = "\n    union all".join(held_rows(s) for s in STREAMS if s.provider == self.provider)
        # A row or removal later than the reading itself comes from a run that was cut off: the rerun settles it.
        # A reading is compared once: what changes its rows later is read, and so written down, again.
        return f"""
select
    'raw_{self.provider}.' || r.stream as relation,
    '{self.provider}'::text as source_provider,
    r.timing_partner_id::int as timing_partner_id,
    r.scope,
    r.rows_at_provider - coalesce(r.rows_rejected, 0) as expected,
    coalesce(h.live, 0) as stored,
    -- Rows that raw refuses; whether the provider still has them is not asked.
    (
        select count(*) from hub.forgotten as f
        where f.timing_partner_id = r.timing_partner_id and f.provider = '{self.provider}' and f.stream = r.stream
            and (r.scope = '' or f.scope = r.scope)
    ) as forgotten,
    -- A refused record of a known key leaves its row as it was.
    coalesce(h.live, 0) - least(coalesce(h.refused, 0), coalesce(r.rows_rejected, 0)) as surely_stored
from raw_{self.provider}.reads as r
left join lateral ({held}
) as h on true
where coalesce(r.changed_xid, 0) >= %(mark)s
    and r.mode = 'whole' and r.rows_at_provider is not null
    and (h.last_read_at is null or h.last_read_at <= r.read_at)
    and r.stream in ({", ".join(f"'{s.name}'" for s in STREAMS if s.provider == self.provider)})
"""

    def suite(self) -> gx.ExpectationSuite:
        """Return the expectation that nothing got lost or stayed between provider and raw."""
        return rules.build(
            self.NAME,
            rules.no_rows(
                """
select source_provider, timing_partner_id, relation,
    sum(abs(expected - stored)) as failing,
    (array_agg(scope order by abs(expected - stored) desc, scope))[1:5] as sample_keys,
    sum(stored) || ' rows are stored where the provider showed ' || sum(expected)
    || ' readable ones, in ' || count(*) || ' event(s)' as detail
from {batch}
where expected not between surely_stored and stored + forgotten
group by source_provider, timing_partner_id, relation
""",
                **rules.named(
                    "reads_reconcile",
                    rules.STOP,
                    "what was read and what is stored differ",
                    "Fewer stored: the loader lost rows. More stored: a removal was not noticed.",
                    remedy="sync the named events again with read_everything",
                ),
            ),
        )


SUITES = tuple(
    suite
    for p in ("runsignup", "chronotrack", "letsdothis", "raceroster", "haku", "copernico")
    for suite in (Freshness(p), Complete(p))
)
