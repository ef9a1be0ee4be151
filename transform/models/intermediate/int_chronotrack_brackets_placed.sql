select
    {{ entity_key('chronotrack', 'brackets.timing_partner_id', 'brackets.division_id') }} as division_key,
    brackets.source_provider,
    brackets.timing_partner_id,
    brackets.event_id,
    {{ entity_key('chronotrack', 'brackets.timing_partner_id', 'brackets.event_id') }} as event_key,
    brackets.race_id,
    {{ entity_key('chronotrack', 'brackets.timing_partner_id', 'brackets.race_id') }} as race_key,
    brackets.division_id,
    brackets.division_name,
    brackets.division_type,
    jsonb_strip_nulls(jsonb_build_object(
        'bracket_wants_leaderboard', brackets.wants_leaderboard,
        'removed_at', removals.removed_at
    )) as provider_fields,
    brackets.read_at as fetched_date,
    greatest(brackets.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_chronotrack__brackets') }} as brackets
left join {{ ref('stg_chronotrack__removals') }} as removals
    on
        removals.stream = 'brackets'
        and brackets.timing_partner_id = removals.timing_partner_id
        and brackets.division_id = removals.record_key
