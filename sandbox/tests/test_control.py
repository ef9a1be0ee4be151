"""What control does, and what each provider shows afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import requests

RACE, HALF, TEN, RSU_AHEAD, RSU_AHEAD_RACE = 50002, 900008, 900009, 900040, 50010
LIVE, JOINT, AHEAD = 40002, 40000, 40010
NOW = 1789831800  # 2026-09-19T15:30:00Z


def registrations(box: Any) -> Any:
    return {p["registration_id"]: p for p in box.holds("runsignup", 1, "participants")}


def removed(box: Any) -> Any:
    return {p["registration_id"]: p for p in box.holds("runsignup", 1, "removed_participants")}


def entries(box: Any, partner: Any = 1) -> Any:
    return {e["entry_id"]: e for e in box.holds("chronotrack", partner, "entries")}


def results(box: Any) -> Any:
    return {(r["results_entry_id"], r["results_interval_full"]): r for r in box.holds("chronotrack", 1, "results")}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("cancel", "removed"), ("refund", "removed"), ("delete", "removed"), ("clear", "cleared"), ("defer", "deferred")],
)
def test_a_registration_taken_back_moves_to_the_removed(box: Any, kind: Any, reason: Any) -> None:
    (gone,) = box.change(kind, "runsignup", HALF)["changed"]

    assert gone not in registrations(box)
    assert removed(box)[gone]["removed_reason"] == reason
    assert removed(box)[gone]["last_modified_ts"] == NOW
    ids = {p["registration_id"] for p in box.rsu_rows("participants", RACE, HALF, size=4)}
    assert ids == {i for i, p in registrations(box).items() if p["event_id"] == HALF}


def test_a_transfer_names_its_successor(box: Any) -> None:
    made = box.change("transfer", "runsignup", HALF)
    (gone,), (new,) = made["changed"], made["new"]

    row, successor = removed(box)[gone], registrations(box)[new]
    assert (row["removed_reason"], row["new_registration_id"]) == ("transferred", new)
    assert successor["event_id"] == TEN
    assert successor["user"] == row["user"]


def test_a_registration_can_vanish_without_a_trace_and_come_back(box: Any) -> None:
    (gone,) = box.change("delete", "runsignup", HALF, fields={"trace": False})["changed"]

    assert gone not in registrations(box)
    assert gone not in removed(box)
    assert box.change("restore", "runsignup", HALF)["changed"] == [gone]
    assert registrations(box)[gone]["last_modified"] == NOW


def test_a_registration_removed_before_the_season_can_be_restored(box: Any) -> None:
    before = removed(box)
    one = next(i for i, row in before.items() if i // 40000 == min(before) // 40000)

    box.change("restore", "runsignup", 900000, id=one)

    assert one in registrations(box)
    assert one not in removed(box)


def test_an_edit_shows_and_bumps_last_modified(box: Any) -> None:
    box.control("clock", {"advance_seconds": 90})
    (one,) = box.change("edit_entry", "runsignup", HALF, fields={"city": "Elsewhere", "bib_num": 7})["changed"]

    row = registrations(box)[one]
    assert (row["user"]["address"]["city"], row["bib_num"], row["last_modified"]) == ("Elsewhere", 7, NOW + 90)
    assert [r["registration_id"] for r in box.rsu_rows("participants", RACE, HALF, modified_after_timestamp=NOW)] == [
        one
    ]


def test_new_entries_come_first_and_belong_to_a_person_who_can_be_named(box: Any) -> None:
    person = box.control("truth")[0]["person_id"]
    new = box.change("add_entry", "runsignup", HALF, count=2, fields={"person_id": person})["new"]
    (ct_new,) = box.change("add_entry", "chronotrack", LIVE, fields={"entry_bib": "A7"})["new"]

    first = box.rsu(f"/race/{RACE}/participants", event_id=HALF, results_per_page=2)[0]["participants"]
    truth = {(t["provider"], t["id"]): t["person_id"] for t in box.control("truth")}
    assert [row["registration_id"] for row in first] == new[::-1]
    assert all(truth["runsignup", i] == person for i in new)
    assert box.ct(f"/event/{LIVE}/entry", size=1).json()["event_entry"][0]["entry_id"] == ct_new
    assert entries(box)[ct_new]["entry_bib"] == "A7"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("cancel", "WD"), ("refund", "WD"), ("defer", "WD"), ("transfer", "TRANS"), ("disqualify", "DQ")],
)
def test_a_timer_keeps_withdrawn_entries_with_a_status(box: Any, kind: Any, status: Any) -> None:
    (one,) = box.change(kind, "chronotrack", LIVE)["changed"]

    assert entries(box)[one]["entry_status"] == status


def test_a_deleted_entry_is_gone_with_its_results_and_can_be_restored(box: Any) -> None:
    one = next(i for i, e in entries(box).items() if e["event_id"] == str(JOINT) and e["entry_status"] == "FIN")
    ahead = results(box)

    box.change("delete", "chronotrack", JOINT, id=one)

    assert one not in entries(box)
    assert box.ct(f"/entry/{one}").status_code == 404
    assert not any(entry == one for entry, _ in results(box))
    assert one in {e for e, _ in ahead}
    box.change("restore", "chronotrack", JOINT, id=one)
    assert results(box) == ahead


def test_bibs_are_assigned_to_entries_that_have_none(box: Any) -> None:
    assigned = box.change("assign_bibs", "runsignup", RSU_AHEAD, count=3)["changed"]
    ct_assigned = box.change("assign_bibs", "chronotrack", AHEAD)["changed"]

    assert len(assigned) == 3
    assert all(registrations(box)[i]["bib_num"] for i in assigned)
    assert len({entries(box)[i]["entry_bib"] for i in ct_assigned}) == len(ct_assigned)


def test_posting_results_makes_splits_and_finishes_come_in(box: Any) -> None:
    before_it = results(box)
    posted = box.change("post_results", "chronotrack", LIVE, count=2)["changed"]

    assert len(posted) == 2
    assert not any((i, "1") in before_it for i in posted)
    assert all(results(box)[i, "1"]["results_time"] for i in posted)
    assert {entries(box)[i]["entry_status"] for i in posted} == {"FIN"}
    box.change("post_results", "chronotrack", LIVE, count=1000)
    assert {e["entry_status"] for e in entries(box).values() if e["event_id"] == str(LIVE)} >= {"DNF"}

    before = {r["result_id"] for r in box.holds("runsignup", 1, "results")}
    new = box.change("post_results", "runsignup", TEN, count=3)["changed"]
    assert {r["result_id"] for r in box.holds("runsignup", 1, "results")} - before == set(new)
    rows = box.rsu_rows("results/get-results", RACE, TEN, modified_after_timestamp=NOW)
    assert {r["result_id"] for r in rows} == set(new)


def test_results_of_a_race_ahead_can_be_posted_too(box: Any) -> None:
    box.change("post_results", "chronotrack", AHEAD, count=4)

    rows = box.ct_rows(f"/event/{AHEAD}/results", interval="ALL")
    assert len([r for r in rows if r["results_interval_full"] == "1"]) == 4
    assert len([r for r in rows if r["results_interval_full"] == "0"]) > 4


def test_a_corrected_time_moves_the_ranks_of_others(box: Any) -> None:
    rows = [r for r in box.ct_rows(f"/event/{JOINT}/results") if r["results_rank"]]
    last = rows[-1]["results_entry_id"]

    box.change("correct_result", "chronotrack", JOINT, id=last, fields={"seconds": 600})

    after = {r["results_entry_id"]: r for r in box.ct_rows(f"/event/{JOINT}/results")}
    assert after[last]["results_rank"] == "1"
    assert after[rows[0]["results_entry_id"]]["results_rank"] == "2"
    assert after[rows[-2]["results_entry_id"]]["results_rank"] == str(len(rows))


def test_a_disqualified_finisher_has_no_rank_and_the_next_moves_up(box: Any) -> None:
    rows = [r for r in box.ct_rows(f"/event/{JOINT}/results") if r["results_rank"]]

    box.change("disqualify", "chronotrack", JOINT, id=rows[0]["results_entry_id"])

    after = {r["results_entry_id"]: r["results_rank"] for r in box.ct_rows(f"/event/{JOINT}/results")}
    assert after[rows[0]["results_entry_id"]] == ""
    assert after[rows[1]["results_entry_id"]] == "1"


def test_results_at_runsignup_are_corrected_disqualified_and_deleted(box: Any) -> None:
    (one,) = box.change("correct_result", "runsignup", 900000, fields={"seconds": 4000})["changed"]
    (two,) = box.change("correct_result", "runsignup", 900000, fields={"place": 99})["changed"]
    (three,) = box.change("delete_result", "runsignup", 900000, id=two)["changed"]
    box.change("disqualify", "runsignup", 900000, id=one)

    held = {r["result_id"]: r for r in box.holds("runsignup", 1, "results")}
    assert (held[one]["clock_time"], held[one]["place"]) == ("DQ", None)
    assert three == two
    assert two not in held


def test_a_deleted_result_is_missing_from_the_number_of_finishers(box: Any) -> None:
    def finishers() -> int:
        answer = box.rsu("/race/50000/results/get-results", event_id=900000, include_total_finishers="T")
        return answer["individual_results_sets"][0]["num_finishers"]

    before = finishers()

    box.change("delete_result", "runsignup", 900000)

    assert finishers() == before - 1


def test_events_move_and_are_renamed(box: Any) -> None:
    box.change("move_event", "chronotrack", AHEAD, fields={"days": 7})
    box.change("rename_event", "chronotrack", AHEAD, fields={"name": "Bonfire, later"})
    box.change("move_event", "runsignup", RSU_AHEAD, fields={"start_time": "2026-11-10T09:30:00+00:00"})

    event = box.ct(f"/event/{AHEAD}").json()["event"]
    race = box.rsu(f"/race/{RSU_AHEAD_RACE}")["race"]
    assert (event["event_name"], event["event_start_time"]) == ("Bonfire, later", "1794303000")
    assert race["events"][0]["start_time"] == "11/10/2026 09:30"
    assert race["last_modified"] == "9/19/2026 11:30"  # Eastern


def test_a_race_of_two_partners_has_the_same_ids_and_may_be_changed_for_one(box: Any) -> None:
    assert entries(box, 1).keys() & entries(box, 2).keys()

    (one,) = box.change("edit_entry", "chronotrack", JOINT, partner=2, fields={"athlete_first_name": "Quincy"})[
        "changed"
    ]

    assert entries(box, 2)[one]["athlete_first_name"] == "Quincy"
    assert entries(box, 1)[one]["athlete_first_name"] != "Quincy"


def test_reset_takes_everything_back(box: Any) -> None:
    before = box.holds("runsignup", 1, "participants")
    box.change("cancel", "runsignup", HALF, count=3)
    box.control("clock", {"advance_seconds": 5})

    box.control("reset", {})

    assert box.holds("runsignup", 1, "participants") == before
    assert box.control("clock")["epoch"] == NOW


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "explode", "provider": "runsignup", "event_id": 1}, "unknown kind 'explode'"),
        ({"kind": "cancel", "provider": "acme", "event_id": 1}, "unknown provider 'acme'"),
        ({"kind": "cancel", "provider": "runsignup", "event_id": 5}, "runsignup has no event 5"),
        (
            {"kind": "cancel", "provider": "chronotrack", "event_id": LIVE, "id": "81"},
            "event has no chronotrack record 81",
        ),
        ({"kind": "edit_entry", "provider": "chronotrack", "event_id": LIVE}, 'needs "fields"'),
        ({"kind": "transfer", "provider": "chronotrack", "event_id": JOINT}, "no other event to transfer to"),
        ({"kind": "cancel", "provider": "runsignup", "event_id": HALF, "partner": 2}, "partner 2 does not serve"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(box: Any, asked: Any, said: Any) -> None:
    answer = requests.post(f"{box.url}/control/change", json=asked, timeout=5)

    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_calls_are_counted_by_credential_without_secrets(box: Any) -> None:
    box.rsu("/races")
    box.ct("/event", partner=2)

    told = box.control("calls")
    assert told["total"] == 2
    assert [(c["provider"], c["timing_partner_id"], c["calls"]) for c in told["calls"]] == [
        ("chronotrack", 2, 1),
        ("runsignup", 1, 1),
    ]
    secrets = [s for c in box.connections for s in c["secrets"].values()]
    assert not any(secret in line for line in told["log"] for secret in secrets)
    assert box.control("calls/reset", {}) == {"total": 0, "calls": [], "log": []}
    assert box.control("calls")["total"] == 0
