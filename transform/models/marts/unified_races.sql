{{ config(unique_key='race_key') }}

select
    race_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_name,
    distance_m,
    race_type,
    starts_at,
    started_at,
    time_zone,
    status,
    provider_fields,
    fetched_date
from {{ ref('int_races_unioned') }}
where changed_xid >= {{ changed_since() }}
