-- A page of the results of one race of an event (the half marathon), by place; otherwise as results_page.sql.
select
    id,
    overall_place,
    result_key,
    participant_key,
    race_key,
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
    status
from unified.unified_results
where
    timing_partner_id = %(timing_partner_id)s::integer
    and event_key = %(event_key)s
    and race_key = %(race_key)s
    and (overall_place, id) > (%(after_place)s::integer, %(after_id)s::bigint)
    and is_removed is not true
order by overall_place, id
limit %(rows)s::bigint
