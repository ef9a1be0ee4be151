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
        and to_jsonb(built) - 'changed_xid' is distinct from to_jsonb(candidate)
    {{ 'union all' if not loop.last }}
{% endfor %}
