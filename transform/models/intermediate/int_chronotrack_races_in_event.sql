select
    {{ entity_key('chronotrack', 'races.timing_partner_id', 'races.race_id') }} as race_key,
    races.source_provider,
    races.timing_partner_id,
    races.event_id,
    {{ entity_key('chronotrack', 'races.timing_partner_id', 'races.event_id') }} as event_key,
    races.race_id,
    races.race_name,
    races.distance_m,
    races.race_type,
    races.starts_at,
    races.started_at,
    events.time_zone,
    case
        when removals.removed_at is not null then 'removed'
        else coalesce(events.status, 'scheduled')
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'race_tag', races.race_tag,
        'race_subtype', races.race_subtype,
        'race_pref_distance_unit', races.preferred_distance_unit,
        'race_planned_end_time', races.ends_at,
        'race_actual_end_time', races.ended_at,
        'race_age_ref_time', races.ages_count_at,
        'removed_at', removals.removed_at
    )) as provider_fields,
    races.read_at as fetched_date,
    greatest(races.changed_xid, events.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_chronotrack__races') }} as races
left join {{ ref('int_chronotrack_events_dated') }} as events
    on
        races.timing_partner_id = events.timing_partner_id
        and races.event_id = events.event_id
left join {{ ref('stg_chronotrack__removals') }} as removals
    on
        removals.stream = 'races'
        and races.timing_partner_id = removals.timing_partner_id
        and races.race_id = removals.record_key
