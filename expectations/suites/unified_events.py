"""Events as they would be published."""

# ruff: noqa: S608 - every name in these queries is our own

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations import rules

if TYPE_CHECKING:
    import great_expectations as gx

NAME = "unified_events"
RELATION = "unified_events"
NEEDS = ("candidate.unified_events",)

# Timing on the web begins about here; an earlier event is a wrong century or the epoch.
FIRST_DAY = "1990-01-01"
YEARS_AHEAD = 3

VIEW = f"""
select
    e.event_key as row_key,
    e.timing_partner_id,
    e.source_provider,
    e.ctid::text as origin,
    coalesce(
        e.event_key = e.source_provider || '/' || e.timing_partner_id || '/' || e.event_id, false
    ) as event_key_is_well_formed,
    e.event_date between date '{FIRST_DAY}' and (%(today)s::date + interval '{YEARS_AHEAD} years')::date
        as event_date_is_plausible,
    e.ends_at >= e.starts_at as event_instants_are_in_order,
    e.time_zone is null or e.time_zone in (select z.name from pg_timezone_names as z)
        as event_time_zone_is_known,
    coalesce(e.provider_fields -> 'unreadable', 'null') in ('null', '[]', '{{}}') as event_is_readable,
    coalesce(btrim(e.event_name), '') <> '' as event_has_a_name,
    e.time_zone is not null as event_has_a_time_zone
from candidate.unified_events as e
"""


def suite() -> gx.ExpectationSuite:
    """Return what must hold for an event that partners will read."""
    return rules.build(
        NAME,
        rules.one_row_per_key(RELATION),
        rules.holds(
            "event_key_is_well_formed",
            "its key is not provider/partner/id",
            "A model built the key by hand: the same id under two partners could become one event.",
        ),
        rules.holds(
            "event_date_is_plausible",
            f"its date is before {FIRST_DAY} or more than {YEARS_AHEAD} years ahead",
            "An epoch of 0, a two-digit year or a placeholder; many at once are milliseconds read as seconds.",
        ),
        rules.holds(
            "event_instants_are_in_order",
            "it ends before it starts once both are instants",
            "The provider's zone rule was applied to one of the two only.",
        ),
        rules.holds(
            "event_time_zone_is_known",
            "its time zone is none that PostgreSQL knows",
            "An abbreviation or a Windows name was sent: no instant of this event can be trusted.",
        ),
        rules.holds(
            "event_is_readable",
            "a field of it could not be read",
            "provider_fields.unreadable names the field and what was sent.",
        ),
        rules.holds(
            "event_has_a_name",
            "it has no name",
            "An event just being set up; it is published, and looks odd in lists.",
            effect=rules.WARN,
        ),
        rules.holds(
            "event_has_a_time_zone",
            "its time zone is not known",
            "Its wall-clock times were read in the account's default zone or not at all.",
            effect=rules.WARN,
            remedy="set the zone at the provider",
        ),
    )
