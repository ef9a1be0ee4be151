"""A cycle judges what changed and what hangs on it; every other verdict stands."""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from expectations.runner import NOTHING_DUE, PASSED_KEPT_DAYS, Gate
from expectations.tests.database import NOW, Season

if TYPE_CHECKING:
    from pathlib import Path

    from expectations.tests.conftest import Gate as RunGate

LATER = NOW + timedelta(hours=1)
PERSON, RESULT, RACE = "runsignup/1/100", "runsignup/1/700", "runsignup/1/5"
WRONG_ZONE = "update candidate.unified_events set time_zone = 'Eastern Standard Time' where event_id = '5'"
RIGHT_ZONE = "update candidate.unified_events set time_zone = 'America/New_York' where event_id = '5'"


@pytest.fixture
def published(season: Season, gate: RunGate) -> Season:
    """Return a published season: two events, and people and results in the first."""
    season.event()
    season.event("8")
    season.race()
    season.race("8", "8")
    season.participants(30)
    season.results(30)
    season.raw_event(5)
    season.raw_participants(30)
    assert gate("arrivals", "r0").passed
    assert gate("candidates", "r0").passed
    season.publish("r0")
    return season


def unnoticed(season: Season, table: str, change: str) -> None:
    """Change rows so that nothing tells that they changed: only who looks at them will see."""
    season.do(f"alter table {table} disable trigger user")
    season.do(f"update {table} set {change}")
    season.do(f"alter table {table} enable trigger user")


def skipped(season: Season, run_id: str) -> set[str]:
    """Return the relations and sets of which a run had nothing to judge."""
    return {
        row[0]
        for row in season.ask(
            "select relation from hub.gate_results where run_id = %s and rule = %s", run_id, NOTHING_DUE
        )
    }


def test_only_rows_that_changed_are_judged(published: Season, gate: RunGate) -> None:
    unnoticed(published, "candidate.unified_results", "chip_seconds = 5 where result_key <> 'runsignup/1/702'")
    published.do("update candidate.unified_results set chip_seconds = 5 where result_key in (%s, %s)", RESULT,
                 "runsignup/1/702")  # fmt: skip
    published.do("update candidate.unified_results set gender = 'W' where result_key = 'runsignup/1/701'")

    report = gate("candidates", "r1", LATER)

    # Of 701 everything is judged, once it is.
    assert published.held() == {
        ("runsignup/1/701", "chip_time_is_plausible"), ("runsignup/1/701", "result_gender_is_known"),
        ("runsignup/1/702", "chip_time_is_plausible"),
    }  # fmt: skip
    assert report.quarantined == 2
    held = "select record ->> 'gender' from hub.quarantine where rule = 'result_gender_is_known'"
    assert published.ask(held) == [("W",)]


def test_a_row_that_is_held_back_stays_so_while_others_are_judged(published: Season, gate: RunGate) -> None:
    published.do("update candidate.unified_results set chip_seconds = 5 where result_key = %s", RESULT)
    published.do("update raw_runsignup.participants set dob = '2062-01-01' where registration_id = 100")
    for stage in ("arrivals", "candidates"):
        gate(stage, "r1", LATER)
    published.publish("r1")
    before = published.held()
    published.do("update candidate.unified_results set age = 36 where result_key = 'runsignup/1/701'")
    published.do("update raw_runsignup.participants set gender = 'M' where registration_id = 101")

    for stage in ("arrivals", "candidates"):
        assert gate(stage, "r2", LATER).resolved == 0

    assert len(before) == 2
    assert published.held() == before


def test_only_raw_rows_that_changed_are_judged(published: Season, gate: RunGate) -> None:
    unnoticed(published, "raw_runsignup.participants", "dob = '2062-01-01'")
    published.do("update raw_runsignup.participants set gender = 'M', record = '{\"seen\": 1}'"
                 " where registration_id = 100")  # fmt: skip

    gate("arrivals", "r1", LATER)

    assert published.held() == {(PERSON, "born_in_the_past")}
    assert published.ask("select record ->> 'seen' from hub.quarantine") == [("1",)]


def test_where_nothing_changed_only_the_clock_is_asked(published: Season, gate: RunGate) -> None:
    published.read("participants", "5")
    gate("arrivals", "r1", LATER)
    published.publish("r1")

    assert gate("arrivals", "r2", LATER).passed
    assert gate("candidates", "r2", LATER).passed

    judged = {
        row[0]
        for row in published.ask("select rule from hub.gate_results where run_id = 'r2'")
        if row[0] != NOTHING_DUE
    }
    assert judged == {"freshness", "freshness_warning"}
    assert {"unified_results", "unified_events", "reconciliation", "candidates_counts"} <= skipped(published, "r2")
    published.publish("r2")
    assert published.ask("select live from hub.gate_baselines where relation = 'unified_results'") == [(30,)]


