{{ config(unique_key=['timing_partner_id', 'source_provider', 'stream'], always_merge=true) }}

-- Counted are the rows that hub.raw_counts has counted; what came later belongs to the next build.
with counted as (
    select
        counts.provider as source_provider,
        counts.stream,
        counts.timing_partner_id,
        counts.rows
    from {{ source('hub', 'raw_counts') }} as counts
    where counts.stream not in ('reads', 'rejects', 'removals')
),

exceptions as (
    select
        found.source_provider,
        found.stream,
        found.timing_partner_id,
        found.fate,
        found.inserted_xid is null
        or pg_visible_in_snapshot(found.inserted_xid::text::xid8, snapshots.snapshot) as is_counted
    from {{ ref('reconciliation_exceptions') }} as found
    left join {{ source('hub', 'raw_counted') }} as snapshots
        on
            found.source_provider = snapshots.provider
            and found.stream = snapshots.stream
),

excepted as (
    select
        source_provider,
        stream,
        timing_partner_id,
        count(*) filter (where fate = 'rejected') as rejected,
        count(*) filter (where fate = 'superseded' and is_counted) as superseded,
        count(*) filter (where fate = 'unaccounted' and is_counted) as unaccounted,
        count(*) filter (where fate = 'next' and is_counted) as next_build
    from exceptions
    group by source_provider, stream, timing_partner_id
),

summed as (
    select
        coalesce(counted.source_provider, excepted.source_provider) as source_provider,
        coalesce(counted.stream, excepted.stream) as stream,
        coalesce(counted.timing_partner_id, excepted.timing_partner_id) as timing_partner_id,
        coalesce(counted.rows, 0) - coalesce(excepted.next_build, 0) as raw_rows,
        coalesce(excepted.rejected, 0) as rejected,
        coalesce(excepted.superseded, 0) as superseded,
        coalesce(excepted.unaccounted, 0) as unaccounted
    from counted
    full join excepted
        on
            counted.source_provider = excepted.source_provider
            and counted.stream = excepted.stream
            and counted.timing_partner_id = excepted.timing_partner_id
)

select
    timing_partner_id::int as timing_partner_id,
    source_provider,
    stream,
    raw_rows + rejected as received,
    raw_rows - superseded - unaccounted as candidate,
    rejected,
    superseded,
    unaccounted
from summed
