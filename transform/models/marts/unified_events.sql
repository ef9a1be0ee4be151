{{ config(unique_key='event_key') }}

select
    event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_name,
    occasion_id,
    occasion_name,
    event_date,
    starts_at,
    ends_at,
    registration_opens_at,
    time_zone,
    event_type,
    city,
    state,
    country,
    status,
    provider_fields,
    fetched_date
from {{ ref('int_events_unioned') }}
where changed_xid >= {{ changed_since() }}
