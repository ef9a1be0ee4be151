select
    -- keys
    'chronotrack' as source_provider,
    timing_partner_id,
    bracket_id as division_id,
    {{ filled('event_id') }} as event_id,
    {{ filled('race_id') }} as race_id,
    -- facts
    {{ filled('bracket_name') }} as division_name,
    {{ filled('bracket_type') }} as division_type,
    bracket_wants_leaderboard as wants_leaderboard,
    -- timestamps
    read_at,
    changed_at,
    inserted_xid,
    changed_xid
from {{ source('raw_chronotrack', 'brackets') }}
