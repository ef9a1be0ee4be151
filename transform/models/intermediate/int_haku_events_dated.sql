-- Haku tells no zone. The day is the one that was sent, and an instant is there only where a time was.
select
    {{ entity_key('haku', 'events.timing_partner_id', 'events.event_id') }} as event_key,
    events.source_provider,
    events.timing_partner_id,
    events.event_id,
    events.event_name,
    -- Haku's event is the day itself: occasion and event are one.
    events.event_id as occasion_id,
    events.event_name as occasion_name,
    events.event_date,
    events.starts_at,
    events.ends_at,
    events.registration_opens_at,
    null::text as time_zone,
    events.event_type,
    events.city,
    events.state,
    events.country,
    case when removals.removed_at is not null then 'removed' else 'scheduled' end as status,
    events.currency,
    jsonb_strip_nulls(jsonb_build_object(
        'location_name', events.venue,
        'event_end_date', events.event_end_date,
        'distance', events.distance_as_sent,
        'distance_m', events.distance_m,
        'registration_limit', events.registration_limit,
        'registration_close_date', events.registration_closes_at,
        'base_price', events.base_price,
        'currency', events.currency,
        'status', events.status_as_sent,
        'removed_at', removals.removed_at,
        'unreadable', events.unreadable
    )) as provider_fields,
    events.read_at as fetched_date,
    greatest(events.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_haku__events') }} as events
left join {{ ref('stg_haku__removals') }} as removals
    on
        removals.stream = 'events'
        and events.timing_partner_id = removals.timing_partner_id
        and events.event_id = removals.record_key
