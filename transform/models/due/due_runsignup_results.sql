{{ config(unique_key=['timing_partner_id', 'result_number']) }}
{%- set mark = mark_literal() %}

with entries as (
    select
        timing_partner_id,
        registration_number
    from {{ ref('stg_runsignup__participants') }}
    where changed_xid >= {{ mark }}

    union

    select
        timing_partner_id,
        registration_number
    from {{ ref('stg_runsignup__removed_participants') }}
    where changed_xid >= {{ mark }}
)

select
    timing_partner_id,
    result_number
from {{ ref('stg_runsignup__results') }}
where changed_xid >= {{ mark }}

union

select
    removals.timing_partner_id,
    {{ number_in('removals.record_key') }} as result_number
from {{ ref('stg_runsignup__removals') }} as removals
where
    removals.changed_xid >= {{ mark }}
    and removals.stream = 'results'
    and {{ number_in('removals.record_key') }} is not null

union

-- What the timer left empty is filled from the entry.
select
    results.timing_partner_id,
    results.result_number
from entries
inner join {{ ref('stg_runsignup__results') }} as results
    on
        entries.timing_partner_id = results.timing_partner_id
        and entries.registration_number = results.registration_number

union

select
    results.timing_partner_id,
    results.result_number
from {{ ref('due_runsignup_events') }} as due
inner join {{ ref('stg_runsignup__results') }} as results
    on
        due.timing_partner_id = results.timing_partner_id
        and due.event_number = results.event_number
