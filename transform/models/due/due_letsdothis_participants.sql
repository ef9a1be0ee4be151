{{ config(unique_key=['timing_partner_id', 'participant_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    participant_id
from {{ ref('stg_letsdothis__participants') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as participant_id
from {{ ref('stg_letsdothis__removals') }}
where changed_xid >= {{ mark }} and stream = 'participants'

union

-- An application's change shows in the entry that was born of it.
select
    entrants.timing_partner_id,
    entrants.participant_id
from {{ ref('stg_letsdothis__applications') }} as applications
inner join {{ ref('stg_letsdothis__participants') }} as entrants
    on
        applications.timing_partner_id = entrants.timing_partner_id
        and applications.application_id = entrants.application_id
where applications.changed_xid >= {{ mark }}

union

-- An occurrence's change takes its entries along.
select
    children.timing_partner_id,
    children.participant_id
from {{ ref('due_letsdothis_occurrences') }} as parents
inner join {{ ref('stg_letsdothis__participants') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
