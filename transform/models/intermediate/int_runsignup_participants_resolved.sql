-- A registration is listed either among the participants or among the removed ones. Between two reads it may be in
-- both or have moved back: whichever list changed it last is right.
{{ runsignup_participants() }}
