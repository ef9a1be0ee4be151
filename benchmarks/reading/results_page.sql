-- A page of an event's results, by place; of all its races together, each of which has a first and a second. The first
-- page comes after place 0 and id 0, each further one after those of the last row seen; after (500, 0) comes place 501.
-- Who has no place (overall_place is null) is on none of the pages.
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
    and (overall_place, id) > (%(after_place)s::integer, %(after_id)s::bigint)
    and is_removed is not true
order by overall_place, id
limit %(rows)s::bigint
