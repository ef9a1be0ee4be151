"""What is read arrives, once; what moved is asked for one by one; what vanishes is told."""

from __future__ import annotations

import pytest
from haku_season import HELD, KEYS, LIVE, PAST, STREAMS


def single_calls(season):
    return [call for call in season.calls() if "/registrations/" in call]


# --- a first read ------------------------------------------------------------------------------------


def test_a_first_read_delivers_all_that_the_provider_holds(season, run, target):
    first = run()

    assert first.error is None
    target.load(first)
    target.assert_holds(season)
    for stream in STREAMS:
        assert len(first.rows(stream)) == len(target.table(stream)) > 0, stream


def test_every_row_carries_its_tenant_its_event_and_the_record_as_sent(season, run):
    first = run()

    for stream in STREAMS:
        assert {row["timing_partner_id"] for row in first.rows(stream)} == {1}
        assert {row["event_id"] for row in first.rows(stream)} == {LIVE, PAST}
        assert all(row[key] for row in first.rows(stream) for key in KEYS[stream])


@pytest.mark.parametrize("size", [7, 25, 100, 500])
def test_no_row_is_lost_whatever_page_size_is_asked_for(season, run, target, size):
    target.load(run(page_size=size))

    target.assert_holds(season)


@pytest.mark.parametrize("quirks", [{"envelope": True}, {"envelope": True, "pagination": True}])
def test_lists_are_read_from_both_envelopes(season, run, target, quirks):
    season.quirks(**quirks)

    target.load(run())

    target.assert_holds(season)


def test_a_page_that_is_refused_as_too_large_names_the_setting(season, run):
    season.quirks(oversize_400=True)

    refused, taken = run(page_size=100), run(page_size=25)

    assert "check setting page_size" in refused.error
    assert taken.error is None


def test_events_that_are_hidden_unless_asked_for_are_read(season, run):
    rows = {row["event_id"]: row for row in run().rows("events")}

    assert (rows[PAST]["status"], rows[LIVE]["status"]) == ("inactive", "active")
    assert (rows[LIVE]["event_date"], rows[LIVE]["starts_at"]) == ("2026-09-19", None)
    assert rows[PAST]["starts_at"].startswith("2026-08-09T14:00:00")


def test_a_list_that_says_the_same_on_every_page_ends(season, wire, run):
    wire.rules.append(
        lambda path, query, status, headers, data: (
            None if not path.endswith("/participants") else (status, headers, wire.first.setdefault(path, data))
        )
    )
    wire.first = {}

    first = run(api_url=wire.api_url)

    assert first.error is None
    assert 0 < len(first.rows("participants")) <= 50


def test_a_row_that_is_deleted_while_pages_are_turned_hides_no_other(season, run, target):
    season.fault("row_gone_between_pages", times=1, path_contains=f"{LIVE}/participants")

    target.load(run(page_size=5))

    # The deleted one may have been met before; none but it may be wrong.
    held = {row["registration_number"] for row in season.holds("participants")}
    found = {row["registration_number"] for row in target.records("participants")}
    assert held <= found


def test_start_date_leaves_out_what_belongs_to_earlier_events(season, run):
    first = run(start_date="2026-09-01")

    assert {row["event_id"] for row in first.rows("events")} == {LIVE, PAST}
    assert {row["event_id"] for stream in STREAMS[1:] for row in first.rows(stream)} == {LIVE}


# --- an unchanged season -------------------------------------------------------------------------------


def test_a_second_read_of_an_unchanged_season_sends_nothing_and_takes_three_calls(season, run):
    first = run()
    season.forget_calls()

    again = run(first.state)

    assert again.sent == {}
    assert again.rows("removals") == []
    # A token, the events, today's list; the other event is settled.
    assert len(season.calls()) == 3
    assert again.read("participants")["calls_saved"] == 1
    # Else the gate would take both for streams that nobody reads.
    assert {again.read(stream)["mode"] for stream in ("categories", "registrations")} == {"skipped"}


