{% macro chronotrack_results(due=none) -%}
{#-
    All results or, given a relation of due keys, those. The keys are joined inside: from outside the planner could not
    take them through the grouping.
-#}
with intervals as (
    select intervals.*
    from {{ ref('int_chronotrack_results_by_interval') }} as intervals
    {%- if due %}
    inner join {{ due }} as due
        on
            intervals.timing_partner_id = due.timing_partner_id
            and intervals.event_id = due.event_id
            and intervals.participant_id = due.participant_id
    {%- endif %}
),

every_interval as not materialized (
    select * from {{ ref('int_chronotrack_results_by_interval') }}
),

entries as (
    select * from {{ ref('stg_chronotrack__entries') }}
),

events as (
    select * from {{ ref('int_chronotrack_events_dated') }}
),

vocabulary as (
    select * from {{ ref('status_vocabulary') }}
    where source_provider = 'chronotrack'
),

-- One pass over each athlete's few rows. Splits stand in the order in which they were passed: names mislead ('5K'
-- after '10K'), clocks do not. What was removed counts only where nothing else is left.
athletes as (
    select
        timing_partner_id,
        event_id,
        participant_id,
        bool_and(removed_at is not null) as is_removed,
        max(removed_at) as removed_at,
        max(read_at) as read_at,
        max(changed_at) as changed_at,
        max(changed_xid) as changed_xid,
        {%- for rows, which in [('kept', 'removed_at is null'), ('removed', 'removed_at is not null')] %}
        jsonb_agg(
            jsonb_build_object(
                'name', timing_point_name,
                'distance_m', distance_m,
                'chip_seconds', chip_seconds,
                'gun_seconds', gun_seconds,
                'time_as_sent', chip_time_as_sent
            )
            order by ended_at, began_at, distance_m, timing_point_id
        ) filter (where not is_finish and {{ which }}) as splits_{{ rows }},
        array_agg(timing_point_id order by ended_at, began_at, distance_m, timing_point_id)
        filter (where not is_finish and {{ which }}) as timing_point_ids_{{ rows }},
        bool_or(
            chip_time_as_sent is not null
            and chip_seconds is null
            and {{ race_status('chip_time_as_sent') }} is null
        ) filter (where not is_finish and {{ which }}) as has_unreadable_split_{{ rows }},
        {%- endfor %}
        -- Of the row that speaks for the athlete: the whole course, or the farthest interval so far.
        (array_agg(
            timing_point_id
            order by
                removed_at is not null,
                is_finish desc,
                ended_at desc nulls last,
                distance_m desc nulls last,
                timing_point_id asc
        ))[1] as best_timing_point_id
    from intervals
    group by timing_partner_id, event_id, participant_id
),

joined as (
    select
        athletes.*,
        entries.participant_id as known_participant_id,
        entries.race_id as entered_race_id,
        entries.first_name as entered_first_name,
        entries.last_name as entered_last_name,
        entries.gender as entered_gender,
        entries.bib_number as entered_bib_number,
        entries.city as entered_city,
        entries.state as entered_state,
        entries.country as entered_country,
        coalesce({{ age_on('events.event_date', 'entries.birth_date') }}, entries.age_as_sent) as entered_age,
        entries.changed_at as entry_changed_at,
        -- Only some words of an entry say how its race ended.
        nullif(vocabulary.result_status, '') as entry_status,
        greatest(athletes.changed_xid, entries.changed_xid, events.changed_xid) as last_changed_xid
    from athletes
    left join entries
        on
            athletes.timing_partner_id = entries.timing_partner_id
            and athletes.participant_id = entries.participant_id
    left join events
        on
            athletes.timing_partner_id = events.timing_partner_id
            and athletes.event_id = events.event_id
    left join vocabulary
        on upper(entries.status_as_sent) = vocabulary.status_as_sent
),

