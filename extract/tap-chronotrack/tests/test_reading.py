"""What is read arrives, once; what changes arrives again; what vanishes is told."""

from __future__ import annotations

import pytest
from chronotrack_season import KEYS, STREAMS
from tap_testing.runs import Run


def test_a_first_read_delivers_all_that_the_provider_holds(season, run, target):
    first = run()

    assert first.error is None
    target.load(first).assert_holds(season)
    for stream in STREAMS:
        assert len(first.rows(stream)) == len(target.table(stream)), stream


def test_every_row_carries_its_tenant_and_the_record_as_sent(season, run):
    first = run()

    (event,) = [row for row in first.rows("events") if row["event_id"] == season.event(racing=True)]
    assert event["timing_partner_id"] == 1
    assert event["event_start_time"].endswith("+00:00")
    assert event["record"] in season.holds("events")


def test_two_partners_read_one_race_under_the_same_ids(season, run):
    ours, theirs = run(), run(partner=2)

    shared = {row["event_id"] for row in ours.rows("events")} & {row["event_id"] for row in theirs.rows("events")}
    assert shared
    assert {row["timing_partner_id"] for row in theirs.rows("events")} == {2}


def test_small_pages_give_the_same_rows(season, run, target):
    first = run(page_size=7)

    target.load(first).assert_holds(season)


def test_a_second_read_of_an_unchanged_season_sends_nothing(season, run):
    first = run()

    again = run(first.state)

    assert again.sent == {}
    assert again.removals("entries") == {}


def test_a_settled_event_is_not_read_again_and_its_calls_count_as_saved(season, run):
    over = season.event(over=True)
    first = run()
    assert first.marks("entries")[over] == {"context": {"event_id": over}, "settled": True, "calls": 1}
    season.forget_calls()

    again = run(first.state)

    assert not [call for call in season.calls() if f"event/{over}/" in call]
    assert again.read("entries")["mode"] == "skipped"
    assert again.read("entries")["calls_saved"] >= 1


def test_the_last_read_of_an_event_comes_after_its_days_of_grace(season, run):
    racing = season.event(racing=True)
    first = run()
    season.advance(days=40)
    season.forget_calls()

    late = run(first.state)
    settled = run(late.state)

    assert "settled" not in first.marks("entries")[racing]
    assert late.marks("entries")[racing]["settled"]
    assert settled.marks("entries") == late.marks("entries")


def test_read_everything_sends_all_rows_again_and_still_finds_removals(season, run):
    racing = season.event(racing=True)
    first = run()
    gone = season.change("delete", racing)["changed"]

    again = run(first.state, read_everything=True)
    after = run(again.state)

    assert len(again.rows("entries")) == len(season.holds("entries"))
    assert set(again.removals("entries")) == set(gone)
    assert after.sent == {}


def test_start_date_leaves_out_what_belongs_to_earlier_events(season, run):
    over = season.event(over=True)

    first = run(start_date=season.now.date().isoformat())

    assert over in {row["event_id"] for row in first.rows("events")}
    assert over not in {row["event_id"] for row in first.rows("entries")}


def test_results_of_an_event_that_has_not_begun_are_not_asked_for(season, run):
    ahead = season.event(ahead=True)

    run()

    assert [call for call in season.calls() if f"event/{ahead}/entry" in call]
    assert not [call for call in season.calls() if f"event/{ahead}/results" in call]


# --- changes -----------------------------------------------------------------------------------------


def test_only_a_changed_entry_is_sent(season, run, target):
    racing = season.event(racing=True)
    first = run()
    (changed,) = season.change("edit_entry", racing, fields={"athlete_first_name": "Ímani"})["changed"]

    again = run(first.state)

    assert [row["entry_id"] for row in again.rows("entries")] == [changed]
    assert again.rows("entries")[0]["athlete_first_name"] == "Ímani"
    assert again.read("entries", racing)["rows_sent"] == 1


