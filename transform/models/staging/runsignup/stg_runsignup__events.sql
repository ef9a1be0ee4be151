select
    -- keys
    'runsignup' as source_provider,
    timing_partner_id,
    event_id::text as event_id,
    race_id::text as occasion_id,
    race_event_days_id::text as event_day_id,
    -- as the raw table is keyed, so that its indexes serve joins
    event_id as event_number,
    race_id as race_number,
    -- facts
    {{ person_name('name') }} as event_name,
    {{ filled('details') }} as details,
    {{ filled('event_type') }} as event_type,
    {{ filled('distance') }} as distance_as_sent,
    {{ metres('distance') }} as distance_m,
    volunteer as is_for_volunteers,
    require_dob as requires_birth_date,
    require_phone as requires_phone,
    {{ filled('giveaway') }} as giveaway,
    age_calc_base_date as ages_count_on,
    {{ filled('timezone') }} as time_zone,
    -- timestamps
    start_time as starts_at,
    end_time as ends_at,
    registration_opens as registration_opens_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_runsignup', 'events') }}
