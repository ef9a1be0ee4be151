select
    -- keys
    'example' as source_provider,
    timing_partner_id,
    -- As sent and under no function: it is found by the raw table's primary key.
    participant_id,
    event_id,
    -- facts
    {{ person_name('first_name') }} as first_name,
    {{ person_name('last_name') }} as last_name,
    lower({{ filled('email') }}) as email,
    {{ filled('gender') }} as gender_as_sent,
    {{ gender_code('gender') }} as gender,
    birth_date,
    {{ filled('bib') }} as bib_number,
    {{ filled('status') }} as status_as_sent,
    -- timestamps
    registered_at as registration_date,
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_example', 'participants') }}