def test_the_last_read_of_an_event_comes_after_its_days_of_grace(season, run):
    first = run()
    season.advance(days=40)

    late = run(first.state)
    settled = run(late.state)

    assert first.marks("participants")[PAST]["settled"]
    assert "settled" not in first.marks("participants")[LIVE]
    assert late.marks("participants")[LIVE]["settled"]
    assert all(
        mark == {"context": mark["context"], "settled": True} for mark in settled.marks("registrations").values()
    )
    assert settled.sent == {}


def test_read_everything_sends_all_rows_again_and_still_finds_removals(season, run):
    first = run()
    gone = season.change("delete", LIVE)["changed"]

    again = run(first.state, read_everything=True)
    after = run(again.state)

    for stream in HELD:
        assert len(again.rows(stream)) == len(season.holds(stream)), stream
    assert set(again.removals("registrations")) == set(again.removals("participants")) == {f"{LIVE}/{gone[0]}"}
    assert after.sent == {}


# --- changes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quirks", [{}, {"ignore_updated_since": True}, {"thin_updated_at": False}])
def test_only_what_moved_is_asked_for_and_sent(season, run, target, quirks):
    season.quirks(**quirks)
    first = run()
    number = season.numbers()[4]
    season.advance(minutes=10)
    # Seen in the full registration only.
    season.change("edit_entry", LIVE, id=number, fields={"phone": "555-000-0000"})
    season.forget_calls()

    again = run(first.state)

    assert len(single_calls(season)) == 1
    assert [row["registration_number"] for row in again.rows("registrations")] == [number]
    assert again.rows("registrations")[0]["phone"] == "555-000-0000"
    target.load(first, again).assert_holds(season)


def test_where_updated_since_is_ignored_the_list_is_left_at_the_first_page_of_old_changes(season, run):
    season.quirks(ignore_updated_since=True)
    first = run(page_size=5)
    season.advance(minutes=10)
    season.forget_calls()

    run(first.state, page_size=5)

    assert sum("/participants" in call for call in season.calls()) == 1


def test_a_new_registration_arrives(season, run, target):
    first = run()
    season.advance(minutes=10)
    (number,) = season.change("add_entry", LIVE, fields={"first_name": "Ímani"})["new"]

    again = run(first.state)

    assert [row["first_name"] for row in again.rows("registrations")] == ["Ímani"]
    assert again.sent == {"participants": 1, "registrations": 1}
    assert again.rows("participants")[0]["registration_number"] == number


def test_a_bib_is_the_active_categorys_tag_number_and_a_late_one_arrives(season, run):
    number = season.numbers()[2]
    season.change("edit_entry", LIVE, id=number, fields={"tag_number": None, "chip_number": "C90001"})
    first = run()
    season.advance(minutes=10)
    season.change("edit_entry", LIVE, id=number, fields={"tag_number": "0099"})

    again = run(first.state)

    before = {row["registration_number"]: row for row in first.rows("registrations")}[number]
    assert (before["tag_number"], before["chip_number"]) == (None, "C90001")
    assert [row["tag_number"] for row in again.rows("registrations")] == ["0099"]


def test_a_cancellation_keeps_its_row_with_the_flag_and_its_time(season, run):
    first = run()
    season.advance(minutes=10)
    (number,) = season.change("cancel", LIVE, id=season.numbers()[0])["changed"]

    again = run(first.state)

    (row,) = again.rows("registrations")
    assert (row["registration_number"], row["is_cancelled"]) == (number, True)
    assert row["cancelled_at"] == season.now.isoformat()
    assert again.rows("removals") == []


def test_after_a_switch_of_category_the_new_one_counts(season, run):
    first = run()
    season.advance(minutes=10)
    season.change("switch_category", LIVE, id=season.numbers()[0])

    (row,) = run(first.state).rows("registrations")

    old, new = row["event_categories"]
    assert (row["category_id"], row["category_name"]) == (str(new["id"]), new["name"])
    assert (row["tag_number"], old["tag_number"] is None) == (None, False)
    assert row["active_categories"] == 1


