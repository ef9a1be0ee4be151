{{ config(unique_key=['timing_partner_id', 'event_id']) }}
{%- set mark = mark_literal() %}

with events as (
    select
        timing_partner_id,
        occasion_id
    from {{ ref('stg_letsdothis__events') }}
    where changed_xid >= {{ mark }}

    union all

    select
        timing_partner_id,
        record_key as occasion_id
    from {{ ref('stg_letsdothis__removals') }}
    where changed_xid >= {{ mark }} and stream = 'events'
)

select
    timing_partner_id,
    event_id
from {{ ref('stg_letsdothis__occurrences') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as event_id
from {{ ref('stg_letsdothis__removals') }}
where changed_xid >= {{ mark }} and stream = 'occurrences'

union

-- An event's change takes its occurrences along.
select
    occurrences.timing_partner_id,
    occurrences.event_id
from events
inner join {{ ref('stg_letsdothis__occurrences') }} as occurrences
    on
        events.timing_partner_id = occurrences.timing_partner_id
        and events.occasion_id = occurrences.occasion_id
