{{ config(materialized='table') }}

-- A simple, exact rule until people are linked across spellings: same partner and same name with the same birth date;
-- without a birth date the same e-mail; without both, everybody is somebody else.
with participants as (
    select
        participant_key,
        timing_partner_id,
        source_provider,
        event_key,
        birth_date,
        email,
        lower(normalize(concat_ws(' ', first_name, last_name), nfkc)) as full_name
    from {{ ref('unified_participants') }}
    where not is_removed
),

identified as (
    select
        timing_partner_id,
        source_provider,
        event_key,
        -- The partner is part of what is hashed: two partners cannot find out that they know the same person.
        md5(
            concat_ws(
                '|',
                timing_partner_id,
                case
                    when full_name <> '' and birth_date is not null
                        then 'born|' || full_name || '|' || to_char(birth_date, 'YYYY-MM-DD')
                    when full_name <> '' and email is not null then 'mail|' || full_name || '|' || email
                    else 'alone|' || participant_key
                end
            )
        ) as global_participant_id
    from participants
),

people as (
    select
        timing_partner_id,
        global_participant_id,
        count(distinct event_key)::int as events_participated,
        array_agg(distinct source_provider) as providers_used
    from identified
    group by timing_partner_id, global_participant_id
)

select
    people.timing_partner_id,
    partners.company_name as timing_partner_name,
    people.global_participant_id,
    people.events_participated,
    people.providers_used
from people
left join {{ source('hub', 'timing_partners') }} as partners
    on people.timing_partner_id = partners.timing_partner_id
