-- One row per athlete's finish.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table unified_results as
select
    result_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
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
from int_runsignup_results_linked
union all
select
    result_key,
    source_provider,
    timing_partner_id::int as timing_partner_id,
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
from int_chronotrack_results_folded;
alter table unified_results add primary key (result_key);
analyze unified_results;
