{{ config(unique_key=['timing_partner_id', 'race_number']) }}
{%- set mark = mark_literal() %}

-- Races have no relation of their own; what became of each is counted.
select
    timing_partner_id,
    race_number
from {{ ref('stg_runsignup__races') }}
where changed_xid >= {{ mark }}

union

-- A race stands in its events: those it has and, where an event went to another race, the one it had.
select
    events.timing_partner_id,
    events.race_number
from {{ ref('due_runsignup_events') }} as due
inner join {{ ref('stg_runsignup__events') }} as events
    on
        due.timing_partner_id = events.timing_partner_id
        and due.event_number = events.event_number
where events.race_number is not null

union

select
    due.timing_partner_id,
    before.occasion_id::bigint as race_number
from {{ ref('due_runsignup_events') }} as due
inner join {{ source('candidate', 'unified_events') }} as before
    on {{ entity_key('runsignup', 'due.timing_partner_id', 'due.event_number') }} = before.event_key
where before.occasion_id is not null
