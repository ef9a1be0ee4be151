select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    race_id::text as occasion_id,
    -- as the raw table is keyed, so that its indexes serve joins
    race_id as race_number,
    -- facts
    {{ person_name('name') }} as occasion_name,
    {{ filled('timezone') }} as time_zone,
    is_draft_race as is_draft,
    is_private_race as is_private,
    {{ filled('url') }} as url,
    {{ filled('city') }} as city,
    {{ filled('state') }} as state,
    {{ filled('zipcode') }} as postal_code,
    {{ filled('country_code') }} as country_as_sent,
    {{ country_code('country_code') }} as country,
    -- timestamps
    created as created_at,
    last_modified as updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_runsignup', 'races') }}
