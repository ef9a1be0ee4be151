"""What arrives: each rule fails when it must and only then."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from expectations.tests.database import NOW, READ, Season

if TYPE_CHECKING:
    from expectations.tests.conftest import Gate

LATER = NOW + timedelta(hours=1)


def stops(report: Any) -> set[str]:
    """Return the names of the rules that stopped."""
    return {failure.rule for failure in report.failures}


def publish(season: Season, run_id: str) -> None:
    """Do what a publish does."""
    season.publish(run_id)


def test_a_good_delivery_passes_and_holds_nothing_back(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(30)
    season.read("participants", "5", mode="whole", rows_at_provider=30)

    report = gate("arrivals")

    assert report.passed
    assert (report.quarantined, report.resolved, report.warnings) == (0, 0, [])
    assert season.held() == set()
    assert season.ask("select count(*) from hub.gate_results where not success") == [(0,)]
    assert season.ask("select count(*) > 20 from hub.gate_results") == [(True,)]


def test_an_empty_database_passes(season: Season, gate: Gate) -> None:
    assert gate("arrivals").passed


def test_a_record_that_cannot_be_right_is_held_back(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(3)
    season.raw_event(6, partner=2)
    season.raw_participants(1, first=21, event_id=404)
    season.raw_participants(1, first=22, event_id=6)
    season.raw_participants(1, first=-1)
    season.raw_participants(1, first=23, dob=date(2062, 1, 1))
    for stream, key, number in (("removed_participants", "registration_id", 24), ("results", "result_id", 25)):
        season.put(f"raw_runsignup.{stream}", timing_partner_id=1, event_id=404, record={}, **{key: number})
    season.raw_event(26, start_time=NOW, end_time=NOW - timedelta(hours=1))
    season.put("raw_runsignup.events", timing_partner_id=1, event_id=27, race_id=404, record={})

    report = gate("arrivals")

    assert report.passed
    held = season.ask("select relation, row_key, rule from hub.quarantine where stage = 'arrival'")
    assert set(held) == {
        ("unified_participants", "runsignup/1/21", "registration_has_its_event"),
        ("unified_participants", "runsignup/1/22", "registration_has_its_event"),  # it is the other partner's
        ("unified_participants", "runsignup/1/-1", "registration_id_is_real"),
        ("unified_participants", "runsignup/1/23", "born_in_the_past"),
        ("unified_participants", "runsignup/1/24", "removed_registration_has_its_event"),
        ("unified_results", "runsignup/1/25", "result_has_its_event"),
        ("unified_events", "runsignup/1/26", "event_ends_after_it_starts"),
        ("unified_events", "runsignup/1/27", "event_has_its_race"),
    }
    assert season.ask("select distinct stage, first_run_id, record is not null from hub.quarantine") == [
        ("arrival", "r1", True)
    ]


def test_chronotrack_rows_are_held_back_under_the_key_they_would_be_published_with(season: Season, gate: Gate) -> None:
    start, end = NOW, NOW + timedelta(hours=1)
    season.put("raw_chronotrack.events", timing_partner_id=1, event_id="40021", record={})
    season.put("raw_chronotrack.races", timing_partner_id=1, event_id="40021", race_id="90311", record={})
    season.put(
        "raw_chronotrack.races", timing_partner_id=1, event_id="40021", race_id="9", record={},
        race_actual_start_time=end, race_actual_end_time=start,
    )  # fmt: skip
    season.raw_entry("81", race_id="404")
    season.raw_entry("82", race_id="")
    for entry, interval, whole, begin, finish in (
        ("91", "full", True, end, start), ("91", "5k", False, start, end),
        ("92", "full", True, start, end), ("92", "5k", False, end, start),
    ):  # fmt: skip
        season.put(
            "raw_chronotrack.results", timing_partner_id=1, event_id="40021", results_entry_id=entry,
            results_interval_id=interval, results_interval_full=whole, results_begin_chip_time=begin,
            results_end_chip_time=finish, record={},
        )  # fmt: skip

    report = gate("arrivals")

    assert season.held() == {
        ("chronotrack/1/9", "race_ends_after_it_starts"),
        ("chronotrack/1/81", "entry_has_its_race"),
        ("chronotrack/1/40021/91", "finish_mat_after_start_mat"),
    }
    assert {(w.rule, tuple(w.sample_keys)) for w in report.warnings} == {
        ("split_mat_after_start_mat", ("chronotrack/1/40021/92",))
    }


def test_a_new_word_of_a_provider_is_told_and_kept(season: Season, gate: Gate) -> None:
    season.put("raw_chronotrack.events", timing_partner_id=1, event_id="40021", record={})
    season.put("raw_chronotrack.races", timing_partner_id=1, event_id="40021", race_id="90311", record={})
    season.raw_entry("81", entry_status="PACER")

    report = gate("arrivals")

    assert report.passed
    assert season.held() == set()
    assert [(w.rule, w.failing) for w in report.warnings] == [("entry_status_is_known", 1)]


def test_a_held_back_row_is_freed_when_it_is_corrected(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(1, dob=date(2062, 1, 1))
    gate("arrivals")
    season.do("update raw_runsignup.participants set dob = '1962-01-01'")

    report = gate("arrivals", "r2", LATER)

    assert (report.quarantined, report.resolved) == (0, 1)
    assert season.ask("select first_seen_at, last_run_id, resolved_at from hub.quarantine") == [(NOW, "r2", LATER)]


def test_judging_again_changes_nothing(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(1, dob=date(2062, 1, 1))
    first = gate("arrivals")
    results = season.ask("select relation, rule, success, failing from hub.gate_results order by 1, 2")

    again = gate("arrivals")

    assert again == first
    assert season.ask("select relation, rule, success, failing from hub.gate_results order by 1, 2") == results
    assert season.ask("select count(*) from hub.quarantine") == [(1,)]


def test_what_the_tap_refused_is_held_until_it_is_stored_later(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(1, first=100)
    season.refused("aa", "100")
    season.refused("bb", None, field=None, reason="no id")

    report = gate("arrivals")

    assert report.passed
    assert season.held("tap") == {
        ("runsignup/1/100", "refused:dob"),
        ("runsignup/1/reject:bb", "refused:record"),
    }
    assert season.ask("select distinct relation from hub.quarantine") == [("raw_runsignup.participants",)]

    season.do("update raw_runsignup.participants set changed_at = %s", READ + timedelta(minutes=1))
    report = gate("arrivals", "r2", LATER)

    assert report.resolved == 1
    assert season.held("tap") == {("runsignup/1/reject:bb", "refused:record")}


def test_a_refusal_without_a_key_ends_when_its_event_is_read_whole_and_nothing_is_refused(
    season: Season, gate: Gate
) -> None:
    season.raw_event(5)
    season.raw_participants(2)
    season.refused("bb", None, field=None)
    season.read("participants", "5", mode="whole", rows_at_provider=3, rows_rejected=1, run_id="r2", read_at=NOW)
    gate("arrivals")
    assert season.held("tap") == {("runsignup/1/reject:bb", "refused:record")}

    season.do("update raw_runsignup.reads set rows_rejected = 0, rows_at_provider = 2, run_id = 'r3'")
    gate("arrivals", "r3", LATER)

    assert season.held("tap") == set()


def test_a_collapse_stops_and_names_partner_provider_and_keys(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(200)
    gate("arrivals")
    publish(season, "r1")
    season.do(
        "insert into raw_runsignup.removals (timing_partner_id, stream, record_key, scope, noticed_at)"
        " select 1, 'participants', registration_id::text, '5', %s from raw_runsignup.participants"
        " where registration_id < 170",
        NOW,
    )

    report = gate("arrivals", "r2", LATER)

    assert not report.passed
    (failure,) = report.failures
    assert (failure.rule, failure.relation, failure.source_provider, failure.timing_partner_id, failure.failing) == (
        "count_collapse", "raw_runsignup.participants", "runsignup", 1, 70,
    )  # fmt: skip
    assert failure.sample_keys[0] == "runsignup/1/100"
    assert "130 live rows, 200 at the last publish" in failure.message
    assert "p88 gate accept count_collapse --partner 1 --provider runsignup" in failure.message


def test_fewer_rows_pass_when_the_fall_is_small_or_a_removal_ended(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(200)
    gate("arrivals")
    publish(season, "r1")
    season.do(
        "insert into raw_runsignup.removals (timing_partner_id, stream, record_key, scope, noticed_at, returned_at)"
        " select 1, 'participants', registration_id::text, '5', %s, case when registration_id > 145 then %s end"
        " from raw_runsignup.participants",
        NOW, NOW,
    )  # fmt: skip

    assert gate("arrivals", "r2", LATER).passed


def test_a_stream_that_is_suddenly_empty_stops_even_when_it_was_small(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(12)
    gate("arrivals")
    publish(season, "r1")
    season.delete_raw("raw_runsignup.participants")

    assert stops(gate("arrivals", "r2", LATER)) == {"suddenly_empty"}


def test_the_other_partners_rows_do_not_hide_a_collapse(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_event(5, partner=2)
    season.raw_participants(100)
    season.raw_participants(100, partner=2)
    gate("arrivals")
    publish(season, "r1")
    season.delete_raw("raw_runsignup.participants", "timing_partner_id = 2")
    season.raw_participants(900, first=1000)

    (failure,) = gate("arrivals", "r2", LATER).failures

    assert (failure.rule, failure.timing_partner_id) == ("suddenly_empty", 2)


def test_nothing_is_compared_before_the_first_publish(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(200)
    gate("arrivals")
    season.delete_raw("raw_runsignup.participants")

    assert gate("arrivals", "r2", LATER).passed


def test_a_fact_missing_in_what_came_since_stops_though_most_rows_have_it(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(2000)
    gate("arrivals")
    publish(season, "r1")
    season.raw_participants(25, first=9000, last_name="", changed_at=NOW)

    (failure,) = gate("arrivals", "r2", LATER).failures

    assert failure.rule == "nulls_jump"
    assert "last_name is missing in 25 of 25 rows" in failure.message


def test_a_fact_that_was_missing_before_may_go_on_missing(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(100, dob=None)
    gate("arrivals")
    publish(season, "r1")
    season.raw_participants(50, first=9000, dob=None, changed_at=NOW)

    assert gate("arrivals", "r2", LATER).passed


@pytest.mark.parametrize(
    ("days", "stopped", "warned"),
    [
        pytest.param(1, set(), set(), id="yesterday"),
        pytest.param(5, set(), {"freshness_warning"}, id="last week"),
        pytest.param(20, {"freshness"}, set(), id="last month"),
    ],
)
def test_old_readings_warn_then_stop(
    season: Season, gate: Gate, days: int, stopped: set[str], warned: set[str]
) -> None:
    season.read("races", read_at=NOW - timedelta(days=days))

    report = gate("arrivals")

    assert stops(report) == stopped
    assert {w.rule for w in report.warnings} == warned


@pytest.mark.parametrize(
    "disabling",
    [
        "update hub.timing_partners set api_access_enabled = false",
        "update hub.connections set enabled = false",
        "delete from hub.connections",
    ],
)
def test_a_disabled_partner_is_not_asked_for_fresh_data(season: Season, gate: Gate, disabling: str) -> None:
    season.read("races", read_at=NOW - timedelta(days=200))
    season.do(disabling)

    report = gate("arrivals")

    assert report.passed
    assert report.warnings == []


@pytest.mark.parametrize(
    ("at_provider", "rejected", "passes"),
    [
        pytest.param(10, 0, True, id="all stored"),
        pytest.param(12, 2, True, id="all readable ones stored"),
        pytest.param(11, 0, False, id="the loader lost one"),
        pytest.param(9, 0, False, id="a removal was not noticed"),
    ],
)
def test_a_complete_reading_must_be_completely_stored(
    season: Season, gate: Gate, at_provider: int, rejected: int, passes: bool
) -> None:
    season.raw_event(5)
    season.raw_event(6)
    season.raw_participants(10)
    season.raw_participants(4, event_id=6, first=900)
    season.read("participants", "5", mode="whole", rows_at_provider=at_provider, rows_rejected=rejected)

    report = gate("arrivals")

    assert report.passed == passes
    assert stops(report) == (set() if passes else {"reads_reconcile"})
    assert passes or report.failures[0].sample_keys == ["5"]


@pytest.mark.parametrize(
    ("at_provider", "passes"),
    [
        pytest.param(12, True, id="the provider still has both"),
        pytest.param(10, True, id="gone there as well"),
        pytest.param(13, False, id="the loader lost one"),
        pytest.param(9, False, id="a removal was not noticed"),
    ],
)
def test_forgotten_rows_are_not_taken_for_lost_ones(season: Season, gate: Gate, at_provider: int, passes: bool) -> None:
    season.raw_event(5)
    season.raw_participants(10)
    for key, partner, stream, scope in (
        ("a", 1, "participants", "5"), ("b", 1, "participants", "5"), ("c", 1, "participants", "6"),
        ("d", 2, "participants", "5"), ("e", 1, "results", "5"), ("f", 1, "entry", None),
    ):  # fmt: skip
        season.put(
            "hub.forgotten", key_hash=key.encode(), salt_id="s", timing_partner_id=partner, provider="runsignup",
            stream=stream, scope=scope, forgotten_at=NOW, forgotten_by="ada",
        )  # fmt: skip
    season.read("participants", "5", mode="whole", rows_at_provider=at_provider)

    report = gate("arrivals")

    assert stops(report) == (set() if passes else {"reads_reconcile"})


def test_a_refused_record_of_a_stored_row_is_not_taken_for_a_lost_one(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(10)
    season.refused("aa", "100")
    season.read("participants", "5", mode="whole", rows_at_provider=10, rows_rejected=1)
    assert gate("arrivals").passed

    season.do("update raw_runsignup.reads set rows_rejected = 0")

    assert gate("arrivals", "r2", LATER).passed


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param({"mode": "changes", "rows_at_provider": None}, id="changes only"),
        pytest.param({"mode": "whole", "rows_at_provider": None}, id="the provider's count is unknown"),
        pytest.param({"mode": "whole", "rows_at_provider": 3, "read_at": READ - timedelta(1)}, id="a cut-off rerun"),
    ],
)
def test_a_reading_that_cannot_be_compared_is_left_alone(season: Season, gate: Gate, reading: dict[str, Any]) -> None:
    season.raw_event(5)
    season.raw_participants(10)
    season.read("participants", "5", **reading)

    assert gate("arrivals").passed


def test_removed_rows_do_not_count_as_stored(season: Season, gate: Gate) -> None:
    season.raw_event(5)
    season.raw_participants(10)
    season.put(
        "raw_runsignup.removals", timing_partner_id=1, stream="participants", record_key="100", scope="5",
        noticed_at=READ, read_at=READ,
    )  # fmt: skip
    season.read("participants", "5", mode="whole", rows_at_provider=9)

    assert gate("arrivals").passed
