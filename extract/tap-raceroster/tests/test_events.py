"""Events with their sub-events: shapes, changes, and what leaves the list but not the books."""

from __future__ import annotations

import pytest
from raceroster_season import DAY
from tap_testing.runs import same


def test_a_first_run_brings_what_is_listed_and_what_is_named(season, run):
    first = run(results_source="none")

    for stream in ("events", "sub_events"):
        assert same([row["record"] for row in first.rows(stream)], season.holds(stream))
    ids = {row["event_id"] for row in first.rows("events")}
    assert all(isinstance(one, str) and not one.isdigit() for one in ids)
    assert {row["event_id"] for row in first.rows("sub_events")} == ids


def test_instants_with_and_without_a_colon_are_utc_and_numbers_as_texts_are_numbers(season, run):
    first = run(results_source="none")
    events = {row["event_id"]: row for row in first.rows("events")}
    orchard = events[season.event("Orchard")]
    half = next(row for row in first.rows("sub_events") if row["name"] == "Half Marathon")

    assert orchard["start_date"] == "2026-09-06T12:00:00+00:00"
    assert all(row["start_date"].endswith("+00:00") for row in events.values())
    assert (half["distance_m"], half["participant_min_age"]) == (21097.5, 16)
    assert orchard["event_number"] and len(orchard["results_code"]) == 16


def test_the_same_rows_come_in_whatever_envelope(season, run):
    plain = run(results_source="none")
    season.quirks(event_in_array=True, sub_events_bare=True, ids_as_text=True)

    other = run(results_source="none")

    def faces(one):
        typed = [{k: v for k, v in row.items() if k not in ("record", "read_at")} for row in one.rows("sub_events")]
        return sorted(typed, key=lambda row: row["sub_event_id"])

    assert faces(plain) == faces(other)


def test_an_unchanged_account_is_read_with_one_call_for_its_events_and_sends_nothing(season, run):
    first = run()
    season.forget_calls()

    again = run(first.state)

    assert again.sent == {}
    calls = season.calls()
    assert len([call for call in calls if "/events?" in call]) == 1
    assert len(calls) <= 8


def test_a_renamed_event_is_sent_and_the_others_are_not(season, run):
    first = run(results_source="none")
    season.advance(600)
    season.change("rename_event", season.event("Advent"), fields={"name": "Advent Ten"})

    again = run(first.state, results_source="none")

    assert [row["name"] for row in again.rows("events")] == ["Advent Ten"]
    assert again.removals("events") == {}


def test_an_event_that_leaves_the_list_stays_and_its_participants_are_read_on(season, run):
    first = run(results_source="none")
    advent = season.event("Advent")
    season.advance(54 * DAY)
    season.change("edit_entry", advent, fields={"city": "Elsewhere"})

    again = run(first.state, results_source="none")

    assert again.error is None
    assert again.removals("events") == again.removals("participants") == {}
    assert [row["city"] for row in again.rows("participants") if row["event_id"] == advent] == ["Elsewhere"]


def test_an_event_long_over_is_not_asked_for_again(season, run):
    first = run(results_source="none")
    ropewalk = season.event("Ropewalk")
    season.forget_calls()
    season.advance(2 * DAY)

    # A day has gone by: the list is read whole, and an event that is over is not in it.
    later = run(first.state, results_source="none")
    soon = run(later.state, results_source="none")

    assert [again.read("events")["mode"] for again in (later, soon)] == ["whole", "changes"]
    for again in (later, soon):
        assert again.removals("events") == again.removals("sub_events") == again.removals("participants") == {}
    assert first.marks("participants")[ropewalk] == {"context": {"event_id": ropewalk}, "settled": True, "calls": 1}
    assert not [call for call in season.calls() if ropewalk in call]


@pytest.mark.parametrize("empty", [True, False])
def test_an_event_that_nobody_knows_is_told(season, run, caplog, empty):
    season.quirks(unknown_event_empty=empty)

    first = run(event_ids="7d01c6aa-19f2-43", results_source="none")

    assert first.error is None
    assert "there is no event 7d01c6aa-19f2-43: check setting event_ids" in caplog.text


def test_a_record_that_contradicts_itself_is_kept_aside_and_looked_at_again(season, run):
    season.fault("bad_record", times=1, path_contains="/events?")

    first = run(results_source="none")
    again = run(first.state, results_source="none")

    (reject,) = first.rows("rejects")
    assert (reject["stream"], reject["field"]) == ("events", "registration_close_date")
    assert first.removals("events") == {}
    assert len(first.rows("events")) + len(again.rows("events")) == len(season.holds("events"))


def test_sub_events_that_cannot_be_read_are_kept_aside_and_asked_for_again(season, run):
    season.fault("changed_type", times=None, stream="sub_events")

    broken = run(results_source="none")
    season.clear_faults()
    healed = run(broken.state, results_source="none")

    held = season.holds("sub_events")
    assert {(r["stream"], r["field"]) for r in broken.rows("rejects")} == {("sub_events", "participant_min_age")}
    assert len(broken.rows("rejects")) == len(held)
    assert same([row["record"] for row in healed.rows("sub_events")], held)
