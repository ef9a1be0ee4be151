select
    -- keys, as sent and under no function: results find their participant by the raw table's primary key
    'copernico' as source_provider,
    timing_partner_id,
    event_id,
    participant_id,
    {{ filled('athlete_id') }} as athlete_id,
    {{ filled('import_id') }} as external_id,
    -- facts
    {{ filled('status') }} as status_as_sent,
    {{ filled('real_status') }} as real_status,
    {{ person_name('name') }} as first_name,
    {{ person_name('surname') }} as last_name,
    {{ person_name('full_name') }} as full_name,
    lower({{ filled('email') }}) as email,
    {{ filled('phone') }} as phone_as_sent,
    -- The country it is dialled in is not told: only a number with a plus can be read.
    {{ phone_e164('phone', 'null::text') }} as phone,
    {{ filled('gender') }} as gender_as_sent,
    {{ copernico_gender('gender') }} as gender,
    birthdate as birth_date,
    {{ small_number('age') }} as age_as_sent,
    {{ filled('dorsal') }} as bib_number,
    {{ filled('chip') }} as chip,
    {{ filled('nationality') }} as nationality_as_sent,
    {{ country_code('nationality') }} as nationality,
    {{ filled('category') }} as division,
    {{ filled('wave') }} as wave,
    {{ person_name('club') }} as club,
    {{ person_name('team') }} as team,
    {{ filled('license_number') }} as license_number,
    -- timestamps
    updated_at,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_copernico', 'participants') }}
