select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    event_id,
    -- facts
    {{ person_name('event_name') }} as event_name,
    {{ filled('event_type') }} as event_type,
    event_is_published as is_published,
    {{ filled('location_city') }} as city,
    {{ filled('location_region') }} as state,
    {{ filled('location_country') }} as country_as_sent,
    {{ country_code('location_country') }} as country,
    {{ filled('location_time_zone') }} as time_zone,
    -- timestamps
    event_start_time as starts_at,
    event_end_time as ends_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_chronotrack', 'events') }}
