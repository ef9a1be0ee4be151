{{
    config(
        unique_key='change_key',
        tags=['persons'],
        gone_when='new.change_type is null',
        indexes=[{'columns': ['timing_partner_id', 'change_number']}],
    )
}}

-- What is published stays. What is not may have been made anew: of that, rows that are there no more lose theirs.
with published as (
    select
        partners.timing_partner_id,
        coalesce(latest.change_number, 0) as change_number
    from {{ source('hub', 'timing_partners') }} as partners
    left join lateral (
        select told.change_number
        from {{ source('unified', 'person_changes') }} as told
        where told.timing_partner_id = partners.timing_partner_id
        order by told.change_number desc
        limit 1
    ) as latest on true
),

keys as (
    {%- if takes_due() %}
        select
            news.timing_partner_id,
            news.number as change_number
        from published
        inner join {{ source('hub', 'person_news') }} as news
            on published.timing_partner_id = news.timing_partner_id and published.change_number < news.number

        union

        select
            candidates.timing_partner_id,
            candidates.change_number
        from published
        inner join {{ source('candidate', 'person_changes') }} as candidates
            on
                published.timing_partner_id = candidates.timing_partner_id
                and published.change_number < candidates.change_number
    {%- else %}
        select
            news.timing_partner_id,
            news.number as change_number
        from published
        inner join {{ source('hub', 'person_news') }} as news on published.timing_partner_id = news.timing_partner_id
    {%- endif %}
)

select
    keys.timing_partner_id || '/' || keys.change_number as change_key,
    keys.timing_partner_id,
    keys.change_number,
    news.kind as change_type,
    news.person_id as global_participant_id,
    news.other_person_id as other_global_participant_id,
    news.records,
    news.is_decided,
    news.changed_at
from keys
left join {{ source('hub', 'person_news') }} as news
    on keys.timing_partner_id = news.timing_partner_id and keys.change_number = news.number
