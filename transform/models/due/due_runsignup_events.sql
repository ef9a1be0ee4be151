{{ config(unique_key=['timing_partner_id', 'event_number']) }}
{%- set mark = mark_literal() %}

with removals as not materialized (
    select
        stream,
        timing_partner_id,
        {{ number_in('record_key') }} as id
    from {{ ref('stg_runsignup__removals') }}
    where changed_xid >= {{ mark }}
),

races as (
    select
        timing_partner_id,
        race_number
    from {{ ref('stg_runsignup__races') }}
    where changed_xid >= {{ mark }}

    union all

    select
        timing_partner_id,
        id
    from removals
    where stream = 'races'
)

select
    timing_partner_id,
    event_number
from {{ ref('stg_runsignup__events') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    id as event_number
from removals
where stream = 'events' and id is not null

union

-- A race's change takes its events along.
select
    events.timing_partner_id,
    events.event_number
from races
inner join {{ ref('stg_runsignup__events') }} as events
    on
        races.timing_partner_id = events.timing_partner_id
        and races.race_number = events.race_number
