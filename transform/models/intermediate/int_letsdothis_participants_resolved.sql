-- Applications are not the start list: an entrant need not have applied, and an applicant need not have entered. Each
-- entrant is a row, and of the applications those that nobody has entered with so far.
{{ letsdothis_participants() }}
