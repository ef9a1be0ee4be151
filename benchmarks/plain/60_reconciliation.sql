-- What became of each row received; nothing arrives meanwhile.
set local enable_nestloop = off;
set local join_collapse_limit = 20;
set local from_collapse_limit = 20;
set local geqo = off;

create table reconciliation_exceptions as
select * from (
with
    runsignup_events as (
        select
            received.timing_partner_id,
            'runsignup' as source_provider,
            'events' as stream,
            'runsignup/' || received.timing_partner_id || '/' || received.event_number as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.event_key is not null then 'candidate' end as fate
        from stg_runsignup__events as received
        left join unified_events as candidate
            on 'runsignup/' || received.timing_partner_id || '/' || received.event_number = candidate.event_key
    ),
    runsignup_participants as (
        select
            received.timing_partner_id,
            'runsignup' as source_provider,
            'participants' as stream,
            'runsignup/' || received.timing_partner_id || '/' || received.registration_number as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.participant_key is not null then 'candidate' end as fate
        from stg_runsignup__participants as received
        left join unified_participants as candidate
            on 'runsignup/' || received.timing_partner_id || '/' || received.registration_number = candidate.participant_key
    ),
    runsignup_results as (
        select
            received.timing_partner_id,
            'runsignup' as source_provider,
            'results' as stream,
            'runsignup/' || received.timing_partner_id || '/' || received.result_number as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.result_key is not null then 'candidate' end as fate
        from stg_runsignup__results as received
        left join unified_results as candidate
            on 'runsignup/' || received.timing_partner_id || '/' || received.result_number = candidate.result_key
    ),
    chronotrack_events as (
        select
            received.timing_partner_id,
            'chronotrack' as source_provider,
            'events' as stream,
            'chronotrack/' || received.timing_partner_id || '/' || received.event_id as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.event_key is not null then 'candidate' end as fate
        from stg_chronotrack__events as received
        left join unified_events as candidate
            on 'chronotrack/' || received.timing_partner_id || '/' || received.event_id = candidate.event_key
    ),
    chronotrack_races as (
        select
            received.timing_partner_id,
            'chronotrack' as source_provider,
            'races' as stream,
            'chronotrack/' || received.timing_partner_id || '/' || received.race_id as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.race_key is not null then 'candidate' end as fate
        from stg_chronotrack__races as received
        left join unified_races as candidate
            on 'chronotrack/' || received.timing_partner_id || '/' || received.race_id = candidate.race_key
    ),
    chronotrack_entries as (
        select
            received.timing_partner_id,
            'chronotrack' as source_provider,
            'entries' as stream,
            'chronotrack/' || received.timing_partner_id || '/' || received.participant_id as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.participant_key is not null then 'candidate' end as fate
        from stg_chronotrack__entries as received
        left join unified_participants as candidate
            on 'chronotrack/' || received.timing_partner_id || '/' || received.participant_id = candidate.participant_key
    ),
    chronotrack_brackets as (
        select
            received.timing_partner_id,
            'chronotrack' as source_provider,
            'brackets' as stream,
            'chronotrack/' || received.timing_partner_id || '/' || received.division_id as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.division_key is not null then 'candidate' end as fate
        from stg_chronotrack__brackets as received
        left join unified_divisions as candidate
            on 'chronotrack/' || received.timing_partner_id || '/' || received.division_id = candidate.division_key
    ),
    chronotrack_intervals as (
        select
            received.timing_partner_id,
            'chronotrack' as source_provider,
            'intervals' as stream,
            'chronotrack/' || received.timing_partner_id || '/' || received.timing_point_id as row_key,
            received.inserted_xid,
            received.changed_xid,
            case when candidate.timing_point_key is not null then 'candidate' end as fate
        from stg_chronotrack__intervals as received
        left join unified_timing_points as candidate
            on 'chronotrack/' || received.timing_partner_id || '/' || received.timing_point_id = candidate.timing_point_key
    ),
runsignup_races as (
    -- RunSignUp's race is the occasion: it stands in its events. Without an event it has nothing to publish.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'races' as stream,
        'runsignup/' || received.timing_partner_id || '/' || received.occasion_id as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when events.event_number is null then 'superseded'
            when
                exists (
                    select from stg_runsignup__events as held
                    inner join unified_events as candidate
                        on
                            'runsignup/' || held.timing_partner_id || '/' || held.event_id
                            = candidate.event_key
                    where
                        held.timing_partner_id = received.timing_partner_id
                        and held.race_number = received.race_number
                        and candidate.occasion_id = received.occasion_id
                ) then 'candidate'
        end as fate
    from stg_runsignup__races as received
    left join lateral (
        select held.event_number
        from stg_runsignup__events as held
        where
            held.timing_partner_id = received.timing_partner_id
            and held.race_number = received.race_number
        limit 1
    ) as events on true
),
runsignup_removed_participants as (
    -- The candidate row says from which list its status comes. A removal gives way only to a participant row.
    select
        received.timing_partner_id,
        'runsignup' as source_provider,
        'removed_participants' as stream,
        'runsignup/' || received.timing_partner_id || '/' || received.participant_id as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when candidate.provider_fields ->> 'status_from' = 'removed_participants' then 'candidate'
            when candidate.participant_key is not null and participants.participant_id is not null then 'superseded'
        end as fate
    from stg_runsignup__removed_participants as received
    left join unified_participants as candidate
        on
            'runsignup/' || received.timing_partner_id || '/' || received.participant_id
            = candidate.participant_key
    left join stg_runsignup__participants as participants
        on
            received.timing_partner_id = participants.timing_partner_id
            and received.registration_number = participants.registration_number
),
chronotrack_results as (
    -- A result names the interval rows that are folded into it. Left out is what was removed, or a second row that
    -- claims the whole course.
    select
        received.timing_partner_id,
        'chronotrack' as source_provider,
        'results' as stream,
        'chronotrack/' || received.timing_partner_id || '/' || received.event_id || '/' || received.participant_id || '/' || received.timing_point_id as row_key,
        received.inserted_xid,
        received.changed_xid,
        case
            when candidate.provider_fields -> 'interval_ids' ? received.timing_point_id then 'candidate'
            when candidate.result_key is not null and (received.removed_at is not null or received.is_finish)
                then 'superseded'
        end as fate
    from int_chronotrack_results_by_interval as received
    left join unified_results as candidate
        on
            'chronotrack/' || received.timing_partner_id || '/' || received.event_id || '/' || received.participant_id = candidate.result_key
),
received as (
        select * from runsignup_events
        union all
        select * from runsignup_participants
        union all
        select * from runsignup_results
        union all
        select * from chronotrack_events
        union all
        select * from chronotrack_races
        union all
        select * from chronotrack_entries
        union all
        select * from chronotrack_brackets
        union all
        select * from chronotrack_intervals
        union all
    select * from runsignup_races
    union all
    select * from runsignup_removed_participants
    union all
    select * from chronotrack_results
)
select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    row_key,
    -- A row that came, or changed, while the models were being built is the next build's.
    coalesce(fate, 'unaccounted') as fate,
    inserted_xid
from received
union all
-- Refused by the tap: under the stream they were meant for.
select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    'runsignup/' || timing_partner_id || '/' || 'rejects' || '/' || reject_id as row_key,
    'rejected' as fate,
    inserted_xid
from stg_runsignup__rejects
union all
-- Refused by the tap: under the stream they were meant for.
select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    'chronotrack/' || timing_partner_id || '/' || 'rejects' || '/' || reject_id as row_key,
    'rejected' as fate,
    inserted_xid
from stg_chronotrack__rejects
) as found
where fate <> 'candidate';
alter table reconciliation_exceptions add primary key (source_provider, stream, row_key);

