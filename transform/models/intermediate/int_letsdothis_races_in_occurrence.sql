select
    {{ entity_key('letsdothis', 'races.timing_partner_id', 'races.race_id') }} as race_key,
    races.source_provider,
    races.timing_partner_id,
    races.event_id,
    {{ entity_key('letsdothis', 'races.timing_partner_id', 'races.event_id') }} as event_key,
    races.race_id,
    races.race_name,
    races.distance_m,
    null::text as race_type,
    races.starts_at,
    null::timestamptz as started_at,
    occurrences.time_zone,
    case
        when removals.removed_at is not null then 'removed'
        else coalesce(occurrences.status, 'scheduled')
    end as status,
    jsonb_strip_nulls(jsonb_build_object(
        'distance', races.distance_as_sent,
        'capacity', races.capacity,
        'removed_at', removals.removed_at
    )) as provider_fields,
    races.read_at as fetched_date,
    greatest(races.changed_xid, occurrences.changed_xid, removals.changed_xid) as changed_xid
from {{ ref('stg_letsdothis__races') }} as races
left join {{ ref('int_letsdothis_occurrences_with_event') }} as occurrences
    on
        races.timing_partner_id = occurrences.timing_partner_id
        and races.event_id = occurrences.event_id
left join {{ ref('stg_letsdothis__removals') }} as removals
    on
        removals.stream = 'races'
        and races.timing_partner_id = removals.timing_partner_id
        and races.race_id = removals.record_key