timed as (
    select
        joined.*,
        best.race_id,
        best.timing_point_id,
        best.is_finish,
        best.bib_number,
        best.first_name,
        best.last_name,
        best.gender,
        best.gender_as_sent,
        best.age_as_sent,
        best.city,
        best.state,
        best.country,
        best.hometown,
        best.race_name,
        best.bracket_name,
        best.primary_bracket_name,
        best.began_at,
        best.ended_at,
        best.unreadable,
        best.status_in_time,
        case when joined.is_removed then joined.splits_removed else joined.splits_kept end as splits,
        case when joined.is_removed then joined.timing_point_ids_removed else joined.timing_point_ids_kept end
            as timing_point_ids,
        case
            when joined.is_removed then joined.has_unreadable_split_removed else joined.has_unreadable_split_kept
        end as has_unreadable_split,
        case when best.is_finish then best.overall_place end as overall_place,
        case when best.is_finish then best.chip_time_as_sent end as chip_time_as_sent,
        case when best.is_finish then best.chip_seconds end as chip_seconds,
        case when best.is_finish then best.gun_time_as_sent end as gun_time_as_sent,
        case when best.is_finish then best.gun_seconds end as gun_seconds,
        case when best.is_finish then best.pace end as pace,
        case when best.is_finish then best.gun_pace end as gun_pace,
        case when best.is_finish then best.penalty_time end as penalty_time
    from joined
    inner join every_interval as best
        on
            joined.timing_partner_id = best.timing_partner_id
            and joined.event_id = best.event_id
            and joined.participant_id = best.participant_id
            and joined.best_timing_point_id = best.timing_point_id
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
),

judged as (
    select
        *,
        case
            when is_removed then 'removed'
            when entry_status is not null then entry_status
            when is_finish and status_in_time is not null then status_in_time
            when chip_seconds is not null or gun_seconds is not null then 'finished'
            -- Something was read on the course and no finish yet; a finish that cannot be read is no such thing.
            when not is_finish or chip_time_as_sent is null then 'in_progress'
            else 'unknown'
        end as status
    from timed
)

select
    {{ entity_key('chronotrack', 'timing_partner_id', 'event_id', 'participant_id') }} as result_key,
    'chronotrack' as source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('chronotrack', 'timing_partner_id', 'event_id') }} as event_key,
    coalesce(race_id, entered_race_id) as race_id,
    {{ entity_key('chronotrack', 'timing_partner_id', 'coalesce(race_id, entered_race_id)') }} as race_key,
    participant_id,
    {{ entity_key('chronotrack', 'timing_partner_id', 'known_participant_id') }} as participant_key,
    coalesce(bib_number, entered_bib_number) as bib_number,
    coalesce(first_name, entered_first_name) as first_name,
    coalesce(last_name, entered_last_name) as last_name,
    coalesce(gender, entered_gender) as gender,
    coalesce(age_as_sent, entered_age) as age,
    coalesce(city, entered_city) as city,
    coalesce(state, entered_state) as state,
    coalesce(country, entered_country) as country,
    chip_time_as_sent as results_time,
    gun_time_as_sent as results_gun_time,
    chip_seconds,
    gun_seconds,
    case when status not in ('did_not_finish', 'did_not_start', 'disqualified') then overall_place end as overall_place,
    status,
    case
        when is_removed then removed_at
        when entry_status is not null then entry_changed_at
        else changed_at
    end as status_changed_at,
    is_removed,
    null::boolean as is_preliminary,
    splits,
    jsonb_strip_nulls(jsonb_build_object(
        'results_interval_id', case when is_finish then timing_point_id end,
        -- The rows that are folded into this one: reconciliation finds each of them here.
        'interval_ids', array_remove(
            array_append(timing_point_ids, case when is_finish then timing_point_id end), null
        ),
        'results_hometown', hometown,
        'results_race_name', race_name,
        'results_bracket_name', bracket_name,
        'results_primary_bracket_name', primary_bracket_name,
        'results_pace', pace,
        'results_gun_pace', gun_pace,
        'results_penalty_time', penalty_time,
        'results_begin_chip_time', began_at,
        'results_end_chip_time', case when is_finish then ended_at end,
        'results_rank', overall_place,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', {{ unreadable_also('case when is_finish then unreadable end', 'splits', 'has_unreadable_split') }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from judged
{%- endmacro %}
