"""Each kind of fault, as a client meets it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

RACE, HALF, LIVE, JOINT = 50002, 900008, 40002, 40000


def get(box: Any, provider: Any, path: Any = None, **query: Any) -> Any:
    account = box.account(provider)
    if provider == "runsignup":
        query = {"api_key": account["api_key"], "api_secret": account["api_secret"], "format": "json", **query}
        path = path or f"/race/{RACE}/participants"
        query.setdefault("event_id", HALF)
        return requests.get(account["api_url"] + path, params=query, timeout=10)
    box.session.close()
    return box.ct(path or f"/event/{LIVE}/entry", **query)


def rows(provider: Any, answer: Any) -> Any:
    body = answer.json()
    return body[0]["participants"] if provider == "runsignup" else body["event_entry"]


BOTH = pytest.mark.parametrize("provider", ["runsignup", "chronotrack"])
KEYS = {"runsignup": "registration_id", "chronotrack": "entry_id"}


@BOTH
@pytest.mark.parametrize(("kind", "status"), [("status_429", 429), ("status_500", 500), ("status_502_html", 502)])
def test_statuses_strike_as_often_as_told(box: Any, provider: Any, kind: Any, status: Any) -> None:
    box.fault(provider, kind, times=2, retry_after=4)

    answers = [get(box, provider) for _ in range(3)]

    assert [a.status_code for a in answers] == [status, status, 200]
    if status == 429:
        assert answers[0].headers["Retry-After"] == "4"
    if status == 502:
        assert answers[0].text.startswith("<html>")


@BOTH
def test_cut_json_cannot_be_read_though_the_answer_is_whole(box: Any, provider: Any) -> None:
    box.fault(provider, "cut_json")

    answer = get(box, provider)

    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["Content-Length"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text)


@BOTH
@pytest.mark.parametrize("before_body", [False, True])
def test_a_dropped_connection_breaks_the_call(box: Any, provider: Any, before_body: Any) -> None:
    box.fault(provider, "drop_connection", before_body=before_body)

    with pytest.raises(requests.RequestException):
        get(box, provider)
    assert get(box, provider).status_code == 200


@BOTH
def test_a_slow_answer_comes_late(box: Any, provider: Any) -> None:
    box.fault(provider, "slow", seconds=0.4)
    began = time.monotonic()

    assert rows(provider, get(box, provider))
    assert time.monotonic() - began >= 0.4


@BOTH
def test_a_page_that_is_not_json(box: Any, provider: Any) -> None:
    box.fault(provider, "non_json")

    answer = get(box, provider)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")


def test_code_14_and_the_limit(box: Any) -> None:
    box.fault("runsignup", "code_14")
    box.fault("runsignup", "limit_reached")
    box.fault("chronotrack", "limit_reached", retry_after=1)

    assert [get(box, "runsignup").json()["error"]["error_code"] for _ in range(2)] == [14, 14]
    refused = get(box, "chronotrack")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")


def test_a_token_expires_between_pages(box: Any) -> None:
    account = box.account("chronotrack", 2)
    token_url = account["api_url"].replace("/api", "/oauth2/token")

    def token() -> Any:
        return requests.get(
            token_url,
            params={"grant_type": "password", "username": account["username"], "password": account["password"]},
            auth=(account["client_id"], account["client_secret"]),
            timeout=5,
        ).json()["access_token"]

    def page(number: Any, bearer: Any) -> Any:
        return requests.get(
            f"{account['api_url']}/event/{JOINT}/entry",
            params={"client_id": account["client_id"], "size": 5, "page": number},
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=5,
        ).status_code

    first = token()
    box.fault("chronotrack", "expired_token", path_contains="page=2")

    assert [page(1, first), page(2, first), page(2, first), page(2, token())] == [200, 401, 401, 200]


@BOTH
def test_a_field_is_missing_in_every_row(box: Any, provider: Any) -> None:
    box.fault(provider, "missing_field")
    assert not any(KEYS[provider] in row for row in rows(provider, get(box, provider)))

    other = "last_modified" if provider == "runsignup" else "entry_status"
    box.fault(provider, "missing_field", field=other)
    found = rows(provider, get(box, provider))
    assert not any(other in row for row in found)
    assert all(KEYS[provider] in row for row in found)


@BOTH
def test_one_row_has_no_key(box: Any, provider: Any) -> None:
    box.fault(provider, "no_key")

    assert [KEYS[provider] in row for row in rows(provider, get(box, provider))].count(False) == 1


@BOTH
def test_a_type_changes_in_every_row(box: Any, provider: Any) -> None:
    box.fault(provider, "changed_type")

    field, wrong = ("last_modified", "yesterday") if provider == "runsignup" else ("entry_race_age", "young")
    assert {row[field] for row in rows(provider, get(box, provider))} == {wrong}


@BOTH
def test_one_row_contradicts_the_question(box: Any, provider: Any) -> None:
    box.fault(provider, "bad_record")

    asked = HALF if provider == "runsignup" else str(LIVE)
    assert [row["event_id"] == asked for row in rows(provider, get(box, provider))].count(False) == 1


@BOTH
def test_one_row_has_an_unknown_enum(box: Any, provider: Any) -> None:
    box.fault(provider, "unknown_enum")

    found = rows(provider, get(box, provider))
    values = [r["user"]["gender"] for r in found] if provider == "runsignup" else [r["entry_status"] for r in found]
    assert values.count("Q" if provider == "runsignup" else "LOST") == 1


@BOTH
def test_an_empty_answer(box: Any, provider: Any) -> None:
    box.fault(provider, "empty_answer")

    answer = get(box, provider)

    assert rows(provider, answer) == []
    assert rows(provider, get(box, provider))


def test_runsignup_events_inside_their_race_can_be_spoilt(box: Any) -> None:
    box.fault("runsignup", "bad_record", stream="events", path_contains="races")

    races = get(box, "runsignup", "/races", events="T").json()["races"]

    starts = [e["start_time"] for r in races for e in r["race"]["events"]]
    assert starts.count("7/4/2026 18:00") == 1


@BOTH
@pytest.mark.parametrize("kind", ["row_between_pages", "row_gone_between_pages"])
def test_rows_move_between_pages(box: Any, provider: Any, kind: Any) -> None:
    box.fault(provider, kind)
    before = len(box.holds(provider, 1, "participants" if provider == "runsignup" else "entries"))

    size = {"results_per_page": 5} if provider == "runsignup" else {"size": 5}
    first = [row[KEYS[provider]] for row in rows(provider, get(box, provider, page=1, **size))]
    second = [row[KEYS[provider]] for row in rows(provider, get(box, provider, page=2, **size))]

    after = len(box.holds(provider, 1, "participants" if provider == "runsignup" else "entries"))
    if kind == "row_between_pages":
        assert after == before + 1
        assert first[-1] == second[0]  # shifted: seen twice
    else:
        assert after == before - 1


def test_faults_keep_to_their_path_and_partner_and_can_be_taken_back(box: Any) -> None:
    box.fault("runsignup", "status_500", times=None, path_contains="participants", partner=1)

    assert get(box, "runsignup", "/races").status_code == 200
    assert "error" not in box.rsu("/race/50003/participants", partner=2, event_id=900012)
    assert get(box, "runsignup").status_code == 500
    assert box.control("fault")["faults"][0]["hits"] == 1
    box.control("fault", method="DELETE")
    assert get(box, "runsignup").status_code == 200


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"provider": "runsignup", "kind": "meteor"}, "unknown kind 'meteor'"),
        ({"provider": "acme", "kind": "slow"}, "unknown provider 'acme'"),
        ({"provider": "runsignup", "kind": "slow", "after": 3}, "unknown field 'after'"),
    ],
)
def test_a_fault_that_does_not_exist_is_refused(box: Any, fault: Any, said: Any) -> None:
    answer = requests.post(f"{box.url}/control/fault", json=fault, timeout=5)

    assert answer.status_code == 400
    assert said in answer.json()["error"]
