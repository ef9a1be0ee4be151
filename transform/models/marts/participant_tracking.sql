{{
    config(
        unique_key=['timing_partner_id', 'global_participant_id'],
        gone_when='new.events_participated = 0',
        post_hook="delete from {{ source('due', 'people_before') }}",
    )
}}

-- By due persons every one of them has a row here: who has no entry left loses his own.
with people as (
    {%- if takes_due() %}
        select
            due.timing_partner_id,
            due.global_participant_id,
            entries.event_key,
            entries.source_provider
        from {{ ref('due_people') }} as due
        left join {{ ref('unified_participants') }} as entries
            on
                due.timing_partner_id = entries.timing_partner_id
                and due.global_participant_id = entries.global_participant_id
                and not entries.is_removed
    {%- else %}
        -- depends_on {{ ref('due_people') }}
        select
            timing_partner_id,
            global_participant_id,
            event_key,
            source_provider
        from {{ ref('unified_participants') }}
        where not is_removed
    {%- endif %}
)

select
    people.timing_partner_id,
    max(partners.company_name) as timing_partner_name,
    people.global_participant_id,
    count(distinct people.event_key)::int as events_participated,
    array_agg(distinct people.source_provider) as providers_used
from people
left join {{ source('hub', 'timing_partners') }} as partners
    on people.timing_partner_id = partners.timing_partner_id
group by people.timing_partner_id, people.global_participant_id
