{{ config(unique_key=['timing_partner_id', 'timing_point_id']) }}
{%- set mark = mark_literal() %}

with races as (
    select
        timing_partner_id,
        race_id
    from {{ ref('stg_chronotrack__races') }}
    where changed_xid >= {{ mark }}
)

select
    timing_partner_id,
    timing_point_id
from {{ ref('stg_chronotrack__intervals') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as timing_point_id
from {{ ref('stg_chronotrack__removals') }}
where changed_xid >= {{ mark }} and stream = 'intervals'

union

-- A race's length says which interval is the whole course.
select
    children.timing_partner_id,
    children.timing_point_id
from races as parents
inner join {{ ref('stg_chronotrack__intervals') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.race_id = children.race_id_as_sent
