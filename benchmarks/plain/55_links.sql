-- One row per pair of entries that are one start.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table entry_links as
-- Two entries that an external id joins, or bib, event and name. Nothing is merged: both entries stay as they are.
with by_external_id as (
    select
        timed.participant_key as timing_participant_key,
        registered.participant_key as registration_participant_key
    from unified_participants as timed
    inner join unified_participants as registered
        on case left(timed.external_id, 3)
        when 'RS-'
            then 'runsignup/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'RR-'
            then 'raceroster/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'HK-'
            then 'haku/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'LD-'
            then 'letsdothis/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
    end = registered.participant_key
    where timed.source_provider in ('chronotrack', 'copernico')
),

pairs as (
    select
        case when here.source_provider in ('chronotrack', 'copernico') then one.participant_key else other.participant_key end
            as timing_participant_key,
        case when here.source_provider in ('chronotrack', 'copernico') then other.participant_key else one.participant_key end
            as registration_participant_key
    from (select participant_key from unified_participants where source_provider in ('chronotrack', 'copernico')) as keys
    inner join unified_participants as one on keys.participant_key = one.participant_key
    inner join unified_events as here on one.event_key = here.event_key
    inner join unified_events as there
        on
            here.timing_partner_id = there.timing_partner_id
            and here.event_date = there.event_date
            and (here.source_provider in ('chronotrack', 'copernico')) <> (there.source_provider in ('chronotrack', 'copernico'))
            and (
        lower(here.city) = lower(there.city)
        or lower(here.event_name) in (lower(there.event_name), lower(there.occasion_name))
        or lower(here.occasion_name) in (lower(there.event_name), lower(there.occasion_name))
    )
    inner join unified_participants as other
        on
            there.event_key = other.event_key
            and nullif(ltrim(upper(one.bib_number), '0'), '') = nullif(ltrim(upper(other.bib_number), '0'), '')
),

-- A name alone is no evidence, nor is a bib alone: they change hands. With a first name written otherwise, a birth date
-- or an address tells. Who is joined by an external id, or was taken back, is not looked for by bib.
named as (
    select
        pairs.*,
        count(*) over (partition by pairs.timing_participant_key) as registrations,
        count(*) over (partition by pairs.registration_participant_key) as timed_entries
    from pairs
    inner join unified_participants as timed on pairs.timing_participant_key = timed.participant_key
    inner join unified_participants as registered on pairs.registration_participant_key = registered.participant_key
    where
        not timed.is_removed
        and not registered.is_removed
        and lower(regexp_replace(normalize(timed.last_name, nfkd), '[\u0300-\u036f]', '', 'g')) = lower(regexp_replace(normalize(registered.last_name, nfkd), '[\u0300-\u036f]', '', 'g'))
        and (
            lower(regexp_replace(normalize(timed.first_name, nfkd), '[\u0300-\u036f]', '', 'g')) = lower(regexp_replace(normalize(registered.first_name, nfkd), '[\u0300-\u036f]', '', 'g'))
            or timed.birth_date = registered.birth_date
            or timed.email = registered.email
        )
        and not exists (
            select 1 from unified_participants as pushed
            where pushed.participant_key = case left(timed.external_id, 3)
        when 'RS-'
            then 'runsignup/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'RR-'
            then 'raceroster/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'HK-'
            then 'haku/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
        when 'LD-'
            then 'letsdothis/' || timed.timing_partner_id || '/' || substr(timed.external_id, 4)
    end
        )
        and not exists (
            select 1 from unified_participants as pushed
            where
                pushed.external_id = case registered.source_provider
        when 'runsignup' then 'RS-' || registered.participant_id
        when 'raceroster' then 'RR-' || registered.participant_id
        when 'haku' then 'HK-' || registered.participant_id
        when 'letsdothis' then 'LD-' || registered.participant_id
    end
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
            case when timed.external_id = case registered.source_provider
        when 'runsignup' then 'RS-' || registered.participant_id
        when 'raceroster' then 'RR-' || registered.participant_id
        when 'haku' then 'HK-' || registered.participant_id
        when 'letsdothis' then 'LD-' || registered.participant_id
    end then 'external_id' end,
            case when nullif(ltrim(upper(timed.bib_number), '0'), '') = nullif(ltrim(upper(registered.bib_number), '0'), '') then 'bib_number' end,
            case
                when lower(regexp_replace(normalize(timed.first_name, nfkd), '[\u0300-\u036f]', '', 'g')) = lower(regexp_replace(normalize(registered.first_name, nfkd), '[\u0300-\u036f]', '', 'g')) then 'first_name'
            end,
            case when lower(regexp_replace(normalize(timed.last_name, nfkd), '[\u0300-\u036f]', '', 'g')) = lower(regexp_replace(normalize(registered.last_name, nfkd), '[\u0300-\u036f]', '', 'g')) then 'last_name' end,
            case when timed.birth_date = registered.birth_date then 'birth_date' end,
            case when timed.email = registered.email then 'email' end,
            case when here.event_date = there.event_date then 'event_date' end,
            case when lower(here.city) = lower(there.city) then 'event_city' end
        ],
        null
    ) as matched_fields,
    greatest(timed.fetched_date, registered.fetched_date) as fetched_date
from found
inner join unified_participants as timed on found.timing_participant_key = timed.participant_key
inner join unified_participants as registered on found.registration_participant_key = registered.participant_key
left join unified_events as here on timed.event_key = here.event_key
left join unified_events as there on registered.event_key = there.event_key;
alter table entry_links add primary key (link_key);
analyze entry_links;
