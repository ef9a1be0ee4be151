select
    timing_partner_id,
    source_provider,
    stream
from {{ ref('reconciliation') }}
where received <> candidate + rejected + superseded + unaccounted
