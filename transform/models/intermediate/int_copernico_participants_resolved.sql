-- Copernico keeps no list of what was deleted: an athlete that a whole answer no longer has is removed.
{{ copernico_participants() }}
