{{ config(unique_key='race_key') }}
{%- set columns = [
    'race_key',
    'source_provider',
    'timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_name',
    'distance_m',
    'race_type',
    'starts_at',
    'started_at',
    'time_zone',
    'status',
    'provider_fields',
    'fetched_date',
] %}

{{ built(
    columns,
    everything=ref('int_races_unioned'),
    due=[
        [ref('int_runsignup_races_of_events'), ref('due_runsignup_events'), ['timing_partner_id', 'event_number']],
        [ref('int_chronotrack_races_in_event'), ref('due_chronotrack_races'), ['timing_partner_id', 'race_id']],
        [ref('int_copernico_races_of_events'), ref('due_copernico_events'), ['timing_partner_id', 'event_id']],
        [ref('int_letsdothis_races_in_occurrence'), ref('due_letsdothis_races'), ['timing_partner_id', 'race_id']],
        [
            ref('int_raceroster_races_in_event'), ref('due_raceroster_sub_events'),
            ['timing_partner_id', 'race_id'],
        ],
        [
            ref('int_haku_races_in_event'), ref('due_haku_categories'),
            ['timing_partner_id', 'event_id', 'race_id'],
        ],
    ],
) }}
