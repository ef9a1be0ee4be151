"""Copernico's surprises, as the provider page lists them (sections 5, 7 and 8)."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests


@pytest.fixture(scope="module")
def server(starting: Any) -> Any:
    return starting("--size", "tiny", "--providers", "all")


@pytest.fixture
def box(server: Any) -> Iterator[Any]:
    """Return the tiny season of all six as it begins."""
    server.control("reset", {"size": "tiny", "seed": 88, "providers": "all"})
    return server


def ask(box: Any, path: str, partner: int = 1, key: str | None = None, **query: Any) -> requests.Response:
    account = box.account("copernico", partner)
    headers = {"x-api-key": account["api_key"] if key is None else key}
    answer: requests.Response = box.session.get(account["api_url"] + path, headers=headers, params=query, timeout=30)
    return answer


def live(box: Any) -> str:
    """Return the race that is on."""
    return next(race["id"] for race in ask(box, "/races").json()["data"] if race["status"] == "running")


def preset(box: Any, race: str, event: str | None = None, name: str = "full") -> Any:
    login = box.account("copernico")["login"]
    return ask(box, f"/races/{race}/preset/{login}:::{name}" + (f"/{quote(event)}" if event else ""), key="").json()


def test_races_and_athletes_need_a_key_presets_leaders_and_files_do_not(box: Any) -> None:
    race = live(box)
    (first, *_) = preset(box, race)

    assert ask(box, "/races", key="wrong").status_code == 401
    assert ask(box, f"/races/{race}/athlete/{first['id']}/full", key="").status_code == 401
    assert ask(box, f"/races/{race}/athlete/{first['id']}/full", partner=2).status_code == 403
    assert ask(box, f"/races/{race}/leaders/10K/gender:male", key="").status_code == 200


def test_both_codes_of_success_come_and_one_of_them_with_nothing(box: Any) -> None:
    race = live(box)
    codes = {
        ask(box, f"/races/{race}/athlete/{row['id']}/full").json()["result"]["code"] for row in preset(box, race)[:6]
    }
    box.fault("copernico", "empty_answer", path_contains="api/races")

    empty = ask(box, "/races").json()

    assert codes == {0, 1}
    assert (empty["result"]["code"], empty["data"]) == (1, [])


def test_races_tell_four_fields_unless_the_assumed_ones_are_switched_on(box: Any) -> None:
    (race, *_) = ask(box, "/races").json()["data"]
    box.control("quirks", {"copernico_rich_races": True})
    (rich, *_) = ask(box, "/races").json()["data"]

    assert set(race) == {"id", "name", "status", "date"}
    assert {"competitionId", "timezone", "events"} <= set(rich)


def test_a_name_that_does_not_fit_exactly_gives_an_empty_array(box: Any) -> None:
    race = live(box)

    assert preset(box, race, "10k") == []
    assert preset(box, race, name="Full") == []
    assert preset(box, race, "10K") == [row for row in preset(box, race) if row["event"] == "10K"]
    assert ask(box, "/races/no-such-race/preset/a@example.org:::full").status_code == 404


def test_times_are_milliseconds_from_the_gun_and_null_or_zero_where_nobody_was_seen(box: Any) -> None:
    rows = preset(box, live(box))
    official = [row["times.official_:::finish:::"] for row in rows]

    finished = [row for row in rows if row["status"] == "finished"]
    assert {None, 0} < set(official)
    assert all(row["times.official_:::finish:::"] > row["times.real_:::finish:::"] > 60_000 for row in finished)
    assert all(
        0 <= row["times.official_:::start:::"] == row["times.official_:::finish:::"] - row["times.real_:::finish:::"]
        for row in finished
    )


def test_production_nests_what_the_demo_does_not(box: Any) -> None:
    race = live(box)
    (row, *_) = [row for row in preset(box, race) if row["status"] == "finished"]
    path = f"/races/{race}/athlete/{row['id']}/full"

    nested = ask(box, path).json()["data"]
    box.control("quirks", {"copernico_demo_nesting": True})
    flat = ask(box, path).json()["data"]

    (entry,) = nested.pop("events")
    assert flat == nested | entry
    assert entry["times"]["Meta"]["time"] == row["times.official_:::finish:::"]
    assert entry["times"]["Meta"]["netTime"] == row["times.real_:::finish:::"]
    assert entry["rankings"]["Meta"]["pos"] == row["rankings_:::full-1:::"]
    assert "Teléfono de emergencia" in nested


def test_a_retracted_split_goes_back_to_null_or_zero(box: Any) -> None:
    race = live(box)
    (row, *_) = [row for row in preset(box, race) if row["status"] == "finished"]

    box.change("retract_split", "copernico", f"{race}:{row['event']}", id=row["id"])

    (after,) = [each for each in preset(box, race) if each["id"] == row["id"]]
    assert after["times.official_:::finish:::"] in (None, 0)
    assert after["status"] == "running"
    assert after["rankings_:::full-1:::"] is None
    box.change("retract_split", "copernico", f"{race}:{row['event']}", id=row["id"], fields={"splits": 2})
    (none,) = [each for each in preset(box, race) if each["id"] == row["id"]]
    assert none["status"] == "notstarted"


def test_a_deleted_athlete_vanishes_and_stays_cancelled_in_the_target_api(box: Any) -> None:
    box.control("quirks", {"copernico_target_api": True})
    race = live(box)
    (gone,) = box.change("delete", "copernico", f"{race}:10K")["changed"]

    assert gone not in {row["id"] for row in preset(box, race)}
    assert ask(box, f"/races/{race}/athlete/{gone}/full").status_code == 404
    (left,) = [p for p in box.holds("copernico", 1, "brrm_participants") if p["participant_id"] == gone]
    assert left["registration_status"] == "cancelled"


def test_places_follow_from_times(box: Any) -> None:
    race = live(box)
    (winner,) = [row for row in preset(box, race, "10K") if row["rankings_:::full-1:::"] == 1]

    box.change("correct_result", "copernico", f"{race}:10K", id=winner["id"], fields={"seconds": 5999})

    ranks = sorted(
        (row["times.official_:::finish:::"], row["rankings_:::full-1:::"])
        for row in preset(box, race, "10K")
        if row["rankings_:::full-1:::"]
    )
    assert [place for _, place in ranks] == list(range(1, len(ranks) + 1))
    assert ranks[-1][0] == 5_999_000


def test_a_renamed_event_is_another_address_and_another_name_in_rows(box: Any) -> None:
    race = live(box)
    box.change("rename_event", "copernico", f"{race}:10K", fields={"name": "10 Kilómetros / Popular"})

    assert preset(box, race, "10K") == []
    assert {row["event"] for row in preset(box, race)} == {"Half Marathon", "10 Kilómetros / Popular"}
    box.change("edit_entry", "copernico", f"{race}:10K", fields={"club": "Found again"})


def test_a_preset_above_the_limit_fails_and_its_events_and_halves_do_not(box: Any) -> None:
    race = live(box)
    box.control("quirks", {"copernico_preset_limit_bytes": 12_000})
    login = box.account("copernico")["login"]

    answer = ask(box, f"/races/{race}/preset/{login}:::full")

    assert (answer.status_code, answer.json()["result"]["code"]) == (413, -1)
    assert preset(box, race, "10K")
    people, times = (preset(box, race, "10K", name) for name in ("people", "times"))
    assert [row["id"] for row in people] == [row["id"] for row in times]
    assert "Talla camiseta" in people[0]
    assert "Talla camiseta" not in times[0]


def test_some_names_are_garbled_and_the_switch_puts_them_right(box: Any) -> None:
    bad = [row["name"] + row["surname"] for row in box.holds("copernico", 1, "preset")]
    box.control("quirks", {"copernico_mojibake": False})
    good = [row["name"] + row["surname"] for row in box.holds("copernico", 1, "preset")]

    differ = [(one, other) for one, other in zip(bad, good, strict=True) if one != other]
    assert differ
    assert all(one.encode("latin-1").decode() == other for one, other in differ)


def test_an_answer_may_come_compressed_without_a_word(box: Any) -> None:
    box.control("quirks", {"copernico_unasked_gzip": True})

    answer = ask(box, "/races")

    assert "Content-Encoding" not in answer.headers
    assert answer.content[:2] == b"\x1f\x8b"
    assert gzip.decompress(answer.content).startswith(b'{"result":{"code":1')


def test_a_preset_may_be_an_object(box: Any) -> None:
    race = live(box)
    rows = preset(box, race)
    box.control("quirks", {"copernico_preset_object": True})

    body = preset(box, race)

    assert body["data"] == rows
    assert isinstance(body["gunTime"], int)


def test_leaders_are_in_order_and_take_more_columns(box: Any) -> None:
    rows = ask(box, f"/races/{live(box)}/leaders/10K/gender:female", fields="gender,birthdate").json()

    assert [row["pos"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert {row["gender"] for row in rows} == {"female"}


def test_entries_carry_the_registration_they_came_from(box: Any) -> None:
    pushed = {row["importId"] for row in box.holds("copernico", 1, "athletes")}
    known = {f"RS-{p['registration_id']}" for p in box.holds("runsignup", 1, "participants")}
    known |= {f"RS-{p['registration_id']}" for p in box.holds("runsignup", 1, "removed_participants")}

    from_runsignup = {one for one in pushed if one.startswith("RS-")}
    assert from_runsignup
    assert from_runsignup <= known


def test_the_target_api_answers_only_when_it_is_switched_on(box: Any) -> None:
    account = box.account("copernico")
    url = f"{account['target_api_url']}/brrm-api/api/v1/events"
    headers = {"x-api-key": account["api_key"]}

    off = box.session.get(url, headers=headers, timeout=5)
    box.control("quirks", {"copernico_target_api": True})
    on = box.session.get(url, headers=headers, params={"pageSize": 2, "page": 2}, timeout=5).json()

    assert off.status_code == 404
    assert on["pagination"]["page"] == 2
    assert on["pagination"]["totalItems"] == len(box.holds("copernico", 1, "brrm_events"))
    assert box.session.get(url, timeout=5).status_code == 401


def test_the_target_api_tells_what_was_updated_since(box: Any) -> None:
    box.control("quirks", {"copernico_target_api": True})
    account = box.account("copernico")
    race = live(box)
    events = [event["event_id"] for event in box.holds("copernico", 1, "brrm_events")]
    box.control("clock", {"advance_seconds": 120})
    (changed,) = box.change("edit_entry", "copernico", f"{race}:10K", fields={"club": "New"})["changed"]

    found = []
    for event in events:
        url = f"{account['target_api_url']}/brrm-api/api/v1/events/{event}/participants"
        query = {"updatedSince": "2026-09-19T15:31:00Z"}
        body = box.session.get(url, headers={"x-api-key": account["api_key"]}, params=query, timeout=5).json()
        found += body["data"]
    assert [row["participant_id"] for row in found] == [changed]
