-- The published relations of a whole season, made by SQL alone: what is measured is reading them.
-- Parameters: partners, events, runsignup_events, participants, runsignup_participants, largest, results.
-- benchmarks.reading has filled the temporary tables name_slots (slot, first_name, gender, last_name).
-- Rows are written in the order of their keys, as publishing writes them. Entry numbers follow the moment of
-- registration, so that the entries of one event are scattered over the table: the harder case.

select setseed(0.88);

insert into hub.timing_partners (timing_partner_id, company_name, slug)
select
    n,
    'Partner ' || n,
    'partner-' || n
from generate_series(1, %(partners)s) as n
on conflict do nothing;

-- events: the first partner has half of everything, the first event the largest start list

create temporary table weighed as
select
    n,
    case when n > 1 and n <= 1 + %(runsignup_events)s then 'runsignup' else 'chronotrack' end as source_provider,
    case
        when n %% 2 = 1 then 1
        else 2 + floor((%(partners)s - 1) * power(random(), 1.6))::integer
    end as timing_partner_id,
    -- Few large, many small.
    case when n > 1 then exp(1.25 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) end as weight,
    -- Weekends of three years, and some still to come.
    date '2026-10-03' + 7 * (20 - floor(176 * random()))::integer + floor(2 * random())::integer as event_date
from generate_series(1, %(events)s) as n;

create temporary table events as
with shared as (
    select
        *,
        sum(weight) over (partition by source_provider) as weights,
        sum(weight) over (partition by source_provider order by n) as weights_so_far,
        case
            when source_provider = 'runsignup' then %(runsignup_participants)s
            else %(participants)s - %(runsignup_participants)s - %(largest)s
        end as total
    from weighed
)

select
    n,
    source_provider,
    timing_partner_id,
    (case when n = 1 then date '2026-09-19' else event_date end) as event_date,
    (40000 + n)::text as event_id,
    source_provider || '/' || timing_partner_id || '/' || (40000 + n) as event_key,
    case
        when n = 1 then %(largest)s
        -- Differences of a rounded running sum add up to the total, to the row.
        else round(total * weights_so_far / weights)::integer
            - coalesce(round(total * (weights_so_far - weight) / weights)::integer, 0)
    end as entries,
    (array[0, 0, 100, 1000])[1 + n %% 4] as first_bib
from shared;

alter table events add races integer;
update events set races = case
    when source_provider = 'runsignup' then 1
    when entries > 1000 then 4
    when entries > 100 then 2
    else 1
end;

insert into unified.unified_events (
    event_key, source_provider, timing_partner_id, event_id, event_name, event_date, starts_at, ends_at, time_zone,
    event_type, city, state, country, status, provider_fields, fetched_date
)
select
    event_key,
    source_provider,
    timing_partner_id,
    event_id,
    (array['Harbour', 'Ridge', 'Lantern', 'Old Mill', 'Beacon'])[1 + n %% 5] || ' '
    || (array['10K', 'Half', 'Marathon', 'Classic', 'Trail Run', 'Festival'])[1 + n %% 6] || ' '
    || extract(year from event_date),
    event_date,
    event_date + time '11:30',
    event_date + time '18:00',
    'America/New_York',
    'running_race',
    (array['Boston', 'Salem', 'Dover', 'Portland'])[1 + n %% 4],
    (array['MA', 'NH', 'ME'])[1 + n %% 3],
    'US',
    case when event_date > date '2026-09-19' then 'scheduled' else 'finished' end,
    jsonb_build_object('volunteer', 'F', 'location', 'Common, Beacon Street', 'tags', repeat('road ', 20)),
    now()
from events
order by event_key collate "C";

insert into unified.unified_races (
    race_key, source_provider, timing_partner_id, event_id, event_key, race_id, race_name, distance_m, fetched_date
)
select
    source_provider || '/' || timing_partner_id || '/' || (1000000 + n * 10 + r),
    source_provider,
    timing_partner_id,
    event_id,
    event_key,
    (1000000 + n * 10 + r)::text,
    (array['5K', '10K', 'Half Marathon', 'Marathon'])[r],
    (array[5000, 10000, 21097.5, 42195])[r],
    now()
