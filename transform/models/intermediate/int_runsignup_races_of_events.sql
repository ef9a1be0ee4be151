-- An event of RunSignUp is one startable distance: it is its own race, under the same key.
select
    event_key as race_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_number,
    event_key,
    event_id as race_id,
    event_name as race_name,
    distance_m,
    event_type as race_type,
    starts_at,
    null::timestamptz as started_at,
    time_zone,
    status,
    jsonb_strip_nulls(jsonb_build_object('distance', distance_as_sent)) as provider_fields,
    fetched_date,
    changed_xid
from {{ ref('int_runsignup_events_with_race') }}
