{{ config(unique_key='timing_point_key') }}

-- Only ChronoTrack's intervals so far; a second provider makes a union of it.
select
    timing_point_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_key,
    timing_point_id,
    timing_point_name,
    distance_m,
    is_finish,
    provider_fields,
    fetched_date
from {{ ref('int_chronotrack_intervals_placed') }}
where changed_xid >= {{ changed_since() }}
