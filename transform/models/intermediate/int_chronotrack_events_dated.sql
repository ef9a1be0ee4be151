-- The day of an event is that of its own zone: a night race in California is a day later in UTC.
select
    {{ entity_key('chronotrack', 'timing_partner_id', 'event_id') }} as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_name,
    -- ChronoTrack's event is the day itself: occasion and event are one.
    event_id as occasion_id,
    event_name as occasion_name,
    {{ local_date('starts_at', 'event_time_zone') }} as event_date,
    starts_at,
    ends_at,
    null::timestamptz as registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    city,
    state,
    country,
    case
        when removed_at is not null then 'removed'
        when not is_published then 'draft'
        else 'scheduled'
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'city', city,
            'region', state,
            'country', country_as_sent,
            'time_zone', time_zone
        )), '{}'),
        'event_is_published', is_published,
        'time_zone_as_sent', case when event_time_zone is null then time_zone end,
        'removed_at', removed_at,
        'unreadable', {{ unreadable([['location_time_zone', 'time_zone', 'event_time_zone']]) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        events.*,
        {{ known_zone('events.time_zone') }} as event_time_zone,
        removals.removed_at,
        greatest(events.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_chronotrack__events') }} as events
    left join {{ ref('stg_chronotrack__removals') }} as removals
        on
            removals.stream = 'events'
            and events.timing_partner_id = removals.timing_partner_id
            and events.event_id = removals.record_key
) as zoned
