{{ config(unique_key=['timing_partner_id', 'event_id', 'participant_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    event_id,
    participant_id
from {{ ref('stg_copernico__participants') }}
where changed_xid >= {{ mark }}

union

-- Neither part of a key has a slash.
select
    timing_partner_id,
    split_part(record_key, '/', 1) as event_id,
    split_part(record_key, '/', 2) as participant_id
from {{ ref('stg_copernico__removals') }}
where changed_xid >= {{ mark }} and stream = 'participants'

union

-- An event's change takes its participants along.
select
    children.timing_partner_id,
    children.event_id,
    children.participant_id
from {{ ref('due_copernico_events') }} as parents
inner join {{ ref('stg_copernico__participants') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
