-- ChronoTrack sends a row per athlete and interval; a result is one athlete's whole course, with the rest as splits.
{{ chronotrack_results() }}
