-- A result knows its entrant only by the registration; what the timer left empty is filled from there.
{{ runsignup_results() }}
