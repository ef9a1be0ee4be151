"""Copernico's participants as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "raw_copernico_participants"
RELATION = "unified_participants"
NEEDS = ("raw_copernico.participants", "raw_copernico.events")

# notstarted, running and finished are documented, dnf, dsq and withdrawn were seen; the others are tolerated by clients
# or assumed of the target API.
STATUSES = (
    "notstarted", "running", "finished", "dnf", "dsq", "withdrawn", "dns", "started", "active", "retired", "abandoned",
    "disqualified", "registered", "confirmed", "cancelled",
)  # fmt: skip

VIEW = """
select
    'copernico/' || p.timing_partner_id || '/' || p.event_id || '/' || p.participant_id as row_key,
    p.timing_partner_id::int as timing_partner_id,
    'copernico'::text as source_provider,
    p.ctid::text as origin,
    exists (
        select from raw_copernico.events as e
        where e.timing_partner_id = p.timing_partner_id and e.event_id = p.event_id
    ) as participant_has_its_event,
    p.birthdate <= %(today)s::date as athlete_born_in_the_past,
    lower(nullif(p.status, '')) as status
from raw_copernico.participants as p
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for a row before it may become one of ours."""
    import great_expectations.expectations as gxe

    return rules.build(
        NAME,
        rules.holds(
            "participant_has_its_event",
            "it refers to no event of this partner at Copernico",
            "The event was renamed or hidden while its participants were read.",
        ),
        rules.holds(
            "athlete_born_in_the_past",
            "its birth date is in the future",
            "A year typed wrongly, or a two-digit year put into the wrong century.",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="status",
            value_set=list(STATUSES),
            **rules.named(
                "participant_status_is_known",
                rules.WARN,
                "its status is new to us",
                "Copernico has a status we have not met; the participant is kept with status unknown.",
                remedy="teach the status to the seed status_vocabulary and to this suite",
                shows_value=True,
            ),
        ),
    )
