"""What the faults of rows do to ChronoTrack's records."""

from __future__ import annotations

from sandbox.providers.common import Record, Spoil


def _ends_before_it_starts(event: Record) -> None:
    event["event_end_time"] = str(int(event["event_start_time"]) - 3600)


def _other_event(row: Record) -> None:
    row["event_id"] = "1"


def _ran_backwards(result: Record) -> None:
    result["results_begin_chip_time"], result["results_end_chip_time"] = "1757162950.60", "1757160008.50"


SPOILS = {
    "events": Spoil("event_id", ("event_start_time", "soon"), ("event_type", "moon_race"), _ends_before_it_starts),
    "races": Spoil("race_id", ("race_course_distance", "far"), ("race_type", "moon_race"), _other_event),
    "entries": Spoil("entry_id", ("entry_race_age", "young"), ("entry_status", "LOST"), _other_event),
    "brackets": Spoil("bracket_id", ("bracket_wants_leaderboard", "maybe"), ("bracket_type", "MOON"), _other_event),
    "intervals": Spoil("interval_id", ("interval_iv_distance_m", "far"), ("interval_name", "?"), _other_event),
    "results": Spoil("results_entry_id", ("results_age", "young"), ("results_sex", "Q"), _ran_backwards),
    "": Spoil("id", ("id", {"changed": True}), ("status", "ZZZ"), _other_event),
}
