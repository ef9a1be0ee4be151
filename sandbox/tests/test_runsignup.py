"""RunSignUp's surprises, as the provider page lists them."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
import requests

RACE, HALF, TEN = 50002, 900008, 900009  # live today
JOINT_RACE, JOINT = 50000, 900000


def events(box: Any, partner: int = 1) -> list[tuple[int, int]]:
    races = box.rsu("/races", partner, events="T", results_per_page=1000)["races"]
    return [(r["race"]["race_id"], e["event_id"]) for r in races for e in r["race"]["events"]]


@pytest.mark.parametrize("size", [1, 3, 5, 2500])
def test_pages_of_any_size_hold_every_registration_once(box: Any, size: Any) -> None:
    expected = {p["registration_id"] for p in box.holds("runsignup", 1, "participants")}

    asked = events(box) if size == 2500 else events(box)[:3]
    rows = [row for race, event in asked for row in box.rsu_rows("participants", race, event, size=size)]

    ids = [row["registration_id"] for row in rows]
    assert len(ids) == len(set(ids))
    if size == 2500:
        assert set(ids) == expected
    else:
        assert set(ids) <= expected
        assert len(ids) > 30


@pytest.mark.parametrize(
    ("what", "stream"), [("removed-participants", "removed_participants"), ("results/get-results", "results")]
)
def test_what_the_pages_give_is_what_the_provider_holds(box: Any, what: Any, stream: Any) -> None:
    rows = [row for race, event in events(box) for row in box.rsu_rows(what, race, event, size=4, supports_nb="T")]

    def key(row: Any) -> Any:
        return row.get("result_id") or row["registration_id"]

    assert sorted(rows, key=key) == sorted(box.holds("runsignup", 1, stream), key=key)
    assert rows


def test_removed_registrations_appear_among_removed_participants_only(box: Any) -> None:
    live = {p["registration_id"] for p in box.holds("runsignup", 1, "participants")}
    removed = {p["registration_id"] for p in box.holds("runsignup", 1, "removed_participants")}

    assert removed
    assert not live & removed


def test_the_answer_is_an_array_whose_inner_participants_are_empty(box: Any) -> None:
    body = box.rsu(f"/race/{RACE}/participants", event_id=f"{HALF},{TEN}", results_per_page=2500)

    assert [element["event"] for element in body] == [
        {"event_id": HALF, "participants": []},
        {"event_id": TEN, "participants": []},
    ]
    assert body[0]["participants"] == []
    assert {row["event_id"] for row in body[1]["participants"]} == {HALF, TEN}


def test_the_default_page_has_fifty_rows_and_the_largest_2500(starting: Any) -> None:
    small = starting("--size", "small")

    rows = small.rsu(f"/race/{RACE}/participants", event_id=HALF)[0]["participants"]

    assert len(rows) == 50
    assert len(small.rsu(f"/race/{RACE}/participants", event_id=HALF, results_per_page=99999)[0]["participants"]) > 100


def test_keyset_paging_follows_the_registration_id(box: Any) -> None:
    seen: list[int] = []
    while True:
        body = box.rsu(
            f"/race/{RACE}/participants",
            event_id=HALF,
            sort="registration_id ASC",
            after_registration_id=seen[-1] if seen else 0,
            results_per_page=4,
        )
        ids = [row["registration_id"] for row in body[0]["participants"]]
        seen += ids
        if len(ids) < 4:
            break

    assert seen == sorted(seen)
    assert len(seen) == len(box.rsu_rows("participants", RACE, HALF))


def test_modified_after_timestamp_is_inclusive(box: Any) -> None:
    rows = box.rsu_rows("participants", RACE, HALF)
    newest = max(row["last_modified"] for row in rows)

    again = box.rsu_rows("participants", RACE, HALF, modified_after_timestamp=newest)
    later = box.rsu_rows("participants", RACE, HALF, modified_after_timestamp=newest + 1)

    assert [row["last_modified"] for row in again] == [newest]
    assert later == []


def test_modified_after_timestamp_gives_the_same_rows_as_a_filter_would(box: Any) -> None:
    rows = box.rsu_rows("participants", JOINT_RACE, JOINT, sort="registration_id ASC")
    times = sorted(row["last_modified"] for row in rows)

    for since in (times[0], times[len(times) // 2], times[-1]):
        asked = box.rsu_rows(
            "participants", JOINT_RACE, JOINT, sort="registration_id ASC", modified_after_timestamp=since
        )
        assert asked == [row for row in rows if row["last_modified"] >= since]


def test_errors_come_with_http_200(box: Any) -> None:
    account = box.account("runsignup")
    wrong = requests.get(
        account["api_url"] + "/races", params={"api_key": "x", "api_secret": "y", "format": "json"}, timeout=5
    )

    assert wrong.status_code == 200
    assert wrong.json() == {"error": {"error_code": 6, "error_msg": "Key authentication failed."}}
    assert box.rsu("/race/49999")["error"]["error_code"] == 201
    assert box.rsu(f"/race/{RACE}/participants", event_id=JOINT)["error"]["error_code"] == 301
    assert box.rsu(f"/race/{RACE}/participants")["error"]["error_code"] == 3
    assert box.rsu(f"/race/{RACE}", partner=2)["error"]["error_code"] == 7
    assert box.rsu("/nothing")["error"]["error_code"] == 1


def test_both_ways_to_sign_in_and_the_caller_registration_which_is_checked_when_sent(box: Any) -> None:
    account = box.account("runsignup")
    url = account["api_url"].replace("/rest", "/REST") + "/Races"
    query: Any = {"rsu_api_key": account["api_key"], "format": "json"}
    header: Any = {"X-RSU-API-SECRET": account["api_secret"]}

    assert "races" in requests.get(url, params=query, headers=header, timeout=5).json()
    assert requests.get(url, params=query, timeout=5).json()["error"]["error_code"] == 6
    right = {"rsu_api_reg": account["api_reg"]}, {"X-RSU-API-REG-SECRET": account["api_reg_secret"]}
    assert "races" in requests.get(url, params=query | right[0], headers=header | right[1], timeout=5).json()
    wrong = requests.get(url, params=query | {"rsu_api_reg": "x"}, headers=header, timeout=5).json()
    assert wrong["error"]["error_code"] == 6


def test_without_a_key_only_public_races_and_no_participants_can_be_read(box: Any) -> None:
    url = box.account("runsignup")["api_url"]

    races = requests.get(url + "/races", params={"format": "json", "results_per_page": "1000"}, timeout=5).json()[
        "races"
    ]
    people = requests.get(
        f"{url}/race/{RACE}/participants", params={"format": "json", "event_id": str(HALF)}, timeout=5
    )

    assert all(r["race"]["is_draft_race"] == "F" and r["race"]["is_private_race"] == "F" for r in races)
    assert people.json()["error"]["error_code"] == 7


def test_forgetting_format_json_gives_xml(box: Any) -> None:
    account = box.account("runsignup")
    answer = requests.get(
        account["api_url"] + "/races",
        params={"api_key": account["api_key"], "api_secret": account["api_secret"]},
        timeout=5,
    )

    assert answer.headers["content-type"].startswith("text/xml")
    assert answer.text.startswith("<?xml")


def test_dates_money_and_flags_look_as_documented(box: Any) -> None:
    row = box.rsu_rows("participants", RACE, HALF)[0]
    gone = box.rsu_rows("removed-participants", RACE, HALF)[0]
    race = box.rsu("/races", events="T")["races"][1]["race"]

    assert re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4} \d\d:\d\d", row["registration_date"])
    assert not row["registration_date"].startswith("0")
    assert isinstance(row["last_modified"], int)
    assert re.fullmatch(r"\$[\d,]+\.\d\d", row["amount_paid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", gone["last_modified"])
    assert isinstance(gone["last_modified_ts"], int)
    assert re.fullmatch(r"\d\d/\d\d/\d{4}", race["next_date"])
    assert race["events"][0]["start_time"] == "9/19/2026 08:30"
    assert race["events"][0]["sub_event_ids"] == []


def test_dollar_texts_over_a_thousand_have_a_comma(box: Any) -> None:
    fees = {p["race_fee"] for n in (1, 2) for p in box.holds("runsignup", n, "participants")}

    assert "$1,150.00" in fees


def test_a_non_binary_runner_has_no_gender_unless_asked_for(box: Any) -> None:
    told = {p["registration_id"]: p["user"]["gender"] for p in box.holds("runsignup", 1, "participants")}
    untold = {
        p["registration_id"]: p["user"]["gender"] for p in box.holds("runsignup", 1, "participants", "?supports_nb=F")
    }

    others = [i for i, gender in told.items() if gender == "X"]
    assert others
    assert all(untold[i] is None for i in others)


def test_draft_private_and_empty_races_exist(box: Any) -> None:
    races = [r["race"] for r in box.rsu("/races", events="T")["races"]]

    assert any(r["is_draft_race"] == "T" for r in races)
    assert any(r["is_private_race"] == "T" for r in races)
    assert any(r["events"] == [] for r in races)
    assert "events" not in box.rsu("/races")["races"][0]["race"]


def test_modified_since_narrows_races_by_day(box: Any) -> None:
    box.change("rename_event", "runsignup", HALF, fields={"name": "Half, renamed"})

    races = [r["race"]["race_id"] for r in box.rsu("/races", modified_since="2026-09-19")["races"]]

    assert races == [RACE]
    assert box.rsu("/races", modified_since="yesterday")["error"]["error_code"] == 9


def test_result_rows_carry_splits_whose_names_are_in_the_headers(box: Any) -> None:
    (made,) = box.rsu(f"/race/{RACE}/results/get-results", event_id=HALF)["individual_results_sets"]

    splits = {key: label for key, label in made["results_headers"].items() if key.startswith("split-")}
    assert list(splits.values()) == ["10K Split"]
    assert all(set(splits) <= set(row) for row in made["results"])
    assert made["preliminary_results"] == "T"
    assert box.rsu(f"/race/{RACE}/results/get-result-sets", event_id=HALF)["individual_results_sets"][0].keys() == (
        made.keys() - {"results"}
    )


def test_did_not_finish_and_disqualified_stand_where_times_stand(box: Any) -> None:
    times = {row["clock_time"] for n in (1, 2) for row in box.holds("runsignup", n, "results")}

    assert {"DNF", "DQ"} <= times
    assert any(row["registration_id"] is None for row in box.holds("runsignup", 1, "results"))  # a walk-up


def test_a_third_call_at_once_is_throttled(box: Any) -> None:
    box.fault("runsignup", "slow", times=2, seconds=0.6)
    bodies: list[Any] = []
    threads = [threading.Thread(target=lambda: bodies.append(box.rsu("/races"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while box.control("calls")["total"] < 2:
        pass

    third = box.rsu("/races")

    for thread in threads:
        thread.join()
    assert third["error"]["error_code"] == 14
    assert all("races" in body for body in bodies)
    assert "races" in box.rsu("/races")


def test_the_hourly_limit_answers_code_14_or_429(box: Any) -> None:
    box.control("limits", {"provider": "runsignup", "calls_per_hour": 2})
    answers = [box.rsu("/races") for _ in range(3)]

    assert ["error" in answer for answer in answers] == [False, False, True]
    assert answers[2]["error"]["error_code"] == 14
    box.control("limits", {"provider": "runsignup", "calls_per_hour": 0, "status": 429, "retry_after": 3})
    account = box.account("runsignup")
    refused = requests.get(
        account["api_url"] + "/races",
        params={"api_key": account["api_key"], "api_secret": account["api_secret"], "format": "json"},
        timeout=5,
    )
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")


def test_every_answer_tells_the_sandboxes_time(box: Any) -> None:
    box.control("clock", {"now": "2026-10-01T12:00:00Z"})
    account = box.account("runsignup")

    answer = requests.get(account["api_url"] + "/races", params={"format": "json"}, timeout=5)

    assert answer.headers["Date"] == "Thu, 01 Oct 2026 12:00:00 GMT"
    assert len(answer.raw.headers.getlist("Date")) == 1
