select
    {{ entity_key('chronotrack', 'intervals.timing_partner_id', 'intervals.timing_point_id') }} as timing_point_key,
    intervals.source_provider,
    intervals.timing_partner_id,
    intervals.event_id,
    {{ entity_key('chronotrack', 'intervals.timing_partner_id', 'intervals.event_id') }} as event_key,
    intervals.race_id,
    {{ entity_key('chronotrack', 'intervals.timing_partner_id', 'intervals.race_id') }} as race_key,
    intervals.timing_point_id,
    intervals.timing_point_name,
    intervals.distance_m,
    -- Only result rows say which interval is the whole course; here its length tells, or the name that
    -- ChronoTrack gives it.
    intervals.distance_m = races.distance_m
    or lower(intervals.timing_point_name) in ('full course', 'finish') as is_finish,
    jsonb_strip_nulls(jsonb_build_object(
        'race_name', intervals.race_name,
        'removed_at', removals.removed_at
    )) as provider_fields,
    intervals.read_at as fetched_date,
    greatest(intervals.changed_xid, races.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_chronotrack__intervals') }} as intervals
left join {{ ref('stg_chronotrack__races') }} as races
    on
        intervals.timing_partner_id = races.timing_partner_id
        and intervals.race_id = races.race_id
left join {{ ref('stg_chronotrack__removals') }} as removals
    on
        removals.stream = 'intervals'
        and intervals.timing_partner_id = removals.timing_partner_id
        and intervals.timing_point_id = removals.record_key
