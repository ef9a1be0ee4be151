"""What Race Roster's part does that no other does: sections 7 and 8 of its provider page."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
import requests

from sandbox.providers.raceroster.wire import event_id, number_of_code, public_code, uid_of_event
from sandbox.tests.pages_raceroster import get, read, token

ORCHARD, ROPEWALK, ADVENT = (event_id(uid) for uid in (12_002, 12_004, 12_006))
NO_COLON = re.compile(r".*[+-]\d{4}$")
DAY = 86_400


@pytest.fixture(scope="module")
def here(starting: Any) -> Any:
    return starting("--size", "tiny", "--providers", "raceroster,chronotrack")


@pytest.fixture
def box(here: Any) -> Any:
    here.control("reset", {"size": "tiny", "seed": 88})
    return here


def authorize(client: Any, path: str = "/oauth/authorize", *, as_json: bool = False, **form: Any) -> requests.Response:
    account = client.account("raceroster")
    form = {name: account[name] for name in ("client_id", "client_secret")} | form
    url = account["api_url"].removesuffix("/v1") + path
    return requests.post(url, json=form, timeout=10) if as_json else requests.post(url, data=form, timeout=10)


def login(client: Any) -> dict[str, Any]:
    account = client.account("raceroster")
    return {"grant_type": "access_token", "username": account["username"], "password": account["password"]}


def ids(client: Any, path: str, **query: Any) -> list[Any]:
    body = get(client, 1, path, **query).json()
    return [row.get("eventId") if path == "/events" else row["participantId"] for row in body["data"]]


def results_url(client: Any, path: str, **query: Any) -> requests.Response:
    return requests.get(client.account("raceroster")["results_url"] + path, params=query, timeout=10)


# -- signing in ------------------------------------------------------------------------------------


def test_the_login_of_a_timer_gets_a_wrapped_token_with_the_claims_of_the_vendors_sample(box: Any) -> None:
    body = authorize(box, **login(box)).json()

    assert set(body["data"]) == {"access_token", "token_type", "expires_in", "refresh_token"}
    head, claims, _ = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) if n < 2 else part
        for n, part in enumerate(body["data"]["access_token"].split("."))
    )
    assert head == {"typ": "JWt", "alg": "RS256"}
    assert (len(claims["aud"]), len(claims["jti"]), claims["scopes"]) == (40, 80, ["timer"])
    assert isinstance(claims["exp"], float)


@pytest.mark.parametrize(("quirk", "kind"), [("raceroster_token_in_array", list), ("raceroster_token_bare", str)])
def test_the_token_comes_in_an_array_or_without_an_envelope_where_it_is_switched_so(
    box: Any, quirk: str, kind: type
) -> None:
    box.control("quirks", {quirk: True})

    body = authorize(box, **login(box)).json()

    assert isinstance(body["data"] if kind is list else body["access_token"], kind)


def test_a_refresh_token_works_once_within_its_day_and_gives_the_next(box: Any) -> None:
    first = authorize(box, **login(box)).json()["data"]["refresh_token"]
    refreshed = authorize(box, grant_type="refresh_token", refresh_token=first)
    again = authorize(box, grant_type="refresh_token", refresh_token=first)
    second = refreshed.json()["data"]["refresh_token"]
    box.control("clock", {"advance_seconds": DAY + 2 * 3600})
    late = authorize(box, grant_type="refresh_token", refresh_token=second)

    assert refreshed.status_code == 200
    assert second != first
    assert [(each.status_code, each.json()["error"]) for each in (again, late)] == [(400, "invalid_grant")] * 2


def test_an_access_token_ends_after_a_day(box: Any) -> None:
    bearer = token(box, 1)
    box.control("clock", {"advance_seconds": DAY - 1})
    good = get(box, 1, "/events", bearer)
    box.control("clock", {"advance_seconds": 1})

    assert (good.status_code, get(box, 1, "/events", bearer).status_code) == (200, 401)


@pytest.mark.parametrize("path", ["/oauth/authorize", "/v1/oauth/token"])
@pytest.mark.parametrize("as_json", [True, False])
def test_client_credentials_get_a_bare_token_at_both_addresses(box: Any, path: str, as_json: bool) -> None:
    body = authorize(box, path, as_json=as_json, grant_type="client_credentials").json()

    assert get(box, 1, "/events", body["access_token"]).status_code == 200
    assert "refresh_token" not in body


def test_a_static_key_is_tried_at_its_own_address(box: Any) -> None:
    account = box.account("raceroster")

    assert get(box, 1, "/auth/validate", account["api_key"]).status_code == 200
    assert get(box, 1, "/auth/validate", "a guess").status_code == 401
    box.control("quirks", {"raceroster_static_key": False})
    assert get(box, 1, "/auth/validate", account["api_key"]).status_code == 401


def test_doors_can_be_shut(box: Any) -> None:
    box.control("quirks", {"raceroster_timer_login": False, "raceroster_client_credentials": False})

    for form in (login(box), {"grant_type": "client_credentials"}):
        answer = authorize(box, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_an_event_of_another_account_is_refused(box: Any) -> None:
    assert get(box, 2, f"/events/{ORCHARD}").status_code == 403
    assert get(box, 1, "/events/7d01c6aa-19f2-43").status_code == 404


# -- events ----------------------------------------------------------------------------------------


def test_ids_are_opaque_texts_that_lead_back(box: Any) -> None:
    assert len({event_id(uid) for uid in range(20_000)}) == 20_000
    assert all(uid_of_event(event_id(uid)) == uid for uid in (0, 1, 12_002, 12_007))
    assert uid_of_event("7d01c6aa-19f2-43") is None
    assert uid_of_event("nonsense") is None
    assert number_of_code(public_code(12_002)) == 12_002
    assert re.fullmatch("[0-9a-z]{16}", public_code(12_002))


def test_only_events_ahead_are_listed_and_past_ones_answer_by_their_id(box: Any) -> None:
    listed = ids(box, "/events")
    one = get(box, 1, f"/events/{ORCHARD}").json()["data"]
    named = ids(box, "/events", eventId=f"{ORCHARD},{ROPEWALK}")
    box.control("clock", {"advance_seconds": 60 * DAY})

    assert listed == [ADVENT]
    assert one["eventId"] == ORCHARD
    assert set(named) == {ORCHARD, ROPEWALK}
    assert ids(box, "/events") == []
    box.control("quirks", {"raceroster_past_listed": True})
    assert len(ids(box, "/events")) == 3


def test_offsets_come_with_a_colon_and_without_and_midnight_means_that_no_time_was_set(box: Any) -> None:
    starts = [event["startDate"] for event in read(box, 1, "events", 100)]

    assert {bool(NO_COLON.match(start)) for start in starts} == {True, False}
    assert "T00:00:00" in get(box, 1, f"/events/{ADVENT}").json()["data"]["startDate"]


def test_sub_events_have_numbers_as_texts_and_a_crew_of_no_length(box: Any) -> None:
    nested = get(box, 1, f"/events/{ORCHARD}").json()["data"]["subEvents"]["data"]

    assert [type(one["participantMinAge"]) for one in nested] == [str, str, str]
    assert isinstance(nested[0]["subEventDistance"]["inMeters"], str)
    assert (nested[-1]["distance"], nested[-1]["subEventDistance"]) == ("0", None)
    box.control(
        "quirks",
        {"raceroster_sub_events_bare": True, "raceroster_ids_as_text": True, "raceroster_event_in_array": True},
    )
    (event,) = get(box, 1, f"/events/{ORCHARD}").json()["data"]
    assert [type(one["subEventId"]) for one in event["subEvents"]] == [str, str, str]


def test_an_unknown_event_is_no_data_where_it_is_switched_so(box: Any) -> None:
    box.control("quirks", {"raceroster_unknown_event_empty": True})

    answer = get(box, 1, "/events/7d01c6aa-19f2-43")

    assert (answer.status_code, answer.json()) == (200, {"data": []})


@pytest.mark.parametrize("name", ["lastModifiedDate", "updated_since"])
def test_changes_are_asked_for_under_both_names_and_the_instant_is_taken_in(box: Any, name: str) -> None:
    box.control("clock", {"advance_seconds": 600})
    box.change("rename_event", "raceroster", ADVENT, fields={"name": "Advent Ten"})
    (changed,) = box.change("edit_entry", "raceroster", ORCHARD, fields={"city": "Elsewhere"})["changed"]
    since = box.control("clock")["now"]

    assert ids(box, "/events", **{name: since}) == [ADVENT]
    assert ids(box, f"/events/{ORCHARD}/participants", **{name: since}) == [changed]
    assert ids(box, f"/events/{ORCHARD}/participants", **{name: since.replace("15:40:00", "15:40:01")}) == []


def test_a_plus_that_is_not_encoded_is_no_date(box: Any) -> None:
    url = f"{box.account('raceroster')['api_url']}/events?lastModifiedDate=2026-09-19T15:00:00+00:00"

    answer = requests.get(url, headers={"Authorization": f"Bearer {token(box, 1)}"}, timeout=10)

    assert answer.status_code == 400


# -- participants ----------------------------------------------------------------------------------


def test_pages_go_by_offset_have_a_most_and_tell_the_total(box: Any) -> None:
    box.control("reset", {"size": "small", "seed": 88})
    path = f"/events/{ORCHARD}/participants"
    first = get(box, 1, path, limit=5000).json()
    second = get(box, 1, path, limit=5000, offset=100).json()

    assert (len(first["data"]), len(second["data"])) == (100, first["metadata"]["totalResults"] - 100)
    assert not {r["participantId"] for r in first["data"]} & {r["participantId"] for r in second["data"]}
    assert len(get(box, 1, path).json()["data"]) == 50


def test_a_new_participant_shifts_the_pages(box: Any) -> None:
    path = f"/events/{ORCHARD}/participants"
    first = ids(box, path, limit=5)
    box.change("add_entry", "raceroster", ORCHARD)

    assert ids(box, path, limit=5, offset=5)[0] in first


def test_the_older_profile_gives_the_same_rows_in_another_envelope(box: Any) -> None:
    body = get(box, 1, f"/events/{ORCHARD}/registrations", page=2, per_page=10).json()

    assert body["registrations"] == get(box, 1, f"/events/{ORCHARD}/participants", offset=10, limit=10).json()["data"]


def test_genders_are_numbers_and_a_few_are_texts(box: Any) -> None:
    genders = [row["gender"] for row in read(box, 1, "participants", 100) + read(box, 2, "participants", 100)]

    assert {int(gender) for gender in genders} <= {0, 1, 2, 9}
    assert {type(gender) for gender in genders} == {int, str}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("cancel", "cancelled"), ("refund", "refunded"), ("defer", "deferred"), ("delete", "removed")],
)
def test_who_is_taken_back_stays_with_a_status(box: Any, kind: str, status: str) -> None:
    box.control("clock", {"advance_seconds": 60})
    before = len(read(box, 1, "participants", 100))
    (changed,) = box.change(kind, "raceroster", ORCHARD)["changed"]

    rows = {row["participantId"]: row for row in read(box, 1, "participants", 100)}

    assert len(rows) == before
    assert rows[changed]["registrationStatus"] == status
    assert rows[changed]["lastModifiedDate"] == "2026-09-19T15:31:00+00:00"
    if kind == "refund":
        assert (rows[changed]["paymentStatus"], rows[changed]["amountPaid"]) == ("refunded", 0)


def test_a_deletion_without_a_trace_leaves_none(box: Any) -> None:
    (changed,) = box.change("delete", "raceroster", ORCHARD, fields={"trace": False})["changed"]

    assert changed not in [row["participantId"] for row in read(box, 1, "participants", 100)]


def test_a_transfer_closes_one_row_and_opens_another(box: Any) -> None:
    made = box.change("transfer", "raceroster", ORCHARD)
    rows = {row["participantId"]: row for row in read(box, 1, "participants", 100)}

    (old,), (new,) = made["changed"], made["new"]
    assert rows[old]["registrationStatus"] == "transferred"
    assert rows[old]["transferredToParticipantId"] == new
    assert rows[new]["transferredFromParticipantId"] == old


def test_a_swap_keeps_the_id_and_a_part_refund_keeps_the_entry(box: Any) -> None:
    (swapped,) = box.change("swap_sub_event", "raceroster", ORCHARD)["changed"]
    before = {row["participantId"]: row for row in box.holds("raceroster", 1, "participants")}
    (part,) = box.change("refund_part", "raceroster", ADVENT)["changed"]

    rows = {row["participantId"]: row for row in box.holds("raceroster", 1, "participants")}
    assert rows[swapped]["subEventName"] == "10K"
    assert rows.keys() == before.keys()
    assert (rows[part]["paymentStatus"], rows[part]["registrationStatus"]) == ("partially_refunded", "active")


def test_a_timer_gets_the_participants_id_with_an_entry(box: Any) -> None:
    pushed = {row["entry_external_id"] for row in box.holds("chronotrack", 1, "entries")}
    ours = {f"RR-{row['participantId']}" for row in box.holds("raceroster", 1, "participants")}

    assert len(pushed & ours) > 5


# -- results ---------------------------------------------------------------------------------------


def test_the_results_service_needs_no_token_and_tells_bibs_only_one_by_one(box: Any) -> None:
    event = get(box, 1, f"/events/{ORCHARD}").json()["data"]
    code = event["resultsUrl"].rsplit("/", 1)[-1]
    data = results_url(box, f"/events/{code}").json()["data"]
    sub_event = data["subEvents"][0]
    path = f"/result-events/{data['event']['resultEventId']}/sub-events/{sub_event['resultSubEventId']}/results"
    body = results_url(box, path, limit=50, start=0).json()
    row = body["data"][0]
    detail = results_url(box, f"/results/{row['id']}").json()["data"]

    assert body["meta"]["totalResults"] == len(body["data"])
    assert "bib" not in row
    assert row["overallPace"].endswith(" ")
    assert row["genderSexId"] in ("Male", "Female", "Non-binary", "Unknown")
    assert detail["bib"]
    assert detail["raceStatus"] == "COMPLETE"
    assert results_url(box, f"/events/{code}/detail/{row['id']}").json()["data"] == detail
    assert results_url(box, f"/events/{code}/participant-search", phrase=row["name"]).json()["data"]["exact"]


@pytest.mark.parametrize("query", [{"limit": 3}, {"limit": 50, "page": 1}, {"limit": 50, "offset": 0}])
def test_the_results_service_takes_five_sizes_and_no_pages(box: Any, query: dict[str, int]) -> None:
    event = get(box, 1, f"/events/{ORCHARD}").json()["data"]
    data = results_url(box, f"/events/{event['resultsUrl'].rsplit('/', 1)[-1]}").json()["data"]
    number = data["subEvents"][0]["resultSubEventId"]

    answer = results_url(box, f"/result-events/{data['event']['resultEventId']}/sub-events/{number}/results", **query)

    assert answer.status_code == 400


def test_an_event_ahead_has_no_results_address_and_a_stranger_none_at_all(box: Any) -> None:
    assert get(box, 1, f"/events/{ADVENT}").json()["data"]["resultsUrl"] is None
    assert results_url(box, "/events/abcdefghijklmnop").status_code == 404


def test_a_disqualified_runner_has_no_place_and_the_others_move_up(box: Any) -> None:
    first, second = get(box, 1, f"/events/{ORCHARD}/results").json()["data"][:2]
    box.change("disqualify", "raceroster", ORCHARD, ids=[first["id"]])
    after = {row["id"]: row for row in get(box, 1, f"/events/{ORCHARD}/results").json()["data"]}

    assert (first["overallPlace"], second["overallPlace"]) == (1, 2)
    assert (after[first["id"]]["overallPlace"], after[first["id"]]["raceStatus"]) == (None, "DQ")
    assert after[second["id"]]["overallPlace"] == 1
