select
    -- keys
    'raceroster' as source_provider,
    timing_partner_id,
    -- As sent and under no function, so that the raw table's primary key finds it.
    sub_event_id as race_id,
    event_id,
    -- facts
    {{ person_name('name') }} as race_name,
    {{ filled('sport') }} as race_type,
    {{ filled('distance_label') }} as distance_label,
    -- A crew or merchandise has a length of 0: it is none. The older field stands in where the newer is missing.
    nullif(
        coalesce(
            distance_m,
            distance * case lower(trim(distance_type)) when 'km' then 1000 when 'mi' then 1609.344 when 'm' then 1 end
        ),
        0
    ) as distance_m,
    coalesce(nullif(distance_m, 0), nullif(distance, 0)) is not null as has_length,
    {{ small_number('max_participants') }} as max_participants,
    {{ small_number('participant_min_age') }} as participant_min_age,
    {{ small_number('participant_max_age') }} as participant_max_age,
    -- timestamps
    custom_sub_event_date as starts_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_raceroster', 'sub_events') }}
