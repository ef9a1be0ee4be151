{{ config(unique_key=['timing_partner_id', 'global_participant_id'], tags=['persons']) }}

-- Persons who may have won or lost an entry. Whose entries were due: before those were written, and after.
select
    before.timing_partner_id,
    before.global_participant_id
from {{ source('due', 'people_before') }} as before

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_runsignup_participants') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('runsignup', 'due.timing_partner_id', 'due.registration_number') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_chronotrack_entries') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('chronotrack', 'due.timing_partner_id', 'due.participant_id') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_letsdothis_participants') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('letsdothis', 'due.timing_partner_id', 'due.participant_id') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_letsdothis_applications') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('letsdothis', 'due.timing_partner_id', 'due.application_id') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_raceroster_participants') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('raceroster', 'due.timing_partner_id', 'due.participant_id') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_haku_participants') }} as due
inner join {{ ref('unified_participants') }} as entries
    on {{ entity_key('haku', 'due.timing_partner_id', 'due.registration_number') }} = entries.participant_key

union

select
    entries.timing_partner_id,
    entries.global_participant_id
from {{ ref('due_copernico_participants') }} as due
inner join {{ ref('unified_participants') }} as entries
    on
        {{ entity_key('copernico', 'due.timing_partner_id', 'due.event_id', 'due.participant_id') }}
        = entries.participant_key

union

-- All of a partner that was renamed.
select
    timing_partner_id,
    global_participant_id
from {{ source('candidate', 'participant_tracking') }}
where timing_partner_id in ({{ renamed_partners() }})
