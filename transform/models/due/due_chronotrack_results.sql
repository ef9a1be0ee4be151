{{ config(unique_key=['timing_partner_id', 'event_id', 'participant_id']) }}
{%- set mark = mark_literal() %}

-- One row per athlete: a change of any of its intervals builds its result again.
with intervals as (
    select
        timing_partner_id,
        event_id,
        timing_point_id
    from {{ ref('stg_chronotrack__intervals') }}
    where changed_xid >= {{ mark }}

    union

    -- Where it was before: an interval that went to another event leaves results behind.
    select
        intervals.timing_partner_id,
        before.event_id,
        intervals.timing_point_id
    from {{ ref('stg_chronotrack__intervals') }} as intervals
    inner join {{ source('candidate', 'unified_timing_points') }} as before
        on
            {{ entity_key('chronotrack', 'intervals.timing_partner_id', 'intervals.timing_point_id') }}
            = before.timing_point_key
    where intervals.changed_xid >= {{ mark }}
)

select
    timing_partner_id,
    event_id,
    participant_id
from {{ ref('stg_chronotrack__results') }}
where changed_xid >= {{ mark }}

union

select
    timing_partner_id,
    split_part(record_key, '/', 1) as event_id,
    split_part(record_key, '/', 2) as participant_id
from {{ ref('stg_chronotrack__removals') }}
where changed_xid >= {{ mark }} and stream = 'results'

union

-- An entry's results are looked up among those built: one that was not built yet is due by itself.
select
    entries.timing_partner_id,
    before.event_id,
    before.participant_id
from {{ ref('stg_chronotrack__entries') }} as entries
inner join {{ source('candidate', 'unified_results') }} as before
    on
        entries.timing_partner_id = before.timing_partner_id
        and entries.participant_id = before.participant_id
        and before.source_provider = 'chronotrack'
where entries.changed_xid >= {{ mark }}

union

select
    results.timing_partner_id,
    results.event_id,
    results.participant_id
from {{ ref('due_chronotrack_events') }} as due
inner join {{ ref('stg_chronotrack__results') }} as results
    on
        due.timing_partner_id = results.timing_partner_id
        and due.event_id = results.event_id

union

select
    results.timing_partner_id,
    results.event_id,
    results.participant_id
from intervals
inner join {{ ref('stg_chronotrack__results') }} as results
    on
        intervals.timing_partner_id = results.timing_partner_id
        and intervals.event_id = results.event_id
        and intervals.timing_point_id = results.timing_point_id
