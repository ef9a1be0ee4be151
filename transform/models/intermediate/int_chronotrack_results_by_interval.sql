-- One row per entry and interval, as read, with what else says something about it.
select
    results.source_provider,
    results.timing_partner_id,
    results.event_id,
    results.participant_id,
    results.timing_point_id,
    results.race_id,
    results.is_finish,
    coalesce(results.timing_point_name, intervals.timing_point_name) as timing_point_name,
    intervals.distance_m,
    results.bib_number,
    results.first_name,
    results.last_name,
    results.gender,
    results.gender_as_sent,
    results.age_as_sent,
    results.hometown,
    results.city,
    results.state,
    results.country,
    results.race_name,
    results.bracket_name,
    results.primary_bracket_name,
    results.overall_place,
    results.chip_time_as_sent,
    results.chip_seconds,
    results.gun_time_as_sent,
    results.gun_seconds,
    results.status_in_time,
    results.pace,
    results.gun_pace,
    results.penalty_time,
    results.unreadable,
    results.began_at,
    results.ended_at,
    results.read_at,
    results.changed_at,
    removals.removed_at,
    results.inserted_xid,
    greatest(results.changed_xid, intervals.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_chronotrack__results') }} as results
left join {{ ref('stg_chronotrack__intervals') }} as intervals
    on
        results.timing_partner_id = intervals.timing_partner_id
        and results.event_id = intervals.event_id
        and results.timing_point_id = intervals.timing_point_id
left join {{ ref('stg_chronotrack__removals') }} as removals
    on
        removals.stream = 'results'
        and results.timing_partner_id = removals.timing_partner_id
        and results.event_id || '/' || results.participant_id || '/' || results.timing_point_id = removals.record_key