def test_an_event_that_is_held_back_takes_what_did_not_change_along_and_gives_it_back(
    published: Season, gate: RunGate
) -> None:
    published.do(WRONG_ZONE)
    gate("candidates", "r1", LATER)
    below = {(f"runsignup/1/{n}", "event_is_not_held_back") for n in (5, *range(100, 130), *range(700, 730))}
    assert published.held() == below | {("runsignup/1/5", "event_time_zone_is_known")}
    published.publish("r1")
    published.do(RIGHT_ZONE)

    report = gate("candidates", "r2", LATER)

    assert published.held() == set()
    assert report.resolved == len(below) + 1


def test_an_event_held_back_by_a_run_that_died_takes_its_rows_along_in_the_next(
    published: Season, gate: RunGate
) -> None:
    published.do("update raw_runsignup.events set end_time = start_time - interval '1 hour'")
    gate("arrivals", "r1", LATER)  # and its process died here

    gate("arrivals", "r2", LATER)
    gate("candidates", "r2", LATER)

    assert (PERSON, "event_is_not_held_back") in published.held("candidate")
    assert len(published.held("candidate")) == 61


def test_a_race_that_is_held_back_takes_its_rows_along(published: Season, gate: RunGate) -> None:
    published.do("update candidate.unified_participants set race_key = 'runsignup/1/8' where participant_key = %s",
                 "runsignup/1/101")  # fmt: skip
    gate("candidates", "r1", LATER)
    published.publish("r1")
    published.put(
        "hub.quarantine", timing_partner_id=1, source_provider="runsignup", stage="arrival", relation="unified_races",
        row_key=RACE, rule="race_ends_after_it_starts", reason="x",
    )  # fmt: skip

    gate("candidates", "r2", LATER)

    held = {key for key, rule in published.held("candidate") if rule == "race_is_not_held_back"}
    assert (PERSON in held, RESULT in held, "runsignup/1/101" in held) == (True, True, False)


def test_rows_of_an_event_that_is_gone_are_held_back_until_it_returns(published: Season, gate: RunGate) -> None:
    published.do("delete from candidate.unified_events where event_id = '5'")
    gate("candidates", "r1", LATER)
    assert (PERSON, "participant_event_is_present") in published.held()
    assert (RACE, "race_event_is_present") in published.held()
    published.do("update hub.gate_baselines set live = 0")
    published.publish("r1")
    published.event()

    gate("candidates", "r2", LATER)

    assert published.held() == set()


def test_what_an_unpublished_run_judged_is_judged_again(published: Season, gate: RunGate) -> None:
    published.participants(25, first=9000, birth_date=None, fetched_date=NOW)
    assert [failure.rule for failure in gate("candidates", "r1", LATER).failures] == ["nulls_jump"]

    assert [failure.rule for failure in gate("candidates", "r2", LATER).failures] == ["nulls_jump"]

    published.do("update candidate.unified_participants set birth_date = '1991-04-02' where birth_date is null")
    assert gate("candidates", "r3", LATER).passed


def test_a_suite_that_changed_judges_everything_until_it_is_published(published: Season, gate: RunGate) -> None:
    unnoticed(published, "candidate.unified_results", "chip_seconds = 5 where result_key = 'runsignup/1/700'")
    unnoticed(published, "raw_runsignup.participants", "dob = '2062-01-01' where registration_id = 100")
    gate("arrivals", "r1", LATER)
    gate("candidates", "r1", LATER)
    assert published.held() == set()
    published.do("update hub.gate_suites set fingerprint = 'of yesterday'"
                 " where name in ('unified_results', 'raw_runsignup_participants')")  # fmt: skip

    for run_id in ("r2", "r3"):
        published.do("update hub.quarantine set resolved_at = now()")
        gate("arrivals", run_id, LATER)
        gate("candidates", run_id, LATER)

        assert published.held() == {(RESULT, "chip_time_is_plausible"), (PERSON, "born_in_the_past")}
    published.publish("r3")
    gate("candidates", "r4", LATER)
    assert "unified_results" in skipped(published, "r4")


def test_a_relation_that_was_built_anew_is_judged_as_a_whole(published: Season, gate: RunGate) -> None:
    unnoticed(published, "candidate.unified_results", "chip_seconds = 5 where result_key = 'runsignup/1/700'")
    published.do("create table candidate.rebuilt as select * from candidate.unified_results")
    published.do("drop table candidate.unified_results; alter table candidate.rebuilt rename to unified_results")

    gate("candidates", "r1", LATER)

    assert published.held() == {(RESULT, "chip_time_is_plausible")}


