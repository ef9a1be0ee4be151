"""What is read arrives, once; what changes arrives again; what vanishes is told."""

from __future__ import annotations

import pytest
from copernico_season import STREAMS, expected_results


def test_a_first_read_delivers_all_that_the_provider_holds(season, run, target):
    first = run()

    assert first.error is None
    target.load(first)
    held = season.rows()
    assert target.table("participants").keys() == held.keys()
    assert target.table("results").keys() == expected_results(season)
    assert {row["race_id"] for row in first.rows("races")} == {one["race_id"] for one in season.holds("races")}
    assert target.table("events").keys() == {key.rsplit("/", 1)[0] for key in held}
    assert all(len(first.rows(stream)) == len(target.table(stream)) for stream in STREAMS)


def test_a_record_is_kept_as_sent_the_person_apart_from_the_times(season, run, target):
    first = run()

    target.load(first)
    for key, sent in season.rows().items():
        person = target.table("participants")[key]["record"]
        sport = target.table("results").get(key, {"record": {}})["record"]
        assert sent.items() >= person.items()
        assert not any(name.startswith(("times.", "rankings")) for name in person)
        if sport:
            assert person | sport == sent


def test_times_are_milliseconds_and_nobody_is_seen_at_0(season, run):
    event_id, row = season.finisher()
    first = run()

    result = first.row("results", participant_id=row["id"])
    assert result["event_id"] == event_id
    assert (result["official_ms"], result["real_ms"]) == (
        row["times.official_:::finish:::"],
        row["times.real_:::finish:::"],
    )
    assert result["splits"] == [
        {
            "name": "5K Split",
            "official_ms": row["times.official_5K Split"],
            "real_ms": row["times.real_5K Split"],
        }
    ]
    assert (result["pos"], result["pos_gender"], result["pos_category"]) == tuple(
        row[f"rankings{kind}:::full-1:::"] for kind in ("_", ".gen_", ".cat_")
    )
    assert all(0 not in (one["official_ms"], one["real_ms"], one["start_ms"]) for one in first.rows("results"))


def test_an_event_tells_its_length_its_gun_and_its_mats(season, run):
    first = run()

    (event,) = [row for row in first.rows("events") if row["event_id"] == f"{season.live()}:Half Marathon"]
    assert event["distance_m"] == 21097.5
    assert event["gun_time"] == "2026-09-19T12:30:00+00:00"
    assert [(mat["name"], mat["distance_m"]) for mat in event["splits"]] == [
        ("Salida", 0),
        ("10K Split", 10000),
        ("Meta", 21097.5),
    ]


def test_a_second_read_of_an_unchanged_season_sends_nothing_and_asks_for_no_athlete(season, run):
    first = run()
    season.forget_calls()

    again = run(first.state)

    assert again.sent == {}
    assert again.rows("removals") == []
    assert not [call for call in season.calls() if "athlete" in call]
    # The list, and each race that is not settled, once for three streams.
    assert len(season.calls()) == 1 + len({one["race_id"] for one in season.holds("races")}) - 1


def test_only_the_row_that_differs_goes_on(season, run):
    event_id, row = season.finisher()
    first = run()
    season.change("edit_entry", event_id, id=row["id"], fields={"birthdate": "1990-02-03"})

    again = run(first.state)

    assert again.sent == {"participants": 1}
    assert again.row("participants", participant_id=row["id"])["birthdate"] == "1990-02-03"


def test_a_split_is_no_change_of_a_participant(season, run):
    race = season.live()
    first = run()
    season.change("retract_split", f"{race}:10K", id=season.finisher()[1]["id"])

    again = run(first.state)

    # The places of those behind move up; the status of the one is a participant's too.
    assert len(again.rows("participants")) == 1
    assert len(again.rows("results")) >= 1


def test_a_retracted_split_is_written_as_null(season, run):
    event_id, row = season.finisher()
    first = run()
    season.change("retract_split", event_id, id=row["id"])
    second = run(first.state)
    season.change("retract_split", event_id, id=row["id"], fields={"splits": 2})
    third = run(second.state)
    fourth = run(third.state)

    after = second.row("results", participant_id=row["id"])
    assert (after["official_ms"], after["real_ms"], after["pos"]) == (None, None, None)
    assert after["status"] == "running" and after["splits"]
    nothing = third.row("results", participant_id=row["id"])
    assert (nothing["start_ms"], nothing["splits"], nothing["status"]) == (None, [], "notstarted")
    assert third.removals("results") == {}
    assert fourth.sent == {}


def test_who_was_never_seen_has_no_result(season, run):
    first = run()

    seen = {(row["event_id"], row["participant_id"]) for row in first.rows("results")}
    waiting = [row for row in first.rows("participants") if (row["event_id"], row["participant_id"]) not in seen]
    assert waiting
    assert {row["status"] for row in waiting} <= {"notstarted", "withdrawn"}


def test_a_vanished_athlete_is_told_once_and_the_return_too(season, run, target):
    event_id, row = season.finisher()
    key = f"{event_id}/{row['id']}"
    first = run()
    season.change("delete", event_id, id=row["id"])
    second = run(first.state)
    third = run(second.state)
    season.change("restore", event_id, ids=[row["id"]])
    fourth = run(third.state)

    assert second.removals("participants") == second.removals("results") == {key: None}
    assert third.rows("removals") == []
    assert fourth.removals("participants")[key] is not None
    target.load(first, second, third, fourth)
    assert target.table("participants").keys() == season.rows().keys()


