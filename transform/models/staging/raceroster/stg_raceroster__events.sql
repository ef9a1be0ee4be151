select
    -- keys
    'raceroster' as source_provider,
    timing_partner_id,
    -- As sent and under no function, so that the raw table's primary key finds it: opaque text.
    event_id,
    event_number,
    -- facts
    {{ person_name('name') }} as event_name,
    {{ filled('type') }} as event_type,
    {{ filled('description') }} as details,
    {{ filled('address') }} as address,
    {{ filled('city') }} as city,
    coalesce({{ filled('region_code') }}, {{ filled('region_name') }}) as state,
    coalesce({{ filled('country_code') }}, {{ filled('country_name') }}) as country_as_sent,
    coalesce({{ country_code('country_code') }}, {{ country_code('country_name') }}) as country,
    {{ filled('time_zone') }} as time_zone,
    {{ filled('url') }} as url,
    {{ filled('results_url') }} as results_url,
    {{ filled('organizer_name') }} as organizer_name,
    {{ filled('organizer_email') }} as organizer_email,
    latitude,
    longitude,
    -- timestamps
    start_date as start_date_as_sent,
    registration_open_date as registration_opens_at,
    registration_close_date as registration_closes_at,
    last_modified_date as updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_raceroster', 'events') }}
