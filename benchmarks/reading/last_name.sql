-- A partner's entries whose last name begins with some letters, in either case, by name.
select
    id,
    name_key,
    participant_key,
    event_key,
    bib_number,
    first_name,
    last_name,
    gender,
    age,
    city,
    state,
    global_participant_id,
    status
from unified.unified_participants
where
    timing_partner_id = %(timing_partner_id)s::integer
    and name_key >= lower(%(beginning)s::text)
    -- The last character there is: no name that begins with the letters comes after it.
    and name_key < lower(%(beginning)s::text) || chr(1114111)
    and (name_key, id) > (%(after_name)s, %(after_id)s::bigint)
    and is_removed is not true
order by name_key, id
limit %(rows)s::bigint
