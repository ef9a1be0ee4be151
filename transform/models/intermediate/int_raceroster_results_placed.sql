-- A result under the race that its sub-event's name says.
{{ raceroster_results() }}
