{%- set columns = [
    'race_key',
    'source_provider',
    'timing_partner_id',
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

with runsignup as (
    -- An event of RunSignUp is one startable distance: it is its own race, under the same key.
    select
        {{ entity_key('runsignup', 'timing_partner_id', 'event_id') }} as race_key,
        source_provider,
        timing_partner_id::int as timing_partner_id,
        event_id,
        {{ entity_key('runsignup', 'timing_partner_id', 'event_id') }} as event_key,
        event_id as race_id,
        event_name as race_name,
        distance_m,
        event_type as race_type,
        starts_at,
        null::timestamptz as started_at,
        time_zone,
        status,
        jsonb_strip_nulls(jsonb_build_object('distance', distance_as_sent)) as provider_fields,
        fetched_date,
        changed_xid
    from {{ ref('int_runsignup_events_with_race') }}
)

-- Columns are named in every branch: `union all` pairs them by position.
select {{ columns | join(', ') }}
from runsignup

union all

select {{ columns | join(', ') }}
from {{ ref('int_chronotrack_races_in_event') }}
