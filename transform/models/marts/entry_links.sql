{{
    config(
        unique_key='link_key',
        gone_when='new.linked_by is null',
        looks_up=true,
        post_hook=[
            "delete from {{ source('due', 'bibs_before') }}",
            "delete from {{ source('due', 'days_before') }}",
        ],
        indexes=[
            {'columns': ['timing_participant_key']},
            {'columns': ['registration_participant_key']},
        ],
    )
}}
{%- set entries, events = ref('unified_participants'), ref('unified_events') %}
{%- set due = ref('due_entry_links') %}

-- Two entries that an external id joins, or bib, event and name. Nothing is merged: both entries stay as they are.
with by_external_id as (
    select
        timed.participant_key as timing_participant_key,
        registered.participant_key as registration_participant_key
    from {{ entries }} as timed
    inner join {{ entries }} as registered
        on {{ pushed_entry_key('timed') }} = registered.participant_key
    {%- if takes_due() %}
        inner join {{ due }} as due on timed.participant_key = due.participant_key

        union

        select
            timed.participant_key as timing_participant_key,
            registered.participant_key as registration_participant_key
        from {{ due }} as due
        inner join {{ entries }} as registered on due.participant_key = registered.participant_key
        inner join {{ entries }} as timed
            on
                {{ pushed_id('registered') }} = timed.external_id
                and registered.timing_partner_id = timed.timing_partner_id
    {%- else %}
        where timed.source_provider in {{ timers() }}
    {%- endif %}
),

-- With a due entry, whoever wears its bib that day is due: the pairs of each are all here.
pairs as (
    {% if takes_due() -%}
        {{ bib_pairs(due) }}
    {%- else -%}
        {{ bib_pairs("(select participant_key from " ~ entries ~ " where source_provider in " ~ timers() ~ ")") }}
    {%- endif %}
),

-- A name alone is no evidence, nor is a bib alone: they change hands. With a first name written otherwise, a birth date
-- or an address tells. Who is joined by an external id, or was taken back, is not looked for by bib.
named as (
    select
        pairs.*,
        count(*) over (partition by pairs.timing_participant_key) as registrations,
        count(*) over (partition by pairs.registration_participant_key) as timed_entries
    from pairs
    inner join {{ entries }} as timed on pairs.timing_participant_key = timed.participant_key
    inner join {{ entries }} as registered on pairs.registration_participant_key = registered.participant_key
    where
        not timed.is_removed
        and not registered.is_removed
        and {{ name_key('timed.last_name') }} = {{ name_key('registered.last_name') }}
        and (
            {{ name_key('timed.first_name') }} = {{ name_key('registered.first_name') }}
            or timed.birth_date = registered.birth_date
            or timed.email = registered.email
        )
        and not exists (
            select 1 from {{ entries }} as pushed
            where pushed.participant_key = {{ pushed_entry_key('timed') }}
        )
        and not exists (
            select 1 from {{ entries }} as pushed
            where
                pushed.external_id = {{ pushed_id('registered') }}
                and pushed.timing_partner_id = registered.timing_partner_id
        )
),

found as (
    select
        by_external_id.timing_participant_key,
        by_external_id.registration_participant_key,
        'external_id' as linked_by
    from by_external_id

    union all

    select
        named.timing_participant_key,
        named.registration_participant_key,
        'bib_event_name' as linked_by
    from named
    where
        named.registrations = 1
        and named.timed_entries = 1
)

select
    found.timing_participant_key || '~' || found.registration_participant_key as link_key,
    timed.timing_partner_id,
    timed.source_provider as timing_provider,
    found.timing_participant_key,
    timed.event_key as timing_event_key,
    registered.source_provider as registration_provider,
    found.registration_participant_key,
    registered.event_key as registration_event_key,
    found.linked_by,
    case found.linked_by
        when 'external_id' then array['external id ' || timed.external_id]
        else array_remove(
            array[
                'bib ' || timed.bib_number,
                'events on ' || to_char(here.event_date, 'YYYY-MM-DD'),
                case when lower(here.city) = lower(there.city) then 'events in one city' end,
                case
                    when
                        lower(here.event_name) in (lower(there.event_name), lower(there.occasion_name))
                        or lower(here.occasion_name) in (lower(there.event_name), lower(there.occasion_name))
                        then 'events of one name'
                end,
                'no other entry of that day with both'
            ],
            null
        )
    end as evidence,
    array_remove(
        array[
            case when timed.external_id = {{ pushed_id('registered') }} then 'external_id' end,
            case when {{ bib_key('timed.bib_number') }} = {{ bib_key('registered.bib_number') }} then 'bib_number' end,
            case
                when {{ name_key('timed.first_name') }} = {{ name_key('registered.first_name') }} then 'first_name'
            end,
            case when {{ name_key('timed.last_name') }} = {{ name_key('registered.last_name') }} then 'last_name' end,
            case when timed.birth_date = registered.birth_date then 'birth_date' end,
            case when timed.email = registered.email then 'email' end,
            case when here.event_date = there.event_date then 'event_date' end,
            case when lower(here.city) = lower(there.city) then 'event_city' end
        ],
        null
    ) as matched_fields,
    greatest(timed.fetched_date, registered.fetched_date) as fetched_date
from found
inner join {{ entries }} as timed on found.timing_participant_key = timed.participant_key
inner join {{ entries }} as registered on found.registration_participant_key = registered.participant_key
left join {{ events }} as here on timed.event_key = here.event_key
left join {{ events }} as there on registered.event_key = there.event_key
{%- if takes_due() %}

    union all

    -- Links of due entries that are none any more.
    select
        links.link_key,
        links.timing_partner_id,
        links.timing_provider,
        links.timing_participant_key,
        links.timing_event_key,
        links.registration_provider,
        links.registration_participant_key,
        links.registration_event_key,
        null as linked_by,
        links.evidence,
        links.matched_fields,
        links.fetched_date
    from (
        select as_timed.link_key
        from {{ due }} as due
        inner join {{ this }} as as_timed on due.participant_key = as_timed.timing_participant_key

        union

        select as_registered.link_key
        from {{ due }} as due
        inner join {{ this }} as as_registered on due.participant_key = as_registered.registration_participant_key
    ) as touched
    inner join {{ this }} as links on touched.link_key = links.link_key
    where not exists (
        select 1 from found
        where
            found.timing_participant_key = links.timing_participant_key
            and found.registration_participant_key = links.registration_participant_key
    )
{%- endif %}