def test_a_new_entry_and_a_renamed_event_arrive(season, run):
    ahead = season.event(ahead=True)
    first = run()
    (new,) = season.change("add_entry", ahead)["new"]
    season.change("rename_event", ahead, fields={"name": "Moved by the Mayor"})

    again = run(first.state)

    assert [row["entry_id"] for row in again.rows("entries")] == [new]
    assert [row["event_name"] for row in again.rows("events")] == ["Moved by the Mayor"]


def test_a_withdrawal_is_a_status_not_a_removal(season, run):
    ahead = season.event(ahead=True)
    first = run()
    (changed,) = season.change("cancel", ahead)["changed"]

    again = run(first.state)

    assert [(row["entry_id"], row["entry_status"]) for row in again.rows("entries")] == [(changed, "WD")]
    assert again.removals("entries") == {}


def test_a_deleted_entry_is_told_once_and_its_return_too(season, run, target):
    racing = season.event(racing=True)
    first = run()
    (gone,) = season.change("delete", racing)["changed"]

    second = run(first.state)
    third = run(second.state)
    season.change("restore", racing, ids=[gone])
    fourth = run(third.state)

    assert second.removals("entries") == {gone: None}
    assert second.read("entries", racing)["rows_removed"] == 1
    assert third.removals("entries") == {}
    assert [row["entry_id"] for row in fourth.rows("entries")] == [gone]
    (back,) = [row for row in fourth.rows("removals") if row["record_key"] == gone]
    (missed,) = [row for row in second.rows("removals") if row["record_key"] == gone]
    assert back["returned_at"] is not None
    assert back["noticed_at"][:19] == missed["noticed_at"][:19]
    target.load(first, second, third, fourth).assert_holds(season, streams=["entries"])


def test_with_a_deleted_entry_its_results_go_as_well(season, run, target):
    racing = season.event(racing=True)
    season.change("post_results", racing, count=5)
    first = run()
    someone = first.rows("results")[0]["results_entry_id"]
    scope = first.rows("results")[0]["event_id"]
    season.change("delete", scope, ids=[someone])

    again = run(first.state, settle_days=1000)

    assert all(key.split("/")[1] == someone for key in again.removals("results"))
    target.load(first, again).assert_holds(season, streams=["results"])


def test_whatever_happens_to_a_season_its_copy_follows(season, run, target):
    racing, ahead = season.event(racing=True), season.event(ahead=True)
    state = None
    for step in range(5):
        if step == 1:
            season.change("post_results", racing, count=4)
            season.change("assign_bibs", ahead, count=3)
        if step == 2:
            season.change("disqualify", racing)
            season.change("delete", ahead)
        if step == 3:
            season.change("delete_result", racing)
            season.change("restore", ahead)
            season.advance(minutes=20)
        if step == 4:
            season.change("correct_result", racing)
            season.change("move_event", ahead, fields={"days": 7})
        done = run(state, page_size=5)
        assert done.error is None
        target.load(done)
        state = done.state
        target.assert_holds(season)


# --- pages -------------------------------------------------------------------------------------------


def test_rows_that_come_again_on_the_next_page_are_sent_once(season, run):
    racing = season.event(racing=True)
    season.change("post_results", racing, count=4)
    season.ask("POST", "quirks", repeat_rows=2)

    first = run(page_size=5)

    keys = [tuple(row[key] for key in KEYS["results"]) for row in first.rows("results")]
    assert len(keys) == len(set(keys)) == len(season.holds("results"))
    read = first.read("results", racing)
    assert read["rows_received"] > read["rows_at_provider"] == read["rows_sent"]


def test_a_row_pushed_in_between_pages_is_not_missed(season, run, target):
    ahead = season.event(ahead=True)
    season.fault("row_between_pages", times=1, path_contains=f"event/{ahead}/entry")

    first = run(page_size=5)

    assert season.faults_left() == 0
    target.load(first).assert_holds(season, streams=["entries"])
    assert first.read("entries", ahead)["mode"] == "whole"


