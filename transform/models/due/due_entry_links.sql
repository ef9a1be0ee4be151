{{ config(unique_key=['participant_key']) }}
{%- set entries, events = ref('unified_participants'), ref('unified_events') %}

-- Entries whose links are to be found again. What differs from what is published is in the candidates' log; who had the
-- same bib before is told by what is published.
with wholes as (
    select count(*) > 0 as is_everything
    from (values ('unified_participants'), ('unified_events')) as relations (relation)
    where
        exists (
            select 1 from {{ source('hub', 'candidate_wholes') }} as logged
            where logged.relation = relations.relation
        )
        -- Rebuilt just now: nothing logs it yet.
        or not exists (
            select 1 from pg_catalog.pg_trigger as triggers
            where
                triggers.tgrelid = to_regclass('{{ entries.schema }}.' || relations.relation)
                and triggers.tgname = 'candidate_log_update'
        )
),

changed as (
    select logged.row_key as participant_key
    from {{ source('hub', 'candidate_changes') }} as logged
    where logged.relation = 'unified_participants'

    union

    select entries.participant_key
    from {{ source('hub', 'candidate_changes') }} as logged
    inner join {{ entries }} as entries on logged.row_key = entries.event_key
    where logged.relation = 'unified_events'

    union

    select entries.participant_key
    from {{ entries }} as entries
    where (select wholes.is_everything from wholes)
),

-- With them the other end of a link, as it was and by external id as it becomes.
near as (
    select changed.participant_key from changed

    union

    select links.registration_participant_key as participant_key
    from changed
    inner join {{ source('candidate', 'entry_links') }} as links
        on changed.participant_key = links.timing_participant_key

    union

    select links.timing_participant_key as participant_key
    from changed
    inner join {{ source('candidate', 'entry_links') }} as links
        on changed.participant_key = links.registration_participant_key

    union

    select registrations.participant_key
    from changed
    inner join {{ entries }} as timed on changed.participant_key = timed.participant_key
    inner join {{ entries }} as registrations on {{ pushed_entry_key('timed') }} = registrations.participant_key

    union

    select timed.participant_key
    from changed
    inner join {{ entries }} as registrations on changed.participant_key = registrations.participant_key
    inner join {{ entries }} as timed
        on
            {{ pushed_id('registrations') }} = timed.external_id
            and registrations.timing_partner_id = timed.timing_partner_id
),

-- Who wears the same bib that day, now or before: a second one makes a bib tell nothing.
pairs as (
    {{ bib_pairs('near', entries, events) }}

    union

    {{ bib_pairs('changed', source('unified', 'unified_participants'), source('unified', 'unified_events')) }}

    union

    {{ bib_pairs(source('due', 'entries_before'), source('due', 'entries_before'), events) }}

    union

    {{ bib_pairs(
        source('due', 'entries_before'), source('due', 'entries_before'), source('unified', 'unified_events')
    ) }}
)

select near.participant_key from near

union

select pairs.timing_participant_key as participant_key from pairs

union

select pairs.registration_participant_key as participant_key from pairs
