select
    -- keys
    'letsdothis' as source_provider,
    timing_partner_id,
    -- Let's Do This's event is the occasion; what has a day and entries is its occurrence.
    event_id as occasion_id,
    -- facts
    {{ person_name('title') }} as occasion_name,
    {{ filled('description') }} as details,
    {{ filled('status') }} as status_as_sent,
    -- timestamps
    created_at,
    updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_letsdothis', 'events') }}
