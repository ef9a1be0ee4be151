{{ config(unique_key=['timing_partner_id', 'event_id', 'race_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    event_id,
    race_id
from {{ ref('stg_haku__categories') }}
where changed_xid >= {{ mark }}

union

-- An event's change takes its categories along.
select
    children.timing_partner_id,
    children.event_id,
    children.race_id
from {{ ref('due_haku_events') }} as parents
inner join {{ ref('stg_haku__categories') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