def test_somebody_in_two_categories_is_told(season, run):
    season.quirks(two_active_categories=True)

    rows = run().rows("registrations")

    assert {row["active_categories"] for row in rows} == {1, 2}
    assert all(row["category_id"] == str(row["event_categories"][0]["id"]) for row in rows)


def test_a_registration_without_an_address_is_delivered(season, run):
    season.quirks(null_address=True)

    rows = run().rows("registrations")

    assert len(rows) == len(season.holds("registrations"))
    assert any(row["city"] is None for row in rows)


@pytest.mark.parametrize("fractional", [False, True])
def test_times_without_a_zone_are_meant_in_the_one_that_is_set(season, run, fractional):
    season.quirks(fractional_times=fractional)
    number = season.numbers()[0]
    season.change("edit_entry", LIVE, id=number, fields={"created_at": "2026-01-14 16:20:31"})

    def created(**settings):
        rows = {row["registration_number"]: row for row in run(**settings).rows("registrations")}
        return rows[number]["created_at"], rows[number]["updated_at"]

    assert created()[0] == "2026-01-14T16:20:31+00:00"
    assert created(timezone="America/New_York")[0] == "2026-01-14T21:20:31+00:00"
    if fractional:
        # These carry their zone.
        assert created(timezone="America/New_York")[1] == season.now.isoformat()


def test_custom_fields_are_kept_as_they_were_sent(season, run):
    rows = run().rows("registrations")

    for row in rows:
        assert row["additional_questions"] == row["record"]["additional_questions"]
        assert row["participant_questions"] == row["record"]["participant"]["additional_questions"]
    assert {q["question"] for row in rows for q in row["additional_questions"]} == {"Dietary needs"}


def test_categories_are_told_once_each(season, run):
    first = run()
    season.advance(minutes=10)
    season.change("edit_entry", LIVE, id=season.numbers()[0], fields={"email": "new@example.org"})

    again = run(first.state)

    assert sorted(row["name"] for row in first.rows("categories")) == ["10K", "10K", "5K", "Half Marathon"]
    assert again.rows("categories") == []
    assert again.sent == {"participants": 1, "registrations": 1}


# --- what vanishes -------------------------------------------------------------------------------------


def test_a_deleted_registration_is_found_by_the_next_whole_read(season, run, target):
    first = run()
    season.advance(minutes=10)
    (gone,) = season.change("delete", LIVE, id=season.numbers()[3])["changed"]

    soon = run(first.state)
    season.advance(days=1)
    late = run(soon.state)
    season.change("restore", LIVE, id=gone)
    season.advance(days=1)
    back = run(late.state)

    assert soon.rows("removals") == []
    for stream in ("participants", "registrations"):
        assert late.removals(stream) == {f"{LIVE}/{gone}": None}
        assert back.removals(stream)[f"{LIVE}/{gone}"] is not None
    target.load(first, soon, late, back).assert_holds(season)


@pytest.mark.parametrize("times", [1, 2])
def test_an_empty_answer_by_accident_removes_nobody(season, run, times):
    first = run()
    season.advance(days=1)
    season.fault("empty_answer", times=times, path_contains=f"{LIVE}/participants")

    again = run(first.state)

    assert again.rows("removals") == []
    assert again.sent == {}


def test_a_list_that_lost_its_last_pages_removes_nobody(season, run):
    first = run(page_size=2)
    season.advance(days=1)
    season.fault("empty_answer", times=None, path_contains="page=2")

    again = run(first.state, page_size=2)
    season.clear_faults()
    after = run(again.state, page_size=2)

    assert again.rows("removals") == after.rows("removals") == []


