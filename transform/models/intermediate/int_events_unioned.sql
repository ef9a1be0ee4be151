{%- set columns = [
    'event_key',
    'source_provider',
    'timing_partner_id::int as timing_partner_id',
    'event_id',
    'event_name',
    'occasion_id',
    'occasion_name',
    'event_date',
    'starts_at',
    'ends_at',
    'registration_opens_at',
    'time_zone',
    'event_type',
    'city',
    'state',
    'country',
    'status',
    'provider_fields',
    'fetched_date',
    'changed_xid',
] -%}

-- Columns are named in every branch: `union all` pairs them by position.
select {{ columns | join(', ') }}
from {{ ref('int_runsignup_events_with_race') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_chronotrack_events_dated') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_letsdothis_occurrences_with_event') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_raceroster_events_zoned') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_haku_events_dated') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_copernico_events_of_races') }}
