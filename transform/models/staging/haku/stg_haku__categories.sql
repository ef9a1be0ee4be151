select
    -- keys
    'haku' as source_provider,
    timing_partner_id,
    event_id,
    category_id as race_id,
    -- facts
    {{ person_name('name') }} as race_name,
    {{ person_name('master_name') }} as master_name,
    coalesce({{ metres('name') }}, {{ metres('master_name') }}) as distance_m,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_haku', 'categories') }}
