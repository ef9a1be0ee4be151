{{ config(unique_key='division_key') }}

-- Only ChronoTrack's brackets so far; a second provider makes a union of it.
select
    division_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_key,
    division_id,
    division_name,
    division_type,
    provider_fields,
    fetched_date
from {{ ref('int_chronotrack_brackets_placed') }}
where changed_xid >= {{ changed_since() }}
