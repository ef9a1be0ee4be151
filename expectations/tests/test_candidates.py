"""What would leave: each rule fails when it must and only then; parents take what is below them along."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2.extras import Json

from expectations.runner import GateReport, run_gate
from expectations.tests.database import NOW, Season

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from expectations.tests.conftest import Gate

LATER = NOW + timedelta(hours=1)
PERSON = "runsignup/1/100"
RESULT = "runsignup/1/700"


@pytest.fixture
def event(season: Season) -> Season:
    """Return a season with one event and its race."""
    season.event()
    season.race()
    return season


ALONE = {
    "result_key": "runsignup/1/alone", "source_provider": "runsignup", "timing_partner_id": 1,
    "event_key": "runsignup/1/5", "global_participant_id": "p1", "person_confidence": 0.97, "is_removed": False,
}  # fmt: skip
MERGED = {
    "change_key": "1/1", "timing_partner_id": 1, "change_number": 1, "change_type": "merged",
    "global_participant_id": "p2", "other_global_participant_id": "p1", "records": 1, "is_decided": False,
}  # fmt: skip


def publish(season: Season, run_id: str) -> None:
    """Do what a publish does."""
    season.publish(run_id)


def stops(report: Any) -> set[str]:
    """Return the names of the rules that stopped."""
    return {failure.rule for failure in report.failures}


def test_a_good_build_passes_and_holds_nothing_back(event: Season, gate: Gate) -> None:
    event.participants(20)
    event.results(20, splits=Json([{"name": "5K", "chip_seconds": 1451.3}, {"name": "Finish", "chip_seconds": 2942.1}]))
    event.put("candidate.unified_divisions", division_key="runsignup/1/3", **below())
    event.put("candidate.unified_timing_points", timing_point_key="runsignup/1/4", distance_m=5000, **below())
    event.put(
        "candidate.participant_tracking", timing_partner_id=1, global_participant_id="p1", events_participated=2,
        providers_used=["runsignup"],
    )  # fmt: skip
    event.put(
        "candidate.unified_results", result_key="runsignup/1/alone", bib_number="99", last_name="Alone",
        chip_seconds=2400, gun_seconds=2401, status="finished", is_removed=False, **below(),
    )  # fmt: skip
    event.put("candidate.results_without_entry", **ALONE)
    event.put("candidate.person_changes", **MERGED)
    event.put(
        "candidate.reconciliation", timing_partner_id=1, source_provider="runsignup", stream="participants",
        received=20, unaccounted=0,
    )  # fmt: skip

    report = gate("candidates")

    assert report.passed, report.failures
    assert (report.quarantined, report.warnings) == (0, [])
    assert event.ask("select relation, rule, message from hub.gate_results where not success") == []


def below(event_id: str = "5", race_id: str | None = "5") -> dict[str, Any]:
    """Return the columns of a row of partner 1 below an event and a race."""
    return {
        "source_provider": "runsignup", "timing_partner_id": 1, "event_key": f"runsignup/1/{event_id}",
        "race_key": f"runsignup/1/{race_id}" if race_id else None,
    }  # fmt: skip


WRONG_PEOPLE: list[tuple[dict[str, Any], str]] = [
    ({"age": 126}, "age_is_plausible"),
    ({"age": -1}, "age_is_plausible"),
    ({"first_name": " ", "last_name": None}, "participant_has_a_name"),
    ({"birth_date": date(2062, 1, 1)}, "participant_is_born"),
    ({"gender": "female"}, "gender_is_known"),
    ({"status": "CONF"}, "participant_status_is_known"),
    ({"provider_fields": Json({"unreadable": ["amount_paid"]})}, "participant_is_readable"),
    ({"timing_partner_id": 2}, "participant_key_is_well_formed"),
    ({"event_key": "runsignup/1/404"}, "participant_event_is_present"),
    ({"race_key": "runsignup/1/404"}, "participant_race_is_present"),
]
UNUSUAL_PEOPLE: list[dict[str, Any]] = [
    {"age": None, "birth_date": None, "age_as_sent": None},
    {"age": 0, "age_as_sent": 0},
    {"age": 115, "age_as_sent": 114},
    {"first_name": None},
    {"gender": None},
    {"gender": "X"},
    {"race_key": None},
    {"status": "removed", "is_removed": True},
    {"provider_fields": Json({"unreadable": None})},
    {"provider_fields": None},
    {"bib_number": "W01", "race_fee": None, "amount_paid": None},
    {"first_name": "Zoë 100%", "last_name": "O'Neill {x} :y"},
]
ODD_PEOPLE: list[tuple[dict[str, Any], str]] = [
    ({"status": "unknown"}, "participant_status_is_understood"),
    ({"age": 35, "age_as_sent": 8}, "age_agrees_with_birth_date"),
    ({"amount_paid": 57_750}, "amounts_are_plausible"),
    ({"registration_date": NOW + timedelta(days=3)}, "registered_in_the_past"),
]
WRONG_RESULTS: list[tuple[dict[str, Any], str]] = [
    ({"chip_seconds": 49.03, "gun_seconds": None}, "chip_time_is_plausible"),
    ({"chip_seconds": None, "gun_seconds": 700_000}, "gun_time_is_plausible"),
    ({"chip_seconds": 2942, "gun_seconds": 2930}, "gun_is_not_before_chip"),
    ({"chip_seconds": None, "gun_seconds": None}, "finish_has_a_time"),
    ({"splits": Json([{"chip_seconds": 2950}])}, "splits_are_before_the_finish"),
    ({"status": "FIN"}, "result_status_is_known"),
    ({"gender": "W"}, "result_gender_is_known"),
    ({"age": 1987}, "result_age_is_plausible"),
    ({"overall_place": 0}, "place_is_positive"),
    ({"first_name": None, "last_name": "", "bib_number": None}, "result_belongs_to_somebody"),
    ({"provider_fields": Json({"unreadable": ["results_time"]})}, "result_is_readable"),
    ({"timing_partner_id": 2}, "result_key_is_well_formed"),
    ({"event_key": "runsignup/1/404"}, "result_event_is_present"),
    ({"race_key": "runsignup/1/404"}, "result_race_is_present"),
]
UNUSUAL_RESULTS: list[dict[str, Any]] = [
    {"chip_seconds": 2942, "gun_seconds": 2938},
    {"chip_seconds": None, "gun_seconds": None, "status": "did_not_finish", "overall_place": None},
    {"chip_seconds": 60, "gun_seconds": None},
    {"splits": Json([{"chip_seconds": 2942.9}, {"chip_seconds": None}, {"name": "10K"}])},
    {"splits": None},
    {"splits": Json({})},
    {"first_name": None, "last_name": None},
    {"race_key": None},
]


@dataclass(frozen=True)
class Verdict:
    """What one run of the gate said of every row of a season with all that can be wrong with one."""

    report: GateReport
    held: dict[str, set[str]]
    told: dict[str, set[str]]


@pytest.fixture(scope="module")
def verdict(conn: connection, server: str) -> Verdict:
    """Return the verdict over rows 1000 + n (wrong), 2000 + n (unusual) and 3000 + n (odd)."""
    season = Season(conn)
    season.event()
    season.race()
    for row, (wrong, _) in enumerate(WRONG_PEOPLE):
        season.participants(1, first=1000 + row, **wrong)
    for row, right in enumerate(UNUSUAL_PEOPLE):
        season.participants(1, first=2000 + row, **right)
    for row, (odd, _) in enumerate(ODD_PEOPLE):
        season.participants(1, first=3000 + row, **odd)
    for row, (wrong, _) in enumerate(WRONG_RESULTS):
        season.results(1, first=11_000 + row, **wrong)
    for row, right in enumerate(UNUSUAL_RESULTS):
        season.results(1, first=12_000 + row, **right)
    report = run_gate(server, "candidates", "r1", NOW, None)
    held, told = defaultdict(set), defaultdict(set)
    for key, rule in season.held():
        held[key].add(rule)
    for warning in report.warnings:
        for key in warning.sample_keys:
            told[key].add(warning.rule)
    return Verdict(report, held, told)


def test_rows_held_back_do_not_stop_the_others(verdict: Verdict) -> None:
    assert verdict.report.passed, verdict.report.failures
    assert verdict.report.quarantined == len(WRONG_PEOPLE) + len(WRONG_RESULTS)


@pytest.mark.parametrize(("row", "rule"), list(enumerate(rule for _, rule in WRONG_PEOPLE)))
def test_a_participant_that_cannot_be_right_is_held_back(verdict: Verdict, row: int, rule: str) -> None:
    assert verdict.held[f"runsignup/1/{1000 + row}"] == {rule}


@pytest.mark.parametrize("row", range(len(UNUSUAL_PEOPLE)), ids=lambda row: " ".join(UNUSUAL_PEOPLE[row]))
def test_an_unusual_participant_passes(verdict: Verdict, row: int) -> None:
    key = f"runsignup/1/{2000 + row}"
    assert (key in verdict.held, key in verdict.told) == (False, False)


@pytest.mark.parametrize(("row", "rule"), list(enumerate(rule for _, rule in ODD_PEOPLE)))
def test_an_odd_participant_is_told_and_published(verdict: Verdict, row: int, rule: str) -> None:
    key = f"runsignup/1/{3000 + row}"
    assert (key in verdict.held, verdict.told[key]) == (False, {rule})


@pytest.mark.parametrize(("row", "rule"), list(enumerate(rule for _, rule in WRONG_RESULTS)))
def test_a_result_that_cannot_be_right_is_held_back(verdict: Verdict, row: int, rule: str) -> None:
    assert verdict.held[f"runsignup/1/{11_000 + row}"] == {rule}


@pytest.mark.parametrize("row", range(len(UNUSUAL_RESULTS)), ids=lambda row: " ".join(UNUSUAL_RESULTS[row]))
def test_an_unusual_result_passes(verdict: Verdict, row: int) -> None:
    key = f"runsignup/1/{12_000 + row}"
    assert (key in verdict.held, key in verdict.told) == (False, False)


def test_entries_that_share_a_bib_in_one_race_are_told(event: Season, gate: Gate) -> None:
    event.race("6")
    event.participants(2, bib_number="0147")
    event.participants(1, first=200, bib_number="0147", race_key="runsignup/1/6")
    event.participants(1, first=300, bib_number="0147", is_removed=True, status="cancelled")
    event.participants(1, first=400, bib_number="147")

    report = gate("candidates")

    assert report.passed
    assert [(w.rule, w.failing, w.sample_keys) for w in report.warnings] == [("bib_once_per_race", 2, [PERSON])]


def test_the_reason_shows_the_value_where_it_is_not_personal(event: Season, gate: Gate) -> None:
    event.results(1, chip_seconds=49.03, gun_seconds=None)
    event.participants(1, first_name=None, last_name=None)

    gate("candidates")

    assert {row[0] for row in event.ask("select reason from hub.quarantine")} == {
        "its chip time is not between one minute and one week (49.03)",
        "it has neither a first nor a last name",
    }
    assert event.ask("select record ->> 'chip_seconds' from hub.quarantine where row_key = %s", RESULT) == [("49.03",)]


def test_an_event_that_cannot_be_right_is_held_back(season: Season, gate: Gate) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"event_date": date(1970, 1, 1)}, "event_date_is_plausible"),
        ({"event_date": date(2031, 1, 1)}, "event_date_is_plausible"),
        ({"starts_at": NOW, "ends_at": NOW - timedelta(hours=1)}, "event_instants_are_in_order"),
        ({"time_zone": "Eastern Standard Time"}, "event_time_zone_is_known"),
        ({"timing_partner_id": 2}, "event_key_is_well_formed"),
        ({"provider_fields": {"unreadable": ["start_time"]}}, "event_is_readable"),
    ]
    season.event("99", event_date=None, ends_at=None, provider_fields=None)
    for row, (values, _) in enumerate(wrong):
        season.event(str(row), **values)

    assert gate("candidates").passed
    assert season.held() == {(f"runsignup/1/{row}", rule) for row, (_, rule) in enumerate(wrong)}


def test_an_event_that_is_held_back_takes_what_is_below_it_along(season: Season, gate: Gate) -> None:
    season.event(time_zone="Eastern Standard Time")
    season.event("8")
    season.race()
    season.race("8", "8")
    season.participants(40)
    season.results(1)
    season.put("candidate.unified_divisions", division_key="runsignup/1/3", **below(race_id=None))
    season.put("candidate.unified_divisions", division_key="runsignup/1/4", **below("8", "8"))

    report = gate("candidates")

    # However many wait for the event, they say nothing about a change of unit.
    assert report.passed
    people = {(f"runsignup/1/{100 + n}", "event_is_not_held_back") for n in range(40)}
    assert season.held() == people | {
        ("runsignup/1/5", "event_time_zone_is_known"),
        ("runsignup/1/5", "event_is_not_held_back"),  # the race of the same number
        (RESULT, "event_is_not_held_back"),
        ("runsignup/1/3", "event_is_not_held_back"),
    }


def test_what_is_below_a_held_back_race_waits_for_it(season: Season, gate: Gate) -> None:
    season.event()
    season.race(event_key="runsignup/1/5")
    season.race("6", event_key="runsignup/1/404")
    season.participants(1)
    season.participants(1, first=200, race_key="runsignup/1/6")

    gate("candidates")

    assert season.held() == {
        ("runsignup/1/6", "race_event_is_present"),
        ("runsignup/1/200", "race_is_not_held_back"),
    }


def test_what_was_held_back_on_arrival_takes_what_is_below_it_along(event: Season, gate: Gate) -> None:
    event.raw_event(5, start_time=NOW, end_time=NOW - timedelta(hours=1))
    event.participants(1)

    gate("arrivals")
    gate("candidates")

    assert event.held("arrival") == {("runsignup/1/5", "event_ends_after_it_starts")}
    assert (PERSON, "event_is_not_held_back") in event.held("candidate")


def test_a_corrected_event_frees_all_that_waited_for_it(event: Season, gate: Gate) -> None:
    event.do("update candidate.unified_events set time_zone = 'Eastern Standard Time'")
    event.participants(3)
    gate("candidates")
    assert len(event.held()) == 5
    event.do("update candidate.unified_events set time_zone = 'America/New_York'")

    report = gate("candidates", "r2", LATER)

    assert event.held() == set()
    assert report.resolved == 5


def test_a_corrected_row_is_freed_and_a_relapse_is_held_again(event: Season, gate: Gate) -> None:
    event.results(1, chip_seconds=49.03)
    gate("candidates", "r1")
    event.do("update candidate.unified_results set chip_seconds = 2942")
    assert gate("candidates", "r2", LATER).resolved == 1
    event.do("update candidate.unified_results set chip_seconds = 49.03")

    gate("candidates", "r3", LATER + timedelta(hours=1))

    assert event.held() == {(RESULT, "chip_time_is_plausible")}
    assert event.ask("select first_run_id, count(*) over () from hub.quarantine") == [("r3", 1)]


def test_rows_of_a_rule_that_no_longer_exists_are_freed(event: Season, gate: Gate) -> None:
    event.participants(1)
    event.put(
        "hub.quarantine", timing_partner_id=1, source_provider="runsignup", stage="candidate",
        relation="unified_participants", row_key=PERSON, rule="shoe_size_is_plausible", reason="too large",
    )  # fmt: skip

    report = gate("candidates")

    assert (report.resolved, event.held()) == (1, set())


def test_an_odd_event_or_race_is_told_and_published(season: Season, gate: Gate) -> None:
    season.event(event_name="", time_zone=None)
    season.race(distance_m=42.195 / 10)

    report = gate("candidates")

    assert report.passed
    assert season.held() == set()
    assert {w.rule for w in report.warnings} == {
        "event_has_a_name", "event_has_a_time_zone", "distance_is_plausible",
    }  # fmt: skip


def test_a_result_whose_participant_is_missing_is_told(event: Season, gate: Gate) -> None:
    event.results(1, participant_key="runsignup/1/404")

    assert [w.rule for w in gate("candidates").warnings] == ["result_participant_is_present"]


def test_a_key_that_occurs_twice_stops(event: Season, gate: Gate) -> None:
    event.participants(3)
    event.participants(1)

    (failure,) = gate("candidates").failures

    assert (failure.rule, failure.relation, failure.sample_keys) == (
        "one_row_per_key", "unified_participants", [PERSON],
    )  # fmt: skip
    assert "accept" not in failure.message


def test_unaccounted_rows_stop(event: Season, gate: Gate) -> None:
    for stream, unaccounted in (("participants", 0), ("results", 3), ("events", -1)):
        event.put(
            "candidate.reconciliation", timing_partner_id=1, source_provider="runsignup", stream=stream,
            received=100, unaccounted=unaccounted,
        )  # fmt: skip

    report = gate("candidates")

    assert {(f.rule, f.relation, f.failing) for f in report.failures} == {
        ("nothing_unaccounted", "results", 3),
        ("nothing_unaccounted", "events", 1),
    }


@pytest.mark.parametrize(
    ("wrong", "right", "passes"),
    [
        pytest.param(30, 170, False, id="many at once"),
        pytest.param(30, 970, True, id="few among many"),
        pytest.param(15, 5, True, id="a small race"),
    ],
)
def test_many_rows_held_back_at_once_stop(event: Season, gate: Gate, wrong: int, right: int, passes: bool) -> None:
    event.results(wrong, chip_seconds=49.03)
    event.results(right, first=5000)

    report = gate("candidates")

    assert report.passed == passes
    assert stops(report) == (set() if passes else {"quarantine_share"})
    assert passes or len(report.failures[0].sample_keys) == 5


def test_a_share_that_was_published_once_does_not_stop_again(event: Season, gate: Gate) -> None:
    event.results(30, chip_seconds=49.03)
    event.results(170, first=5000)
    assert stops(gate("candidates")) == {"quarantine_share"}
    publish(event, "r1")

    assert gate("candidates", "r2", LATER).passed


def test_a_collapse_is_measured_by_what_was_published(event: Season, gate: Gate) -> None:
    event.participants(200)
    gate("candidates")
    publish(event, "r1")
    event.do(
        "update candidate.unified_participants set is_removed = true, status = 'removed'"
        " where participant_id::int < 180"
    )

    (failure,) = gate("candidates", "r2", LATER).failures

    assert (failure.rule, failure.relation, failure.failing) == ("count_collapse", "unified_participants", 80)


def test_an_event_held_back_with_most_of_the_rows_is_a_collapse(event: Season, gate: Gate) -> None:
    event.event("8")
    event.race("8", "8")
    event.participants(200)
    event.participants(100, first=5000, event_key="runsignup/1/8", race_key="runsignup/1/8")
    gate("candidates")
    publish(event, "r1")
    event.do("update candidate.unified_events set time_zone = 'Eastern Standard Time' where event_id = '5'")

    (failure,) = gate("candidates", "r2", LATER).failures

    assert (failure.rule, failure.relation, failure.failing) == ("count_collapse", "unified_participants", 200)


def test_a_broken_batch_is_stopped_and_the_baseline_stays(event: Season, gate: Gate) -> None:
    event.results(200)
    gate("candidates")
    publish(event, "r1")
    before = event.ask("select * from hub.gate_baselines order by 1, 2")
    event.do("update candidate.unified_results set chip_seconds = chip_seconds / 60, gun_seconds = gun_seconds / 60")

    report = gate("candidates", "r2", LATER)

    assert stops(report) == {"quarantine_share"}
    assert event.ask("select * from hub.gate_baselines order by 1, 2") == before
    stopped = "select rule from hub.gate_results where run_id = 'r2' and severity = 'stop' and not success"
    assert {row[0] for row in event.ask(stopped)} == stops(report)


def test_a_fact_missing_in_what_came_since_stops(event: Season, gate: Gate) -> None:
    event.participants(300)
    gate("candidates")
    publish(event, "r1")
    event.participants(25, first=9000, birth_date=None, fetched_date=NOW)

    (failure,) = gate("candidates", "r2", LATER).failures

    assert (failure.rule, failure.relation) == ("nulls_jump", "unified_participants")
    assert "birth_date is missing in 25 of 25" in failure.message


def test_a_relation_that_was_not_built_stops(event: Season, gate: Gate) -> None:
    event.do("alter table candidate.unified_divisions rename to unified_divisions_away")
    try:
        (failure,) = gate("candidates").failures
    finally:
        event.do("alter table candidate.unified_divisions_away rename to unified_divisions")

    assert (failure.rule, failure.relation) == ("relation_is_there", "unified_divisions")


def test_a_rule_that_cannot_be_evaluated_stops_and_frees_nothing(event: Season, gate: Gate) -> None:
    event.results(1, splits=Json([{"chip_seconds": 2950}]))
    gate("candidates")
    event.do("""update candidate.unified_results set splits = '[{"chip_seconds": "soon"}]'""")

    report = gate("candidates", "r2", LATER)

    assert "could_be_checked" in stops(report)
    assert (RESULT, "splits_are_before_the_finish") in event.held()


def test_the_gate_leaves_no_view_behind(event: Season, gate: Gate) -> None:
    event.participants(1, age=200)

    gate("candidates")

    assert event.ask("select count(*) from pg_views where schemaname = 'gate'") == [(0,)]
