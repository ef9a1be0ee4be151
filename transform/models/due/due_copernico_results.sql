{{ config(unique_key=['timing_partner_id', 'event_id', 'participant_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    event_id,
    participant_id
from {{ ref('stg_copernico__results') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    split_part(record_key, '/', 1) as event_id,
    split_part(record_key, '/', 2) as participant_id
from {{ ref('stg_copernico__removals') }}
where changed_xid >= {{ mark }} and stream = 'results'

union

-- What the timer left empty is filled from the participant; the event's day and mats are in it, too.
select
    results.timing_partner_id,
    results.event_id,
    results.participant_id
from {{ ref('due_copernico_participants') }} as due
inner join {{ ref('stg_copernico__results') }} as results
    on
        due.timing_partner_id = results.timing_partner_id
        and due.event_id = results.event_id
        and due.participant_id = results.participant_id

union

select
    results.timing_partner_id,
    results.event_id,
    results.participant_id
from {{ ref('due_copernico_events') }} as due
inner join {{ ref('stg_copernico__results') }} as results
    on
        due.timing_partner_id = results.timing_partner_id
        and due.event_id = results.event_id
