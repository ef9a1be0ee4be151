-- A registration that was taken back keeps its row with a status; one that vanished is removed.
{{ raceroster_participants() }}
