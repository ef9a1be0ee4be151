{%- set columns = [
    'result_key',
    'source_provider',
    'timing_partner_id::int as timing_partner_id',
    'event_id',
    'event_key',
    'race_id',
    'race_key',
    'participant_id',
    'participant_key',
    'bib_number',
    'first_name',
    'last_name',
    'gender',
    'age',
    'city',
    'state',
    'country',
    'results_time',
    'results_gun_time',
    'chip_seconds',
    'gun_seconds',
    'overall_place',
    'status',
    'status_changed_at',
    'is_removed',
    'is_preliminary',
    'splits',
    'provider_fields',
    'fetched_date',
    'changed_xid',
] -%}

-- Columns are named in every branch: `union all` pairs them by position.
select {{ columns | join(', ') }}
from {{ ref('int_runsignup_results_linked') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_chronotrack_results_folded') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_raceroster_results_placed') }}

union all

select {{ columns | join(', ') }}
from {{ ref('int_copernico_results_linked') }}
