{{ config(unique_key=['timing_partner_id', 'participant_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    participant_id
from {{ ref('stg_raceroster__participants') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as participant_id
from {{ ref('stg_raceroster__removals') }}
where changed_xid >= {{ mark }} and stream = 'participants'

union

-- An event's change takes its participants along: their age is that of its day.
select
    children.timing_partner_id,
    children.participant_id
from {{ ref('due_raceroster_events') }} as parents
inner join {{ ref('stg_raceroster__participants') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
