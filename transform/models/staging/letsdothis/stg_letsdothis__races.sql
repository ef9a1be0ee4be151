select
    -- keys
    'letsdothis' as source_provider,
    timing_partner_id,
    race_id,
    occurrence_id as event_id,
    event_id as occasion_id,
    -- facts
    {{ person_name('title') }} as race_name,
    nullif(concat_ws(' ', distance::text, {{ filled('distance_unit') }}), '') as distance_as_sent,
    -- Which words the unit has is assumed: metres, kilometres and miles in the usual spellings are read.
    {{ metres("lower(concat_ws(' ', distance::text, distance_unit))") }} as distance_m,
    capacity,
    -- timestamps
    start_time as starts_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_letsdothis', 'races') }}
