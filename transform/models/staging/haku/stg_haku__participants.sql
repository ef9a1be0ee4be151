-- The short rows of the events' lists.
select
    *,
    -- As a client does that was seen. Wrong for names of one word or three: the full registration knows better.
    split_part(full_name, ' ', 1) as first_name,
    nullif(substring(full_name from position(' ' in full_name || ' ') + 1), '') as last_name,
    {{ unreadable([['transaction_amount', 'amount_paid_as_sent', 'amount_paid']]) }} as unreadable
from (
    select
        -- keys
        'haku' as source_provider,
        timing_partner_id,
        event_id,
        registration_number,
        registration_number as participant_id,
        -- facts
        {{ person_name('person_full_name') }} as full_name,
        lower({{ filled('email') }}) as email,
        {{ filled('gender') }} as gender_as_sent,
        {{ gender_code('gender') }} as gender,
        {{ small_number('age') }} as age_as_sent,
        {{ filled('bib') }} as bib_number,
        {{ person_name('team_name') }} as team_name,
        {{ person_name('event_category_info') }} as category_name,
        is_cancelled,
        {{ filled('transaction_amount') }} as amount_paid_as_sent,
        {{ dollars('transaction_amount') }} as amount_paid,
        -- timestamps
        registered_at,
        updated_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_haku', 'participants') }}
) as renamed
