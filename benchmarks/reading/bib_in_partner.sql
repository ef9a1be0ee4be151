-- Who wears a bib in any event of a partner from one day to another, latest event first: found in the index alone, and
-- only the entries that are shown are fetched.
with worn as (
    select
        e.event_date,
        e.event_name,
        e.event_key
    from unified.unified_events as e
    where
        e.timing_partner_id = %(timing_partner_id)s::integer
        and e.event_date between %(since)s::date and %(until)s::date
        and exists (
            select 1
            from unified.unified_participants as p
            where
                p.timing_partner_id = %(timing_partner_id)s::integer
                and p.event_key = e.event_key
                and p.bib_number = %(bib_number)s
        )
    order by e.event_date desc, e.event_key
    limit %(rows)s::bigint
)

select
    worn.event_date,
    worn.event_name,
    p.event_key,
    p.participant_key,
    p.bib_number,
    p.first_name,
    p.last_name,
    p.gender,
    p.age,
    p.race_key,
    p.status
from worn
inner join unified.unified_participants as p on worn.event_key = p.event_key
where
    p.timing_partner_id = %(timing_partner_id)s::integer
    and p.bib_number = %(bib_number)s
order by worn.event_date desc, p.event_key, p.participant_key
limit %(rows)s::bigint
