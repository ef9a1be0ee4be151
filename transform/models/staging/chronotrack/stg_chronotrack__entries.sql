select
    *,
    {{ phone_e164('phone_as_sent', 'country') }} as phone
from (
    select
        -- keys
        'chronotrack' as source_provider,
        timing_partner_id,
        -- As sent and under no function: results find their entry by the raw table's primary key.
        entry_id as participant_id,
        event_id,
        {{ filled('race_id') }} as race_id,
        {{ filled('athlete_id') }} as athlete_id,
        {{ filled('entry_external_id') }} as external_id,
        -- facts
        {{ filled('entry_name') }} as entry_name,
        {{ filled('entry_type') }} as entry_type,
        {{ filled('entry_status') }} as status_as_sent,
        {{ person_name('athlete_first_name') }} as first_name,
        {{ person_name('athlete_last_name') }} as last_name,
        {{ filled('athlete_email') }} as email_as_sent,
        -- ChronoTrack invents an address (none+…) where an entry came without one.
        case when athlete_email not ilike 'none+%' then lower({{ filled('athlete_email') }}) end as email,
        {{ filled('athlete_home_phone') }} as home_phone,
        {{ filled('athlete_mobile_phone') }} as mobile_phone,
        coalesce({{ filled('athlete_mobile_phone') }}, {{ filled('athlete_home_phone') }}) as phone_as_sent,
        {{ filled('athlete_sex') }} as gender_as_sent,
        {{ gender_code('athlete_sex') }} as gender,
        athlete_birthdate as birth_date,
        {{ small_number('entry_race_age') }} as age_as_sent,
        {{ filled('entry_bib') }} as bib_number,
        {{ filled('location_street') }} as street,
        {{ filled('location_city') }} as city,
        {{ filled('location_region') }} as state,
        {{ filled('location_postal_code') }} as postal_code,
        {{ filled('location_country') }} as country_as_sent,
        {{ country_code('location_country') }} as country,
        {{ filled('bracket_name') }} as division,
        {{ filled('wave_name') }} as wave,
        {{ filled('race_name') }} as race_name,
        {{ filled('reg_choice_id') }} as reg_choice_id,
        {{ filled('reg_choice_name') }} as reg_choice_name,
        {{ filled('team_id') }} as team_id,
        {{ person_name('team_name') }} as team_name,
        -- timestamps
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_chronotrack', 'entries') }}
) as renamed
