"""The season itself: the same from the same seed, one set of people, any size in the same memory."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.world import SIZES, Season

CALLS = (
    "/runsignup/rest/races?events=T&format=json&api_key=rsu-harbour-key&api_secret=rsu-harbour-secret-88",
    "/control/holds/runsignup/1/participants",
    "/control/holds/chronotrack/2/results",
    "/control/truth",
)


def test_the_same_seed_gives_the_same_bytes(box: Any, starting: Any) -> None:
    other = starting("--size", "tiny", "--seed", "88")

    assert [box.session.get(box.url + c, timeout=20).content for c in CALLS] == [
        other.session.get(other.url + c, timeout=20).content for c in CALLS
    ]


def test_another_seed_gives_other_people(box: Any) -> None:
    before = box.holds("runsignup", 1, "participants")

    box.control("reset", {"seed": 7})

    after = box.holds("runsignup", 1, "participants")
    assert {p["user"]["email"] for p in before} != {p["user"]["email"] for p in after}


def test_the_same_person_enters_several_events_providers_and_partners_in_different_spellings(box: Any) -> None:
    truth = box.control("truth")
    of_person: dict[int, set[tuple[str, int]]] = {}
    for record in truth:
        of_person.setdefault(record["person_id"], set()).add((record["provider"], record["timing_partner_id"]))

    assert any(len(seen) == 4 for seen in of_person.values())
    person = {(t["provider"], t["id"]): t["person_id"] for t in truth}
    names: dict[int, set[str]] = {}
    for row in box.holds("runsignup", 1, "participants"):
        names.setdefault(person["runsignup", row["registration_id"]], set()).add(row["user"]["first_name"])
    assert any(len(spellings) > 1 for spellings in names.values())


def test_every_record_of_a_person_is_in_the_truth(box: Any) -> None:
    known = {(t["provider"], t["timing_partner_id"], t["id"]) for t in box.control("truth")}

    for partner in (1, 2):
        for stream in ("participants", "removed_participants"):
            rows = box.holds("runsignup", partner, stream)
            assert {("runsignup", partner, r["registration_id"]) for r in rows} <= known
        rows = box.holds("chronotrack", partner, "entries")
        assert {("chronotrack", partner, r["entry_id"]) for r in rows} <= known


def test_one_race_is_served_by_both_partners_under_the_same_ids(box: Any) -> None:
    ids = [{p["registration_id"] for p in box.holds("runsignup", n, "participants")} for n in (1, 2)]

    assert len(ids[0] & ids[1]) == 14


def test_there_are_races_over_live_and_ahead_in_several_zones(box: Any) -> None:
    races = [r["race"] for n in (1, 2) for r in box.rsu("/races", n, events="T")["races"]]

    assert {"America/New_York", "America/Los_Angeles", "Europe/London"} <= {r["timezone"] for r in races}
    starts = {e["start_time"].split(" ")[0] for r in races for e in r["events"]}
    assert {"5/12/2024", "9/19/2026", "11/3/2026"} <= starts


def test_the_people_of_the_tiny_world_have_unicode_names_gaps_and_ages_that_contradict(box: Any) -> None:
    users = [(p["user"], p["age"]) for n in (1, 2) for p in box.holds("runsignup", n, "participants")]

    assert any(not u["first_name"].isascii() for u, _ in users)
    assert any(u["email"] is None for u, _ in users)
    assert any(u["dob"] is None for u, _ in users)
    aged = [(u, age) for u, age in users if u["dob"]]
    wrong = [u for u, age in aged if abs(2026 - int(u["dob"][:4]) - age) > 4]
    assert 0 < len(wrong) < len(aged) / 20


def test_a_few_bibs_repeat() -> None:
    season = Season(SIZES["small"])
    for uid in season.uids(1):
        for distance in season.occasion(uid).distances:
            bibs = [b for i in range(distance.entered) if (b := season.bib(distance, i))]
            assert len(bibs) - len(set(bibs)) <= max(1, len(bibs) / 50)
    total = [b for d in season.occasion(2).distances for i in range(d.entered) if (b := season.bib(d, i))]
    assert len(total) > len(set(total))


@pytest.mark.parametrize("participants", [400, 8_000])
def test_places_are_a_permutation_of_who_may_start_and_times_rise(participants: Any) -> None:
    season = Season(participants)
    for uid in (0, *season.uids(2)[1:]):
        for distance in season.occasion(uid).distances:
            order = [season.index_at(distance, p) for p in range(distance.live)]
            assert len(set(order)) == distance.live
            assert [season.position_of(distance, i) for i in order] == list(range(distance.live))
            times = [season.gun_time(distance, p) for p in range(distance.finishers)]
            assert times == sorted(times)


def test_the_small_world_is_about_as_large_as_said_and_a_hundredth_of_it_is_bad(starting: Any) -> None:
    small = starting("--size", "small")
    people = [p for n in (1, 2) for p in small.holds("runsignup", n, "participants")]
    entries = [e for n in (1, 2) for e in small.holds("chronotrack", n, "entries")]
    results = [r for n in (1, 2) for r in small.holds("chronotrack", n, "results")]

    assert 6_000 < len(people) + len(entries) < 10_000
    assert 5_000 < len(results) < 14_000
    bad = [p for p in people if p["age"] is not None and not 0 <= p["age"] <= 110]
    assert 0 < len(bad) < len(people) / 50
    assert any(e["entry_status"] == "LOST" for e in entries)
    assert any("x" in r["results_time"] for r in results)
    backwards = [
        r
        for r in results
        if r["results_end_chip_time"] and float(r["results_end_chip_time"]) < float(r["results_begin_chip_time"])
    ]
    assert 0 < len(backwards) < len(results) / 50


def test_a_transfer_before_the_season_names_a_registration_that_exists(starting: Any) -> None:
    small = starting("--size", "small")
    live = {p["registration_id"] for p in small.holds("runsignup", 1, "participants")}

    moved = [r for r in small.holds("runsignup", 1, "removed_participants") if r["removed_reason"] == "transferred"]

    assert moved
    assert all(r["new_registration_id"] in live for r in moved)


def test_the_tiny_world_is_clean(box: Any) -> None:
    ages = [p["age"] for n in (1, 2) for p in box.holds("runsignup", n, "participants")]

    assert all(5 < age < 110 for age in ages)
    assert not any(e["entry_status"] == "LOST" for e in box.holds("chronotrack", 1, "entries"))


def test_millions_of_participants_need_no_more_memory_and_the_far_end_is_near(starting: Any) -> None:
    huge = starting("--size", "2400000")
    status = Path(f"/proc/{huge.process.pid}/status")
    began = time.monotonic()

    first = huge.rsu("/race/50020/participants", event_id=900080, results_per_page=2500, sort="registration_id ASC")
    last = huge.rsu(
        "/race/50020/participants", event_id=900080, results_per_page=2500, sort="registration_id ASC", page=8
    )
    results = huge.ct("/event/40020/results", size=1000, page=70, interval="ALL")
    races = huge.rsu("/races", events="T", results_per_page=1000, page=2)["races"]

    assert len(first[0]["participants"]) == 2500
    assert len(last[0]["participants"]) == 1700
    assert len(results.json()["event_results"]) == 1000
    assert int(results.headers["X-Ctlive-Row-Count"]) > 70_000
    assert len(races) > 500
    assert time.monotonic() - began < 15
    resident = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    assert resident < 150 * 1024


def test_it_stops_when_told_and_when_nobody_calls(tmp_path: Any) -> None:
    def begin(*more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.server", "--size", "tiny", *more],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    told = begin("--port-file", str(tmp_path / "url"))
    assert (tmp_path / "url").read_text().startswith("http://127.0.0.1:")
    told.send_signal(signal.SIGTERM)
    idle = begin("--idle-exit", "0.5")

    assert told.wait(timeout=5) in (0, -signal.SIGTERM)
    assert idle.wait(timeout=5) == 0
