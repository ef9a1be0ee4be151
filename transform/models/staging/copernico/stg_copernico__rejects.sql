select
    -- keys
    'copernico' as source_provider,
    timing_partner_id,
    stream,
    reject_id,
    record_key,
    -- facts
    field,
    reason,
    record,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_copernico', 'rejects') }}
