{{ config(unique_key=['timing_partner_id', 'event_id']) }}
{%- set mark = mark_literal() %}

with races as (
    select
        timing_partner_id,
        occasion_id
    from {{ ref('stg_copernico__races') }}
    where changed_xid >= {{ mark }}

    union all

    select
        timing_partner_id,
        record_key as occasion_id
    from {{ ref('stg_copernico__removals') }}
    where changed_xid >= {{ mark }} and stream = 'races'
)

select
    timing_partner_id,
    event_id
from {{ ref('stg_copernico__events') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as event_id
from {{ ref('stg_copernico__removals') }}
where changed_xid >= {{ mark }} and stream = 'events'

union

-- A race's change takes its events along.
select
    events.timing_partner_id,
    events.event_id
from races
inner join {{ ref('stg_copernico__events') }} as events
    on
        races.timing_partner_id = events.timing_partner_id
        and races.occasion_id = events.occasion_id
