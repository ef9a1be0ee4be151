"""Let's Do This's races (the distances of an occurrence) as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_letsdothis_races"
RELATION = "unified_races"
NEEDS = ("raw_letsdothis.races", "raw_letsdothis.occurrences")

VIEW = """
select
    'letsdothis/' || r.timing_partner_id || '/' || r.race_id as row_key,
    r.timing_partner_id::int as timing_partner_id,
    'letsdothis'::text as source_provider,
    r.ctid::text as origin,
    exists (
        select from raw_letsdothis.occurrences as o
        where o.timing_partner_id = r.timing_partner_id and o.occurrence_id = r.occurrence_id
    ) as race_has_its_occurrence
from raw_letsdothis.races as r
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "race_has_its_occurrence",
            "it belongs to an occurrence that this partner's account does not show",
            "Day and time zone come from the occurrence, which was refused or came without its id.",
        ),
    )