from events, generate_series(1, races) as r
order by (source_provider || '/' || timing_partner_id || '/' || (1000000 + n * 10 + r)) collate "C";

-- people: of each partner, fewer than entries, and some come again and again

create temporary table pools as
select
    timing_partner_id,
    ceil(sum(entries) * 0.55)::integer as people
from events
group by timing_partner_id;

create temporary table people as
select
    pools.timing_partner_id,
    person,
    1 + floor(random() * (select count(*) from name_slots))::integer as first_slot,
    1 + floor(random() * (select count(*) from name_slots))::integer as last_slot,
    date '1950-01-01' + floor(random() * 21000)::integer as birth_date
from pools, generate_series(0, people - 1) as person;

create temporary table named as
select
    people.timing_partner_id,
    people.person,
    first_slots.first_name,
    first_slots.gender,
    last_slots.last_name,
    people.birth_date,
    lower(first_slots.first_name) || '.' || people.person || '@example.org' as email,
    md5(people.timing_partner_id || '|' || people.person) as global_participant_id
from people
inner join name_slots as first_slots on people.first_slot = first_slots.slot
inner join name_slots as last_slots on people.last_slot = last_slots.slot;

create temporary table entries as
with drawn as (
    select
        e.n,
        e.timing_partner_id,
        k,
        -- Five in a hundred have no bib yet; the fourth race of a large event is a small one.
        case when random() < 0.95 then (e.first_bib + k)::text end as bib_number,
        case
            when e.races = 4 and k %% 1000 < 2 then 4
            else 1 + k %% least(e.races, 3)
        end as race,
        floor(p.people * power(random(), 1.5))::integer as person,
        e.event_date - (90 * power(random(), 2)) * interval '1 day' as registration_date
    from events as e
    inner join pools as p on e.timing_partner_id = p.timing_partner_id, generate_series(1, e.entries) as k
)

select
    drawn.*,
    10000000 + row_number() over (order by registration_date) as number
from drawn;

analyze events, named, entries;

insert into unified.unified_participants (
    participant_key, source_provider, timing_partner_id, event_id, event_key, race_id, race_key, participant_id,
    global_participant_id, first_name, last_name, email, phone, gender, birth_date, age, bib_number, city, state,
    country, postal_code, registration_date, status, is_removed, wave, division, provider_fields, fetched_date
)
select
    e.source_provider || '/' || e.timing_partner_id || '/' || t.number,
    e.source_provider,
    e.timing_partner_id,
    e.event_id,
    e.event_key,
    (1000000 + e.n * 10 + t.race)::text,
    e.source_provider || '/' || e.timing_partner_id || '/' || (1000000 + e.n * 10 + t.race),
    t.number::text,
    p.global_participant_id,
    p.first_name,
    p.last_name,
    p.email,
    '617-555-' || lpad((t.number %% 10000)::text, 4, '0'),
    p.gender,
    p.birth_date,
    (extract(year from e.event_date) - extract(year from p.birth_date))::integer,
    t.bib_number,
    (array['Boston', 'Salem', 'Dover', 'Portland', 'Springfield'])[1 + p.person %% 5],
    (array['MA', 'NH', 'ME', 'VT', 'CT'])[1 + p.person %% 5],
    'US',
    lpad((p.person %% 99999)::text, 5, '0'),
    t.registration_date,
    case when t.number %% 50 = 0 then 'removed' else 'registered' end,
    t.number %% 50 = 0,
    'Wave ' || (1 + t.k %% 4),
    p.gender || ((extract(year from e.event_date) - extract(year from p.birth_date))::integer / 10) || '0s',
    jsonb_build_object(
        'entry_name', p.first_name || ' ' || p.last_name, 'entry_type', 'IND', 'athlete_id', t.number,
        'location', jsonb_build_object('street', t.k || ' Main Street', 'city', 'Boston', 'region', 'MA'),
        'choices', jsonb_build_array('W Small', 'Bus at 6')
    ),
    now()