def test_a_row_that_slips_back_over_a_page_is_not_missed_nor_taken_for_removed(season, run, target):
    ahead = season.event(ahead=True)
    first = run(page_size=5)
    season.fault("row_gone_between_pages", times=1, path_contains=f"event/{ahead}/entry")

    again = run(first.state, page_size=5)

    assert season.faults_left() == 0
    target.load(first, again).assert_holds(season, streams=["entries"])
    left = {row["entry_id"] for row in season.holds("entries")}
    gone = {row["entry_id"] for row in first.rows("entries")} - left
    assert len(gone) == 1
    assert again.removals("entries") == dict.fromkeys(gone)


def without_headers(path, query, status, headers, data):
    return status, {k: v for k, v in headers.items() if not k.startswith("x-ctlive")}, data


def with_body_fields(path, query, status, headers, data):
    told = {"page": headers.get("x-ctlive-current-page"), "page_count": headers.get("x-ctlive-page-count")}
    return without_headers(path, query, status, headers, data | told)


@pytest.mark.parametrize("rule", [without_headers, with_body_fields])
def test_pages_are_found_without_headers_too(season, wire, run, target, rule):
    wire.rules.append(rule)

    first = run(api_url=wire.api_url, page_size=5)

    assert first.error is None
    target.load(first).assert_holds(season)


def test_a_provider_that_gives_smaller_pages_than_asked_for_is_read_to_the_end(season, wire, run, target):
    def capped(path, query, status, headers, data):
        return status, {k: v for k, v in headers.items() if k != "x-ctlive-page-count"}, data

    wire.rules.append(capped)

    target.load(run(api_url=wire.api_url, page_size=4))

    target.assert_holds(season, streams=["entries"])


def test_a_provider_that_repeats_one_page_for_ever_is_told_from_one_with_many(season, wire, run):
    def stuck(path, query, status, headers, data):
        first = seen.setdefault(path, data)
        return status, headers | {"x-ctlive-current-page": "1", "x-ctlive-page-count": "9"}, first

    seen: dict = {}

    wire.rules.append(stuck)

    first = run(api_url=wire.api_url)

    assert "asked for page 2, got 1" in first.error


def test_a_count_that_holds_repeated_rows_is_believed_after_a_second_read(season, wire, run):
    def inflated(path, query, status, headers, data):
        if path.endswith("/bracket"):
            return status, headers | {"x-ctlive-row-count": "999"}, data
        return None

    wire.rules.append(inflated)

    first = run(api_url=wire.api_url)

    scope = season.event(racing=True)
    assert first.read("brackets", scope)["mode"] == "whole"
    assert first.read("brackets", scope)["calls_made"] == 2


def test_addresses_have_no_slash_before_the_question_mark_and_ask_for_all_fields(season, wire, run):
    run(api_url=wire.api_url)

    assert all(not path.endswith("/") for path, _ in wire.calls)
    entries = [query for path, query in wire.calls if path.endswith("/entry")]
    assert all(query["elide_json"] == "false" and query["size"] == "1000" for query in entries)
    assert all(query["contact_details"] == query["need_athlete_birthdate"] == "true" for query in entries)
    assert all(query["interval"] == "ALL" for path, query in wire.calls if path.endswith("/results"))


def test_contact_data_and_birth_dates_are_asked_for_only_where_wanted(season, run):
    first = run(include_contact=False, include_birthdate=False)

    assert first.error is None
    assert {row["athlete_email"] for row in first.rows("entries")} == {None}
    assert {row["athlete_birthdate"] for row in first.rows("entries")} == {None}
    assert not any("athlete_email" in row["record"] for row in first.rows("entries"))


def test_test_entries_are_read_only_where_wanted(season, run):
    usual, all_of_them = run(), run(include_test_entries=True)

    assert "TEST" not in {row["entry_type"] for row in usual.rows("entries")}
    assert "TEST" in {row["entry_type"] for row in all_of_them.rows("entries")}


