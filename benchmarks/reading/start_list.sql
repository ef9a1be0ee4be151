-- A page of an event's start list, by name. The first page comes after '' and 0, each further one after the name_key
-- and id of the last row seen.
select
    id,
    name_key,
    participant_key,
    bib_number,
    first_name,
    last_name,
    gender,
    age,
    city,
    state,
    country,
    team_name,
    wave,
    division,
    race_key,
    status
from unified.unified_participants
where
    timing_partner_id = %(timing_partner_id)s::integer
    and event_key = %(event_key)s
    and (name_key, id) > (%(after_name)s, %(after_id)s::bigint)
    and is_removed is not true
order by name_key, id
limit %(rows)s::bigint
