{{ config(unique_key='timing_point_key') }}
{%- set columns = [
    'timing_point_key',
    'source_provider',
    'timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_key',
    'timing_point_id',
    'timing_point_name',
    'distance_m',
    'is_finish',
    'provider_fields',
    'fetched_date',
] %}

-- Only ChronoTrack's intervals so far; a second provider makes a union of it.
-- Asks what event an interval was in before this model writes it: depends_on {{ ref('due_chronotrack_results') }}
{{ built(
    columns,
    everything=ref('int_chronotrack_intervals_placed'),
    due=[
        [
            ref('int_chronotrack_intervals_placed'),
            ref('due_chronotrack_intervals'),
            ['timing_partner_id', 'timing_point_id'],
        ],
    ],
) }}
