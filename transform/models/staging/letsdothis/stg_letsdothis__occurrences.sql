select
    -- keys
    'letsdothis' as source_provider,
    timing_partner_id,
    -- As sent and under no function: entries find their day by the raw table's primary key.
    occurrence_id as event_id,
    event_id as occasion_id,
    -- facts
    {{ filled('timezone') }} as time_zone,
    {{ filled('location_name') }} as venue,
    {{ filled('city') }} as city,
    {{ filled('postcode') }} as postal_code,
    {{ filled('country') }} as country_as_sent,
    {{ country_code('country') }} as country,
    latitude,
    longitude,
    -- timestamps
    start_date as starts_at,
    end_date as ends_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_letsdothis', 'occurrences') }}
