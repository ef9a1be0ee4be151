{% macro letsdothis_participants(due=none, due_applications=none) -%}
{#-
    Entrants, and who applied and has not entered: all of them or, given relations of due keys, those. By due keys an
    application that an entrant was born of comes too, without a status: its row is taken out.
-#}
with occurrences as (
    select * from {{ ref('int_letsdothis_occurrences_with_event') }}
),

-- Twice read and nevertheless looked up: as a common table it would be read whole.
removals as not materialized (
    select * from {{ ref('stg_letsdothis__removals') }}
),

vocabulary as (
    select * from {{ ref('status_vocabulary') }}
    where source_provider = 'letsdothis'
),

entrants as (
    select
        entrants.*,
        applications.approval_status,
        applications.resolution_type,
        gone.removed_at,
        entrants.participant_id as entry_id,
        entrants.status_as_sent as word,
        greatest(entrants.changed_xid, applications.changed_xid, gone.changed_xid) as row_changed_xid
    from {{ ref('stg_letsdothis__participants') }} as entrants
    {%- if due %}
    inner join {{ due }} as due
        on
            entrants.timing_partner_id = due.timing_partner_id
            and entrants.participant_id = due.participant_id
    {%- endif %}
    left join {{ ref('stg_letsdothis__applications') }} as applications
        on
            entrants.timing_partner_id = applications.timing_partner_id
            and entrants.application_id = applications.application_id
    left join removals as gone
        on
            gone.stream = 'participants'
            and entrants.timing_partner_id = gone.timing_partner_id
            and entrants.participant_id = gone.record_key
),

applicants as (
    select
        applicants.*,
        applicants.application_id as entry_id,
        entered.participant_id is not null as has_entered,
        gone.removed_at,
        -- An applicant who may enter has not entered: what the words mean differs from an entrant's.
        'application ' || coalesce(applicants.approval_status, applicants.status_as_sent) as word,
        greatest(applicants.changed_xid, gone.changed_xid) as row_changed_xid
    from {{ ref('stg_letsdothis__applications') }} as applicants
    {%- if due_applications %}
    inner join {{ due_applications }} as due
        on
            applicants.timing_partner_id = due.timing_partner_id
            and applicants.application_id = due.application_id
    {%- endif %}
    left join removals as gone
        on
            gone.stream = 'applications'
            and applicants.timing_partner_id = gone.timing_partner_id
            and applicants.application_id = gone.record_key
    left join lateral (
        select entrants.participant_id
        from {{ ref('stg_letsdothis__participants') }} as entrants
        where
            entrants.timing_partner_id = applicants.timing_partner_id
            and entrants.application_id = applicants.application_id
        limit 1
    ) as entered on true
),

{%- set columns = [
    'source_provider', 'timing_partner_id', 'entry_id', 'event_id', 'race_id', 'application_id', 'booking_id',
    'participant_index', 'transaction_id', 'ticket_id', 'ticket_title', 'status_as_sent', 'approval_status',
    'resolution_type', 'first_name', 'last_name', 'email', 'phone_as_sent', 'phone', 'gender_as_sent', 'gender', 'birth_date',
    'bib_number', 'address_line1', 'address_line2', 'city', 'postal_code', 'country_as_sent', 'country',
    'emergency_contact_name', 'emergency_contact_phone', 'booker_first_name', 'booker_last_name', 'booker_email',
    'currency', 'list_price', 'incremental_status', 'booking_codes_used', 'other_answers', 'created_at', 'updated_at',
    'read_at', 'removed_at', 'word', 'row_changed_xid',
] %}

entries as (
    select {{ columns | join(', ') }}, false as is_application, false as has_entered
    from entrants

    union all

    select {{ columns | join(', ') }}, true as is_application, has_entered
    from applicants
    {%- if not due_applications %}
    where not has_entered
    {%- endif %}
),

judged as (
    select
        entries.*,
        occurrences.event_date,
        {{ age_on('occurrences.event_date', 'entries.birth_date') }} as age_reckoned,
        case
            when entries.has_entered then null
            when entries.removed_at is not null then 'removed'
            else coalesce(vocabulary.status, 'unknown')
        end as status,
        greatest(entries.row_changed_xid, occurrences.changed_xid) as last_changed_xid
    from entries
    left join occurrences
        on
            entries.timing_partner_id = occurrences.timing_partner_id
            and entries.event_id = occurrences.event_id
    left join vocabulary
        on entries.word = vocabulary.status_as_sent
    -- offset 0: what is read above is reckoned here, once, not wherever it is used.
    offset 0
)

select
    {{ entity_key('letsdothis', 'timing_partner_id', 'entry_id') }} as participant_key,
    source_provider,
    timing_partner_id,
    event_id,
    {{ entity_key('letsdothis', 'timing_partner_id', 'event_id') }} as event_key,
    race_id,
    {{ entity_key('letsdothis', 'timing_partner_id', 'race_id') }} as race_key,
    entry_id as participant_id,
    {{ provisional_person_id('timing_partner_id', entity_key('letsdothis', 'timing_partner_id', 'entry_id')) }}
        as global_participant_id,
    null::text as external_id,
    first_name,
    null::text as middle_name,
    last_name,
    email,
    phone,
    phone_as_sent,
    null::text as nationality,
    gender,
    birth_date,
    age_reckoned as age,
    null::int as age_as_sent,
    bib_number,
    city,
    null::text as state,
    country,
    postal_code,
    created_at as registration_date,
    status,
    case when is_application then coalesce(approval_status, status_as_sent) else status_as_sent end as status_as_sent,
    -- Nothing says when a status changed: not later than the booking was last touched.
    case
        when removed_at is not null then removed_at
        when status = 'registered' then created_at
        else updated_at
    end as status_changed_at,
    removed_at is not null or {{ is_taken_back('status') }} as is_removed,
    null::text as team_id,
    null::text as team_name,
    null::text as wave,
    null::text as division,
    case when list_price is not null then currency end as currency,
    list_price as race_fee,
    null::numeric as amount_paid,
    jsonb_strip_nulls(jsonb_build_object(
        'bookingId', booking_id,
        'participantIndex', participant_index,
        'transactionId', transaction_id,
        'ticketId', ticket_id,
        'ticketTitle', ticket_title,
        'is_application', nullif(is_application, false),
        'applicationId', application_id,
        'approvalStatus', approval_status,
        'applicationResolutionType', resolution_type,
        'address', nullif(jsonb_strip_nulls(jsonb_build_object(
            'addressLine1', address_line1,
            'addressLine2', address_line2,
            'addressCity', city,
            'addressPostcode', postal_code,
            'addressCountry', country_as_sent
        )), '{}'),
        'emergency_contact', nullif(jsonb_strip_nulls(jsonb_build_object(
            'name', emergency_contact_name,
            'phone', emergency_contact_phone
        )), '{}'),
        'booker', nullif(jsonb_strip_nulls(jsonb_build_object(
            'firstName', booker_first_name,
            'lastName', booker_last_name,
            'email', booker_email
        )), '{}'),
        'incrementalStatus', incremental_status,
        'bookingCodesUsed', nullif(booking_codes_used, '[]'),
        'fields', nullif(jsonb_strip_nulls(other_answers), '{}'),
        'gender_as_sent', case when gender is null then gender_as_sent end,
        'unreadable', {{ unreadable_also(
            unreadable([['addressCountry', 'country_as_sent', 'country']]),
            'dateOfBirth',
            'event_date is not null and birth_date is not null and age_reckoned is null'
        ) }}
    )) as provider_fields,
    read_at as fetched_date,
    last_changed_xid as changed_xid
from judged
{%- endmacro %}