def test_an_empty_answer_deletes_nobody(season, run):
    first = run()
    season.fault("empty_answer", times=None, path_contains="preset")

    empty = run(first.state)
    season.clear_faults()
    healed = run(empty.state)

    assert empty.error is None
    assert empty.rows("removals") == []
    assert healed.sent == {}
    assert healed.rows("removals") == []


def test_an_empty_list_of_races_deletes_none(season, run):
    first = run()
    season.fault("empty_answer", times=None, path_contains="api/races")

    empty = run(first.state)

    assert empty.rows("removals") == []


def test_a_withdrawal_is_a_status_not_a_removal(season, run):
    event_id, row = season.finisher()
    first = run()
    season.change("cancel", event_id, id=row["id"])

    again = run(first.state)

    assert again.row("participants", participant_id=row["id"])["status"] == "withdrawn"
    assert again.rows("removals") == []


def test_a_settled_race_is_not_read_again_and_its_calls_count_as_saved(season, run):
    first = run()
    season.advance(days=60)
    last = run(first.state)
    season.forget_calls()

    settled = run(last.state)

    assert all(mark["settled"] for mark in last.marks("participants").values())
    assert [call for call in season.calls() if "api/races/" in call] == []
    assert sum(read["calls_saved"] for read in settled.rows("reads")) > 0


def test_an_empty_answer_does_not_settle_a_race(season, run):
    first = run()
    season.advance(days=60)
    season.fault("empty_answer", times=None, path_contains="preset")
    empty = run(first.state)
    season.clear_faults()
    event_id, row = season.finisher()
    season.change("edit_entry", event_id, id=row["id"], fields={"club": "Late"})

    healed = run(empty.state)

    assert [one["club"] for one in healed.rows("participants")] == ["Late"]


def test_read_everything_sends_all_rows_again_and_still_finds_removals(season, run):
    first = run()
    (gone,) = season.change("delete", f"{season.live()}:10K")["changed"]

    again = run(first.state, read_everything=True)

    assert len(again.rows("participants")) == len(season.rows())
    assert list(again.removals("participants")) == [f"{season.live()}:10K/{gone}"]


def test_start_date_leaves_out_what_belongs_to_earlier_races(season, run):
    first = run(start_date=season.now.date().isoformat())

    assert {row["race_id"] for row in first.rows("participants")} == {season.live()}


def test_races_can_be_named_and_then_need_no_key(season, run):
    race = season.live()
    season.forget_calls()

    first = run(race_ids=race, api_key=None)

    assert first.error is None
    assert {row["race_id"] for row in first.rows("participants")} == {race}
    assert not [call for call in season.calls() if "athlete" in call]
    assert {row["event_name"] for row in first.rows("events")} == {"10K", "Half Marathon"}


def test_what_happens_to_a_season_its_copy_follows(season, run, target):
    race = season.live()
    state = None
    for step in range(5):
        if step == 1:
            season.change("post_results", f"{race}:10K", count=4)
            season.change("add_entry", f"{race}:10K", count=2)
        if step == 2:
            season.change("disqualify", f"{race}:10K")
            season.change("delete", f"{race}:Half Marathon", count=2)
        if step == 3:
            season.change("transfer", f"{race}:10K")
            season.change("restore", f"{race}:Half Marathon")
        if step == 4:
            season.change("correct_result", f"{race}:10K")
            season.change("move_event", f"{race}:10K", fields={"days": 7})
        done = run(state)
        assert done.error is None
        target.load(done)
        state = done.state
        held = season.rows()
        assert target.table("participants").keys() == held.keys(), step
        for key, row in target.table("participants").items():
            assert held[key].items() >= row["record"].items(), (step, key)
        for key, row in target.table("results").items():
            assert held[key].items() >= row["record"].items(), (step, key)
        assert target.table("results").keys() >= expected_results(season), step


# --- names are ids -----------------------------------------------------------------------------------


def test_a_renamed_event_keeps_its_rows_where_the_settings_tell_of_it(season, run):
    race = season.live()
    first = run()
    season.change("rename_event", f"{race}:10K", fields={"name": "10 Kilómetros / Popular"})
    told = '{"%s": {"events": {"10 Kilómetros / Popular": "10K"}}}' % race  # noqa: UP031 - braces are JSON's

    again = run(first.state, race_map=told)

    assert again.rows("removals") == []
    assert {row["event_id"] for row in again.rows("participants")} == {f"{race}:10K"}


def test_a_renamed_event_is_another_event_where_nobody_tells(season, run, caplog):
    race = season.live()
    first = run()
    season.change("rename_event", f"{race}:10K", fields={"name": "10 Kilómetros / Popular"})

    again = run(first.state)
    after = run(again.state)

    assert "was renamed" in caplog.text
    moved = {row["participant_id"] for row in again.rows("participants")}
    assert {key.rsplit("/", 1)[1] for key in again.removals("participants")} == moved
    assert f"{race}:10K" in again.removals("events")
    assert after.sent == {}
    assert after.rows("removals") == []


@pytest.mark.parametrize("source", ["presets", "athletes"])
def test_garbled_names_are_put_right_and_kept_as_sent_beside(season, run, source):
    first = run(source=source)
    season.quirks(mojibake=False)
    right = {key: row["name"] + row["surname"] for key, row in season.rows().items()}

    rows = {f"{row['event_id']}/{row['participant_id']}": row for row in first.rows("participants")}
    assert {key: row["name"] + row["surname"] for key, row in rows.items()} == right
    assert any(row["record"]["surname"] != row["surname"] for row in rows.values())
