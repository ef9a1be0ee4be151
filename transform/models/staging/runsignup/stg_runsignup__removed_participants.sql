select
    *,
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
        new_registration_id::text as successor_id,
        -- as the raw table is keyed, so that its indexes serve joins
        registration_id as registration_number,
        event_id as event_number,
        -- facts
        {{ filled('removed_reason') }} as removed_reason,
        {{ person_name('first_name') }} as first_name,
        {{ person_name("record #>> '{user,middle_name}'") }} as middle_name,
        {{ person_name('last_name') }} as last_name,
        lower({{ filled('email') }}) as email,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code('gender') }} as gender,
        dob as birth_date,
        {{ small_number('age') }} as age_as_sent,
        {{ filled("record #>> '{user,address,city}'") }} as city,
        {{ filled("record #>> '{user,address,state}'") }} as state,
        {{ filled("record #>> '{user,address,zipcode}'") }} as postal_code,
        {{ filled("record #>> '{user,address,country_code}'") }} as country_as_sent,
        {{ country_code("record #>> '{user,address,country_code}'") }} as country,
        {{ filled("record ->> 'race_fee'") }} as race_fee_as_sent,
        {{ dollars("(record ->> 'race_fee')") }} as race_fee,
        {{ filled("record ->> 'amount_paid'") }} as amount_paid_as_sent,
        {{ dollars("(record ->> 'amount_paid')") }} as amount_paid,
        record,
        -- timestamps
        registration_date as registered_at,
        last_modified as updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_runsignup', 'removed_participants') }}
) as renamed
