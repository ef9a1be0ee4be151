{{ config(tags=['nightly']) }}
{%- set keys = {
    'unified_events': 'event_key',
    'unified_races': 'race_key',
    'unified_divisions': 'division_key',
    'unified_timing_points': 'timing_point_key',
    'unified_participants': 'participant_key',
    'unified_results': 'result_key',
} -%}

{% for relation, key in keys.items() %}
    select {{ key }} as wrong_key
    from {{ ref(relation) }}
    where not starts_with({{ key }}, source_provider || '/' || timing_partner_id || '/')
    {{ 'union all' if not loop.last }}
{% endfor %}
