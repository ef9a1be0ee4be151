-- ChronoTrack keeps no list of what was deleted: an entry that a whole read no longer finds is removed.
{{ chronotrack_entries() }}
