select
    *,
    {{ unreadable([
        ['results_time', 'chip_time_as_sent', 'coalesce(chip_seconds::text, ' ~ race_status('chip_time_as_sent') ~ ')'],
        ['results_gun_time', 'gun_time_as_sent', 'coalesce(gun_seconds::text, ' ~ race_status('gun_time_as_sent') ~ ')'],
    ]) }} as unreadable
from (
    select
        -- keys; as sent and under no function, so that the raw table's primary key finds an entry's rows
        'chronotrack' as source_provider,
        timing_partner_id,
        event_id,
        results_entry_id as participant_id,
        results_interval_id as timing_point_id,
        {{ filled('results_race_id') }} as race_id,
        -- facts
        coalesce(results_interval_full, false) as is_finish,
        {{ filled('results_interval_name') }} as timing_point_name,
        {{ filled('results_bib') }} as bib_number,
        {{ person_name('results_first_name') }} as first_name,
        {{ person_name('results_last_name') }} as last_name,
        {{ filled('results_sex') }} as gender_as_sent,
        {{ gender_code('results_sex') }} as gender,
        {{ small_number('results_age') }} as age_as_sent,
        {{ filled('results_hometown') }} as hometown,
        {{ filled('results_city') }} as city,
        {{ filled('results_state_code') }} as state,
        {{ filled('results_country_code') }} as country_as_sent,
        {{ country_code('results_country_code') }} as country,
        {{ filled('results_race_name') }} as race_name,
        {{ filled('results_bracket_name') }} as bracket_name,
        {{ filled('results_primary_bracket_name') }} as primary_bracket_name,
        {{ small_number('results_rank') }} as overall_place,
        {{ filled('results_time') }} as chip_time_as_sent,
        {{ race_seconds('results_time') }} as chip_seconds,
        {{ filled('results_gun_time') }} as gun_time_as_sent,
        {{ race_seconds('results_gun_time') }} as gun_seconds,
        coalesce({{ race_status('results_time') }}, {{ race_status('results_gun_time') }}) as status_in_time,
        {{ filled('results_pace') }} as pace,
        {{ filled('results_gun_pace') }} as gun_pace,
        {{ filled('results_penalty_time') }} as penalty_time,
        -- timestamps
        results_begin_chip_time as began_at,
        results_end_chip_time as ended_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_chronotrack', 'results') }}
) as renamed
