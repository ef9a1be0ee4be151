{{ config(unique_key=['timing_partner_id', 'race_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    race_id
from {{ ref('stg_raceroster__sub_events') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as race_id
from {{ ref('stg_raceroster__removals') }}
where changed_xid >= {{ mark }} and stream = 'sub_events'

union

-- An event's change takes its sub-events along.
select
    children.timing_partner_id,
    children.race_id
from {{ ref('due_raceroster_events') }} as parents
inner join {{ ref('stg_raceroster__sub_events') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
