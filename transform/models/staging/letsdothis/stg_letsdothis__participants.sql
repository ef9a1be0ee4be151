select
    *,
    {{ phone_e164('phone_as_sent', 'country') }} as phone
from (
    select
        -- keys
        'letsdothis' as source_provider,
        timing_partner_id,
        -- As sent and under no function, so that the raw table's indexes serve joins.
        participant_id,
        occurrence_id as event_id,
        race_id,
        application_id,
        booking_id,
        participant_index,
        transaction_id,
        ticket_id,
        -- facts
        {{ filled('ticket_title') }} as ticket_title,
        upper({{ filled('status') }}) as status_as_sent,
        {{ person_name('first_name') }} as first_name,
        {{ person_name('last_name') }} as last_name,
        lower({{ filled('email_address') }}) as email,
        {{ filled('phone') }} as phone_as_sent,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code("regexp_replace(replace(upper(gender), 'NON BINARY', 'NON-BINARY'), '^IDENTIFIES AS ', '')") }}
            as gender,
        date_of_birth as birth_date,
        {{ filled('bib_number') }} as bib_number,
        {{ filled('address_line1') }} as address_line1,
        {{ filled('address_line2') }} as address_line2,
        {{ filled('address_city') }} as city,
        {{ filled('address_postcode') }} as postal_code,
        {{ filled('address_country') }} as country_as_sent,
        {{ country_code('address_country') }} as country,
        {{ filled('emergency_contact_name') }} as emergency_contact_name,
        {{ filled('emergency_contact_phone') }} as emergency_contact_phone,
        {{ filled('booker_first_name') }} as booker_first_name,
        {{ filled('booker_last_name') }} as booker_last_name,
        {{ filled('booker_email') }} as booker_email,
        ticket_price_minor,
        upper({{ filled('ticket_price_currency') }}) as currency,
        {{ minor_units('ticket_price_minor', 'upper(trim(ticket_price_currency))') }} as list_price,
        {{ filled('incremental_status') }} as incremental_status,
        booking_codes_used,
        -- What has columns above is left out of the answers.
        coalesce(answers, '{}') - array[
            'status', 'firstName', 'lastName', 'emailAddress', 'confirmEmail', 'gender', 'dateOfBirth', 'addressLine1',
            'addressLine2', 'addressCity', 'addressPostcode', 'addressCountry', 'phone', 'emergencyContactName',
            'emergencyContactPhone'
        ] as other_answers,
        -- timestamps
        created_at,
        updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_letsdothis', 'participants') }}
) as renamed