def test_what_waits_for_a_day_is_asked_again_when_it_comes(published: Season, gate: RunGate) -> None:
    soon = date(2026, 6, 20)
    published.do("update candidate.unified_participants set birth_date = %s where participant_key = %s", soon, PERSON)
    published.do("update raw_runsignup.participants set dob = %s where registration_id = 100", soon)
    gate("arrivals", "r1", LATER)
    gate("candidates", "r1", LATER)
    assert len(published.held()) == 2
    published.publish("r1")

    for run_id, days, left in (("r2", 1, 2), ("r3", 7, 0)):
        gate("arrivals", run_id, NOW + timedelta(days=days))
        gate("candidates", run_id, NOW + timedelta(days=days))

        assert len(published.held()) == left


def test_a_row_held_back_for_its_parent_is_freed_when_the_parent_arrives(published: Season, gate: RunGate) -> None:
    published.raw_participants(1, event_id=404, first=200)
    gate("arrivals", "r1", LATER)
    published.publish("r1")
    assert published.held() == {("runsignup/1/200", "registration_has_its_event")}
    published.raw_event(404)

    report = gate("arrivals", "r2", LATER)

    assert (published.held(), report.resolved) == (set(), 1)


def test_a_row_held_back_by_two_rules_is_judged_once(published: Season, gate: RunGate) -> None:
    published.do("update candidate.unified_results set chip_seconds = 5, gender = 'W' where result_key = %s", RESULT)
    assert gate("candidates", "r1", LATER).passed
    published.publish("r1")
    # No result changed: those that are held back are asked again because an event arrived.
    published.event("9")

    report = gate("candidates", "r2", LATER)

    assert report.passed, report.failures
    assert {rule for key, rule in published.held() if key == RESULT} == {
        "chip_time_is_plausible", "result_gender_is_known",
    }  # fmt: skip


def test_a_result_of_several_raw_rows_stays_held_when_another_one_of_them_changes(
    season: Season, gate: RunGate
) -> None:
    season.put("raw_chronotrack.events", timing_partner_id=1, event_id="40021", record={})
    for interval, whole in (("full", True), ("5k", False)):
        season.put(
            "raw_chronotrack.results", timing_partner_id=1, event_id="40021", results_entry_id="91",
            results_interval_id=interval, results_interval_full=whole, results_begin_chip_time=LATER,
            results_end_chip_time=NOW if whole else LATER, record={},
        )  # fmt: skip
    gate("arrivals", "r0")
    season.publish("r0")
    season.do("update raw_chronotrack.results set results_time = '20:01' where results_interval_id = '5k'")

    gate("arrivals", "r1", LATER)

    assert season.held() == {("chronotrack/1/40021/91", "finish_mat_after_start_mat")}
    season.publish("r1")
    season.do("update raw_chronotrack.results set results_end_chip_time = %s where results_interval_full", LATER)
    assert gate("arrivals", "r2", LATER).resolved == 1


def test_a_row_whose_record_is_gone_is_held_back_no_longer(published: Season, gate: RunGate) -> None:
    published.do("update candidate.unified_results set chip_seconds = 5 where result_key = %s", RESULT)
    gate("candidates", "r1", LATER)
    published.do("delete from candidate.unified_results where result_key = %s", RESULT)

    assert gate("candidates", "r2", LATER).resolved == 1


def test_a_bib_given_out_twice_is_told_though_its_first_holder_did_not_change(published: Season, gate: RunGate) -> None:
    published.do("update candidate.unified_participants set bib_number = participant_id")
    gate("candidates", "r1", LATER)
    published.publish("r1")
    published.participants(1, first=900, bib_number="100")

    (warning,) = gate("candidates", "r2", LATER).warnings

    assert (warning.rule, warning.sample_keys) == ("bib_once_per_race", [PERSON])


def test_a_share_of_missing_values_is_one_of_all_that_arrived_so_far(published: Season, gate: RunGate) -> None:
    def known() -> list[tuple[int, int, int]]:
        return published.ask(
            "select rows, arrivals, (facts -> 'dob' ->> 'nulls')::int from hub.gate_baselines"
            " where relation = 'raw_runsignup.participants'"
        )

    assert known() == [(30, 30, 0)]
    for hour, run_id in enumerate(("r1", "r2"), start=1):
        at = NOW + timedelta(hours=hour)
        published.raw_participants(10, first=1000 * hour, dob=None, changed_at=at)
        published.do(
            "update raw_runsignup.participants set dob = null, changed_at = %s where registration_id < 105", at
        )
        gate("arrivals", run_id, at)
        published.publish(run_id)

    # Thirty at first; then twice ten new ones and five that came again, all of them without.
    assert known() == [(50, 60, 30)]


