select
    *,
    {{ unreadable([
        ['chip_time', 'chip_time_as_sent', 'coalesce(chip_seconds::text, ' ~ race_status('chip_time_as_sent') ~ ')'],
        ['clock_time', 'gun_time_as_sent', 'coalesce(gun_seconds::text, ' ~ race_status('gun_time_as_sent') ~ ')'],
    ]) }} as unreadable
from (
    select
        -- keys
        'runsignup' as source_provider,
        timing_partner_id,
        result_id::text as result_id,
        event_id::text as event_id,
        race_id::text as occasion_id,
        registration_id::text as participant_id,
        result_set_id::text as result_set_id,
        -- as the raw table is keyed, so that its indexes serve joins
        result_id as result_number,
        event_id as event_number,
        registration_id as registration_number,
        -- facts
        {{ filled('result_set_name') }} as result_set_name,
        is_public,
        is_preliminary,
        {{ filled('bib') }} as bib_number,
        {{ small_number('place') }} as overall_place,
        {{ person_name('first_name') }} as first_name,
        {{ person_name('last_name') }} as last_name,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code('gender') }} as gender,
        {{ small_number('age') }} as age_as_sent,
        {{ filled('city') }} as city,
        {{ filled('state') }} as state,
        {{ filled('country_code') }} as country_as_sent,
        {{ country_code('country_code') }} as country,
        {{ filled('chip_time') }} as chip_time_as_sent,
        {{ race_seconds('chip_time') }} as chip_seconds,
        {{ filled('clock_time') }} as gun_time_as_sent,
        {{ race_seconds('clock_time') }} as gun_seconds,
        coalesce({{ race_status('chip_time') }}, {{ race_status('clock_time') }}) as status_in_time,
        {{ filled('pace') }} as pace,
        splits as splits_as_sent,
        -- timestamps
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_runsignup', 'results') }}
) as renamed