create table reconciliation as
with counted as (
    select 'runsignup' as source_provider, 'races' as stream, timing_partner_id, count(*) as rows
    from raw_runsignup.races group by timing_partner_id
    union all
    select 'runsignup' as source_provider, 'events' as stream, timing_partner_id, count(*) as rows
    from raw_runsignup.events group by timing_partner_id
    union all
    select 'runsignup' as source_provider, 'participants' as stream, timing_partner_id, count(*) as rows
    from raw_runsignup.participants group by timing_partner_id
    union all
    select 'runsignup' as source_provider, 'removed_participants' as stream, timing_partner_id, count(*) as rows
    from raw_runsignup.removed_participants group by timing_partner_id
    union all
    select 'runsignup' as source_provider, 'results' as stream, timing_partner_id, count(*) as rows
    from raw_runsignup.results group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'events' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.events group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'races' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.races group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'entries' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.entries group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'brackets' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.brackets group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'intervals' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.intervals group by timing_partner_id
    union all
    select 'chronotrack' as source_provider, 'results' as stream, timing_partner_id, count(*) as rows
    from raw_chronotrack.results group by timing_partner_id
),
excepted as (
    select
        source_provider,
        stream,
        timing_partner_id,
        count(*) filter (where fate = 'rejected') as rejected,
        count(*) filter (where fate = 'superseded') as superseded,
        count(*) filter (where fate = 'unaccounted') as unaccounted
    from reconciliation_exceptions
    group by source_provider, stream, timing_partner_id
)
select
    coalesce(counted.timing_partner_id, excepted.timing_partner_id)::int as timing_partner_id,
    coalesce(counted.source_provider, excepted.source_provider) as source_provider,
    coalesce(counted.stream, excepted.stream) as stream,
    coalesce(rows, 0) + coalesce(rejected, 0) as received,
    coalesce(rows, 0) - coalesce(superseded, 0) - coalesce(unaccounted, 0) as candidate,
    coalesce(rejected, 0) as rejected,
    coalesce(superseded, 0) as superseded,
    coalesce(unaccounted, 0) as unaccounted
from counted
full join excepted
    on
        counted.source_provider = excepted.source_provider
        and counted.stream = excepted.stream
        and counted.timing_partner_id = excepted.timing_partner_id;
alter table reconciliation add primary key (timing_partner_id, source_provider, stream);
