{% macro runsignup_results(due=none) -%}
{#- All results or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('runsignup', 'timing_partner_id', 'result_id') }} as result_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('runsignup', 'timing_partner_id', 'event_id') }} as event_key,
    event_id as race_id,
    {{ entity_key('runsignup', 'timing_partner_id', 'event_id') }} as race_key,
    participant_id,
    result_number,
    {{ entity_key('runsignup', 'timing_partner_id', 'known_participant_id') }} as participant_key,
    bib as bib_number,
    given_name as first_name,
    family_name as last_name,
    gender_known as gender,
    age,
    home_city as city,
    home_state as state,
    home_country as country,
    chip_time_as_sent as results_time,
    gun_time_as_sent as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status not in ('did_not_finish', 'did_not_start', 'disqualified') then overall_place end as overall_place,
    status,
    coalesce(removed_at, changed_at) as status_changed_at,
    removed_at is not null as is_removed,
    is_preliminary,
    splits,
    jsonb_strip_nulls(jsonb_build_object(
        'race_id', occasion_id,
        'result_set_id', result_set_id,
        'result_set_name', result_set_name,
        'is_public', is_public,
        'pace', pace,
        'place_as_sent', overall_place,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', {{ unreadable_also('unreadable', 'splits', 'has_unreadable_split') }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        joined.*,
        split_times.splits,
        split_times.has_unreadable_split,
        case
            when joined.removed_at is not null then 'removed'
            when joined.status_in_time is not null then joined.status_in_time
            when joined.chip_seconds is not null or joined.gun_seconds is not null then 'finished'
            -- A finish that was sent and cannot be read is no runner under way.
            when
                split_times.has_split_time and coalesce(joined.chip_time_as_sent, joined.gun_time_as_sent) is null
                then 'in_progress'
            else 'unknown'
        end as status
    from (
        select
            results.*,
            coalesce(participants.participant_id, removed.participant_id) as known_participant_id,
            coalesce(results.bib_number, participants.bib_number) as bib,
            coalesce(results.first_name, participants.first_name, removed.first_name) as given_name,
            coalesce(results.last_name, participants.last_name, removed.last_name) as family_name,
            coalesce(results.gender, participants.gender, removed.gender) as gender_known,
            coalesce(
                results.age_as_sent,
                {{ age_on('events.event_date', 'coalesce(participants.birth_date, removed.birth_date)') }},
                participants.age_as_sent,
                removed.age_as_sent
            ) as age,
            coalesce(results.city, participants.city, removed.city) as home_city,
            coalesce(results.state, participants.state, removed.state) as home_state,
            coalesce(results.country, participants.country, removed.country) as home_country,
            removals.removed_at,
            greatest(
                results.changed_xid,
                participants.changed_xid,
                removed.changed_xid,
                events.changed_xid,
                removals.changed_xid
            ) as last_changed_xid
        from {{ ref('stg_runsignup__results') }} as results
        {%- if due %}
        inner join {{ due }} as due
            on
                results.timing_partner_id = due.timing_partner_id
                and results.result_number = due.result_number
        {%- endif %}
        left join {{ ref('stg_runsignup__participants') }} as participants
            on
                results.timing_partner_id = participants.timing_partner_id
                and results.registration_number = participants.registration_number
        left join {{ ref('stg_runsignup__removed_participants') }} as removed
            on
                results.timing_partner_id = removed.timing_partner_id
                and results.registration_number = removed.registration_number
        left join {{ ref('int_runsignup_events_with_race') }} as events
            on
                results.timing_partner_id = events.timing_partner_id
                and results.event_number = events.event_number
        left join {{ ref('stg_runsignup__removals') }} as removals
            on
                removals.stream = 'results'
                and results.timing_partner_id = removals.timing_partner_id
                and results.result_id = removals.record_key
        -- offset 0: what is read above is reckoned here, once, not wherever it is used.
        offset 0
    ) as joined
    left join lateral (
        select
            jsonb_agg(
                jsonb_build_object(
                    'name', {{ filled("sent.split ->> 'name'") }},
                    'distance_m', {{ metres("regexp_replace(sent.split ->> 'name', '\s+split\s*$', '', 'i')") }},
                    'chip_seconds', {{ race_seconds("(sent.split ->> 'time')") }},
                    'gun_seconds', null,
                    'time_as_sent', {{ filled("sent.split ->> 'time'") }}
                )
                order by sent.position
            ) as splits,
            bool_or({{ race_seconds("(sent.split ->> 'time')") }} is not null) as has_split_time,
            bool_or(
                {{ filled("sent.split ->> 'time'") }} is not null
                and {{ race_seconds("(sent.split ->> 'time')") }} is null
                and {{ race_status("(sent.split ->> 'time')") }} is null
            ) as has_unreadable_split
        from
            jsonb_array_elements(
                case when jsonb_typeof(joined.splits_as_sent) = 'array' then joined.splits_as_sent end
            ) with ordinality as sent (split, position)
    ) as split_times on true
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as timed
{%- endmacro %}
