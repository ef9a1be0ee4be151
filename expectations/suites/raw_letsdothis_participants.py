"""Let's Do This's entrants as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_letsdothis_participants"
RELATION = "unified_participants"
NEEDS = ("raw_letsdothis.participants", "raw_letsdothis.occurrences", "raw_letsdothis.races")

VIEW = """
select
    'letsdothis/' || p.timing_partner_id || '/' || p.participant_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'letsdothis'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_letsdothis.occurrences as o
        where o.timing_partner_id = p.timing_partner_id and o.occurrence_id = p.occurrence_id
    ) as entry_has_its_occurrence,
    p.race_id is null or exists (
        select from raw_letsdothis.races as r
        where r.timing_partner_id = p.timing_partner_id and r.race_id = p.race_id
    ) as entry_has_its_race,
    p.date_of_birth <= %(today)s::date as entry_born_in_the_past,
    p.updated_at <= %(now)s::timestamptz + interval '1 day' as entry_changed_in_the_past
from raw_letsdothis.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    return rules.build(
        NAME,
        rules.holds(
            "entry_has_its_occurrence",
            "it refers to no occurrence that is known of this partner at Let's Do This",
            "The calls for events stopped or are not there for this account: settings event_ids or events_json help.",
        ),
        rules.holds(
            "entry_has_its_race",
            "it refers to no race that is known of this partner at Let's Do This",
            "The race was deleted, or is missing from what setting events_json says.",
        ),
        rules.holds(
            "entry_born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly; many at once are a date format.",
        ),
        rules.holds(
            "entry_changed_in_the_past",
            "it says that it was changed in the future",
            "A clock that is wrong: the bookmark follows the provider's own clock and is not led astray.",
            effect=rules.WARN,
            remedy="compare updatedAt in `record` with the clock",
        ),
    )
