select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    interval_id as timing_point_id,
    {{ filled('event_id') }} as event_id,
    {{ filled('race_id') }} as race_id,
    -- under no function, so that the raw table's index finds a race's intervals
    race_id as race_id_as_sent,
    -- facts
    {{ filled('interval_name') }} as timing_point_name,
    interval_distance_m as distance_m,
    {{ filled('race_name') }} as race_name,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_chronotrack', 'intervals') }}
