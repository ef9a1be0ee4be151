"""Records that cannot be delivered are kept aside with their reason; a new shape stops its stream."""

from __future__ import annotations

import pytest
from tap_copernico.columns import milliseconds, repaired
from tap_copernico.shapes import athlete_entries


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("MÃ¼ller", "Müller"),
        ("JosÃ©", "José"),
        ("Ã\x81lvarez", "Álvarez"),  # Latin-1
        ("â€œEl Rayoâ€\x9d", "“El Rayo”"),  # neither one nor the other: see below
        ("Müller", "Müller"),
        ("Ångström", "Ångström"),
        ("Ã", "Ã"),
        ("", ""),
    ],
)
def test_garbled_texts_are_put_right_and_others_left_alone(sent, meant):
    if "â€" in sent:
        # Mixed encodings cannot be told apart: left as sent rather than guessed at.
        assert repaired(sent) == sent
    else:
        assert repaired(sent) == meant


@pytest.mark.parametrize(
    ("sent", "read"), [(None, None), (0, None), ("", None), (2950600, 2950600), ("2950600", 2950600), (1.0, 1)]
)
def test_a_time_is_whole_milliseconds_and_0_is_none(sent, read):
    assert milliseconds(sent) == read


@pytest.mark.parametrize("sent", ["49:10", "2025-09-06T12:49:10Z", -4000, 12.5, True])
def test_anything_else_is_no_time(sent):
    with pytest.raises((ValueError, TypeError)):
        milliseconds(sent)


def test_an_athlete_in_two_events_is_two_records():
    data = {"id": "a", "events": [{"event": "10K", "dorsal": "1"}, {"event": "5K", "dorsal": "2"}]}

    assert list(athlete_entries(data)) == [
        {"id": "a", "event": "10K", "dorsal": "1"},
        {"id": "a", "event": "5K", "dorsal": "2"},
    ]


def test_a_birth_date_that_is_none_is_kept_aside_and_is_no_removal(season, run):
    first = run()
    season.fault("bad_record", path_contains=f"{season.live()}/preset")

    again = run(first.state)

    (reject,) = again.rows("rejects")
    assert (reject["stream"], reject["field"]) == ("participants", "birthdate")
    assert again.error is None
    assert again.rows("removals") == []


def test_times_that_are_none_are_kept_aside_and_told_by_the_providers_name(season, run):
    season.reset(bad_rate=0.2)

    first = run()

    fields = {reject["field"] for reject in first.rows("rejects") if reject["stream"] == "results"}
    assert fields <= {"times.official_:::finish:::", "times.real_:::finish:::"}
    assert fields
    keys = {reject["record_key"] for reject in first.rows("rejects")}
    assert not keys & {f"{row['event_id']}/{row['participant_id']}" for row in first.rows("results")}


def test_a_row_without_its_id_is_kept_aside_and_nobody_is_taken_for_removed(season, run):
    first = run()
    season.fault("no_key", path_contains=f"{season.live()}/preset")

    again = run(first.state)
    healed = run(again.state)

    assert {(reject["field"], reject["record_key"]) for reject in again.rows("rejects")} <= {("participant_id", None)}
    assert again.rows("rejects")
    assert again.rows("removals") == []
    assert healed.sent == {}
    assert healed.rows("removals") == []


def test_a_row_that_stays_without_its_id_does_not_stop_removals_for_good(season, run):
    first = run()
    season.fault("no_key", times=None, path_contains=f"{season.live()}/preset")

    second = run(first.state)
    third = run(second.state)

    assert second.removals("participants") == {}
    assert len(third.removals("participants")) == 1


def test_an_unknown_status_is_kept_and_told(season, run, caplog):
    season.fault("unknown_enum", path_contains=f"{season.live()}/preset")

    first = run()

    assert "abducted" in {row["status"] for row in first.rows("participants")}
    assert "unknown value 'abducted' of field status" in caplog.text


def test_a_column_that_the_organiser_added_is_kept_in_the_record(season, run):
    first = run(presets="people")

    assert {"Talla camiseta", "Teléfono de emergencia"} <= set(first.rows("participants")[0]["record"])


SHAPES = [
    ("missing_field", {}, "participants", "id"),
    ("missing_field", {"field": "dorsal"}, "participants", "dorsal"),
    ("missing_field", {"field": "status"}, "results", "status"),
    ("changed_type", {}, "participants", "dorsal"),
]


@pytest.mark.parametrize(("kind", "more", "stream", "field"), SHAPES)
def test_a_changed_shape_stops_its_stream_and_nothing_of_it_is_taken(season, run, kind, more, stream, field):
    first = run()
    season.fault(kind, times=None, path_contains="preset", **more)

    broken = run(first.state, read_everything=True)

    assert "streams stopped" in broken.error and field in broken.error
    assert "\n" not in broken.error
    assert broken.rows(stream) == [] and broken.removals(stream) == {}
    assert broken.state["bookmarks"][stream] == first.state["bookmarks"][stream]


def test_a_code_that_is_no_success_stops_the_stream(season, run, make_tap):
    tap = make_tap()
    with pytest.raises(Exception, match="code -1: no such thing"):
        tap.client.inspect(200, {"result": {"code": -1, "message": "no such thing"}, "data": []}, {})
    for code in (0, 1):
        tap.client.inspect(200, {"result": {"code": code, "message": "OK"}, "data": []}, {})
    tap.close()