def test_a_reading_is_compared_when_it_is_new(published: Season, gate: RunGate) -> None:
    published.raw_event(6)
    published.raw_participants(4, event_id=6, first=900)
    for scope, rows in (("5", 30), ("6", 4)):
        published.read("participants", scope, mode="whole", rows_at_provider=rows)
    assert gate("arrivals", "r1", LATER).passed
    published.publish("r1")
    unnoticed(published, "raw_runsignup.reads", "rows_at_provider = 99")
    published.do("update raw_runsignup.reads set run_id = 'r2' where scope = '6'")

    (failure,) = gate("arrivals", "r2", LATER).failures

    assert (failure.rule, failure.sample_keys) == ("reads_reconcile", ["6"])


def test_measures_kept_equal_measures_taken(published: Season, gate: RunGate) -> None:
    published.participants(5, first=500, birth_date=None, event_key="runsignup/1/8", race_key="runsignup/1/8")
    published.participants(3, first=600, is_removed=True, first_name="")
    published.do("update candidate.unified_participants set gender = 'W' where participant_id in ('100', '600')")
    published.do("update candidate.unified_participants set gender = null where participant_id = '101'")
    published.do("update candidate.unified_events set time_zone = 'Eastern Standard Time' where event_id = '8'")
    published.do("delete from candidate.unified_participants where participant_id = '102'")
    gate("candidates", "r1", LATER)

    kept = published.ask(
        "select rows, live, quarantined, (facts -> 'birth_date' ->> 'nulls')::int,"
        " (facts -> 'gender' ->> 'nulls')::int, (facts -> 'first_name' ->> 'nulls')::int"
        " from hub.gate_measures where run_id = 'r1' and relation = 'unified_participants'"
    )

    taken = published.ask(
        """
        with t as (
            select p.*, not coalesce(p.is_removed, false) and held.own is not false as is_live, held.own
            from candidate.unified_participants as p
            left join (
                select row_key, bool_or(rule not like '%_is_not_held_back') as own from hub.quarantine
                where relation = 'unified_participants' and resolved_at is null group by row_key
            ) as held on held.row_key = p.participant_key
        )
        select
            count(*), count(*) filter (where is_live), count(*) filter (where own),
            count(*) filter (where is_live and birth_date is null),
            count(*) filter (where is_live and coalesce(gender, '') = ''),
            count(*) filter (where is_live and coalesce(first_name, '') = '')
        from t
        """
    )
    assert kept == taken == [(37, 29, 2, 0, 1, 0)]


def test_a_refusal_that_is_over_stays_over(published: Season, gate: RunGate) -> None:
    published.refused("aa", "100")
    published.do("update raw_runsignup.participants set changed_at = %s where registration_id = 100", NOW)
    gate("arrivals", "r1", LATER)
    published.publish("r1")
    assert published.held() == set()
    published.refused("bb", "101")

    gate("arrivals", "r2", LATER)

    assert published.held("tap") == {("runsignup/1/101", "refused:dob")}


def test_a_live_process_writes_pages_when_something_else_fails(server: str, published: Season, tmp_path: Path) -> None:
    live = Gate(server)
    page = tmp_path / "candidates" / "index.html"

    def written(run_id: str, minutes: int) -> bool:
        before = page.stat().st_mtime_ns if page.exists() else None
        live.run("candidates", run_id, NOW + timedelta(minutes=minutes), tmp_path)
        return page.stat().st_mtime_ns != before

    assert written("r1", 0)
    assert not written("r2", 1)
    published.do("update candidate.unified_results set chip_seconds = 5 where result_key = %s", RESULT)
    assert written("r3", 2)
    assert not written("r4", 3)
    assert written("r5", 13)


def test_what_passed_is_forgotten_and_what_failed_is_kept(published: Season, gate: RunGate) -> None:
    published.raw_participants(1, first=900, dob=date(2090, 1, 1))
    gate("arrivals", "r1", LATER)
    both = "select distinct success from hub.gate_results where run_id = 'r1' order by 1"
    assert published.ask(both) == [(False,), (True,)]

    gate("arrivals", "r2", LATER + timedelta(days=PASSED_KEPT_DAYS + 1))

    assert published.ask(both) == [(False,)]
