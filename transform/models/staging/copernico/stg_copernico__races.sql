select
    -- keys
    'copernico' as source_provider,
    timing_partner_id,
    race_id as occasion_id,
    {{ filled('competition_id') }} as competition_id,
    -- facts
    {{ person_name('race_name') }} as occasion_name,
    {{ filled('status') }} as status_as_sent,
    {{ filled('location') }} as location,
    {{ filled('country') }} as country_as_sent,
    {{ country_code('country') }} as country,
    {{ filled('time_zone') }} as time_zone,
    -- timestamps
    race_date as starts_on,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_copernico', 'races') }}
