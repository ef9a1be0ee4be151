select
    -- keys
    'copernico' as source_provider,
    timing_partner_id,
    event_id,
    -- as sent and under no function, so that the raw table's index finds a race's events
    race_id as occasion_id,
    {{ filled('organization_id') }} as organization_id,
    -- facts
    {{ person_name('event_name') }} as event_name,
    {{ filled('discipline') }} as event_type,
    distance_m,
    splits as mats,
    {{ filled('location') }} as location,
    {{ filled('event_status') }} as event_status,
    {{ small_number('max_participants') }} as max_participants,
    {{ filled('time_zone') }} as time_zone,
    -- timestamps
    gun_time as starts_at,
    updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_copernico', 'events') }}
