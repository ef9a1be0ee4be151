{% macro runsignup_participants(due=none) -%}
{#-
    All registrations or, given a relation of due keys, those. The keys are joined inside: from outside the planner
    could not take them through a full join.
-#}
with participants as (
    select * from {{ ref('stg_runsignup__participants') }}
),

removed as (
    select * from {{ ref('stg_runsignup__removed_participants') }}
),

events as (
    select * from {{ ref('int_runsignup_events_with_race') }}
),

-- Twice read and nevertheless looked up: as a common table it would be read whole.
removals as not materialized (
    select * from {{ ref('stg_runsignup__removals') }}
),

vocabulary as (
    select * from {{ ref('status_vocabulary') }}
    where source_provider = 'runsignup'
),

paired as (
    select
        participants.*,
        coalesce(participants.timing_partner_id, removed.timing_partner_id) as partner_id,
        coalesce(participants.participant_id, removed.participant_id) as registration_id,
        coalesce(participants.event_id, removed.event_id) as entered_event_id,
        coalesce(participants.event_number, removed.event_number) as entered_event_number,
        coalesce(participants.occasion_id, removed.occasion_id) as race_id,
        removed.participant_id is not null as has_removal,
        removed.removed_reason,
        removed.successor_id,
        removed.updated_at as removed_at,
        removed.first_name as removed_first_name,
        removed.middle_name as removed_middle_name,
        removed.last_name as removed_last_name,
        removed.email as removed_email,
        removed.gender_as_sent as removed_gender_as_sent,
        removed.gender as removed_gender,
        removed.birth_date as removed_birth_date,
        removed.age_as_sent as removed_age_as_sent,
        removed.city as removed_city,
        removed.state as removed_state,
        removed.postal_code as removed_postal_code,
        removed.country as removed_country,
        removed.country_as_sent as removed_country_as_sent,
        removed.race_fee as removed_race_fee,
        removed.amount_paid as removed_amount_paid,
        removed.registered_at as removed_registered_at,
        case when participants.participant_id is null then removed.unreadable else participants.unreadable end
            as fields_unreadable,
        -- Without nothing: unpacked here, and not again for each field that is taken out of it.
        coalesce(participants.record, removed.record)::jsonb - '{}'::text[] as whole_record,
        greatest(participants.read_at, removed.read_at) as fetched_at,
        greatest(participants.changed_xid, removed.changed_xid) as pair_changed_xid
    {%- if due %}
    from {{ due }} as due
    left join participants
        on
            due.timing_partner_id = participants.timing_partner_id
            and due.registration_number = participants.registration_number
    left join removed
        on
            due.timing_partner_id = removed.timing_partner_id
            and due.registration_number = removed.registration_number
    -- What a removal names need not have come.
    where coalesce(participants.registration_number, removed.registration_number) is not null
    {%- else %}
    from participants
    full join removed
        on
            participants.timing_partner_id = removed.timing_partner_id
            and participants.registration_number = removed.registration_number
    {%- endif %}
),

judged as (
    select
        paired.*,
        gone.removed_at as gone_at,
        events.currency,
        events.event_date,
        paired.has_removal
        and (
            paired.participant_id is null
            or (
                withdrawn.removed_at is null
                and coalesce(paired.removed_at >= paired.updated_at, true)
            )
        ) as is_on_the_removed_list,
        coalesce(paired.birth_date, paired.removed_birth_date) as born_on,
        coalesce(paired.age_as_sent, paired.removed_age_as_sent) as age_stated,
        {{ age_on('events.event_date', 'coalesce(paired.birth_date, paired.removed_birth_date)') }} as age_reckoned,
        vocabulary.status as status_of_reason,
        greatest(
            paired.pair_changed_xid, events.changed_xid, gone.changed_xid, withdrawn.changed_xid
        ) as last_changed_xid
    from paired
    left join events
        on
            paired.partner_id = events.timing_partner_id
            and paired.entered_event_number = events.event_number
    left join removals as gone
        on
            gone.stream = 'participants'
            and paired.partner_id = gone.timing_partner_id
            and paired.registration_id = gone.record_key
    left join removals as withdrawn
        on
            withdrawn.stream = 'removed_participants'
            and paired.partner_id = withdrawn.timing_partner_id
            and paired.registration_id = withdrawn.record_key
    left join vocabulary
        on lower(paired.removed_reason) = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
)

select
    {{ entity_key('runsignup', 'partner_id', 'registration_id') }} as participant_key,
    'runsignup' as source_provider,
    partner_id as timing_partner_id,
    entered_event_id as event_id,
    {{ entity_key('runsignup', 'partner_id', 'entered_event_id') }} as event_key,
    -- An event of RunSignUp is one startable distance, so it is also the race.
    entered_event_id as race_id,
    {{ entity_key('runsignup', 'partner_id', 'entered_event_id') }} as race_key,
    registration_id as participant_id,
    {{ provisional_person_id('partner_id', entity_key('runsignup', 'partner_id', 'registration_id')) }}
        as global_participant_id,
    null::text as external_id,
    coalesce(first_name, removed_first_name) as first_name,
    coalesce(middle_name, removed_middle_name) as middle_name,
    coalesce(last_name, removed_last_name) as last_name,
    coalesce(email, removed_email) as email,
    phone,
    phone_as_sent,
    coalesce(gender, removed_gender) as gender,
    born_on as birth_date,
    coalesce(age_reckoned, age_stated) as age,
    age_stated as age_as_sent,
    bib_number,
    coalesce(city, removed_city) as city,
    coalesce(state, removed_state) as state,
    coalesce(country, removed_country) as country,
    null::text as nationality,
    coalesce(postal_code, removed_postal_code) as postal_code,
    coalesce(registered_at, removed_registered_at) as registration_date,
    case
        when is_on_the_removed_list then coalesce(status_of_reason, 'unknown')
        when gone_at is not null then 'removed'
        else 'registered'
    end as status,
    case when is_on_the_removed_list then removed_reason end as status_as_sent,
    case
        when is_on_the_removed_list then removed_at
        when gone_at is not null then gone_at
        -- It was on the removed list and came back.
        when has_removal then updated_at
        else registered_at
    end as status_changed_at,
    is_on_the_removed_list or gone_at is not null as is_removed,
    team_id,
    team_name,
    null::text as wave,
    null::text as division,
    case when coalesce(race_fee, removed_race_fee, amount_paid, removed_amount_paid) is not null then currency end
        as currency,
    coalesce(race_fee, removed_race_fee) as race_fee,
    coalesce(amount_paid, removed_amount_paid) as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'race_id', race_id,
        'user_id', user_id,
        'address', nullif(jsonb_strip_nulls(jsonb_build_object(
            'street', street,
            'city', coalesce(city, removed_city),
            'state', coalesce(state, removed_state),
            'zipcode', coalesce(postal_code, removed_postal_code),
            'country_code', coalesce(country_as_sent, removed_country_as_sent)
        )), '{}'),
        'profile_image_url', profile_image_url,
        'chip_num', chip_number,
        'gender_as_sent', case
            when coalesce(gender, removed_gender) is null then coalesce(gender_as_sent, removed_gender_as_sent)
        end,
        'team_info', nullif(jsonb_strip_nulls(jsonb_build_object(
            'team_id', team_id,
            'team_name', team_name,
            'team_type_id', whole_record -> 'team_type_id',
            'team_type', whole_record -> 'team_type',
            'team_gender', whole_record -> 'team_gender',
            'team_bib_num', whole_record -> 'team_bib_num'
        )), '{}'),
        'payment_info', nullif(jsonb_strip_nulls(jsonb_build_object(
            'race_fee', whole_record -> 'race_fee',
            'processing_fee', whole_record -> 'processing_fee',
            'processing_fee_paid_by_user', whole_record -> 'processing_fee_paid_by_user',
            'processing_fee_paid_by_race', whole_record -> 'processing_fee_paid_by_race',
            'offline_payment_amount', whole_record -> 'offline_payment_amount',
            'partner_fee', whole_record -> 'partner_fee',
            'affiliate_profit', whole_record -> 'affiliate_profit',
            'extra_fees', whole_record -> 'extra_fees',
            'usatf_discount_amount_in_cents', whole_record -> 'usatf_discount_amount_in_cents',
            'amount_paid', whole_record -> 'amount_paid',
            'transaction_id', whole_record -> 'transaction_id',
            'rsu_transaction_id', whole_record -> 'rsu_transaction_id'
        )), '{}'),
        -- What has no column and no group of its own, a field that RunSignUp added yesterday included.
        'additional_data', nullif(jsonb_strip_nulls(
            whole_record - array[
                'user', 'registration_id', 'event_id', 'race_id', 'bib_num', 'chip_num', 'age', 'registration_date',
                'last_modified', 'last_modified_ts', 'team_id', 'team_name', 'team_type_id', 'team_type', 'team_gender',
                'team_bib_num', 'race_fee', 'processing_fee', 'processing_fee_paid_by_user',
                'processing_fee_paid_by_race', 'offline_payment_amount', 'partner_fee', 'affiliate_profit',
                'extra_fees', 'usatf_discount_amount_in_cents', 'amount_paid', 'transaction_id', 'rsu_transaction_id',
                'fundraiser_charity_name', 'removed_reason', 'new_registration_id'
            ]
        ), '{}'),
        'fundraiser_charity_name', fundraiser_charity_name,
        'removed_reason', case when is_on_the_removed_list then removed_reason end,
        'new_registration_id', case when is_on_the_removed_list then successor_id end,
        'status_from', case
            when is_on_the_removed_list then 'removed_participants'
            when gone_at is not null then 'removals'
        end,
        'age_contradicts_birth_date', nullif(abs(age_reckoned - age_stated) > 1, false),
        'unreadable', {{ unreadable_also(
            'fields_unreadable', 'dob', 'event_date is not null and born_on is not null and age_reckoned is null'
        ) }}
    )) as provider_fields,
    fetched_at as fetched_date,
    last_changed_xid as changed_xid
from judged
{%- endmacro %}
