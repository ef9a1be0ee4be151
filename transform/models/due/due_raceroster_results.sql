{{ config(unique_key=['timing_partner_id', 'result_id']) }}
{%- set mark = mark_literal() %}

-- Sub-events that changed, or went away: results find theirs by its name.
with sub_events as (
    select
        children.timing_partner_id,
        children.event_id
    from {{ ref('due_raceroster_sub_events') }} as due
    inner join {{ ref('stg_raceroster__sub_events') }} as children
        on
            due.timing_partner_id = children.timing_partner_id
            and due.race_id = children.race_id
)

select
    timing_partner_id,
    result_id
from {{ ref('stg_raceroster__results') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as result_id
from {{ ref('stg_raceroster__removals') }}
where changed_xid >= {{ mark }} and stream = 'results'

union

select
    results.timing_partner_id,
    results.result_id
from sub_events
inner join {{ ref('stg_raceroster__results') }} as results
    on
        sub_events.timing_partner_id = results.timing_partner_id
        and sub_events.event_id = results.event_id
