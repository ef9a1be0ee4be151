{{ config(unique_key=['timing_partner_id', 'registration_number']) }}
{%- set mark = mark_literal() %}

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

union

select
    removals.timing_partner_id,
    {{ number_in('removals.record_key') }} as registration_number
from {{ ref('stg_runsignup__removals') }} as removals
where
    removals.changed_xid >= {{ mark }}
    and removals.stream in ('participants', 'removed_participants')
    and {{ number_in('removals.record_key') }} is not null

union

-- An event's change takes its entries along.
select
    participants.timing_partner_id,
    participants.registration_number
from {{ ref('due_runsignup_events') }} as due
inner join {{ ref('stg_runsignup__participants') }} as participants
    on
        due.timing_partner_id = participants.timing_partner_id
        and due.event_number = participants.event_number

union

select
    removed.timing_partner_id,
    removed.registration_number
from {{ ref('due_runsignup_events') }} as due
inner join {{ ref('stg_runsignup__removed_participants') }} as removed
    on
        due.timing_partner_id = removed.timing_partner_id
        and due.event_number = removed.event_number
