{% macro raceroster_participants(due=none) -%}
{#- All participants or, given a relation of due keys, those: joined below what is reckoned once. -#}
select
    {{ entity_key('raceroster', 'timing_partner_id', 'participant_id') }} as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('raceroster', 'timing_partner_id', 'event_id') }} as event_key,
    race_id,
    {{ entity_key('raceroster', 'timing_partner_id', 'race_id') }} as race_key,
    participant_id,
    {{ provisional_person_id('timing_partner_id', entity_key('raceroster', 'timing_partner_id', 'participant_id')) }}
        as global_participant_id,
    null::text as external_id,
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
    registered_at as registration_date,
    status,
    status_as_sent,
    -- Nothing says when a status changed: not later than the row was last touched.
    case
        when removed_at is not null then removed_at
        when status = 'registered' then registered_at
        else updated_at
    end as status_changed_at,
    {{ is_taken_back('status') }} as is_removed,
    null::text as team_id,
    team_name,
    wave,
    division,
    case when amount_paid is not null then currency end as currency,
    null::numeric as race_fee,
    amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'registration_id', registration_id,
        'transaction_id', transaction_id,
        'payment_status', payment_status,
        'address', nullif(jsonb_strip_nulls(jsonb_build_object(
            'address_line1', address_line1,
            'address_line2', address_line2,
            'city', city,
            'province_state', state,
            'postal_code', postal_code,
            'country', country_as_sent
        )), '{}'),
        'emergency_contact', emergency_contact,
        'custom_fields', nullif(custom_fields, '[]'),
        'transferred_to_participant_id', successor_id,
        'transferred_from_participant_id', predecessor_id,
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_as_sent) > 1, false),
        'unreadable', {{ unreadable_also(
            unreadable([['country', 'country_as_sent', 'country']]),
            'dateOfBirth',
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
        case when removals.removed_at is not null then 'removed' else coalesce(vocabulary.status, 'unknown') end
            as status,
        greatest(participants.changed_xid, events.changed_xid, removals.changed_xid) as last_changed_xid
    from {{ ref('stg_raceroster__participants') }} as participants
    {%- if due %}
    inner join {{ due }} as due
        on
            participants.timing_partner_id = due.timing_partner_id
            and participants.participant_id = due.participant_id
    {%- endif %}
    left join {{ ref('int_raceroster_events_zoned') }} as events
        on
            participants.timing_partner_id = events.timing_partner_id
            and participants.event_id = events.event_id
    left join {{ ref('stg_raceroster__removals') }} as removals
        on
            removals.stream = 'participants'
            and participants.timing_partner_id = removals.timing_partner_id
            and participants.participant_id = removals.record_key
    left join {{ ref('status_vocabulary') }} as vocabulary
        on
            vocabulary.source_provider = 'raceroster'
            and lower(participants.status_as_sent) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined
{%- endmacro %}
