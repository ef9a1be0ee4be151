-- One row per athlete who was seen somewhere, with whom it is.
{{ copernico_results() }}
