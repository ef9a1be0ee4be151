{{ config(unique_key='result_key') }}

select
    result_key,
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    race_id,
    race_key,
    participant_id,
    participant_key,
    bib_number,
    first_name,
    last_name,
    gender,
    age,
    city,
    state,
    country,
    results_time,
    results_gun_time,
    chip_seconds,
    gun_seconds,
    overall_place,
    status,
    status_changed_at,
    is_removed,
    is_preliminary,
    splits,
    provider_fields,
    fetched_date
from {{ ref('int_results_unioned') }}
where changed_xid >= {{ changed_since() }}
