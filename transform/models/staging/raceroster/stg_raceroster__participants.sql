select
    *,
    {{ phone_e164('phone_as_sent', 'country') }} as phone
from (
    select
        -- keys
        'raceroster' as source_provider,
        timing_partner_id,
        -- As sent and under no function, so that the raw table's primary key finds it.
        participant_id,
        event_id,
        sub_event_id as race_id,
        registration_id,
        transaction_id,
        transferred_to_participant_id as successor_id,
        transferred_from_participant_id as predecessor_id,
        -- facts
        {{ filled('registration_status') }} as status_as_sent,
        {{ filled('payment_status') }} as payment_status,
        {{ person_name('first_name') }} as first_name,
        {{ person_name('last_name') }} as last_name,
        lower({{ filled('email_address') }}) as email,
        {{ filled('phone') }} as phone_as_sent,
        {{ filled('gender') }} as gender_as_sent,
        -- Numbers in the API; 8 is a co-ed team, and nobody's gender.
        case trim(gender)
            when '1' then 'M'
            when '2' then 'F'
            when '9' then 'X'
            when '0' then 'U'
            else {{ gender_code('gender') }}
        end as gender,
        date_of_birth as birth_date,
        {{ small_number('age') }} as age_as_sent,
        {{ filled('bib_number') }} as bib_number,
        {{ filled('address_line1') }} as address_line1,
        {{ filled('address_line2') }} as address_line2,
        {{ filled('city') }} as city,
        {{ filled('province_state') }} as state,
        {{ filled('postal_code') }} as postal_code,
        {{ filled('country') }} as country_as_sent,
        {{ country_code('country') }} as country,
        emergency_contact,
        {{ person_name('team_name') }} as team_name,
        {{ filled('division') }} as division,
        {{ filled('wave_name') }} as wave,
        amount_paid,
        upper({{ filled('currency') }}) as currency,
        custom_fields,
        -- timestamps
        registration_date as registered_at,
        last_modified_date as updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_raceroster', 'participants') }}
) as renamed
