"""Each surprise of the provider page."""

from __future__ import annotations

import json

import pytest
from letsdothis_season import AHEAD, PAST
from tap_letsdothis.columns import instant_text

# -- pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["auto", "last_row"])
@pytest.mark.parametrize("exclusive", [False, True])
def test_both_readings_of_next_lose_nothing(run, season, target, cursor, exclusive):
    season.quirks(exclusive_cursors=exclusive)

    done = run(cursor=cursor, page_size=5)

    target.load(done)
    assert done.error is None
    target.assert_holds(season, streams=("participants", "applications"))


def test_which_reading_holds_is_remembered(run, season, target):
    season.quirks(exclusive_cursors=True)
    first = run(page_size=5)
    season.forget_calls()

    again = run(first.state, page_size=5, read_everything=True)

    assert first.state["bookmarks"]["participants"]["cursor"] == "last_row"
    rows = len(season.holds("participants"))
    # One pass: found out the first time, and not again.
    assert again.calls("participants") == -(-(rows - 1) // 5) or again.calls("participants") == -(-rows // 5)


def test_one_reading_can_be_set(run, season, caplog):
    season.quirks(exclusive_cursors=True)

    done = run(cursor="next", page_size=5)

    # The wrong one is told, and no bookmark runs ahead of what was missed.
    assert len(done.rows("participants")) < len(season.holds("participants"))
    assert any("rows met where the provider counts" in record.getMessage() for record in caplog.records)
    assert "replication_key_value" not in done.state["bookmarks"]["participants"]


@pytest.mark.parametrize("quirk", ["empty_ends", "cursors_never_end"])
@pytest.mark.parametrize("page_size", [2, 5, 500])
def test_every_way_to_tell_the_end_is_one(run, season, target, quirk, page_size):
    season.quirks(**{quirk: True})

    done = run(page_size=page_size)

    target.load(done)
    assert done.error is None
    target.assert_holds(season)


def test_parameters_in_brackets_are_encoded(run, season):
    run()

    lines = [line for line in season.calls() if "participants" in line]
    assert lines
    assert all("page%5Bsize%5D=500" in line for line in lines)
    assert not any("page[" in line for line in lines)


@pytest.mark.parametrize("kind", ["row_between_pages", "row_gone_between_pages"])
def test_lists_that_move_while_they_are_read_lose_nothing(run, season, target, kind):
    season.fault(kind, times=3)
    first = run(page_size=5)
    target.load(first)
    season.clear_faults()
    season.advance(90_000)

    target.load(run(first.state, page_size=5))

    target.assert_holds(season)


# -- values ----------------------------------------------------------------------------------------


def test_answers_become_columns_and_all_are_kept(run):
    done = run()

    for row in done.rows("participants"):
        told = {field["id"]: field["value"] for field in row["record"]["fields"]}
        assert row["answers"] == told
        assert row["status"] == told["status"]
        assert row["first_name"] == told["firstName"]
        assert row["date_of_birth"] == told["dateOfBirth"]
        assert row["emergency_contact_name"] == (told["emergencyContactName"] or None)


def test_money_stays_in_minor_units_and_a_free_ticket_has_none(run):
    rows = run().rows("participants")

    assert {row["ticket_price_currency"] for row in rows} == {"GBP", None}
    for row in rows:
        price = row["record"]["originalTicketPrice"]
        assert row["ticket_price_minor"] == (price and price["value"])


def test_empty_texts_are_null(run):
    rows = run().rows("participants")

    assert any(row["record"]["transactionId"] == "" for row in rows)
    assert not any(row[name] == "" for row in rows for name in ("transaction_id", "ticket_id", "application_id"))


@pytest.mark.parametrize("one_r", [False, True])
def test_the_occurrence_is_found_under_both_spellings(run, season, one_r):
    season.quirks(one_r_occurence=one_r)

    done = run()

    assert done.rows("rejects") == []
    assert {row["occurrence_id"] for row in done.rows("participants")} == {PAST, AHEAD}


def test_entrants_who_never_applied_and_applicants_who_never_entered(run):
    done = run()

    applied = {row["application_id"]: row for row in done.rows("applications")}
    born_of = {row["application_id"] for row in done.rows("participants")}
    assert None in born_of
    assert born_of - {None} < applied.keys()
    waiting = [row for key, row in applied.items() if key not in born_of]
    assert {"PENDING", "REJECTED", "APPROVED"} <= {row["approval_status"] for row in waiting}


def test_applications_without_their_own_fields_are_read(run, season):
    season.quirks(no_approval_status=True)

    done = run()

    assert done.error is None
    assert {row["approval_status"] for row in done.rows("applications")} == {None}


def test_a_status_that_nobody_documented_is_kept_and_told_once(run, season, caplog):
    season.change("edit_entry", AHEAD, count=3, fields={"status": "LOST_AT_SEA"})

    done = run()

    assert sum(row["status"] == "LOST_AT_SEA" for row in done.rows("participants")) == 3
    assert [r.getMessage() for r in caplog.records if "'LOST_AT_SEA'" in r.getMessage()] == [
        "letsdothis, partner 1, stream participants: unknown value 'LOST_AT_SEA' of field status is kept as sent"
    ]


def test_one_booking_is_several_people(run):
    rows = run().rows("participants")

    together = [row for row in rows if row["participant_index"]]
    assert together
    assert all(row["booker_last_name"] for row in together)
    assert len({row["participant_id"] for row in rows}) == len(rows) > len({row["booking_id"] for row in rows})


def test_an_answer_of_the_wrong_kind_makes_one_reject(run, season):
    season.change("edit_entry", AHEAD, fields={"dateOfBirth": "1991-13-45"})

    done = run()

    (reject,) = done.rows("rejects")
    assert (reject["stream"], reject["field"], reject["scope"]) == ("participants", "date_of_birth", AHEAD)


def test_instants_are_asked_for_as_the_provider_writes_them():
    assert instant_text("2026-03-30T00:59:59.999000+00:00") == "2026-03-30T00:59:59.999Z"
    assert instant_text("2026-03-30T00:59:59+00:00") == "2026-03-30T00:59:59.000Z"


# -- events, all of them assumed -------------------------------------------------------------------


def test_an_account_without_a_list_of_events_is_told_what_to_do_and_its_entrants_are_read(run, season, target):
    season.quirks(event_calls=False)

    done = run()

    target.load(done)
    assert "1 of 8 streams stopped" in done.error
    assert "setting event_ids" in done.error
    target.assert_holds(season, streams=("participants", "applications"))


def test_events_can_be_named(run, season, target):
    done = run(event_ids="3310012012, 3310012014")

    target.load(done)
    assert done.error is None
    target.assert_holds(season)
    assert done.calls("events") == 2


def test_a_named_event_that_is_not_there_is_left_out(run):
    done = run(event_ids="3310012012,3310099999")

    assert done.error is None
    assert [row["event_id"] for row in done.rows("events")] == ["3310012012"]


def test_events_can_be_written_down(run, season, target):
    season.quirks(event_calls=False)
    written = json.dumps(season.holds("events"))

    done = run(events_json=written)

    target.load(done)
    assert done.error is None
    assert done.calls("events") == 0
    target.assert_holds(season)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"events_json": "{}"}, "events_json must be a JSON array of events"),
        ({"events_json": "[]", "event_ids": "1"}, "event_ids and events_json exclude each other"),
        ({"page_size": 501}, "page_size must be from 2 to 500"),
        ({"cursor": "sideways"}, "cursor must be one of auto, next, last_row"),
        ({"overlap_seconds": -1}, "overlap_seconds must not be negative"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(run, settings, told):
    with pytest.raises(Exception, match="Config validation failed") as failure:
        run(**settings)

    assert told in str(failure.value.errors)
