-- The day of an event is that of its own zone. Midnight there means that no time was set: the day is known, the start
-- is not.
select
    {{ entity_key('raceroster', 'timing_partner_id', 'event_id') }} as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_name,
    -- Race Roster's event is the day itself: occasion and event are one.
    event_id as occasion_id,
    event_name as occasion_name,
    {{ local_date('start_date_as_sent', 'event_time_zone') }} as event_date,
    case when (start_date_as_sent at time zone event_time_zone)::time <> '00:00' then start_date_as_sent end
        as starts_at,
    null::timestamptz as ends_at,
    registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    city,
    state,
    country,
    case when removed_at is not null then 'removed' else 'scheduled' end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'event_number', event_number,
        'description', details,
        'address', address,
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'city', city,
            'region', state,
            'country', country_as_sent,
            'latitude', latitude,
            'longitude', longitude
        )), '{}'),
        'start_date', start_date_as_sent,
        'registration_close_date', registration_closes_at,
        'last_modified_date', updated_at,
        'url', url,
        'results_url', results_url,
        'organizer_name', organizer_name,
        'organizer_email', organizer_email,
        'time_zone_as_sent', case when event_time_zone is null then time_zone end,
        'removed_at', removed_at,
        'unreadable', {{ unreadable([
            ['timeZone', 'time_zone', 'event_time_zone'], ['country', 'country_as_sent', 'country']
        ]) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        events.*,
        {{ known_zone('events.time_zone') }} as event_time_zone,
        removals.removed_at,
        greatest(events.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_raceroster__events') }} as events
    left join {{ ref('stg_raceroster__removals') }} as removals
        on
            removals.stream = 'events'
            and events.timing_partner_id = removals.timing_partner_id
            and events.event_id = removals.record_key
) as zoned
