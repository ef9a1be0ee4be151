{% macro copernico_gender(text) -%}
    {#- Registrations have male, female and mixed; mixed is taken for non-binary (assumed). -#}
    case when lower(trim({{ text }})) = 'mixed' then 'X' else {{ gender_code(text) }} end
{%- endmacro %}


{% macro copernico_participants(due=none) -%}
{#- All participants or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('copernico', 'timing_partner_id', 'event_id', 'participant_id') }} as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('copernico', 'timing_partner_id', 'event_id') }} as event_key,
    event_id as race_id,
    {{ entity_key('copernico', 'timing_partner_id', 'event_id') }} as race_key,
    -- An athlete may be in two events: an entry is both.
    event_id || '/' || participant_id as participant_id,
    {{ provisional_person_id('timing_partner_id', entity_key('copernico', 'timing_partner_id', 'event_id', 'participant_id')) }}
        as global_participant_id,
    external_id,
    first_name,
    null::text as middle_name,
    last_name,
    email,
    phone,
    phone_as_sent,
    gender,
    birth_date,
    coalesce(age_reckoned, age_as_sent) as age,
    age_as_sent,
    bib_number,
    null::text as city,
    null::text as state,
    null::text as country,
    nationality,
    null::text as postal_code,
    null::timestamptz as registration_date,
    case when removed_at is not null then 'removed' else status_listed end as status,
    status_as_sent,
    -- Presets send no time with a status: the row last changed with us then, the status not later.
    coalesce(removed_at, updated_at, changed_at) as status_changed_at,
    removed_at is not null or {{ is_taken_back('status_listed') }} as is_removed,
    null::text as team_id,
    coalesce(team, club) as team_name,
    wave,
    division,
    null::text as currency,
    null::numeric as race_fee,
    null::numeric as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'athlete_id', athlete_id,
        'full_name', full_name,
        'chip', chip,
        'club', club,
        'team', team,
        'license_number', license_number,
        'real_status', case when real_status <> status_as_sent then real_status end,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'nationality_as_sent', case when nationality is null then nationality_as_sent end,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_as_sent) > 1, false),
        'unreadable', {{ unreadable_also(
            'null::text[]',
            'birthdate',
            'event_date is not null and birth_date is not null and age_reckoned is null'
        ) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        participants.*,
        events.event_date,
        removals.removed_at,
        {{ age_on('events.event_date', 'participants.birth_date') }} as age_reckoned,
        coalesce(vocabulary.status, 'unknown') as status_listed,
        greatest(participants.changed_xid, events.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_copernico__participants') }} as participants
    {%- if due %}
    inner join {{ due }} as due
        on
            participants.timing_partner_id = due.timing_partner_id
            and participants.event_id = due.event_id
            and participants.participant_id = due.participant_id
    {%- endif %}
    left join {{ ref('int_copernico_events_of_races') }} as events
        on
            participants.timing_partner_id = events.timing_partner_id
            and participants.event_id = events.event_id
    left join {{ ref('stg_copernico__removals') }} as removals
        on
            removals.stream = 'participants'
            and participants.timing_partner_id = removals.timing_partner_id
            and participants.event_id || '/' || participants.participant_id = removals.record_key
    left join {{ ref('status_vocabulary') }} as vocabulary
        on
            vocabulary.source_provider = 'copernico'
            and lower(participants.status_as_sent) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined
{%- endmacro %}
