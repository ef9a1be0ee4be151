{{ config(unique_key=['participant_key'], looks_up=true) }}
{%- set entries, events = ref('unified_participants'), ref('unified_events') %}
{%- set changes = source('hub', 'candidate_changes') %}

-- Entries whose links are to be found again. Whoever wears one bib on one day with a partner is looked at together:
-- those of a changed entry's bib, and of each bib and day that it had since links were last found.
with changed as (
    select logged.row_key as participant_key
    from {{ changes }} as logged
    where logged.relation = 'unified_participants'

    union

    select entries.participant_key
    from {{ changes }} as logged
    inner join {{ entries }} as entries on logged.row_key = entries.event_key
    where logged.relation = 'unified_events'
    {%- if is_anything_unlogged(['unified_participants', 'unified_events']) %}

        union

        select entries.participant_key
        from {{ entries }} as entries
    {%- endif %}
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

    select registered.participant_key
    from changed
    inner join {{ entries }} as timed on changed.participant_key = timed.participant_key
    inner join {{ entries }} as registered on {{ pushed_entry_key('timed') }} = registered.participant_key

    union

    select timed.participant_key
    from changed
    inner join {{ entries }} as registered on changed.participant_key = registered.participant_key
    inner join {{ entries }} as timed
        on
            {{ pushed_id('registered') }} = timed.external_id
            and registered.timing_partner_id = timed.timing_partner_id
),

bibs as (
    select
        entries.event_key,
        {{ bib_key('entries.bib_number') }} as bib
    from near
    inner join {{ entries }} as entries on near.participant_key = entries.participant_key

    union

    select
        before.event_key,
        {{ bib_key('before.bib_number') }} as bib
    from {{ source('due', 'bibs_before') }} as before
),

worn as (
    select
        events.timing_partner_id,
        events.event_date,
        bibs.bib
    from bibs
    inner join {{ events }} as events on bibs.event_key = events.event_key

    union

    select
        before.timing_partner_id,
        before.event_date,
        bibs.bib
    from bibs
    inner join {{ source('due', 'days_before') }} as before on bibs.event_key = before.event_key
)

select near.participant_key from near

union

select entries.participant_key
from worn
inner join {{ events }} as events
    on
        worn.timing_partner_id = events.timing_partner_id
        and worn.event_date = events.event_date
inner join {{ entries }} as entries
    on
        events.event_key = entries.event_key
        and worn.bib = {{ bib_key('entries.bib_number') }}
