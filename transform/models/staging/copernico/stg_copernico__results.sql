select
    -- keys, as sent and under no function, so that the raw table's primary key finds a row
    'copernico' as source_provider,
    timing_partner_id,
    event_id,
    participant_id,
    -- facts
    {{ filled('status') }} as status_as_sent,
    {{ filled('dorsal') }} as bib_number,
    {{ person_name('name') }} as first_name,
    {{ person_name('surname') }} as last_name,
    {{ filled('gender') }} as gender_as_sent,
    {{ copernico_gender('gender') }} as gender,
    {{ filled('category') }} as division,
    real_ms as chip_ms,
    official_ms as gun_ms,
    start_ms,
    -- A double precision would show rounding where there was none.
    trim_scale(real_ms::numeric / 1000) as chip_seconds,
    trim_scale(official_ms::numeric / 1000) as gun_seconds,
    splits as splits_as_sent,
    {{ small_number('pos') }} as overall_place,
    {{ small_number('pos_gender') }} as gender_place,
    {{ small_number('pos_category') }} as division_place,
    {{ small_number('net_pos') }} as net_overall_place,
    {{ small_number('net_pos_gender') }} as net_gender_place,
    {{ small_number('net_pos_category') }} as net_division_place,
    -- timestamps
    start_time as began_at,
    finish_time as ended_at,
    updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_copernico', 'results') }}
