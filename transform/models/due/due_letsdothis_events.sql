{{ config(unique_key=['timing_partner_id', 'occasion_id']) }}
{%- set mark = mark_literal() %}

-- Events of Let's Do This have no relation of their own; what became of each is counted.
select
    timing_partner_id,
    occasion_id
from {{ ref('stg_letsdothis__events') }}
where changed_xid >= {{ mark }}

union

-- An event stands in its occurrences: those it has and, where one went to another event, the one it had.
select
    occurrences.timing_partner_id,
    occurrences.occasion_id
from {{ ref('due_letsdothis_occurrences') }} as due
inner join {{ ref('stg_letsdothis__occurrences') }} as occurrences
    on
        due.timing_partner_id = occurrences.timing_partner_id
        and due.event_id = occurrences.event_id
where occurrences.occasion_id is not null

union

select
    due.timing_partner_id,
    before.occasion_id
from {{ ref('due_letsdothis_occurrences') }} as due
inner join {{ source('candidate', 'unified_events') }} as before
    on {{ entity_key('letsdothis', 'due.timing_partner_id', 'due.event_id') }} = before.event_key
where before.occasion_id is not null
