{{ config(unique_key=['timing_partner_id', 'event_id', 'registration_number']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    event_id,
    registration_number
from {{ ref('stg_haku__participants') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    event_id,
    registration_number
from {{ ref('stg_haku__registrations') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    split_part(record_key, '/', 1) as event_id,
    split_part(record_key, '/', 2) as registration_number
from {{ ref('stg_haku__removals') }}
where changed_xid >= {{ mark }} and stream in ('participants', 'registrations')

union

-- An event's change takes its entries along.
select
    children.timing_partner_id,
    children.event_id,
    children.registration_number
from {{ ref('due_haku_events') }} as parents
inner join {{ ref('stg_haku__participants') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
