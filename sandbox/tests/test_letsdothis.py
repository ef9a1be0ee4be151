"""Let's Do This's surprises, as the provider page lists them."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from typing import Any

import pytest

from sandbox.tests.pages_letsdothis import call, rows

OPEN, BALLOT = "4410012012", "4410012014"
BALLOT_RACE = "5120048056"


@pytest.fixture(scope="module")
def server(starting: Any) -> Any:
    return starting("--size", "tiny", "--providers", "letsdothis")


@pytest.fixture
def box(server: Any) -> Any:
    """Return the tiny season as it begins, and only this provider in it."""
    server.control("reset", {"size": "tiny", "seed": 88, "providers": "letsdothis"})
    return server


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {field["id"]: field["value"] for field in row["fields"]}


def change(box: Any, kind: str, event: str = OPEN, **more: Any) -> Any:
    return box.change(kind, "letsdothis", event, **more)


def test_the_key_is_a_signed_token_that_names_the_organiser(box: Any) -> None:
    head, claims, signature = box.account("letsdothis")["api_key"].split(".")

    def decoded(part: str) -> Any:
        return json.loads(base64.urlsafe_b64decode(part + "=="))

    assert decoded(head) == {"alg": "HS256", "typ": "JWT"}
    assert decoded(claims)["organiserId"] == "org-harbour"
    assert signature
    forged = f"{head}.{claims}.{'A' * len(signature)}"
    answer = call(box, "/participants", key=forged)
    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized")


def test_applications_are_not_the_start_list(box: Any) -> None:
    entrants, applicants = rows(box, "/participants", 1, 500), rows(box, "/applications", 1, 500)

    applied = {row["id"] for row in applicants}
    born_of = {row.get("applicationId") for row in entrants} - {None}
    assert born_of
    assert born_of < applied
    assert len(applied - born_of) >= 7
    assert any(row.get("applicationId") is None for row in entrants)
    assert {row["approvalStatus"] for row in applicants} == {
        "PENDING", "PENDING_PAYMENT", "APPROVED", "REJECTED", "CANCELLED", "ELIGIBLE", "NOT_ELIGIBLE",
    }  # fmt: skip
    assert all("applicationId" not in row for row in applicants)


def test_a_person_is_a_list_of_answers_and_the_status_is_one_of_them(box: Any) -> None:
    row = rows(box, "/participants", 1, 500)[0]

    assert all(set(field) == {"id", "name", "value"} for field in row["fields"])
    assert not {"firstName", "status", "eventId"} & row.keys()
    assert {"firstName", "status", "dateOfBirth"} <= told(row).keys()
    statuses = Counter(told(row)["status"] for row in rows(box, "/participants", 1, 500))
    assert {"CONFIRMED", "CANCELLED"} == statuses.keys()
    assert "PENDING_BALLOT" in {told(row)["status"] for row in rows(box, "/applications", 1, 500)}


def test_a_booking_of_three_shares_its_instants(box: Any) -> None:
    bookings = defaultdict(list)
    for row in rows(box, "/participants", 1, 500):
        bookings[row["bookingId"]].append(row)

    together = [found for found in bookings.values() if len(found) == 3]
    assert together
    for found in together:
        assert sorted(row["participantIndex"] for row in found) == [0, 1, 2]
        assert len({(row["createdAt"], row["updatedAt"]) for row in found}) == 1
        assert all(row["booker"]["lastName"] for row in found)
    assert any(found[0]["booker"] is None for found in bookings.values())


def test_empty_texts_stand_where_null_is_documented(box: Any) -> None:
    found = rows(box, "/participants", 1, 500)

    assert {"", None} & {row["transactionId"] for row in found}
    assert "" in {row.get("ticketId") for row in found}
    assert any("ticketId" not in row for row in found)
    free = [row for row in found if row["originalTicketPrice"] is None]
    assert free
    assert all(row["originalTicketPrice"]["value"] >= 1000 for row in found if row not in free)


def test_a_page_has_a_hundred_rows_unless_told_and_five_hundred_at_most(box: Any) -> None:
    change(box, "add_entry", count=120)

    assert len(call(box, "/participants").json()["data"]) == 100
    for size in ("0", "501", "many"):
        answer = call(box, "/participants", page_size=size)
        assert (answer.status_code, answer.json()["code"]) == (400, "FST_ERR_VALIDATION")


def test_an_unknown_parameter_is_passed_over(box: Any) -> None:
    account = box.account("letsdothis")

    answer = box.session.get(
        f"{account['api_url']}/participants?page%3Fsize%5B=1",
        headers={"Authorization": f"Bearer {account['api_key']}"},
        timeout=5,
    )

    assert len(answer.json()["data"]) > 1


@pytest.mark.parametrize("exclusive", [False, True])
def test_next_is_the_start_of_the_next_page_or_the_row_before_it(box: Any, exclusive: bool) -> None:
    box.control("quirks", {"letsdothis_exclusive_cursors": exclusive})
    everybody = rows(box, "/participants", 1, 500)

    first = call(box, "/participants", page_size=5).json()
    second = call(box, "/participants", page_size=5, page_after=first["page"]["next"]).json()

    assert first["page"]["totalResults"] == len(everybody)
    assert first["page"]["next"] == everybody[5]["id"]
    assert second["data"][0] == everybody[6 if exclusive else 5]
    # The last row's own id goes on behind it, or with it once more: nothing is skipped either way.
    behind = call(box, "/participants", page_size=5, page_after=first["data"][-1]["id"]).json()["data"]
    assert behind[0] == everybody[5 if exclusive else 4]
    met = rows(box, "/participants", 1, 5)
    assert (len(met) < len(everybody)) is exclusive


def test_ends_are_null_or_empty_or_lead_on(box: Any) -> None:
    assert call(box, "/participants", page_size=500).json()["page"]["next"] is None

    box.control("quirks", {"letsdothis_empty_ends": True})
    page = call(box, "/participants", page_size=500).json()["page"]
    assert (page["prev"], page["next"]) == ("", "")

    box.control("quirks", {"letsdothis_cursors_never_end": True})
    page = call(box, "/participants", page_size=500).json()["page"]
    assert page["prev"]
    assert page["next"] == page["last"]


def test_updated_after_is_strict(box: Any) -> None:
    box.control("clock", {"advance_seconds": 60})
    change(box, "edit_entry", fields={"firstName": "Ada"}, count=4)
    since = "2026-09-19T15:31:00.000Z"
    query = {"sort_updatedAt": 1}

    assert rows(box, "/participants", 1, 500, updatedAt_after=since, **query) == []
    found = rows(box, "/participants", 1, 500, updatedAt_after="2026-09-19T15:30:59.999Z", **query)

    assert len(found) >= 4
    assert {row["updatedAt"] for row in found} == {since}
    assert call(box, "/participants", updatedAt_after="yesterday").status_code == 400


def test_a_row_touched_between_two_pages_moves_to_the_end_and_nothing_is_skipped(box: Any) -> None:
    query: dict[str, Any] = {"sort_updatedAt": 1, "page_size": 5}
    everybody = {row["id"] for row in rows(box, "/participants", 1, 500)}
    first = call(box, "/participants", **query).json()
    box.control("clock", {"advance_seconds": 60})
    # The very row that the cursor names.
    moved = first["page"]["next"]
    occurrence = next(r for r in rows(box, "/participants", 1, 500) if r["id"] == moved)["eventOccurrenceId"]
    change(box, "edit_entry", occurrence, id=moved, fields={"firstName": "Ada"})

    met = [row["id"] for row in first["data"]]
    cursor = moved
    while cursor:
        page = call(box, "/participants", page_after=cursor, **query).json()
        met += [row["id"] for row in page["data"]]
        cursor = page["page"]["next"]

    assert set(met) == everybody
    assert met[-1] == moved or moved in met[-3:]


def test_withdrawn_entrants_keep_their_row_unless_they_are_dropped(box: Any) -> None:
    done = change(box, "refund")
    (entry,) = done["changed"]
    row = next(row for row in rows(box, "/participants", 1, 500) if row["id"] == entry)
    assert told(row)["status"] == "REFUNDED"
    assert row["updatedAt"] == "2026-09-19T15:30:00.000Z"

    box.control("quirks", {"letsdothis_drop_withdrawn": True})
    left = rows(box, "/participants", 1, 500)

    assert entry not in {row["id"] for row in left}
    assert {told(row)["status"] for row in left} == {"CONFIRMED"}


def test_a_transfer_is_an_old_row_with_a_status_and_a_new_row(box: Any) -> None:
    done = change(box, "transfer")
    by_id = {row["id"]: row for row in rows(box, "/participants", 1, 500)}

    old, new = by_id[done["changed"][0]], by_id[done["new"][0]]

    assert told(old)["status"] == "TRANSFERRED_EVENTS"
    assert told(new)["lastName"] == told(old)["lastName"]
    assert new["raceId"] != old["raceId"]


def test_an_application_is_decided(box: Any) -> None:
    pending = next(r for r in rows(box, "/applications", 1, 500) if r["approvalStatus"] == "PENDING")
    box.control("clock", {"advance_seconds": 60})

    change(box, "decide_application", BALLOT, id=pending["id"], fields={"approvalStatus": "REJECTED"})

    (row,) = [r for r in rows(box, "/applications", 1, 500) if r["id"] == pending["id"]]
    assert (row["approvalStatus"], row["applicationResolutionType"]) == ("REJECTED", "MANUAL")
    assert row["updatedAt"] == "2026-09-19T15:31:00.000Z"


def test_applications_may_lack_what_is_their_own(box: Any) -> None:
    box.control("quirks", {"letsdothis_no_approval_status": True})

    assert not any("approvalStatus" in row for row in rows(box, "/applications", 1, 500))


def test_the_occurrence_is_spelled_in_two_ways(box: Any) -> None:
    assert all("eventOccurrenceId" in row for row in rows(box, "/participants", 1, 500))

    box.control("quirks", {"letsdothis_one_r_occurence": True})

    found = rows(box, "/participants", 1, 500)
    assert all("eventOccurenceId" in row and "eventOccurrenceId" not in row for row in found)


def test_lists_of_one_race_or_one_event_hold_its_own(box: Any) -> None:
    everybody = rows(box, "/participants", 1, 500)
    of_race = rows(box, f"/races/{BALLOT_RACE}/participants", 1, 500)
    of_event = rows(box, "/events/3310012014/applications", 1, 500)

    assert {r["id"] for r in of_race} == {r["id"] for r in everybody if r["raceId"] == BALLOT_RACE}
    assert {r["id"] for r in of_event} == {
        r["id"] for r in rows(box, "/applications", 1, 500) if r["eventOccurrenceId"] == BALLOT
    }
    for path in (f"/races/{BALLOT_RACE}/participants", "/events/3310012014/applications", "/events/3310012014"):
        assert call(box, path, 2).status_code == 404


def test_events_days_and_races_are_there_unless_their_calls_are_taken_away(box: Any) -> None:
    event = call(box, "/events/3310012014").json()["data"]
    (occurrence,) = event["occurrences"]
    race = call(box, f"/races/{BALLOT_RACE}").json()["data"]

    assert occurrence["id"] == BALLOT
    # Ten in the morning in London, in winter.
    assert (occurrence["startDate"], occurrence["timezone"]) == ("2026-12-01T10:00:00.000Z", "Europe/London")
    assert race["eventOccurrenceId"] == BALLOT
    assert race["distance"] == {"value": 21.0975, "unit": "km"}
    assert call(box, "/events/3310012014/tickets").json()["data"][0]["requiresApplication"] is True

    box.control("quirks", {"letsdothis_event_calls": False})

    for path in ("/events", "/events/3310012014", f"/races/{BALLOT_RACE}", "/events/3310012014/tickets"):
        assert call(box, path).status_code == 404
    assert call(box, "/participants").status_code == 200


def test_a_summer_start_at_half_past_nine_is_half_past_eight_utc(box: Any) -> None:
    occurrence = call(box, "/events/3310012012").json()["data"]["occurrences"][0]

    assert occurrence["startDate"] == "2026-08-23T08:30:00.000Z"
