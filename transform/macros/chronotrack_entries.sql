{% macro chronotrack_entries(due=none) -%}
{#- All entries or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('chronotrack', 'timing_partner_id', 'participant_id') }} as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('chronotrack', 'timing_partner_id', 'event_id') }} as event_key,
    race_id,
    {{ entity_key('chronotrack', 'timing_partner_id', 'race_id') }} as race_key,
    participant_id,
    {{ provisional_person_id('timing_partner_id', entity_key('chronotrack', 'timing_partner_id', 'participant_id')) }}
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
    city,
    state,
    country,
    null::text as nationality,
    postal_code,
    null::timestamptz as registration_date,
    case when removed_at is not null then 'removed' else status_listed end as status,
    status_as_sent,
    -- ChronoTrack sends no time with a status: the entry last changed with us then, the status not later.
    coalesce(removed_at, changed_at) as status_changed_at,
    removed_at is not null or {{ is_taken_back('status_listed') }} as is_removed,
    team_id,
    team_name,
    wave,
    division,
    null::text as currency,
    null::numeric as race_fee,
    null::numeric as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'entry_name', entry_name,
        'entry_type', entry_type,
        'athlete_id', athlete_id,
        'athlete_home_phone', home_phone,
        'athlete_mobile_phone', mobile_phone,
        'athlete_email', case when email is null then email_as_sent end,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'location', nullif(jsonb_strip_nulls(jsonb_build_object(
            'street', street,
            'city', city,
            'region', state,
            'postal_code', postal_code,
            'country', country_as_sent
        )), '{}'),
        'race_name', race_name,
        'reg_choice_id', reg_choice_id,
        'reg_choice_name', reg_choice_name,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_as_sent) > 1, false),
        'unreadable', {{ unreadable_also(
            'null::text[]',
            'athlete_birthdate',
            'event_date is not null and birth_date is not null and age_reckoned is null'
        ) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        entries.*,
        events.event_date,
        removals.removed_at,
        {{ age_on('events.event_date', 'entries.birth_date') }} as age_reckoned,
        coalesce(vocabulary.status, 'unknown') as status_listed,
        greatest(entries.changed_xid, events.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_chronotrack__entries') }} as entries
    {%- if due %}
    inner join {{ due }} as due
        on
            entries.timing_partner_id = due.timing_partner_id
            and entries.participant_id = due.participant_id
    {%- endif %}
    left join {{ ref('int_chronotrack_events_dated') }} as events
        on
            entries.timing_partner_id = events.timing_partner_id
            and entries.event_id = events.event_id
    left join {{ ref('stg_chronotrack__removals') }} as removals
        on
            removals.stream = 'entries'
            and entries.timing_partner_id = removals.timing_partner_id
            and entries.participant_id = removals.record_key
    left join {{ ref('status_vocabulary') }} as vocabulary
        on
            vocabulary.source_provider = 'chronotrack'
            and upper(entries.status_as_sent) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined
{%- endmacro %}