from entries as t
inner join events as e on t.n = e.n
inner join named as p on t.timing_partner_id = p.timing_partner_id and t.person = p.person
order by (e.source_provider || '/' || e.timing_partner_id || '/' || t.number) collate "C";

-- results: of the events that have been. More results than entries are further stretches of the course, each with
-- places of its own: as many rows to an event and a place as asked for.

create temporary table finishes as
select
    t.n,
    t.number,
    t.race,
    stretch,
    case when random() < 0.97 then round((1500 + 9000 * (random() + random()) * stretch)::numeric, 2) end as chip_seconds
from entries as t
inner join events as e on t.n = e.n
cross join generate_series(1, 1 + %(results)s / (select count(*) from entries)) as stretch
where e.event_date <= date '2026-09-19'
order by stretch, random()
limit %(results)s;

insert into unified.unified_results (
    result_key, source_provider, timing_partner_id, event_id, event_key, race_id, race_key, participant_id,
    participant_key, bib_number, first_name, last_name, gender, age, city, state, country, results_time,
    results_gun_time, chip_seconds, gun_seconds, overall_place, status, is_removed, splits, provider_fields,
    fetched_date
)
select
    e.source_provider || '/' || e.timing_partner_id || '/' || e.event_id || '/' || f.number
    || case when f.stretch > 1 then '/' || f.stretch else '' end,
    e.source_provider,
    e.timing_partner_id,
    e.event_id,
    e.event_key,
    (1000000 + e.n * 10 + f.race)::text,
    e.source_provider || '/' || e.timing_partner_id || '/' || (1000000 + e.n * 10 + f.race),
    f.number::text,
    e.source_provider || '/' || e.timing_partner_id || '/' || f.number,
    t.bib_number,
    p.first_name,
    p.last_name,
    p.gender,
    (extract(year from e.event_date) - extract(year from p.birth_date))::integer,
    'Boston',
    'MA',
    'US',
    (f.chip_seconds * interval '1 second')::text,
    ((f.chip_seconds + 20) * interval '1 second')::text,
    f.chip_seconds,
    f.chip_seconds + 20,
    case
        when f.chip_seconds is not null
            then (rank() over (partition by f.n, f.race, f.stretch order by f.chip_seconds nulls last))::integer
    end,
    case when f.chip_seconds is null then 'did_not_finish' else 'finished' end,
    false,
    jsonb_build_array(
        jsonb_build_object('name', '5K Split', 'chip_seconds', f.chip_seconds / 3, 'time_as_sent', '0:24:10'),
        jsonb_build_object('name', '10K Split', 'chip_seconds', f.chip_seconds / 2, 'time_as_sent', '0:49:33')
    ),
    jsonb_build_object(
        'interval_ids', jsonb_build_array(f.number, f.number + 1), 'results_bracket_name', 'Overall',
        'results_pace', '7:58', 'results_hometown', 'Boston, MA, US'
    ),
    now()
from finishes as f
inner join entries as t on f.number = t.number
inner join events as e on f.n = e.n
inner join named as p on t.timing_partner_id = p.timing_partner_id and t.person = p.person
order by
    (
        e.source_provider || '/' || e.timing_partner_id || '/' || e.event_id || '/' || f.number
        || case when f.stretch > 1 then '/' || f.stretch else '' end
    ) collate "C";

insert into unified.participant_tracking (
    timing_partner_id, timing_partner_name, global_participant_id, events_participated, providers_used
)
select
    timing_partner_id,
    'Partner ' || timing_partner_id,
    global_participant_id,
    count(distinct event_key)::integer,
    array_agg(distinct source_provider)
from unified.unified_participants
where not is_removed
group by timing_partner_id, global_participant_id
order by timing_partner_id::text collate "C", global_participant_id collate "C";

drop table weighed, events, pools, people, named, entries, finishes;
