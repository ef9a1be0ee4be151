{{ config(tags=['nightly']) }}

with found as (
    select * from ({{ fates() }}) as rows_received
    where fate <> 'next'
),

exceptions as (
    select * from found
    where fate <> 'candidate'
),

counted as (
    select
        found.timing_partner_id,
        found.source_provider,
        found.stream,
        count(*) filter (
            where
            found.fate = 'rejected'
            or found.inserted_xid is null
            or pg_visible_in_snapshot(found.inserted_xid::text::xid8, snapshots.snapshot)
        ) as received
    from found
    left join {{ source('hub', 'raw_counted') }} as snapshots
        on
            found.source_provider = snapshots.provider
            and found.stream = snapshots.stream
    group by found.timing_partner_id, found.source_provider, found.stream
)

select
    coalesce(exceptions.row_key, noted.row_key) as row_key,
    exceptions.fate,
    noted.fate as fate_noted
from exceptions
full join {{ ref('reconciliation_exceptions') }} as noted
    on
        exceptions.source_provider = noted.source_provider
        and exceptions.stream = noted.stream
        and exceptions.row_key = noted.row_key
where exceptions.fate is distinct from noted.fate and noted.fate is distinct from 'next'

union all

select
    concat_ws('/', counted.source_provider, counted.timing_partner_id, counted.stream) as row_key,
    counted.received::text as fate,
    reconciliation.received::text as fate_noted
from counted
left join {{ ref('reconciliation') }} as reconciliation
    on
        counted.source_provider = reconciliation.source_provider
        and counted.timing_partner_id = reconciliation.timing_partner_id
        and counted.stream = reconciliation.stream
where counted.received is distinct from reconciliation.received
