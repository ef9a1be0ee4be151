{{ config(materialized='table') }}

{#- Streams whose rows are one candidate row each. -#}
{%- set streams = [
    ['runsignup', 'events', 'stg_runsignup__events', 'event_id', 'unified_events', 'event_key'],
    ['runsignup', 'participants', 'stg_runsignup__participants', 'participant_id',
        'unified_participants', 'participant_key'],
    ['runsignup', 'results', 'stg_runsignup__results', 'result_id', 'unified_results', 'result_key'],
    ['chronotrack', 'events', 'stg_chronotrack__events', 'event_id', 'unified_events', 'event_key'],
    ['chronotrack', 'races', 'stg_chronotrack__races', 'race_id', 'unified_races', 'race_key'],
    ['chronotrack', 'entries', 'stg_chronotrack__entries', 'participant_id',
        'unified_participants', 'participant_key'],
    ['chronotrack', 'brackets', 'stg_chronotrack__brackets', 'division_id', 'unified_divisions', 'division_key'],
    ['chronotrack', 'intervals', 'stg_chronotrack__intervals', 'timing_point_id',
        'unified_timing_points', 'timing_point_key'],
] -%}

{%- set columns = 'timing_partner_id, source_provider, stream, changed_xid, fate' -%}

-- Every row received is looked for in the candidate relations by its key. What is not there and has no reason for it
-- is unaccounted; nothing here is found by subtraction.
with
{% for provider, stream, staging, id, relation, key in streams %}
    {{ provider }}_{{ stream }} as (
        select
            received.timing_partner_id,
            '{{ provider }}' as source_provider,
            '{{ stream }}' as stream,
            received.changed_xid,
            case when candidate.{{ key }} is not null then 'candidate' end as fate
        from {{ ref(staging) }} as received
        left join {{ ref(relation) }} as candidate
            on {{ entity_key(provider, 'received.timing_partner_id', 'received.' ~ id) }} = candidate.{{ key }}
    ),
{% endfor %}
runsignup_races as (
    -- RunSignUp's race is the occasion: it stands in its events. Without an event it has nothing to publish.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'races' as stream,
        received.changed_xid,
        case
            when exists (
                select from {{ ref('unified_events') }} as candidate
                where
                    candidate.source_provider = 'runsignup'
                    and candidate.timing_partner_id = received.timing_partner_id
                    and candidate.occasion_id = received.occasion_id
            ) then 'candidate'
            when not exists (
                select from {{ ref('stg_runsignup__events') }} as events
                where
                    events.timing_partner_id = received.timing_partner_id
                    and events.occasion_id = received.occasion_id
            ) then 'superseded'
        end as fate
    from {{ ref('stg_runsignup__races') }} as received
),

runsignup_removed_participants as (
    -- The candidate row says from which list its status comes. A removal gives way only to a participant row.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'removed_participants' as stream,
        received.changed_xid,
        case
            when candidate.provider_fields ->> 'status_from' = 'removed_participants' then 'candidate'
            when candidate.participant_key is not null and participants.participant_id is not null then 'superseded'
        end as fate
    from {{ ref('stg_runsignup__removed_participants') }} as received
    left join {{ ref('unified_participants') }} as candidate
        on
            {{ entity_key('runsignup', 'received.timing_partner_id', 'received.participant_id') }}
            = candidate.participant_key
    left join {{ ref('stg_runsignup__participants') }} as participants
        on
            received.timing_partner_id = participants.timing_partner_id
            and received.participant_id = participants.participant_id
),

chronotrack_results as (
    -- A result names the interval rows that are folded into it. Left out is what was removed, or a second row that
    -- claims the whole course.
    select
        received.timing_partner_id,
        'chronotrack' as source_provider,
        'results' as stream,
        received.changed_xid,
        case
            when candidate.provider_fields -> 'interval_ids' ? received.timing_point_id then 'candidate'
            when candidate.result_key is not null and (received.removed_at is not null or received.is_finish)
                then 'superseded'
        end as fate
    from {{ ref('int_chronotrack_results_by_interval') }} as received
    left join {{ ref('unified_results') }} as candidate
        on
            {{ entity_key(
                'chronotrack', 'received.timing_partner_id', 'received.event_id', 'received.participant_id'
            ) }} = candidate.result_key
),

received as (
    {% for provider, stream, staging, id, relation, key in streams %}
        select {{ columns }} from {{ provider }}_{{ stream }}
        union all
    {% endfor %}
    select {{ columns }} from runsignup_races
    union all
    select {{ columns }} from runsignup_removed_participants
    union all
    select {{ columns }} from chronotrack_results
),

counted as (
    select
        timing_partner_id,
        source_provider,
        stream,
        count(*) as received,
        count(*) filter (where fate = 'candidate') as candidate,
        0 as rejected,
        count(*) filter (where fate = 'superseded') as superseded,
        count(*) filter (where fate is null) as unaccounted
    from received
    -- A row that came while the models were being built is the next build's.
    where fate is not null or changed_xid < {{ seen_until() }}
    group by timing_partner_id, source_provider, stream

    union all

    select
        timing_partner_id,
        source_provider,
        stream,
        count(*) as received,
        0 as candidate,
        count(*) as rejected,
        0 as superseded,
        0 as unaccounted
    from {{ ref('stg_runsignup__rejects') }}
    group by timing_partner_id, source_provider, stream

    union all

    select
        timing_partner_id,
        source_provider,
        stream,
        count(*) as received,
        0 as candidate,
        count(*) as rejected,
        0 as superseded,
        0 as unaccounted
    from {{ ref('stg_chronotrack__rejects') }}
    group by timing_partner_id, source_provider, stream
)

select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    sum(received)::bigint as received,
    sum(candidate)::bigint as candidate,
    sum(rejected)::bigint as rejected,
    sum(superseded)::bigint as superseded,
    sum(unaccounted)::bigint as unaccounted
from counted
group by timing_partner_id, source_provider, stream