def test_numbers_are_taken_where_texts_are_documented(season, wire, run):
    def numeric(path, query, status, headers, data):
        for row in data.get("event_results", []):
            row["results_rank"] = int(row["results_rank"] or 0)
            row["results_entry_id"] = int(row["results_entry_id"])
            row["results_end_chip_time"] = float(row["results_end_chip_time"] or 0) or None
        return status, headers, data

    plain = run()
    wire.rules.append(numeric)
    numbers = run(api_url=wire.api_url)

    def typed(done):
        return sorted(
            (row["results_entry_id"], row["results_interval_id"], row["results_end_chip_time"] or "")
            for row in done.rows("results")
        )

    assert numbers.error is None
    assert typed(numbers) == typed(plain)


# --- events that go away -----------------------------------------------------------------------------


def vanished(event_id):
    def rule(path, query, status, headers, data):
        if path.rstrip("/").startswith(f"/event/{event_id}"):
            return 404, headers, {"error": {"code": 404, "message": "not found"}}
        if path == "/event":
            kept = [row for row in data["event"] if row["event_id"] != event_id]
            return status, headers | {"x-ctlive-row-count": str(len(kept))}, {"event": kept}
        return None

    return rule


def test_what_belongs_to_an_event_that_is_gone_goes_with_it_and_comes_back_with_it(season, wire, run, target):
    racing = season.event(racing=True)
    first = run(api_url=wire.api_url)
    wire.rules.append(vanished(racing))
    second = run(first.state, api_url=wire.api_url)
    wire.calls.clear()
    third = run(second.state, api_url=wire.api_url)
    asked = [path for path, _ in wire.calls if racing in path]
    wire.rules.clear()
    fourth = run(third.state, api_url=wire.api_url)

    assert second.error is None
    assert second.removals("events") == {racing: None}
    entries = [row["entry_id"] for row in first.rows("entries") if row["event_id"] == racing]
    assert sorted(second.removals("entries")) == sorted(entries)
    assert asked == []
    assert third.rows("removals") == []
    assert sorted(row["entry_id"] for row in fourth.rows("entries")) == sorted(entries)
    assert all(fourth.removals("entries").values())
    target.load(first, second, third, fourth).assert_holds(season)


def test_an_event_that_is_only_not_listed_any_more_is_still_read(season, wire, run):
    racing = season.event(racing=True)
    first = run(api_url=wire.api_url)

    def unlisted(path, query, status, headers, data):
        return vanished(racing)(path, query, status, headers, data) if path == "/event" else None

    wire.rules.append(unlisted)
    season.change("edit_entry", racing, fields={"entry_bib": "0042"})

    again = run(first.state, api_url=wire.api_url)

    assert again.error is None
    assert again.rows("removals") == []
    assert [row["entry_bib"] for row in again.rows("entries")] == ["0042"]


def test_an_event_we_may_no_longer_read_keeps_its_rows(season, wire, run):
    racing = season.event(racing=True)
    first = run(api_url=wire.api_url)

    def closed(path, query, status, headers, data):
        if f"/{racing}" in path:
            return 403, headers, {"error": {"code": 403, "message": "no"}}
        return vanished(racing)(path, query, status, headers, data)

    wire.rules.append(closed)

    again = run(first.state, api_url=wire.api_url)

    assert again.error is None
    assert again.rows("removals") == []
    assert again.marks("entries")[racing] == first.marks("entries")[racing]


def test_a_listed_event_without_rights_fails_alone_in_one_line(season, wire, run):
    racing = season.event(racing=True)

    def closed(path, query, status, headers, data):
        if path == f"/event/{racing}/entry":
            return 403, headers, {"error": {"code": 403, "message": "no"}}
        return None

    wire.rules.append(closed)

    first = run(api_url=wire.api_url)

    assert "stream entries" in first.error and racing in first.error and "403" in first.error
    assert "\n" not in first.error
    assert first.rows("results")
    others = {row["event_id"] for row in season.holds("entries")} - {racing}
    assert {row["event_id"] for row in first.rows("entries")} == others


