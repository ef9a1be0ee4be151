select
    -- keys
    'example' as source_provider,
    timing_partner_id,
    event_id,
    -- facts
    {{ person_name('name') }} as event_name,
    {{ filled('city') }} as city,
    {{ filled('country') }} as country,
    {{ filled('timezone') }} as time_zone,
    -- timestamps
    starts_at,
    ends_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_example', 'events') }}
