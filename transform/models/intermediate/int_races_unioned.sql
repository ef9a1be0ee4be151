{%- set columns = [
    'race_key',
    'source_provider',
    'timing_partner_id::int as timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_name',
    'distance_m',
    'race_type',
    'starts_at',
    'started_at',
    'time_zone',
    'status',
    'provider_fields',
    'fetched_date',
    'changed_xid',
] -%}

-- Columns are named in every branch: `union all` pairs them by position.
select {{ columns | join(', ') }}
from {{ ref('int_runsignup_races_of_events') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_chronotrack_races_in_event') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_letsdothis_races_in_occurrence') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_raceroster_races_in_event') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_haku_races_in_event') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_copernico_races_of_events') }}
