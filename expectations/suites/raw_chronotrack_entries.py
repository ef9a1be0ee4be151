"""ChronoTrack's entries as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_chronotrack_entries"
RELATION = "unified_participants"
NEEDS = ("raw_chronotrack.entries", "raw_chronotrack.events", "raw_chronotrack.races")

# CONF, FIN, DNF and DQ have been seen; the others are what timers call the rest.
ENTRY_STATUSES = ("CONF", "FIN", "DNF", "DQ", "DNS", "WD", "PEND", "TRANS")

VIEW = """
select
    'chronotrack/' || n.timing_partner_id || '/' || n.entry_id as row_key,
    n.timing_partner_id::int as timing_partner_id,
    'chronotrack'::text as source_provider,
    n.ctid::text as origin,
    exists (
        select from raw_chronotrack.events as e
        where e.timing_partner_id = n.timing_partner_id and e.event_id = n.event_id
    ) as entry_has_its_event,
    nullif(n.race_id, '') is null or exists (
        select from raw_chronotrack.races as r
        where r.timing_partner_id = n.timing_partner_id and r.race_id = n.race_id
    ) as entry_has_its_race,
    n.athlete_birthdate <= %(today)s::date as athlete_born_in_the_past,
    upper(nullif(n.entry_status, '')) as entry_status
from raw_chronotrack.entries as n
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.holds(
            "entry_has_its_event",
            "it refers to no event of this partner at ChronoTrack",
            "The event was hidden or moved to another account while its entries were read.",
        ),
        rules.holds(
            "entry_has_its_race",
            "it refers to no race of this partner at ChronoTrack",
            "The race was deleted, or does not want results and was left out of the list.",
        ),
        rules.holds(
            "athlete_born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="entry_status",
            value_set=list(ENTRY_STATUSES),
            **rules.named(
                "entry_status_is_known",
                rules.WARN,
                "its entry_status is new to us",
                "ChronoTrack has a status we have not met; the entry is kept with status unknown.",
                remedy="teach the status to the staging model and to this suite",
                shows_value=True,
            ),
        ),
    )
