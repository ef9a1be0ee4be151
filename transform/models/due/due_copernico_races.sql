{{ config(unique_key=['timing_partner_id', 'occasion_id']) }}
{%- set mark = mark_literal() %}

-- Races have no relation of their own; what became of each is counted.
select
    timing_partner_id,
    occasion_id
from {{ ref('stg_copernico__races') }}
where changed_xid >= {{ mark }}

union

-- A race stands in its events.
select
    events.timing_partner_id,
    events.occasion_id
from {{ ref('due_copernico_events') }} as due
inner join {{ ref('stg_copernico__events') }} as events
    on
        due.timing_partner_id = events.timing_partner_id
        and due.event_id = events.event_id
where events.occasion_id is not null
