"""Records that cannot be delivered are kept aside with their reason; a new shape stops its stream."""

from __future__ import annotations

import pytest
from chronotrack_season import STREAMS

REJECTED = [
    ("events", "event?", "event_end_time"),
    ("races", "/race", "event_id"),
    ("entries", "/entry", "event_id"),
    ("brackets", "/bracket", "event_id"),
    ("intervals", "/interval", "event_id"),
    ("results", "/results", "results_end_chip_time"),
]


@pytest.mark.parametrize(("stream", "path", "field"), REJECTED)
def test_a_record_that_contradicts_itself_is_kept_aside_and_is_no_removal(season, run, target, stream, path, field):
    racing = season.event(racing=True)
    season.change("post_results", racing, count=9)
    first = run()
    season.fault("bad_record", times=1, path_contains=path if stream == "events" else f"{racing}{path}")

    again = run(first.state)

    (reject,) = again.rows("rejects")
    assert (reject["stream"], reject["field"]) == (stream, field)
    assert reject["reason"] and isinstance(reject["record"], dict)
    assert reject["record_key"]
    assert again.error is None
    assert again.rows("removals") == []
    assert again.read(stream, "" if stream == "events" else racing)["rows_rejected"] == 1


def test_the_same_reject_has_the_same_id(season, run):
    racing = season.event(racing=True)
    first = run()
    seen = []
    for _ in range(2):
        season.fault("bad_record", times=1, path_contains=f"{racing}/entry")
        seen += run(first.state).rows("rejects")

    assert len({reject["reject_id"] for reject in seen}) == 1


def test_a_record_without_a_key_is_kept_aside_and_nobody_is_taken_for_removed(season, run):
    racing = season.event(racing=True)
    first = run()
    season.fault("no_key", times=1, path_contains=f"{racing}/entry")

    again = run(first.state)
    healed = run(again.state)

    (reject,) = again.rows("rejects")
    assert (reject["field"], reject["record_key"]) == ("entry_id", None)
    assert again.rows("removals") == []
    assert healed.sent == {} and healed.rows("removals") == []


def test_a_record_that_stays_without_its_key_does_not_stop_removals_for_good(season, run):
    racing = season.event(racing=True)
    first = run()
    season.fault("no_key", times=None, path_contains=f"{racing}/race")
    season.fault("no_key", times=None, path_contains=f"{racing}/bracket")

    second = run(first.state)
    third = run(second.state)

    assert second.removals("brackets") == {}
    assert len(third.removals("brackets")) == 1


def test_an_unknown_status_is_kept_and_told(season, run, caplog):
    racing = season.event(racing=True)
    season.fault("unknown_enum", times=1, path_contains=f"{racing}/entry")

    first = run()

    assert "LOST" in {row["entry_status"] for row in first.rows("entries")}
    assert first.rows("rejects") == []
    assert sum("unknown value 'LOST' of field entry_status" in message for message in caplog.messages) == 1


def test_a_new_field_is_kept_in_the_record(season, wire, run):
    def more(path, query, status, headers, data):
        for row in data.get("event_entry", []):
            row["custom_element7"] = "vegetarian"
        return status, headers, data

    wire.rules.append(more)

    first = run(api_url=wire.api_url)

    assert {row["record"]["custom_element7"] for row in first.rows("entries")} == {"vegetarian"}


SHAPES = [
    ("missing_field", "/entry", {}, "entries", "entry_id"),
    ("missing_field", "/entry", {"field": "entry_status"}, "entries", "entry_status"),
    ("missing_field", "/results", {"field": "results_time"}, "results", "results_time"),
    ("missing_field", "event?", {"field": "event_name"}, "events", "event_name"),
    ("changed_type", "/entry", {"field": "entry_status"}, "entries", "entry_status"),
    ("changed_type", "/entry", {}, "entries", "entry_race_age"),
    ("changed_type", "event?", {}, "events", "event_start_time"),
    ("changed_type", "/results", {"field": "results_rank"}, "results", "results_rank"),
]


@pytest.mark.parametrize(("kind", "path", "more", "stream", "field"), SHAPES)
def test_a_changed_shape_stops_its_stream_and_nothing_of_it_is_taken(season, run, kind, path, more, stream, field):
    racing = season.event(racing=True)
    season.change("post_results", racing, count=20)
    first = run()
    season.fault(kind, times=None, path_contains=path, **more)
    others = [name for name in STREAMS if name != stream]

    broken = run(first.state, read_everything=True)

    assert f"stream {stream}" in broken.error and field in broken.error
    assert "\n" not in broken.error
    assert broken.rows(stream) == [] and broken.removals(stream) == {}
    assert broken.state["bookmarks"][stream] == first.state["bookmarks"][stream]
    if kind != "changed_type" or stream != "events":
        assert all(broken.rows(name) for name in others)
