-- What Let's Do This calls an event may take place again and again. Entries refer to the occurrence, which has the day
-- and the place: it is the event here, and theirs the occasion.
select
    {{ entity_key('letsdothis', 'timing_partner_id', 'event_id') }} as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    occasion_name as event_name,
    occasion_id,
    occasion_name,
    {{ local_date('starts_at', 'event_time_zone') }} as event_date,
    starts_at,
    ends_at,
    null::timestamptz as registration_opens_at,
    event_time_zone as time_zone,
    null::text as event_type,
    city,
    null::text as state,
    country,
    case when removed_at is not null then 'removed' else 'scheduled' end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'description', details,
        'status', status_as_sent,
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'name', venue,
            'city', city,
            'postcode', postal_code,
            'country', country_as_sent,
            'latitude', latitude,
            'longitude', longitude
        )), '{}'),
        'time_zone_as_sent', case when event_time_zone is null then time_zone end,
        'removed_at', removed_at,
        'unreadable', {{ unreadable([
            ['timezone', 'time_zone', 'event_time_zone'], ['country', 'country_as_sent', 'country']
        ]) }}
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        occurrences.*,
        events.occasion_name,
        events.details,
        events.status_as_sent,
        {{ known_zone('occurrences.time_zone') }} as event_time_zone,
        coalesce(occurrence_removal.removed_at, event_removal.removed_at) as removed_at,
        greatest(occurrences.read_at, events.read_at) as fetched_at,
        greatest(
            occurrences.changed_xid, events.changed_xid, occurrence_removal.changed_xid, event_removal.changed_xid
        ) as last_changed_xid
    from {{ ref('stg_letsdothis__occurrences') }} as occurrences
    left join {{ ref('stg_letsdothis__events') }} as events
        on
            occurrences.timing_partner_id = events.timing_partner_id
            and occurrences.occasion_id = events.occasion_id
    left join {{ ref('stg_letsdothis__removals') }} as occurrence_removal
        on
            occurrence_removal.stream = 'occurrences'
            and occurrences.timing_partner_id = occurrence_removal.timing_partner_id
            and occurrences.event_id = occurrence_removal.record_key
    left join {{ ref('stg_letsdothis__removals') }} as event_removal
        on
            event_removal.stream = 'events'
            and occurrences.timing_partner_id = event_removal.timing_partner_id
            and occurrences.occasion_id = event_removal.record_key
) as zoned
