select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    race_id,
    event_id,
    -- facts
    {{ person_name('race_name') }} as race_name,
    {{ filled('race_tag') }} as race_tag,
    {{ filled('race_type') }} as race_type,
    {{ filled('race_subtype') }} as race_subtype,
    race_course_distance as distance_m,
    {{ filled('race_pref_distance_unit') }} as preferred_distance_unit,
    -- timestamps
    race_planned_start_time as starts_at,
    race_planned_end_time as ends_at,
    race_actual_start_time as started_at,
    race_actual_end_time as ended_at,
    race_age_ref_time as ages_count_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_chronotrack', 'races') }}
