-- Who wears a bib in an event, and how they did.
select
    p.participant_key,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.gender,
    p.age,
    p.city,
    p.state,
    p.race_key,
    p.status,
    r.status as result_status,
    r.results_time,
    r.chip_seconds,
    r.overall_place
from unified.unified_participants as p
left join unified.unified_results as r on p.participant_key = r.participant_key
where
    p.timing_partner_id = %(timing_partner_id)s::integer
    and p.event_key = %(event_key)s
    and p.bib_number = %(bib_number)s
order by p.participant_key
