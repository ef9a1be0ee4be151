{{ config(unique_key=['timing_partner_id', 'race_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    race_id
from {{ ref('stg_letsdothis__races') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as race_id
from {{ ref('stg_letsdothis__removals') }}
where changed_xid >= {{ mark }} and stream = 'races'

union

-- An occurrence's change takes its races along.
select
    children.timing_partner_id,
    children.race_id
from {{ ref('due_letsdothis_occurrences') }} as parents
inner join {{ ref('stg_letsdothis__races') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
