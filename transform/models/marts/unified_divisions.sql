{{ config(unique_key='division_key') }}
{%- set columns = [
    'division_key',
    'source_provider',
    'timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_key',
    'division_id',
    'division_name',
    'division_type',
    'provider_fields',
    'fetched_date',
] %}

-- Only ChronoTrack's brackets so far; a second provider makes a union of it.
{{ built(
    columns,
    everything=ref('int_chronotrack_brackets_placed'),
    due=[
        [
            ref('int_chronotrack_brackets_placed'),
            ref('due_chronotrack_brackets'),
            ['timing_partner_id', 'division_id'],
        ],
    ],
) }}
