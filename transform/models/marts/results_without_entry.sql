{{
    config(
        unique_key='result_key',
        tags=['persons'],
        gone_when='new.event_key is null',
        looks_up=true,
        indexes=[{'columns': ['timing_partner_id', 'global_participant_id']}],
        post_hook="delete from {{ source('due', 'results_without_entry') }}",
    )
}}

-- By due results every one of them has a row here: one that has an entry now loses its own.
{%- if takes_due() %}
    select
        due.result_key,
        coalesce(results.source_provider, '') as source_provider,
        coalesce(results.timing_partner_id, 0) as timing_partner_id,
        results.event_key,
        results.race_key,
        coalesce(
            persons.person_id, {{ provisional_person_id('results.timing_partner_id', 'results.result_key') }}, ''
        ) as global_participant_id,
        persons.confidence as person_confidence,
        coalesce(results.is_removed, false) as is_removed
    from {{ source('due', 'results_without_entry') }} as due
    left join {{ ref('unified_results') }} as results
        on due.result_key = results.result_key and results.participant_key is null
    left join {{ source('hub', 'person_records') }} as persons on due.result_key = persons.record_key
{%- else %}
    select
        results.result_key,
        results.source_provider,
        results.timing_partner_id,
        results.event_key,
        results.race_key,
        coalesce(
            persons.person_id, {{ provisional_person_id('results.timing_partner_id', 'results.result_key') }}
        ) as global_participant_id,
        persons.confidence as person_confidence,
        coalesce(results.is_removed, false) as is_removed
    from {{ ref('unified_results') }} as results
    left join {{ source('hub', 'person_records') }} as persons on results.result_key = persons.record_key
    where results.participant_key is null
{%- endif %}
