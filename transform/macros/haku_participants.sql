{% macro haku_participants(due=none) -%}
{#-
    All registrations or, given a relation of due keys, those. The list's row is there first; the full registration
    follows when the hour's calls allow. What both tell is taken from the one that was read last, anything else from
    the registration.
-#}
select
    {{ entity_key('haku', 'timing_partner_id', 'participant_id') }} as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('haku', 'timing_partner_id', 'event_id') }} as event_key,
    race_id,
    {{ entity_key('haku', 'timing_partner_id', 'event_id', 'race_id') }} as race_key,
    participant_id,
    {{ provisional_person_id('timing_partner_id', entity_key('haku', 'timing_partner_id', 'participant_id')) }}
        as global_participant_id,
    null::text as external_id,
    first_name_known as first_name,
    middle_name,
    last_name_known as last_name,
    email_known as email,
    phone,
    phone_as_sent,
    gender_known as gender,
    birth_date,
    coalesce(age_reckoned, age_as_sent) as age,
    age_as_sent,
    bib_known as bib_number,
    city,
    state,
    country,
    null::text as nationality,
    postal_code,
    registration_date,
    case
        when removed_at is not null then 'removed'
        when is_cancelled_known then coalesce(status_of_word, 'unknown')
        else 'registered'
    end as status,
    case when is_cancelled_known then 'is_cancelled' end as status_as_sent,
    case
        when removed_at is not null then removed_at
        -- The time of a cancellation is in the registration only; until that is read, the list's row was touched then.
        when is_cancelled_known then coalesce(cancelled_at, updated_at)
        else registration_date
    end as status_changed_at,
    removed_at is not null or coalesce(is_cancelled_known, false) as is_removed,
    null::text as team_id,
    team_known as team_name,
    wave,
    null::text as division,
    case when amount_known is not null then currency end as currency,
    null::numeric as race_fee,
    amount_known as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'registration_number', participant_id,
        'account_number', account_number,
        'category', coalesce(category_of_registration, category_name),
        'corral_name', corral,
        'chip_number', chip_number,
        'event_categories', case when active_categories <> 1 then event_categories end,
        'gender_as_sent', case when gender_known is null then gender_sent end,
        'club_name', club_name,
        -- Haku tells no payment status; reckoned as the provider page has it.
        'payment_status', case
            when is_cancelled_known then 'cancelled' when amount_known > 0 then 'paid' else 'unknown'
        end,
        'address', nullif(jsonb_strip_nulls(jsonb_build_object(
            'line1', street,
            'line2', street_2,
            'city', city,
            'state', state,
            'zip_code', postal_code,
            'country', country_as_sent
        )), '{}'),
        'emergency_contact', nullif(jsonb_strip_nulls(jsonb_build_object(
            'name', emergency_contact_name,
            'phone_number', emergency_contact_phone,
            'relationship', emergency_contact_relationship
        )), '{}'),
        'products', nullif(products, '[]'),
        'additional_questions', nullif(additional_questions, '[]'),
        'participant_questions', nullif(participant_questions, '[]'),
        'special_requirements', (
            select string_agg(concat_ws(': ', asked.one ->> 'question', asked.one ->> 'answer'), '; ')
            from jsonb_array_elements(additional_questions) as asked (one)
            where trim(asked.one ->> 'answer') <> ''
        ),
        -- What has no column and no group of its own, a field that Haku added yesterday included.
        'additional_data', nullif(jsonb_strip_nulls(
            whole_record - array[
                'registration_number', 'created_at', 'updated_at', 'is_cancelled', 'cancelled_at',
                'transaction_amount', 'emergency_contact_name', 'emergency_contact_phone_number',
                'emergency_contact_relationship', 'team', 'club', 'products', 'additional_questions', 'participant',
                'event_categories'
            ]
        ), '{}'),
        'awaits_registration', nullif(not is_registration_current, false),
        'status_from', case when removed_at is not null then 'removals' end,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_as_sent) > 1, false),
        'unreadable', {{ unreadable_also(
            'unreadable_known', 'dob', 'event_date is not null and birth_date is not null and age_reckoned is null'
        ) }}
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from (
    select
        paired.*,
        events.event_date,
        events.currency,
        removals.removed_at,
        vocabulary.status as status_of_word,
        {{ age_on('events.event_date', 'paired.birth_date') }} as age_reckoned,
        greatest(paired.pair_changed_xid, events.changed_xid, removals.changed_xid) as last_changed_xid
    from (
        select
            listed.source_provider,
            listed.timing_partner_id,
            listed.event_id,
            listed.participant_id,
            listed.age_as_sent,
            listed.category_name,
            listed.updated_at,
            full_one.race_id,
            full_one.account_number,
            full_one.middle_name,
            full_one.phone,
            full_one.phone_as_sent,
            full_one.birth_date,
            full_one.chip_number,
            full_one.wave,
            full_one.corral,
            full_one.active_categories,
            full_one.event_categories,
            full_one.category_name as category_of_registration,
            full_one.street,
            full_one.street_2,
            full_one.city,
            full_one.state,
            full_one.postal_code,
            full_one.country,
            full_one.country_as_sent,
            full_one.club_name,
            full_one.emergency_contact_name,
            full_one.emergency_contact_phone,
            full_one.emergency_contact_relationship,
            full_one.products,
            full_one.additional_questions,
            full_one.participant_questions,
            full_one.cancelled_at,
            -- Without nothing: unpacked here, once.
            full_one.record::jsonb - '{}'::text[] as whole_record,
            coalesce(full_one.read_at >= listed.read_at, false) as is_registration_current,
            -- A name in one piece is a guess; the registration's is right even when it is a little older.
            case when full_one.participant_id is null then listed.first_name else full_one.first_name end
                as first_name_known,
            case when full_one.participant_id is null then listed.last_name else full_one.last_name end
                as last_name_known,
            case when full_one.read_at >= listed.read_at then full_one.email else listed.email end as email_known,
            case
                when full_one.read_at >= listed.read_at then full_one.gender
                else coalesce(listed.gender, full_one.gender)
            end as gender_known,
            coalesce(full_one.gender_as_sent, listed.gender_as_sent) as gender_sent,
            -- That the list has bibs is assumed.
            case
                when full_one.read_at >= listed.read_at then full_one.bib_number
                else coalesce(listed.bib_number, full_one.bib_number)
            end as bib_known,
            case when full_one.read_at >= listed.read_at then full_one.team_name else listed.team_name end
                as team_known,
            case when full_one.read_at >= listed.read_at then full_one.is_cancelled else listed.is_cancelled end
                as is_cancelled_known,
            case when full_one.read_at >= listed.read_at then full_one.amount_paid else listed.amount_paid end
                as amount_known,
            case when full_one.read_at >= listed.read_at then full_one.unreadable else listed.unreadable end
                as unreadable_known,
            coalesce(full_one.registered_at, listed.registered_at) as registration_date,
            greatest(listed.read_at, full_one.read_at) as fetched_at,
            greatest(listed.changed_xid, full_one.changed_xid) as pair_changed_xid
        from {{ ref('stg_haku__participants') }} as listed
        {%- if due %}
        inner join {{ due }} as due
            on
                listed.timing_partner_id = due.timing_partner_id
                and listed.event_id = due.event_id
                and listed.registration_number = due.registration_number
        {%- endif %}
        left join {{ ref('stg_haku__registrations') }} as full_one
            on
                listed.timing_partner_id = full_one.timing_partner_id
                and listed.event_id = full_one.event_id
                and listed.registration_number = full_one.registration_number
    ) as paired
    left join {{ ref('int_haku_events_dated') }} as events
        on
            paired.timing_partner_id = events.timing_partner_id
            and paired.event_id = events.event_id
    left join {{ ref('stg_haku__removals') }} as removals
        on
            removals.stream = 'participants'
            and paired.timing_partner_id = removals.timing_partner_id
            and paired.event_id || '/' || paired.participant_id = removals.record_key
    left join {{ ref('status_vocabulary') }} as vocabulary
        on
            vocabulary.source_provider = 'haku'
            and vocabulary.status_as_sent = 'is_cancelled'
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
) as joined
{%- endmacro %}