def test_an_answer_without_its_list_is_an_error_of_that_event_alone(season, wire, run):
    racing = season.event(racing=True)
    first = run(api_url=wire.api_url)

    def wrong(path, query, status, headers, data):
        return (status, headers, {"message": "no such event"}) if path == f"/event/{racing}/race" else None

    wire.rules.append(wrong)

    again = run(first.state, api_url=wire.api_url)

    assert "the answer has no event_race" in again.error and f"event {racing}" in again.error
    assert again.rows("removals") == []
    assert again.marks("races")[racing] == first.marks("races")[racing]


def test_a_404_below_an_event_that_is_there_removes_nothing(season, wire, run):
    racing = season.event(racing=True)
    first = run(api_url=wire.api_url)

    def lost(path, query, status, headers, data):
        return (404, headers, {"error": {}}) if path == f"/event/{racing}/interval" else None

    wire.rules.append(lost)

    again = run(first.state, api_url=wire.api_url)

    assert f"although event {racing} is there" in again.error
    assert again.rows("removals") == []


def test_an_empty_answer_is_asked_for_again_before_anybody_counts_as_removed(season, run):
    racing = season.event(racing=True)
    first = run()
    season.fault("empty_answer", times=1, path_contains=f"event/{racing}/entry")

    again = run(first.state)

    assert season.faults_left() == 0
    assert again.error is None
    assert again.rows("removals") == []
    assert again.rows("entries") == []


def test_an_empty_answer_is_asked_for_again_before_an_event_is_settled(season, run):
    over = season.event(over=True)
    for path in ("entry", "bracket", "results"):
        season.fault("empty_answer", times=1, path_contains=f"event/{over}/{path}")

    first = run()

    for stream in ("entries", "brackets", "results"):
        assert len(first.rows(stream)) == len(season.holds(stream)), stream


def test_an_empty_list_of_events_removes_no_event_that_still_answers(season, run):
    first = run()
    season.fault("empty_answer", times=2, path_contains="event?")

    again = run(first.state)

    assert again.error is None
    assert again.rows("removals") == []


# --- pages as they were: not decoded, and nothing is missed by it ----------------------------------------


def known_pages(make_tap, state, stream="entries", **settings):
    """Return a run and how many answers about a stream it did not decode."""
    tap = make_tap(state, **settings)
    return Run(tap), tap.streams[stream].totals.known_pages


def test_pages_as_they_were_are_counted_and_not_decoded(season, make_tap, run):
    first = run(page_size=10)

    again, known = known_pages(make_tap, first.state, page_size=10)

    assert known > 1
    assert again.sent == {}
    assert again.state["bookmarks"]["entries"] == first.state["bookmarks"]["entries"]
    racing = season.event(racing=True)
    counts = ("rows_received", "rows_at_provider", "rows_removed", "calls_made")
    assert [again.read("entries", racing)[name] for name in counts] == [
        first.read("entries", racing)[name] for name in counts
    ]


@pytest.mark.parametrize(
    ("kind", "more"), [("edit_entry", {"fields": {"entry_bib": "77"}}), ("delete", {}), ("add_entry", {})]
)
def test_what_changes_beside_known_pages_arrives(season, make_tap, run, target, kind, more):
    racing = season.event(racing=True)
    first = run(page_size=10)
    target.load(first)
    season.change(kind, racing, count=1, **more)

    again, known = known_pages(make_tap, first.state, page_size=10)
    target.load(again)
    settled, known_then = known_pages(make_tap, again.state, page_size=10)

    assert known > 0
    target.assert_holds(season, streams=["entries"])
    assert settled.sent == {}
    assert known_then >= known


def test_a_list_without_counts_in_its_headers_is_decoded_to_turn_its_pages(season, make_tap, wire):
    wire.rules.append(
        lambda path, query, status, headers, data: (
            status,
            {name: value for name, value in headers.items() if not name.startswith("x-ctlive")},
            data,
        )
    )
    first, _ = known_pages(make_tap, None, page_size=10, api_url=wire.api_url)

    again, _ = known_pages(make_tap, first.state, page_size=10, api_url=wire.api_url)

    assert len(first.rows("entries")) == len(season.holds("entries"))
    assert again.sent == {}
    assert again.removals("entries") == {}
