-- What RunSignUp calls an event is a distance, and its race the occasion: here one row per event, with its race.
select
    {{ entity_key('runsignup', 'timing_partner_id', 'event_id') }} as event_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_number,
    event_name,
    occasion_id,
    occasion_name,
    {{ local_date('starts_at', 'event_time_zone') }} as event_date,
    starts_at,
    ends_at,
    registration_opens_at,
    event_time_zone as time_zone,
    event_type,
    distance_m,
    distance_as_sent,
    city,
    state,
    country,
    status,
    currency,
    jsonb_strip_nulls(jsonb_build_object(
        'details', details,
        'age_calc_base_date', ages_count_on,
        'distance', distance_as_sent,
        'volunteer', is_for_volunteers,
        'require_dob', requires_birth_date,
        'require_phone', requires_phone,
        'giveaway', giveaway,
        'race_event_days_id', event_day_id,
        'is_private_race', is_private,
        'url', url,
        'zipcode', postal_code,
        'time_zone_as_sent', case when event_time_zone is null then time_zone_as_sent end,
        'removed_at', removed_at,
        'unreadable', {{ unreadable([['timezone', 'time_zone_as_sent', 'event_time_zone']]) }}
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
            races.is_private,
            races.url,
            races.city,
            races.state,
            races.postal_code,
            races.country,
            coalesce(events.time_zone, races.time_zone) as time_zone_as_sent,
            -- A race without its own word about the country may still charge in another dollar.
            case when races.country = 'US' then 'USD' end as currency,
            case
                when coalesce(event_removal.removed_at, race_removal.removed_at) is not null then 'removed'
                when races.is_draft then 'draft'
                else 'scheduled'
            end as status,
            coalesce(event_removal.removed_at, race_removal.removed_at) as removed_at,
            greatest(events.read_at, races.read_at) as fetched_at,
            greatest(
                events.changed_xid, races.changed_xid, event_removal.changed_xid, race_removal.changed_xid
            ) as last_changed_xid
        from {{ ref('stg_runsignup__events') }} as events
        left join {{ ref('stg_runsignup__races') }} as races
            on
                events.timing_partner_id = races.timing_partner_id
                and events.race_number = races.race_number
        left join {{ ref('stg_runsignup__removals') }} as event_removal
            on
                event_removal.stream = 'events'
                and events.timing_partner_id = event_removal.timing_partner_id
                and events.event_id = event_removal.record_key
        left join {{ ref('stg_runsignup__removals') }} as race_removal
            on
                race_removal.stream = 'races'
                and events.timing_partner_id = race_removal.timing_partner_id
                and events.occasion_id = race_removal.record_key
    ) as joined
) as zoned
