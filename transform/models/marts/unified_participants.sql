{{
    config(
        unique_key='participant_key',
        gone_when='new.status is null',
        indexes=[
            {'columns': ['timing_partner_id', 'global_participant_id']},
            {'columns': ['external_id']},
            {'columns': ['event_key', '(' ~ bib_key('bib_number') ~ ')'], 'name': 'event_bib'},
        ],
        pre_hook="{{ note_entries_before(this, [
            ['runsignup', ref('due_runsignup_participants'), 'registration_number'],
            ['chronotrack', ref('due_chronotrack_entries'), 'participant_id'],
            ['copernico', ref('due_copernico_participants'), 'event_id, participant_id'],
            ['letsdothis', ref('due_letsdothis_participants'), 'participant_id'],
            ['letsdothis', ref('due_letsdothis_applications'), 'application_id'],
            ['raceroster', ref('due_raceroster_participants'), 'participant_id'],
            ['haku', ref('due_haku_participants'), 'registration_number'],
        ]) }}",
    )
}}
{%- set columns = [
    'participant_key',
    'source_provider',
    'timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_key',
    'participant_id',
    'global_participant_id',
    'external_id',
    'first_name',
    'middle_name',
    'last_name',
    'email',
    'phone',
    'phone_as_sent',
    'gender',
    'birth_date',
    'age',
    'age_as_sent',
    'bib_number',
    'city',
    'state',
    'country',
    'nationality',
    'postal_code',
    'registration_date',
    'status',
    'status_as_sent',
    'status_changed_at',
    'is_removed',
    'team_id',
    'team_name',
    'wave',
    'division',
    'currency',
    'race_fee',
    'amount_paid',
    'provider_fields',
    'fetched_date',
] %}

with entries as (
    {{ built(
        columns,
        everything=ref('int_participants_unioned'),
        due=[
            ['(' ~ runsignup_participants(due=ref('due_runsignup_participants')) ~ ')', none, []],
            ['(' ~ chronotrack_entries(due=ref('due_chronotrack_entries')) ~ ')', none, []],
            ['(' ~ copernico_participants(due=ref('due_copernico_participants')) ~ ')', none, []],
            [
                '(' ~ letsdothis_participants(
                    due=ref('due_letsdothis_participants'), due_applications=ref('due_letsdothis_applications')
                ) ~ ')', none, [],
            ],
            ['(' ~ raceroster_participants(due=ref('due_raceroster_participants')) ~ ')', none, []],
            ['(' ~ haku_participants(due=ref('due_haku_participants')) ~ ')', none, []],
        ],
    ) }}
)

-- Whose an entry is, the registry says; an entry that it does not know yet is somebody's of its own.
select
    {%- for column in columns %}
        {%- if column == 'global_participant_id' %}
            coalesce(persons.person_id, entries.global_participant_id) as global_participant_id,
        {%- else %}
            entries.{{ column }},
        {%- endif %}
    {%- endfor %}
    persons.confidence as person_confidence
from
    entries
{%- if takes_due() %}
    -- limit 1: looked up by key, however many rows the planner thinks are due.
    left join lateral (
        select
            known.person_id,
            known.confidence
        from {{ source('hub', 'person_records') }} as known
        where known.record_key = entries.participant_key
        order by known.record_key
        limit 1
    ) as persons on true
{%- else %}
    left join {{ source('hub', 'person_records') }} as persons on entries.participant_key = persons.record_key
{%- endif %}
