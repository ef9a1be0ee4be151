select
    -- keys
    'copernico' as source_provider,
    timing_partner_id,
    stream,
    record_key,
    -- timestamps
    case when returned_at is null then noticed_at end as removed_at,
    noticed_at,
    returned_at,
    changed_at,
    changed_xid
from {{ source('raw_copernico', 'removals') }}