def test_an_event_that_is_gone_takes_its_rows_along_and_one_that_is_only_unlisted_does_not(season, wire, run):
    first = run()
    season.advance(days=1)

    def without(path, query, status, headers, data):
        return (status, headers, [one for one in data if one["id"] != int(LIVE)]) if path == "/events" else None

    def not_found(path, query, status, headers, data):
        return (404, headers, {"error": "Not found"}) if path.startswith(f"/events/{LIVE}") else None

    wire.rules.append(without)
    unlisted = run(first.state, api_url=wire.api_url)
    season.advance(days=1)
    wire.rules.append(not_found)
    gone = run(unlisted.state, api_url=wire.api_url)
    after = run(gone.state, api_url=wire.api_url)

    assert unlisted.rows("removals") == []
    assert set(gone.removals("events")) == {LIVE}
    numbers = {f"{LIVE}/{number}" for number in season.numbers()}
    assert set(gone.removals("participants")) == set(gone.removals("registrations")) == numbers
    assert after.rows("removals") == []


# --- between the list and the registration ---------------------------------------------------------------


def test_one_that_is_not_found_is_asked_for_again_with_the_next_whole_read(season, run, target):
    season.fault("detail_404", times=1, path_contains=f"{LIVE}/registrations/")

    first = run()
    season.advance(days=1)
    again = run(first.state)

    assert first.error is None
    assert len(first.rows("registrations")) == len(season.holds("registrations")) - 1
    assert len(again.rows("registrations")) == 1
    target.load(first, again).assert_holds(season)


def test_one_that_is_cancelled_after_the_list_was_read_is_told_and_the_list_follows(season, run, target):
    season.advance(minutes=10)
    season.fault("cancelled_before_detail", times=1, path_contains=f"{LIVE}/registrations/")

    first = run()
    season.advance(minutes=10)
    again = run(first.state)

    assert again.sent.get("participants") == 1
    target.load(first, again).assert_holds(season)


def test_an_answer_about_another_registration_is_refused(season, run):
    season.fault("bad_record", times=1, path_contains="/registrations/")

    first = run()

    (reject,) = [row for row in first.rows("rejects") if row["stream"] == "registrations"]
    assert (reject["field"], reject["reason"].startswith("of R-000000, asked for R-")) == ("registration_number", True)
    assert len(first.rows("registrations")) == len(season.holds("registrations")) - 1


# --- the hour's calls ----------------------------------------------------------------------------------


def test_lists_come_before_single_registrations_and_todays_event_before_others(season, run):
    run()

    calls = [call for call in season.calls() if "oauth2" not in call]
    first_single = next(at for at, call in enumerate(calls) if "/registrations/" in call)
    assert not [call for call in calls[first_single:] if "/participants" in call]
    events = [call.split("/")[1] for call in calls[first_single:]]
    assert events == sorted(events, key=[LIVE, PAST].index)


def test_registrations_wait_for_the_next_hour_and_leave_its_calls_to_the_lists(season, run, target, tmp_path):
    first = run(calls_per_hour=60, calls_for_lists=30)
    season.advance(minutes=10)
    again = run(first.state, calls_per_hour=60, calls_for_lists=30)
    later = run(again.state, budget_dir=str(tmp_path / "another hour"))

    assert first.error is None
    waiting = sum(len(mark.get("due", ())) for mark in first.marks("registrations").values())
    assert 0 < len(first.rows("registrations")) == len(season.holds("registrations")) - waiting
    # The lists are read as ever, and no registration is asked for.
    assert again.error is None
    assert (again.read("participants", LIVE)["calls_made"], again.rows("registrations")) == (1, [])
    assert len(later.rows("registrations")) == waiting
    target.load(first, again, later).assert_holds(season)


def test_a_limit_that_is_met_among_the_registrations_keeps_what_was_read(season, run, target):
    season.ask("POST", "limits", provider="haku", calls_per_hour=30, status=429, retry_after=3000)

    first = run()
    season.ask("POST", "limits", provider="haku", calls_per_hour=1000)
    again = run(first.state)

    assert "it asks to wait 3000 s" in first.error
    assert 0 < len(first.rows("registrations")) < len(season.holds("registrations"))
    asked = [row["registration_number"] for row in [*first.rows("registrations"), *again.rows("registrations")]]
    assert len(asked) == len(set(asked)) == len(season.holds("registrations"))
    target.load(first, again).assert_holds(season)
