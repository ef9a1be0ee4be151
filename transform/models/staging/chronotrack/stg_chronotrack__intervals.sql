with source as (
    select * from {{ source('raw_chronotrack', 'intervals') }}
),

renamed as (
    select
        -- keys
        'chronotrack' as source_provider,
        timing_partner_id,
        interval_id as timing_point_id,
        {{ filled('event_id') }} as event_id,
        {{ filled('race_id') }} as race_id,
        -- facts
        {{ filled('interval_name') }} as timing_point_name,
        interval_distance_m as distance_m,
        {{ filled('race_name') }} as race_name,
        -- timestamps
        read_at,
        changed_at,
        changed_xid
    from source
)

select * from renamed
