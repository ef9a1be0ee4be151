select
    *,
    {{ phone_e164('phone_as_sent', 'country') }} as phone,
    {{ unreadable([
        ['race_fee', 'race_fee_as_sent', 'race_fee'],
        ['amount_paid', 'amount_paid_as_sent', 'amount_paid'],
    ]) }} as unreadable
from (
    select
        -- keys
        'runsignup' as source_provider,
        timing_partner_id,
        registration_id::text as participant_id,
        event_id::text as event_id,
        race_id::text as occasion_id,
        user_id::text as user_id,
        -- as the raw table is keyed, so that its indexes serve joins
        registration_id as registration_number,
        event_id as event_number,
        -- facts
        {{ person_name('first_name') }} as first_name,
        {{ person_name('middle_name') }} as middle_name,
        {{ person_name('last_name') }} as last_name,
        lower({{ filled('email') }}) as email,
        {{ filled('phone') }} as phone_as_sent,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code('gender') }} as gender,
        dob as birth_date,
        {{ small_number('age') }} as age_as_sent,
        {{ filled('bib_num') }} as bib_number,
        {{ filled('chip_num') }} as chip_number,
        {{ filled('street') }} as street,
        {{ filled('city') }} as city,
        {{ filled('state') }} as state,
        {{ filled('zipcode') }} as postal_code,
        {{ filled('country_code') }} as country_as_sent,
        {{ country_code('country_code') }} as country,
        {{ filled('profile_image_url') }} as profile_image_url,
        team_id::text as team_id,
        {{ person_name('team_name') }} as team_name,
        {{ filled('giveaway') }} as giveaway,
        {{ filled('fundraiser_charity_name') }} as fundraiser_charity_name,
        {{ filled('transaction_id') }} as transaction_id,
        imported as is_imported,
        {{ filled('race_fee') }} as race_fee_as_sent,
        {{ dollars('race_fee') }} as race_fee,
        {{ filled('processing_fee') }} as processing_fee_as_sent,
        {{ filled('amount_paid') }} as amount_paid_as_sent,
        {{ dollars('amount_paid') }} as amount_paid,
        record,
        -- timestamps
        registration_date as registered_at,
        last_modified as updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_runsignup', 'participants') }}
) as renamed
