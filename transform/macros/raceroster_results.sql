{% macro raceroster_results(due=none) -%}
{#- All results or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('raceroster', 'timing_partner_id', 'result_id') }} as result_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('raceroster', 'timing_partner_id', 'event_id') }} as event_key,
    race_id,
    {{ entity_key('raceroster', 'timing_partner_id', 'race_id') }} as race_key,
    -- The results service has no id of the registration: what may link them is looked for by bib and name elsewhere.
    null::text as participant_id,
    null::text as participant_key,
    result_id,
    bib_number,
    first_name,
    last_name,
    gender,
    age_as_sent as age,
    city,
    state,
    country,
    coalesce(chip_time_as_sent, case when status <> 'finished' then status_as_sent end) as results_time,
    gun_time_as_sent as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status not in ('did_not_finish', 'did_not_start', 'disqualified') then overall_place end as overall_place,
    status,
    coalesce(removed_at, changed_at) as status_changed_at,
    removed_at is not null as is_removed,
    null::boolean as is_preliminary,
    null::jsonb as splits,
    jsonb_strip_nulls(jsonb_build_object(
        'name', full_name,
        'race_status', status_as_sent,
        'result_number', result_number,
        'result_sub_event_id', result_sub_event_id,
        'sub_event_name', sub_event_name,
        'participant_num', participant_num,
        'gender_place', gender_place,
        'division', division,
        'division_place', division_place,
        'team_name', team_name,
        'pace', pace,
        'pace_units', pace_units,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', {{ unreadable_also(
            'unreadable', 'fromCountry', 'country_as_sent is not null and country is null'
        ) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        results.*,
        races.race_id,
        removals.removed_at,
        case
            when removals.removed_at is not null then 'removed'
            when vocabulary.result_status is not null then vocabulary.result_status
            when results.status_as_sent is not null then 'unknown'
            when results.chip_seconds is not null or results.gun_seconds is not null then 'finished'
            else 'unknown'
        end as status,
        greatest(results.changed_xid, races.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_raceroster__results') }} as results
    {%- if due %}
    inner join {{ due }} as due
        on
            results.timing_partner_id = due.timing_partner_id
            and results.result_id = due.result_id
    {%- endif %}
    left join {{ ref('stg_raceroster__removals') }} as removals
        on
            removals.stream = 'results'
            and results.timing_partner_id = removals.timing_partner_id
            and results.result_id = removals.record_key
    left join {{ ref('status_vocabulary') }} as vocabulary
        on
            vocabulary.source_provider = 'raceroster'
            and upper(results.status_as_sent) = vocabulary.status_as_sent
    -- The service numbers sub-events in its own way. Within an event the name tells, where only one has it.
    left join lateral (
        select
            min(sub_events.race_id) as race_id,
            max(sub_events.changed_xid) as changed_xid
        from {{ ref('stg_raceroster__sub_events') }} as sub_events
        where
            sub_events.timing_partner_id = results.timing_partner_id
            and sub_events.event_id = results.event_id
            and lower(sub_events.race_name) = lower(results.sub_event_name)
        having count(*) = 1
    ) as races on true
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined
{%- endmacro %}
