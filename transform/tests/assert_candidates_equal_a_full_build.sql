{{ config(tags=['nightly']) }}
{%- set models = {
    'unified_events': ['int_events_unioned', 'event_key'],
    'unified_races': ['int_races_unioned', 'race_key'],
    'unified_divisions': ['int_chronotrack_brackets_placed', 'division_key'],
    'unified_timing_points': ['int_chronotrack_intervals_placed', 'timing_point_key'],
    'unified_participants': ['int_participants_unioned', 'participant_key'],
    'unified_results': ['int_results_unioned', 'result_key'],
} -%}

{% for candidate, (model, key) in models.items() %}
    select
        '{{ candidate }}' as relation,
        built.{{ key }} as row_key
    from {{ ref(model) }} as built
    left join {{ ref(candidate) }} as candidate on built.{{ key }} = candidate.{{ key }}
    where
        -- What came while the models were being built is the next build's.
        built.changed_xid < {{ seen_until() }}
        -- Whose an entry is comes from the registry, not from the views.
        and to_jsonb(built) - array['changed_xid', 'global_participant_id']
        is distinct from to_jsonb(candidate) - array['global_participant_id', 'person_confidence']
    union all
{% endfor %}
select
    'unified_participants' as relation,
    candidate.participant_key as row_key
from {{ ref('unified_participants') }} as candidate
inner join {{ source('hub', 'person_records') }} as persons on candidate.participant_key = persons.record_key
where
    (candidate.global_participant_id, candidate.person_confidence)
    is distinct from (persons.person_id, persons.confidence)
    -- Decided since the candidates were told.
    and not exists (
        select 1
        from {{ source('hub', 'person_due') }} as due
        where due.record_key = candidate.participant_key
    )
