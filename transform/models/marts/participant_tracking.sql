{{
    config(
        unique_key=['timing_partner_id', 'global_participant_id'],
        tags=['persons'],
        gone_when='new.events_participated = 0',
        post_hook="delete from {{ source('due', 'people_before') }}",
    )
}}

-- By due persons every one of them has a row here: who has no entry left loses his own.
with people as (
    {%- if takes_due() %}
        select
            due.timing_partner_id,
            due.global_participant_id,
            entries.event_key,
            entries.source_provider,
            entries.first_name,
            entries.last_name,
            entries.birth_date,
            entries.age
        from {{ ref('due_people') }} as due
        left join {{ ref('unified_participants') }} as entries
            on
                due.timing_partner_id = entries.timing_partner_id
                and due.global_participant_id = entries.global_participant_id
                and not entries.is_removed

        union all

        select
            due.timing_partner_id,
            due.global_participant_id,
            alone.event_key,
            alone.source_provider,
            results.first_name,
            results.last_name,
            null::date as birth_date,
            results.age
        from {{ ref('due_people') }} as due
        inner join {{ ref('results_without_entry') }} as alone
            on
                due.timing_partner_id = alone.timing_partner_id
                and due.global_participant_id = alone.global_participant_id
                and not alone.is_removed
        left join {{ ref('unified_results') }} as results on alone.result_key = results.result_key
    {%- else %}
        -- depends_on {{ ref('due_people') }}
        select
            timing_partner_id,
            global_participant_id,
            event_key,
            source_provider,
            first_name,
            last_name,
            birth_date,
            age
        from {{ ref('unified_participants') }}
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
        from {{ ref('results_without_entry') }} as alone
        inner join {{ ref('unified_results') }} as results on alone.result_key = results.result_key
        where not alone.is_removed
    {%- endif %}
),

told as (
    -- Between which days somebody of an age was born; who sends a birth date says more than any age.
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
    left join {{ ref('unified_events') }} as events on people.event_key = events.event_key
),

counted as (
    select
        timing_partner_id,
        global_participant_id,
        count(distinct event_key)::int as events_participated,
        coalesce(array_agg(distinct source_provider) filter (where source_provider is not null), '{}')
            as providers_used,
        min(event_date) as first_seen_on,
        max(event_date) as last_seen_on,
        -- As most entries have it; in capitals only where all of them are.
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
    -- Ages that fit no birthday (as sent at registration, or a slip) still lie about the year.
    coalesce(counted.first_birth_year, least(counted.latest_start, counted.earliest_end)) as birth_year_from,
    coalesce(counted.last_birth_year, greatest(counted.latest_start, counted.earliest_end)) as birth_year_to
from counted
left join {{ source('hub', 'timing_partners') }} as partners
    on counted.timing_partner_id = partners.timing_partner_id
