-- One row per person and timing partner; what results without an entry and changed persons are told of comes with it.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table results_without_entry as
select
    results.result_key,
    results.source_provider,
    results.timing_partner_id,
    results.event_key,
    results.race_key,
    coalesce(persons.person_id, md5('person|' || results.timing_partner_id || '|' || results.result_key)) as global_participant_id,
    persons.confidence as person_confidence,
    coalesce(results.is_removed, false) as is_removed
from unified_results as results
left join hub.person_records as persons
    on results.result_key = persons.record_key
where results.participant_key is null;
alter table results_without_entry add primary key (result_key);
analyze results_without_entry;

create table participant_tracking as
with people as (
        select
            timing_partner_id,
            global_participant_id,
            event_key,
            source_provider,
            first_name,
            last_name,
            birth_date,
            age
        from unified_participants
        where not is_removed
        union all
        select
            alone.timing_partner_id,
            alone.global_participant_id,
            alone.event_key,
            alone.source_provider,
            results.first_name,
            results.last_name,
            null::date as birth_date,
            results.age
        from results_without_entry as alone
        inner join unified_results as results
            on alone.result_key = results.result_key
        where not alone.is_removed
),
told as (
        select
            people.timing_partner_id,
            people.global_participant_id,
            people.event_key,
            people.source_provider,
            people.birth_date,
            events.event_date,
            nullif(concat_ws(' ', people.first_name, people.last_name), '') as full_name,
            extract(year from events.event_date - make_interval(years => people.age + 1) + interval '1 day')::int
                as earliest_year,
            extract(year from events.event_date - make_interval(years => people.age))::int as latest_year
        from people
        left join unified_events as events
            on people.event_key = events.event_key
),
counted as (
        select
            timing_partner_id,
            global_participant_id,
            count(distinct event_key)::int as events_participated,
            array_agg(distinct source_provider) as providers_used,
            min(event_date) as first_seen_on,
            max(event_date) as last_seen_on,
            coalesce(
                mode() within group (order by full_name) filter (where full_name <> upper(full_name)),
                mode() within group (order by full_name)
            ) as best_known_name,
            min(extract(year from birth_date))::int as first_birth_year,
            max(extract(year from birth_date))::int as last_birth_year,
            max(earliest_year) as latest_start,
            min(latest_year) as earliest_end
        from told
        group by timing_partner_id, global_participant_id
)
select
    counted.timing_partner_id,
    partners.company_name as timing_partner_name,
    counted.global_participant_id,
    counted.events_participated,
    counted.providers_used,
    counted.first_seen_on,
    counted.last_seen_on,
    counted.best_known_name,
    coalesce(counted.first_birth_year, least(counted.latest_start, counted.earliest_end)) as birth_year_from,
    coalesce(counted.last_birth_year, greatest(counted.latest_start, counted.earliest_end)) as birth_year_to
from counted
left join hub.timing_partners as partners
    on counted.timing_partner_id = partners.timing_partner_id;
alter table participant_tracking add primary key (timing_partner_id, global_participant_id);
analyze participant_tracking;

create table person_changes as
select
    news.timing_partner_id || '/' || news.number as change_key,
    news.timing_partner_id,
    news.number as change_number,
    news.kind as change_type,
    news.person_id as global_participant_id,
    news.other_person_id as other_global_participant_id,
    news.records,
    news.is_decided,
    news.changed_at
from hub.person_news as news
inner join hub.timing_partners as partners
    on news.timing_partner_id = partners.timing_partner_id;
alter table person_changes add primary key (change_key);
