{%- set columns = [
    'participant_key',
    'source_provider',
    'timing_partner_id::int as timing_partner_id',
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
    'changed_xid',
] -%}

-- Columns are named in every branch: `union all` pairs them by position.
select {{ columns | join(', ') }}
from {{ ref('int_runsignup_participants_resolved') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_chronotrack_entries_resolved') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_letsdothis_participants_resolved') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_raceroster_participants_resolved') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_haku_participants_resolved') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_copernico_participants_resolved') }}
