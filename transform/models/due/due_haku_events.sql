{{ config(unique_key=['timing_partner_id', 'event_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    event_id
from {{ ref('stg_haku__events') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as event_id
from {{ ref('stg_haku__removals') }}
where changed_xid >= {{ mark }} and stream = 'events'
