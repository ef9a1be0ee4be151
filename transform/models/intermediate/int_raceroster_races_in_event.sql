-- A crew of volunteers is a sub-event too: entries refer to it, so it is kept, and has no length.
select
    {{ entity_key('raceroster', 'sub_events.timing_partner_id', 'sub_events.race_id') }} as race_key,
    sub_events.source_provider,
    sub_events.timing_partner_id,
    sub_events.event_id,
    {{ entity_key('raceroster', 'sub_events.timing_partner_id', 'sub_events.event_id') }} as event_key,
    sub_events.race_id,
    sub_events.race_name,
    sub_events.distance_m,
    sub_events.race_type,
    coalesce(sub_events.starts_at, events.starts_at) as starts_at,
    null::timestamptz as started_at,
    events.time_zone,
    case
        when removals.removed_at is not null then 'removed'
        else coalesce(events.status, 'scheduled')
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'distance_label', sub_events.distance_label,
        'max_participants', sub_events.max_participants,
        'participant_min_age', sub_events.participant_min_age,
        'participant_max_age', sub_events.participant_max_age,
        'is_without_length', nullif(not sub_events.has_length, false),
        'removed_at', removals.removed_at
    )) as provider_fields,
    sub_events.read_at as fetched_date,
    greatest(sub_events.changed_xid, events.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_raceroster__sub_events') }} as sub_events
left join {{ ref('int_raceroster_events_zoned') }} as events
    on
        sub_events.timing_partner_id = events.timing_partner_id
        and sub_events.event_id = events.event_id
left join {{ ref('stg_raceroster__removals') }} as removals
    on
        removals.stream = 'sub_events'
        and sub_events.timing_partner_id = removals.timing_partner_id
        and sub_events.race_id = removals.record_key
