-- An event of Copernico is one startable distance: it is its own race, under the same key.
select
    event_key as race_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    event_id as race_id,
    event_name as race_name,
    distance_m,
    event_type as race_type,
    starts_at,
    -- The gun that the timer has set; before the start it is the plan.
    starts_at as started_at,
    time_zone,
    status,
    jsonb_strip_nulls(jsonb_build_object('splits', mats)) as provider_fields,
    fetched_date,
    changed_xid
from {{ ref('int_copernico_events_of_races') }}
