"""Participants: statuses, offset pages under change, increments, and what only a whole read shows."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from raceroster_season import DAY
from tap_testing.runs import same


@pytest.fixture
def read(run):
    """Run the tap without results, which cost a call each."""
    return lambda state=None, **settings: run(state, results_source="none", **settings)


def delivered(*runs):
    """Return the last record of each participant that the runs sent."""
    rows = {}
    for one in runs:
        rows |= {row["participant_id"]: row["record"] for row in one.rows("participants")}
        for gone in one.removals("participants"):
            rows.pop(gone, None)
    return list(rows.values())


@pytest.mark.parametrize("size", [3, 100])
@pytest.mark.parametrize("profile", ["observed", "project"])
def test_pages_of_any_size_and_both_profiles_bring_everybody(season, read, size, profile):
    first = read(page_size=size, profile=profile)

    assert first.error is None
    assert same(delivered(first), season.holds("participants"))
    assert len(first.rows("participants")) == len(season.holds("participants"))


@pytest.mark.parametrize("profile", ["observed", "project"])
def test_an_increment_brings_what_was_touched_and_reaches_back(season, read, profile):
    first = read(profile=profile)
    orchard = season.event("Orchard")
    # Within the overlap: the bookmark lies behind the clock.
    (changed,) = season.change("edit_entry", orchard, fields={"city": "Elsewhere"})["changed"]
    season.forget_calls()

    again = read(first.state, profile=profile)

    assert [(row["participant_id"], row["city"]) for row in again.rows("participants")] == [(str(changed), "Elsewhere")]
    asked = [call for call in season.calls() if (orchard in call and "ts?" in call) or "ns?" in call]
    assert asked
    name = {"observed": "lastModifiedDate=", "project": "updated_since="}[profile]
    assert all(name + "2026-09-19T15%3A25%3A00%2B00%3A00" in call for call in asked)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("cancel", "cancelled"),
        ("refund", "refunded"),
        ("defer", "deferred"),
        ("transfer", "transferred"),
        ("delete", "removed"),
    ],
)
def test_who_is_taken_back_keeps_the_row_with_a_status(season, read, kind, status):
    first = read()
    season.advance(60)
    made = season.change(kind, season.event("Orchard"))

    again = read(first.state)

    rows = {row["participant_id"]: row for row in again.rows("participants")}
    assert rows[str(made["changed"][0])]["registration_status"] == status
    assert again.removals("participants") == {}
    if kind == "transfer":
        old, new = str(made["changed"][0]), str(made["new"][0])
        assert rows[old]["transferred_to_participant_id"] == new
        assert rows[new]["transferred_from_participant_id"] == old


def test_a_swap_keeps_the_id_and_changes_the_sub_event(season, read):
    first = read()
    before = {row["participant_id"]: row["sub_event_id"] for row in first.rows("participants")}
    (changed,) = season.change("swap_sub_event", season.event("Orchard"))["changed"]

    (row,) = read(first.state).rows("participants")

    assert row["participant_id"] == str(changed)
    assert row["sub_event_id"] != before[str(changed)]


def test_what_leaves_no_trace_is_found_by_the_next_whole_read(season, read):
    first = read()
    (changed,) = season.change("delete", season.event("Orchard"), fields={"trace": False})["changed"]

    soon = read(first.state)
    season.advance(DAY + 1)
    later = read(soon.state)

    assert soon.removals("participants") == {}
    assert later.removals("participants") == {str(changed): None}


@pytest.mark.parametrize("kind", ["row_between_pages", "row_gone_between_pages"])
def test_rows_that_move_between_pages_are_neither_lost_nor_doubled(season, read, kind):
    season.fault(kind, times=2, path_contains="/participants")

    first = read(page_size=4)
    again = read(first.state, page_size=4)

    assert season.faults_left() == 0
    assert (first.error, again.error) == (None, None)
    assert same(delivered(first, again), season.holds("participants"))


@pytest.fixture
def shrinking(season):
    """Return the address of a wire to the sandbox that takes a row away between the first page and the second."""
    orchard, first_page = season.event("Orchard"), []

    class Handling(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            is_list = f"{orchard}/participants" in self.path
            if is_list and "offset=0" not in self.path and first_page:
                gone = first_page.pop()["participantId"]
                season.change("delete", orchard, ids=[gone], fields={"trace": False})
            sent = {k: v for k, v in self.headers.items() if k in ("Authorization", "Content-Type")}
            found = requests.request(method, season.url + self.path, data=body, headers=sent, timeout=30)
            if is_list and "offset=0" in self.path and not season.removed:
                first_page.append(found.json()["data"][0])
                season.removed = True
            self.send_response_only(found.status_code)
            self.send_header("Date", found.headers["Date"])
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def do_GET(self) -> None:
            self.answer("GET")

        def do_POST(self) -> None:
            self.answer("POST")

        def log_message(self, *args: object) -> None:
            pass

    season.removed = False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/raceroster/api/v1"
    server.shutdown()


def test_a_row_that_goes_from_a_page_already_read_hides_no_other(season, read, shrinking):
    first = read(api_url=shrinking, page_size=4)

    assert first.error is None
    assert season.removed
    sent = {row["participant_id"] for row in first.rows("participants")}
    # The one that went away had been read before.
    assert sent >= {str(row["participantId"]) for row in season.holds("participants")}


def test_a_list_that_never_stands_still_is_no_reason_to_remove_anybody(season, read):
    first = read(page_size=4)
    season.advance(DAY + 1)
    season.fault("row_between_pages", times=None, path_contains="/participants")

    moving = read(first.state, page_size=4)
    season.clear_faults()
    healed = read(moving.state, page_size=4)

    assert moving.removals("participants") == {}
    assert same(delivered(first, moving, healed), season.holds("participants"))


def test_genders_are_kept_as_sent_and_bibs_are_texts(season, read):
    rows = read().rows("participants")

    assert {row["gender"] for row in rows} <= {"0", "1", "2", "9"}
    assert all(row["bib_number"] is None or isinstance(row["bib_number"], str) for row in rows)


def test_an_unknown_status_is_kept_and_told(season, read, caplog):
    season.fault("unknown_enum", times=1, path_contains="/participants")

    first = read()

    assert "lost" in {row["registration_status"] for row in first.rows("participants")}
    assert "unknown value 'lost' of field registration_status" in caplog.text


def test_a_row_of_another_event_and_one_without_a_key_are_kept_aside(season, read):
    first = read()
    season.advance(DAY + 1)
    orchard = season.event("Orchard")
    season.fault("no_key", times=1, path_contains=f"{orchard}/participants")
    keyless = read(first.state)
    season.advance(DAY + 1)
    season.fault("bad_record", times=1, path_contains=f"{orchard}/participants")
    stranger = read(keyless.state)

    assert [reject["field"] for reject in keyless.rows("rejects")] == ["participant_id"]
    assert [reject["field"] for reject in stranger.rows("rejects")] == ["event_id"]
    assert keyless.removals("participants") == stranger.removals("participants") == {}


@pytest.mark.parametrize("field", ["participantId", "registrationStatus", "firstName"])
def test_a_field_that_is_gone_from_all_rows_stops_the_stream_and_nothing_of_it_is_taken(season, read, field):
    first = read()
    season.advance(DAY + 1)
    season.fault("missing_field", times=None, path_contains="/participants", field=field)

    broken = read(first.state)

    assert "stream participants" in broken.error and field in broken.error
    assert broken.rows("participants") == [] and broken.removals("participants") == {}
    assert broken.state["bookmarks"]["participants"] == first.state["bookmarks"]["participants"]


def test_an_empty_answer_by_accident_removes_nobody(season, read):
    first = read()
    season.advance(DAY + 1)
    season.fault("empty_answer", times=1, path_contains="/participants")

    again = read(first.state)

    assert again.removals("participants") == {}
    assert same(delivered(first, again), season.holds("participants"))
