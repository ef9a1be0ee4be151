-- A category is a race. When it starts is not told.
select
    {{ entity_key('haku', 'categories.timing_partner_id', 'categories.event_id', 'categories.race_id') }} as race_key,
    categories.source_provider,
    categories.timing_partner_id,
    categories.event_id,
    {{ entity_key('haku', 'categories.timing_partner_id', 'categories.event_id') }} as event_key,
    categories.race_id,
    categories.race_name,
    categories.distance_m,
    events.event_type as race_type,
    null::timestamptz as starts_at,
    null::timestamptz as started_at,
    events.time_zone,
    coalesce(events.status, 'scheduled') as status,
    jsonb_strip_nulls(jsonb_build_object('master_name', categories.master_name)) as provider_fields,
    categories.read_at as fetched_date,
    greatest(categories.changed_xid, events.changed_xid) as changed_xid
from {{ ref('stg_haku__categories') }} as categories
left join {{ ref('int_haku_events_dated') }} as events
    on
        categories.timing_partner_id = events.timing_partner_id
        and categories.event_id = events.event_id
