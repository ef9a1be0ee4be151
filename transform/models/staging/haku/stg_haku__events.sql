select
    *,
    {{ unreadable([['base_price', 'base_price_as_sent', 'base_price']]) }} as unreadable
from (
    select
        -- keys
        'haku' as source_provider,
        timing_partner_id,
        event_id,
        -- facts
        {{ person_name('name') }} as event_name,
        event_day as event_date,
        event_end_day as event_end_date,
        {{ filled('event_type') }} as event_type,
        {{ filled('distance') }} as distance_as_sent,
        {{ metres('distance') }} as distance_m,
        {{ filled('location_name') }} as venue,
        {{ filled('location_city') }} as city,
        {{ filled('location_state') }} as state,
        {{ country_code('location_country') }} as country,
        {{ small_number('registration_limit') }} as registration_limit,
        {{ filled('base_price') }} as base_price_as_sent,
        {{ dollars('base_price') }} as base_price,
        upper({{ filled('currency') }}) as currency,
        {{ filled('status') }} as status_as_sent,
        -- timestamps
        starts_at,
        ends_at,
        registration_open_date as registration_opens_at,
        registration_close_date as registration_closes_at,
        read_at,
        changed_at,
        inserted_xid,
        changed_xid
    from {{ source('raw_haku', 'events') }}
) as renamed
