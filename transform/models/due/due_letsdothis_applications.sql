{{ config(unique_key=['timing_partner_id', 'application_id']) }}
{%- set mark = mark_literal() %}

select
    timing_partner_id,
    application_id
from {{ ref('stg_letsdothis__applications') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    record_key as application_id
from {{ ref('stg_letsdothis__removals') }}
where changed_xid >= {{ mark }} and stream = 'applications'

union

-- Who enters takes the row of the application: of the one named now and, where another was named, of that one.
select
    timing_partner_id,
    application_id
from {{ ref('stg_letsdothis__participants') }}
where changed_xid >= {{ mark }} and application_id is not null

union

select
    due.timing_partner_id,
    before.provider_fields ->> 'applicationId' as application_id
from {{ ref('due_letsdothis_participants') }} as due
inner join {{ source('candidate', 'unified_participants') }} as before
    on {{ entity_key('letsdothis', 'due.timing_partner_id', 'due.participant_id') }} = before.participant_key
where before.provider_fields ->> 'applicationId' is not null

union

-- An occurrence's change takes its applications along.
select
    children.timing_partner_id,
    children.application_id
from {{ ref('due_letsdothis_occurrences') }} as parents
inner join {{ ref('stg_letsdothis__applications') }} as children
    on
        parents.timing_partner_id = children.timing_partner_id
        and parents.event_id = children.event_id
