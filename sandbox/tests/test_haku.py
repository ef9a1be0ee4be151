"""Haku's surprises, as the provider page lists them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox.tests.pages_haku import get, read, rows, sign_in

# Today's event of Harbour Timing, the one in August, and what belongs to Summit Timing.
LIVE, PAST, OTHERS = 19008, 19010, 19009


@pytest.fixture(scope="module")
def server(starting: Any) -> Any:
    return starting("--size", "tiny", "--providers", "haku,chronotrack")


@pytest.fixture
def box(server: Any) -> Any:
    server.control("reset", {"size": "tiny", "seed": 88, "providers": "haku,chronotrack"})
    return server


def thin(box: Any, event: int = LIVE, **query: Any) -> list[dict[str, Any]]:
    return rows(box, 1, f"/events/{event}/participants", sign_in(box, 1), **query)


def full(box: Any, number: str, event: int = LIVE) -> dict[str, Any]:
    record: dict[str, Any] = get(box, 1, f"/events/{event}/registrations/{number}").json()
    return record


# -- signing in ------------------------------------------------------------------------------------


def test_the_token_goes_bare_into_the_header_and_a_prefixed_one_is_refused(box: Any) -> None:
    token = sign_in(box, 1)["Authorization"]

    assert get(box, 1, "/events", {"Authorization": token}).status_code == 200
    refused = get(box, 1, "/events", {"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})
    box.control("quirks", {"haku_bearer_allowed": True})
    assert get(box, 1, "/events", {"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_token_takes_basic_and_a_form_lives_an_hour_and_has_no_refresh_token(box: Any) -> None:
    account = box.account("haku", 1)
    client = (account["client_id"], account["client_secret"])
    grant = {"grant_type": "client_credentials"}

    answer = requests.post(account["token_url"], data=grant, auth=client, timeout=5).json()
    as_json = requests.post(account["token_url"], json=grant, auth=client, timeout=5)
    wrong = requests.post(account["token_url"], data=grant, auth=(client[0], "a guess"), timeout=5)

    assert (set(answer), answer["expires_in"]) == ({"access_token", "expires_in", "token_type"}, 3600)
    assert (as_json.status_code, as_json.json()) == (400, {"error": "invalid_request"})
    assert (wrong.status_code, wrong.json()) == (400, {"error": "invalid_client"})
    header = {"Authorization": answer["access_token"]}
    box.control("clock", {"advance_seconds": 3599})
    assert get(box, 1, "/events", header).status_code == 200
    box.control("clock", {"advance_seconds": 1})
    assert get(box, 1, "/events", header).status_code == 401


def test_the_projects_own_door_takes_key_and_secret_under_v1(box: Any) -> None:
    account = box.account("haku", 2)
    headers = sign_in(box, 2)

    assert account["api_url"].endswith("/haku/v1")
    assert get(box, 2, "/organizations", headers).json() == [{"id": 412, "name": "Summit Timing Races"}]
    assert [row["id"] for row in get(box, 2, "/events", headers, show_inactive="true").json()] == [PAST + 1, OTHERS]
    assert get(box, 2, "/events", headers, organization_id=1).json() == []
    assert get(box, 2, "/events", headers | {"X-API-Secret": "a guess"}).status_code == 401
    assert get(box, 2, "/events", {"Authorization": headers["Authorization"]}).status_code == 401


def test_both_doors_are_counted_as_one_client(box: Any) -> None:
    account = box.account("haku", 1)
    sign_in(box, 1)
    get(box, 1, "/events")

    (row,) = [row for row in box.control("calls")["calls"] if row["provider"] == "haku"]

    assert (row["credential"], row["calls"]) == (account["client_id"], 3)


# -- pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [25, 100, 500])
def test_a_page_never_has_more_than_25_rows_and_nothing_says_so(box: Any, asked: int) -> None:
    headers = sign_in(box, 1)
    path = f"/events/{LIVE}/participants"

    pages = [get(box, 1, path, headers, per_page=asked, page=page).json() for page in (1, 2, 3)]

    assert [len(page) for page in pages] == [25, 4, 0]
    box.control("quirks", {"haku_oversize_400": True})
    assert get(box, 1, path, headers, per_page=asked).status_code == (200 if asked == 25 else 400)


def test_lists_are_bare_arrays_or_wrapped(box: Any) -> None:
    headers = sign_in(box, 1)
    path = f"/events/{LIVE}/participants"

    assert isinstance(get(box, 1, path, headers).json(), list)
    box.control("quirks", {"haku_envelope": True})
    assert set(get(box, 1, "/events", headers).json()) == {"events"}
    assert set(get(box, 1, path, headers).json()) == {"participants"}
    box.control("quirks", {"haku_pagination": True})
    assert get(box, 1, path, headers, page=2).json()["pagination"] == {"page": 2, "per_page": 25, "total": 29}


def test_inactive_events_are_hidden_unless_asked_for(box: Any) -> None:
    headers = sign_in(box, 1)

    shown = get(box, 1, "/events", headers, sort_direction="desc").json()
    every = get(box, 1, "/events", headers, show_inactive="true", sort_direction="desc").json()

    assert [(row["id"], row["status"]) for row in shown] == [(LIVE, "active")]
    assert [(row["id"], row["status"]) for row in every] == [(LIVE, "active"), (PAST, "inactive")]


def test_the_list_comes_newest_change_first_and_updated_since_takes_its_instant_in(box: Any) -> None:
    number = thin(box)[0]["registration_number"]
    box.control("clock", {"advance_seconds": 60})
    box.change("edit_entry", "haku", LIVE, id=number, fields={"email": "new@example.org"})

    since = thin(box, updated_since="2026-09-19T15:31:00Z")
    later = thin(box, updated_since="2026-09-19T15:31:01Z")
    newest = thin(box, sort_column="updated_at", sort_direction="desc")[0]

    assert [row["registration_number"] for row in since] == [number]
    assert later == []
    assert (newest["registration_number"], newest["email"]) == (number, "new@example.org")
    box.control("quirks", {"haku_ignore_updated_since": True})
    assert len(thin(box, updated_since="2026-09-19T15:31:01Z")) == 29


# -- records ---------------------------------------------------------------------------------------


def test_a_thin_row_has_one_name_and_the_full_registration_the_rest(box: Any) -> None:
    row = thin(box)[3]
    record = full(box, row["registration_number"])
    (category,) = record["event_categories"]

    who = record["participant"]
    assert row["person_full_name"] == f"{who['first_name']} {who['last_name']}"
    assert not {"phone", "dob", "address", "first_name"} & set(row)
    assert (row["bib"], row["event_category_info"]) == (category["tag_number"], category["name"])
    assert (row["updated_at"], row["registered_at"]) == (record["updated_at"], record["created_at"])
    box.control("quirks", {"haku_thin_updated_at": False})
    assert all("updated_at" not in other for other in thin(box))


def test_a_registration_is_found_under_its_own_event_only(box: Any) -> None:
    number = thin(box)[0]["registration_number"]
    headers = sign_in(box, 1)

    for path in (f"/events/{PAST}/registrations/{number}", f"/events/{LIVE}/registrations/R-000000", "/events/1"):
        answer = get(box, 1, path, headers)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"})
    assert get(box, 1, f"/events/{OTHERS}/participants", headers).status_code == 404
    unknown = get(box, 1, "/event", headers)
    assert (unknown.status_code, unknown.json()) == (403, {"message": "Missing Authentication Token"})


def test_a_cancelled_registration_stays_with_a_flag_and_a_time(box: Any) -> None:
    gone = [row for row in thin(box) if row["is_cancelled"]]
    number = thin(box)[0]["registration_number"]
    box.change("refund", "haku", LIVE, id=number)

    record = full(box, number)

    assert 0 < len(gone) < 5
    assert all(full(box, row["registration_number"])["cancelled_at"] for row in gone)
    assert (record["is_cancelled"], record["transaction_amount"]) == (True, 0)
    assert len(thin(box)) == 29


def test_a_switch_of_category_keeps_the_number_and_a_transfer_makes_a_new_one(box: Any) -> None:
    first, second = (row["registration_number"] for row in thin(box)[:2])
    box.change("switch_category", "haku", LIVE, id=first)
    (new,) = box.change("transfer", "haku", LIVE, id=second)["new"]

    switched = full(box, first)["event_categories"]

    assert [(c["is_active"], c["tag_number"] is None) for c in switched] == [(False, False), (True, True)]
    assert full(box, second)["is_cancelled"]
    assert full(box, new)["participant"]["email"] == full(box, second)["participant"]["email"]


def test_times_have_no_zone_or_z_and_money_is_text_or_a_number(box: Any) -> None:
    records = read(box, 1, "registrations", 25)
    times = {text[10] + text[19:] for record in records for text in (record["created_at"], record["updated_at"])}

    assert times == {" ", "T", "TZ"}
    assert {type(record["transaction_amount"]) for record in records} == {str, float}
    assert any(row["base_price"].startswith("$1,") for row in read(box, 2, "events", 25) if row["status"] == "active")
    box.control("quirks", {"haku_fractional_times": True})
    assert all(record["updated_at"].endswith(".000Z") for record in read(box, 1, "registrations", 25))


def test_quirks_of_single_registrations(box: Any) -> None:
    box.control("quirks", {"haku_null_address": True, "haku_two_active_categories": True})
    records = read(box, 1, "registrations", 25)

    without = [record for record in records if record["participant"]["address"] is None]
    twice = [record for record in records if sum(c["is_active"] for c in record["event_categories"]) == 2]

    assert 0 < len(without) < len(records)
    assert 0 < len(twice) < len(records)


def test_what_may_happen_between_the_list_and_the_registration(box: Any) -> None:
    row = next(row for row in thin(box) if not row["is_cancelled"])
    path = f"/events/{LIVE}/registrations/{row['registration_number']}"
    headers = sign_in(box, 1)
    box.fault("haku", "detail_404", path_contains="/registrations/")
    box.fault("haku", "cancelled_before_detail", path_contains="/registrations/")

    assert get(box, 1, path, headers).status_code == 404
    assert get(box, 1, path, headers).json()["is_cancelled"]
    assert get(box, 1, path, headers).json()["cancelled_at"]


def test_timers_know_the_registration_by_its_number(box: Any) -> None:
    numbers = {row["registration_number"] for row in thin(box, PAST)}
    external = [row["entry_external_id"] for row in box.holds("chronotrack", 1, "entries")]

    linked = {text.removeprefix("HK-") for text in external if text.startswith("HK-")}
    assert len(linked) > 10
    assert linked <= numbers
