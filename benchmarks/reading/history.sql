-- Everything a person has entered with a partner, latest event first, with results.
select
    e.event_date,
    e.event_name,
    e.city,
    e.state,
    p.event_key,
    p.participant_key,
    p.race_key,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.age,
    p.status,
    r.status as result_status,
    r.results_time,
    r.chip_seconds,
    r.overall_place
from unified.unified_participants as p
inner join unified.unified_events as e on p.event_key = e.event_key
left join unified.unified_results as r on p.participant_key = r.participant_key
where
    p.timing_partner_id = %(timing_partner_id)s::integer
    and p.global_participant_id = %(global_participant_id)s
order by e.event_date desc nulls last, p.participant_key, r.result_key
