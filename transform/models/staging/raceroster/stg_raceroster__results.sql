select
    *,
    {{ unreadable([
        ['chipTime', 'chip_time_as_sent', 'coalesce(chip_seconds::text, ' ~ race_status('chip_time_as_sent') ~ ')'],
        ['gunTime', 'gun_time_as_sent', 'coalesce(gun_seconds::text, ' ~ race_status('gun_time_as_sent') ~ ')'],
    ]) }} as unreadable
from (
    select
        -- keys
        'raceroster' as source_provider,
        timing_partner_id,
        -- As sent and under no function, so that the raw table's primary key finds it.
        result_id,
        event_id,
        result_number,
        result_sub_event_id,
        {{ filled('participant_num') }} as participant_num,
        -- facts
        {{ person_name('sub_event_name') }} as sub_event_name,
        {{ filled('race_status') }} as status_as_sent,
        {{ filled('bib') }} as bib_number,
        {{ small_number('overall_place') }} as overall_place,
        {{ small_number('gender_place') }} as gender_place,
        {{ filled('division') }} as division,
        {{ filled('division_place') }} as division_place,
        {{ person_name('name') }} as full_name,
        -- One text for both: the last word is taken for the family name. What was sent stays beside it.
        {{ person_name("regexp_replace(name, '\s*\S+\s*$', '')") }} as first_name,
        {{ person_name("substring(name from '\S+\s*$')") }} as last_name,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code('gender') }} as gender,
        {{ small_number('age') }} as age_as_sent,
        {{ filled('from_city') }} as city,
        {{ filled('from_prov_state') }} as state,
        {{ filled('from_country') }} as country_as_sent,
        {{ country_code('from_country') }} as country,
        {{ person_name('team_name') }} as team_name,
        {{ filled('chip_time') }} as chip_time_as_sent,
        -- The text has tenths, the number has not.
        coalesce({{ race_seconds('chip_time') }}, chip_time_sec) as chip_seconds,
        {{ filled('gun_time') }} as gun_time_as_sent,
        coalesce({{ race_seconds('gun_time') }}, gun_time_sec) as gun_seconds,
        {{ filled('overall_pace') }} as pace,
        {{ filled('overall_pace_units') }} as pace_units,
        -- timestamps
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_raceroster', 'results') }}
) as renamed
