-- What Copernico calls an event is a distance, and its race the occasion: here one row per event, with its race.
select
    {{ entity_key('copernico', 'timing_partner_id', 'event_id') }} as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_name,
    occasion_id,
    occasion_name,
    -- Without a zone the day of the race, as the organiser has it; the gun alone tells a day in UTC.
    coalesce(
        {{ local_date('starts_at', 'event_time_zone') }}, starts_on, (starts_at at time zone 'UTC')::date
    ) as event_date,
    starts_at,
    null::timestamptz as ends_at,
    null::timestamptz as registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    distance_m,
    mats,
    null::text as city,
    null::text as state,
    country,
    case when removed_at is not null then 'removed' else 'scheduled' end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'location', place,
        'country', case when country is null then country_as_sent end,
        'competition_id', competition_id,
        'organization_id', organization_id,
        'discipline', event_type,
        'status', coalesce(event_status, race_status),
        'max_participants', max_participants,
        'splits', mats,
        'time_zone_as_sent', case when event_time_zone is null then time_zone_as_sent end,
        'removed_at', removed_at,
        'unreadable', {{ unreadable([['time_zone', 'time_zone_as_sent', 'event_time_zone']]) }}
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        *,
        {{ known_zone('time_zone_as_sent') }} as event_time_zone
    from (
        select
            events.*,
            races.occasion_name,
            races.competition_id,
            races.country,
            races.country_as_sent,
            races.starts_on,
            races.status_as_sent as race_status,
            coalesce(events.location, races.location) as place,
            coalesce(events.time_zone, races.time_zone) as time_zone_as_sent,
            coalesce(event_removal.removed_at, race_removal.removed_at) as removed_at,
            greatest(events.read_at, races.read_at) as fetched_at,
            greatest(
                events.changed_xid, races.changed_xid, event_removal.changed_xid, race_removal.changed_xid
            ) as last_changed_xid
        from {{ ref('stg_copernico__events') }} as events
        left join {{ ref('stg_copernico__races') }} as races
            on
                events.timing_partner_id = races.timing_partner_id
                and events.occasion_id = races.occasion_id
        left join {{ ref('stg_copernico__removals') }} as event_removal
            on
                event_removal.stream = 'events'
                and events.timing_partner_id = event_removal.timing_partner_id
                and events.event_id = event_removal.record_key
        left join {{ ref('stg_copernico__removals') }} as race_removal
            on
                race_removal.stream = 'races'
                and events.timing_partner_id = race_removal.timing_partner_id
                and events.occasion_id = race_removal.record_key
    ) as joined
) as zoned
