"""ChronoTrack's surprises, as the provider page lists them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
import requests

LIVE, JOINT, AHEAD, DST = 40002, 40000, 40010, 40006


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in scalars(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in scalars(inner)]
    return [value]


@pytest.mark.parametrize(
    ("child", "stream", "keys", "query"),
    [
        ("race", "races", ["race_id"], {}),
        ("entry", "entries", ["entry_id"], {"contact_details": "true", "need_athlete_birthdate": "1"}),
        ("bracket", "brackets", ["bracket_id"], {}),
        ("interval", "intervals", ["interval_id"], {}),
        ("results", "results", ["results_entry_id", "results_interval_id"], {"interval": "ALL"}),
    ],
)
def test_pages_give_what_the_provider_holds(box: Any, child: Any, stream: Any, keys: Any, query: Any) -> None:
    held = {tuple(row[k] for k in keys): row for row in box.holds("chronotrack", 1, stream)}

    events = [event["event_id"] for event in box.ct("/event", size=1000).json()["event"]]
    rows = [row for event in events for row in box.ct_rows(f"/event/{event}/{child}", size=7, **query)]

    assert {tuple(row[k] for k in keys): row for row in rows} == held
    assert held


def test_all_scalars_are_texts(box: Any) -> None:
    for path in ("/event", f"/event/{LIVE}/race", f"/event/{LIVE}/entry", f"/event/{LIVE}/results"):
        assert all(isinstance(leaf, str) for leaf in scalars(box.ct(path).json()))


def test_headers_tell_the_pages_and_size_is_capped(box: Any) -> None:
    answer = box.ct(f"/event/{JOINT}/entry", size=5, page=2)

    assert {k: v for k, v in answer.headers.items() if k.lower().startswith("x-ctlive")} == {
        "x-ctlive-row-count": "16",
        "x-ctlive-page-count": "4",
        "x-ctlive-page-size": "5",
        "x-ctlive-current-page": "2",
    }
    assert box.ct(f"/event/{JOINT}/entry", size=99999).headers["X-Ctlive-Page-Size"] == "1000"
    assert box.ct(f"/event/{JOINT}/entry", per_page=5).headers["X-Ctlive-Page-Size"] == "50"
    assert box.ct(f"/event/{JOINT}/entry", size=5, page=9).json() == {"event_entry": []}


def test_four_ways_to_sign_in(box: Any) -> None:
    account = box.account("chronotrack")
    event = account["api_url"] + "/event"
    token_url = account["api_url"].replace("/api", "/oauth2/token")
    client = {"client_id": account["client_id"]}
    basic = (account["username"], account["password"])
    app = (account["client_id"], account["client_secret"])

    assert requests.get(event, params=client, auth=basic, timeout=5).status_code == 200
    by_password = requests.get(
        token_url,
        params={"grant_type": "password", "username": basic[0], "password": basic[1]},
        auth=app,
        timeout=5,
    )
    assert by_password.headers["Cache-Control"] == "no-store"
    by_refresh = requests.post(
        token_url,
        data={"grant_type": "refresh_token", "refresh_token": account["refresh_token"]},
        auth=app,
        timeout=5,
    )
    for answer in (by_password.json(), by_refresh.json()):
        assert answer["token_type"] == "bearer"
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        assert requests.get(event, params=client, headers=bearer, timeout=5).status_code == 200
    assert box.ct("/event").status_code == 200  # simple


def test_wrong_credentials_are_refused_in_every_way(box: Any) -> None:
    account = box.account("chronotrack")
    event = account["api_url"] + "/event"
    token_url = account["api_url"].replace("/api", "/oauth2/token")
    client = {"client_id": account["client_id"]}
    plain = {**client, "user_id": account["username"], "user_pass": account["password"]}
    other = {**plain, "client_id": box.account("chronotrack", 2)["client_id"]}
    other["user_pass"] = hashlib.sha1(account["password"].encode()).hexdigest()  # noqa: S324
    nobody = base64.b64encode(b"a:b").decode()

    assert requests.get(event, params=plain, timeout=5).status_code == 401  # the password in the clear
    assert requests.get(event, params=other, timeout=5).status_code == 401  # another partner's application
    assert (
        requests.get(event, params=client, headers={"Authorization": f"Basic {nobody}"}, timeout=5).status_code == 401
    )
    assert requests.get(event, params=client, headers={"Authorization": "Bearer x"}, timeout=5).status_code == 401
    assert requests.get(token_url, params={"grant_type": "password"}, auth=("x", "y"), timeout=5).status_code == 401
    assert requests.get(event, timeout=5).status_code == 401


def test_an_access_token_lives_three_days(box: Any) -> None:
    account = box.account("chronotrack")
    token = requests.get(
        account["api_url"].replace("/api", "/oauth2/token"),
        params={"grant_type": "password", "username": account["username"], "password": account["password"]},
        auth=(account["client_id"], account["client_secret"]),
        timeout=5,
    ).json()["access_token"]
    client, bearer = {"client_id": account["client_id"]}, {"Authorization": f"Bearer {token}"}

    box.control("clock", {"advance_seconds": 3 * 86400 - 100})
    assert requests.get(account["api_url"] + "/event", params=client, headers=bearer, timeout=5).status_code == 200
    box.control("clock", {"advance_seconds": 200})
    assert requests.get(account["api_url"] + "/event", params=client, headers=bearer, timeout=5).status_code == 401


def test_contact_and_birth_date_come_only_when_asked_for(box: Any) -> None:
    hidden = {"athlete_email", "athlete_mobile_phone", "athlete_birthdate"}

    bare = box.ct_rows(f"/event/{JOINT}/entry")
    asked = box.ct_rows(f"/event/{JOINT}/entry", contact_details="1", need_athlete_birthdate="true")
    single = box.ct(f"/entry/{bare[3]['entry_id']}", elide_json="false").json()["entry"]

    assert not any(hidden & set(row) for row in bare)
    assert all(hidden <= set(row) for row in asked)
    assert "athlete_birthdate" in single


def test_empty_values_are_left_out_unless_kept(box: Any) -> None:
    elided = box.ct(f"/event/{AHEAD}/entry").json()["event_entry"]
    kept = box.ct(f"/event/{AHEAD}/entry", elide_json="false").json()["event_entry"]

    assert all(value != "" for row in elided for value in row.values())
    assert all(row["entry_bib"] == "" for row in kept)  # before bib assignment
    assert not any("entry_bib" in row for row in elided)


def test_test_events_and_test_entries_are_hidden(box: Any) -> None:
    shown = {e["event_id"] for e in box.ct("/event").json()["event"]}
    every = {e["event_id"] for e in box.ct("/event", include_test_events="true").json()["event"]}

    assert len(every - shown) == 1
    normal = box.ct_rows(f"/event/{JOINT}/entry")
    with_tests = box.ct_rows(f"/event/{JOINT}/entry", include_test_entries="true")
    assert {e["entry_type"] for e in with_tests[len(normal) :]} == {"TEST"}


def test_bad_ids_answer_as_clients_have_seen(box: Any) -> None:
    assert "event_entry" not in box.ct("/event/1/entry").json()
    assert box.ct("/event/1/entry").status_code == 200
    assert box.ct("/event/1").status_code == 404
    assert box.ct("/entry/1").json() == {"error": {"code": 404, "message": "entry not found"}}
    assert box.ct("/event/40003/entry").status_code == 403  # another partner's
    assert box.ct("/event/").status_code == 404  # a slash before the question mark


def test_a_suffix_on_the_first_segment_names_the_format(box: Any) -> None:
    assert box.ct(f"/event.json/{JOINT}/race").json() == box.ct(f"/event/{JOINT}/race", format="json").json()


def test_ranks_are_those_in_the_bracket_asked_for(box: Any) -> None:
    (race,) = box.ct_rows(f"/event/{JOINT}/race")
    rows = [r for r in box.ct_rows(f"/race/{race['race_id']}/results") if r["results_rank"]]
    by_sex = [r for r in box.ct_rows(f"/race/{race['race_id']}/results", bracket="SEX") if r["results_rank"]]

    assert [r["results_rank"] for r in rows] == [str(n + 1) for n in range(len(rows))]
    for sex in ("F", "M"):
        ranks = [int(r["results_rank"]) for r in by_sex if r["results_sex"] == sex]
        assert ranks == list(range(1, len(ranks) + 1))
    female = next(b for b in box.ct_rows(f"/event/{JOINT}/bracket") if b["bracket_name"] == "Female")
    only = box.ct_rows(f"/bracket/{female['bracket_id']}/results")
    assert [r["results_entry_id"] for r in only] == [r["results_entry_id"] for r in by_sex if r["results_sex"] == "F"]


def test_intervals_are_extra_rows_and_the_finish_is_the_full_one(box: Any) -> None:
    every = box.ct_rows(f"/event/{JOINT}/results", interval="ALL")
    finish = box.ct_rows(f"/event/{JOINT}/results")
    (split, full) = box.ct_rows(f"/event/{JOINT}/interval")

    assert {r["results_interval_id"] for r in every} == {split["interval_id"], full["interval_id"]}
    assert {r["results_interval_full"] for r in finish} == {"1"}
    assert len(box.ct_rows(f"/event/{JOINT}/results", interval="5K Split")) == len(every) - len(finish)
    assert len(box.ct_rows(f"/interval/{split['interval_id']}/results")) == len(every) - len(finish)
    began = [r for r in finish if not r["results_time"]]
    assert began  # started, never finished
    assert all(r["results_begin_chip_time"] and not r["results_end_chip_time"] for r in began)


def test_rows_come_again_on_the_next_page_while_an_event_is_live(box: Any) -> None:
    ids = [
        (r["results_entry_id"], r["results_interval_id"])
        for r in box.ct_rows(f"/event/{LIVE}/results", size=8, interval="ALL")
    ]
    count = int(box.ct(f"/event/{LIVE}/results", size=8, interval="ALL").headers["X-Ctlive-Row-Count"])

    assert len(ids) > len(set(ids)) == count
    done = [r["results_entry_id"] for r in box.ct_rows(f"/event/{JOINT}/results", size=4)]
    assert len(done) == len(set(done))

    box.control("quirks", {"repeat_rows": 0})
    calm = box.ct_rows(f"/event/{LIVE}/results", size=8, interval="ALL")
    assert len(calm) == count


def test_last_modified_gives_the_rows_touched_since(box: Any) -> None:
    first = box.ct(f"/event/{JOINT}/results", size=1000)
    since = first.headers["Last-Modified"]
    box.control("clock", {"advance_seconds": 60})

    unchanged = box.ct(f"/event/{JOINT}/results", size=1000, last_modified=since).json()["event_results"]
    box.change("correct_result", "chronotrack", JOINT)
    after = box.ct(f"/event/{JOINT}/results", size=1000, last_modified=since)

    assert 0 < len(unchanged) < 6  # those that set the time: the filter takes them in
    assert len(after.json()["event_results"]) == len(first.json()["event_results"])  # a re-score touches the race
    assert after.headers["Last-Modified"] == "Sat, 19 Sep 2026 15:31:00 GMT"


def test_some_entries_carry_the_registration_they_came_from(box: Any) -> None:
    registrations = {str(p["registration_id"]) for p in box.holds("runsignup", 1, "participants")}
    registrations |= {str(p["registration_id"]) for p in box.holds("runsignup", 1, "removed_participants")}
    external = [e["entry_external_id"] for e in box.holds("chronotrack", 1, "entries")]

    linked = [e for e in external if e]
    assert 20 < len(linked) < len(external)
    assert {e.removeprefix("RS-") for e in linked} <= registrations


def test_bibs_hold_letters_and_leading_zeros_and_statuses_differ(box: Any) -> None:
    entries = [e for n in (1, 2) for e in box.holds("chronotrack", n, "entries")]
    bibs = [e["entry_bib"] for e in entries]

    assert any(b.startswith("0") for b in bibs)
    assert any(b[:1].isalpha() for b in bibs)
    assert "" in bibs
    assert {"FIN", "CONF", "DNF", "DQ", "WD", "PEND"} <= {e["entry_status"] for e in entries}


def test_an_event_runs_over_the_night_the_clocks_go_back(box: Any) -> None:
    event = box.ct(f"/event/{DST}").json()["event"]

    # 00:30 in New York, still on summer time: 04:30 UTC; one more hour passes than the clock on the wall shows.
    assert event["location_time_zone"] == "America/New_York"
    assert event["event_start_time"] == "1762057800"
