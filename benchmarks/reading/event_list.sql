-- A page of a partner's events, latest first. The first page comes before 'infinity' and '', each further one before the
-- event_date and event_key of the last row seen. Events without a date are on none of the pages.
select
    event_key,
    source_provider,
    event_id,
    event_name,
    event_date,
    starts_at,
    time_zone,
    event_type,
    city,
    state,
    country,
    status
from unified.unified_events
where
    timing_partner_id = %(timing_partner_id)s::integer
    and (event_date, event_key) < (%(before_date)s::date, %(before_key)s::text)
order by event_date desc nulls last, event_key desc
limit %(rows)s::bigint
