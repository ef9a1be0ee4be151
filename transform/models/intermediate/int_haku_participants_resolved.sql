-- One row per registration: the list's short row, filled from the full registration as far as that has been read.
{{ haku_participants() }}
