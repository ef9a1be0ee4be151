-- Who wears a bib in any event of a partner from one day to another, latest event first. Each event is asked for the bib
-- in turn (lateral and limit leave no other way), until enough are found: a common bib has been worn in thousands.
select
    e.event_date,
    e.event_name,
    e.event_key,
    worn.participant_key,
    worn.bib_number,
    worn.first_name,
    worn.last_name,
    worn.gender,
    worn.age,
    worn.race_key,
    worn.status
from unified.unified_events as e
cross join lateral (
    select
        p.participant_key,
        p.bib_number,
        p.first_name,
        p.last_name,
        p.gender,
        p.age,
        p.race_key,
        p.status
    from unified.unified_participants as p
    where
        p.timing_partner_id = %(timing_partner_id)s::integer
        and p.event_key = e.event_key
        and p.bib_number = %(bib_number)s
    limit %(rows)s::bigint
) as worn
where
    e.timing_partner_id = %(timing_partner_id)s::integer
    and e.event_date between %(since)s::date and %(until)s::date
order by e.event_date desc nulls last, e.event_key desc, worn.participant_key
limit %(rows)s::bigint
