{% macro clock_of(milliseconds) -%}
    {#- 2942100 is 0:49:02.100: milliseconds as consumers of results_time read them. -#}
    ({{ milliseconds }} / 3600000) || to_char({{ milliseconds }} / 60000 % 60, 'FM":"00')
    || to_char({{ milliseconds }} / 1000 % 60, 'FM":"00') || to_char({{ milliseconds }} % 1000, 'FM"."000')
{%- endmacro %}


{% macro copernico_results(due=none) -%}
{#- All results or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('copernico', 'timing_partner_id', 'event_id', 'participant_id') }} as result_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('copernico', 'timing_partner_id', 'event_id') }} as event_key,
    event_id as race_id,
    {{ entity_key('copernico', 'timing_partner_id', 'event_id') }} as race_key,
    -- An athlete may be in two events: an entry is both.
    event_id || '/' || participant_id as participant_id,
    {{ entity_key('copernico', 'timing_partner_id', 'event_id', 'known_participant_id') }} as participant_key,
    bib as bib_number,
    given_name as first_name,
    family_name as last_name,
    gender_known as gender,
    age,
    null::text as city,
    null::text as state,
    null::text as country,
    {{ clock_of('chip_ms') }} as results_time,
    {{ clock_of('gun_ms') }} as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status = 'finished' then overall_place end as overall_place,
    status,
    coalesce(removed_at, updated_at, changed_at) as status_changed_at,
    status = 'removed' as is_removed,
    null::boolean as is_preliminary,
    splits,
    jsonb_strip_nulls(jsonb_build_object(
        'status_as_sent', status_as_sent,
        'start_ms', start_ms,
        'gender_place', gender_place,
        'category', division,
        'category_position', division_place,
        'net_place', net_overall_place,
        'net_gender_place', net_gender_place,
        'net_category_place', net_division_place,
        'place_as_sent', overall_place,
        'start_time', coalesce(began_at, gun_at + start_ms * interval '1 millisecond'),
        'finish_time', coalesce(ended_at, gun_at + gun_ms * interval '1 millisecond'),
        'gender_as_sent', case when gender_known is null then gender_as_sent end
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        joined.*,
        case
            when removed_at is not null then 'removed'
            -- Seen once and not any more: every mat was taken back, and the row stays with its nulls.
            when not was_seen and status_listed is null and not is_on_course then 'removed'
            when status_listed is not null then status_listed
            when chip_ms is not null or gun_ms is not null then 'finished'
            else 'in_progress'
        end as status
    from (
        select
            results.*,
            participants.participant_id as known_participant_id,
            coalesce(results.bib_number, participants.bib_number) as bib,
            coalesce(results.first_name, participants.first_name) as given_name,
            coalesce(results.last_name, participants.last_name) as family_name,
            coalesce(results.gender, participants.gender) as gender_known,
            coalesce(
                {{ age_on('events.event_date', 'participants.birth_date') }}, participants.age_as_sent
            ) as age,
            events.starts_at as gun_at,
            mats.splits,
            coalesce(results.chip_ms, results.gun_ms, results.start_ms) is not null
            or mats.splits is not null as was_seen,
            lower(results.status_as_sent) in ('running', 'started', 'active') as is_on_course,
            nullif(vocabulary.result_status, '') as status_listed,
            removals.removed_at,
            greatest(
                results.changed_xid, participants.changed_xid, events.changed_xid, removals.changed_xid
            ) as last_changed_xid
        from {{ ref('stg_copernico__results') }} as results
        {%- if due %}
        inner join {{ due }} as due
            on
                results.timing_partner_id = due.timing_partner_id
                and results.event_id = due.event_id
                and results.participant_id = due.participant_id
        {%- endif %}
        left join {{ ref('stg_copernico__participants') }} as participants
            on
                results.timing_partner_id = participants.timing_partner_id
                and results.event_id = participants.event_id
                and results.participant_id = participants.participant_id
        left join {{ ref('int_copernico_events_of_races') }} as events
            on
                results.timing_partner_id = events.timing_partner_id
                and results.event_id = events.event_id
        left join {{ ref('stg_copernico__removals') }} as removals
            on
                removals.stream = 'results'
                and results.timing_partner_id = removals.timing_partner_id
                and results.event_id || '/' || results.participant_id = removals.record_key
        left join {{ ref('status_vocabulary') }} as vocabulary
            on
                vocabulary.source_provider = 'copernico'
                and lower(results.status_as_sent) = vocabulary.status_as_sent
        -- A preset tells no distance of a mat; the event does.
        left join lateral (
            select
                jsonb_agg(
                    jsonb_build_object(
                        'name', sent.split ->> 'name',
                        'distance_m', coalesce(sent.split -> 'distance_m', known.mat -> 'distance_m'),
                        'chip_seconds', trim_scale((sent.split ->> 'real_ms')::numeric / 1000),
                        'gun_seconds', trim_scale((sent.split ->> 'official_ms')::numeric / 1000),
                        'time_as_sent', coalesce(sent.split ->> 'real_ms', sent.split ->> 'official_ms')
                    )
                    order by (sent.split ->> 'official_ms')::bigint, sent.position
                ) as splits
            from
                jsonb_array_elements(
                    case when jsonb_typeof(results.splits_as_sent) = 'array' then results.splits_as_sent end
                ) with ordinality as sent (split, position)
            left join lateral (
                select one.mat
                from jsonb_array_elements(
                    case when jsonb_typeof(events.mats) = 'array' then events.mats end
                ) as one (mat)
                where one.mat ->> 'name' = sent.split ->> 'name'
                limit 1
            ) as known on true
        ) as mats on true
        -- offset 0: what is read above is reckoned here, once, not wherever it is used.
        offset 0
    ) as joined
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as judged
{%- endmacro %}
