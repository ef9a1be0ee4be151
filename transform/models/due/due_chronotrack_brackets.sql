{{ config(unique_key=['timing_partner_id', 'division_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    division_id
from {{ ref('stg_chronotrack__brackets') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as division_id
from {{ ref('stg_chronotrack__removals') }}
where changed_xid >= {{ mark }} and stream = 'brackets'
