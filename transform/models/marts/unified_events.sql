{{
    config(
        unique_key='event_key',
        indexes=[{'columns': ['timing_partner_id', 'event_date']}],
        pre_hook="{{ note_events_before(this, [
            ['runsignup', ref('due_runsignup_events'), 'event_number'],
            ['chronotrack', ref('due_chronotrack_events'), 'event_id'],
            ['copernico', ref('due_copernico_events'), 'event_id'],
            ['letsdothis', ref('due_letsdothis_occurrences'), 'event_id'],
            ['raceroster', ref('due_raceroster_events'), 'event_id'],
            ['haku', ref('due_haku_events'), 'event_id'],
        ]) }}",
    )
}}
{%- set columns = [
    'event_key',
    'source_provider',
    'timing_partner_id',
    'event_id',
    'event_name',
    'occasion_id',
    'occasion_name',
    'event_date',
    'starts_at',
    'ends_at',
    'registration_opens_at',
    'time_zone',
    'event_type',
    'city',
    'state',
    'country',
    'status',
    'provider_fields',
    'fetched_date',
] %}

-- These ask what an event was in before this model writes it: depends_on {{ ref('due_runsignup_races') }}
-- depends_on {{ ref('due_letsdothis_events') }}
{{ built(
    columns,
    everything=ref('int_events_unioned'),
    due=[
        [ref('int_runsignup_events_with_race'), ref('due_runsignup_events'), ['timing_partner_id', 'event_number']],
        [ref('int_chronotrack_events_dated'), ref('due_chronotrack_events'), ['timing_partner_id', 'event_id']],
        [ref('int_copernico_events_of_races'), ref('due_copernico_events'), ['timing_partner_id', 'event_id']],
        [
            ref('int_letsdothis_occurrences_with_event'), ref('due_letsdothis_occurrences'),
            ['timing_partner_id', 'event_id'],
        ],
        [ref('int_raceroster_events_zoned'), ref('due_raceroster_events'), ['timing_partner_id', 'event_id']],
        [ref('int_haku_events_dated'), ref('due_haku_events'), ['timing_partner_id', 'event_id']],
    ],
) }}
