from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tap_shared.snapshot import EmptyAnswer, Snapshot

MISSED_AT = datetime(2026, 4, 19, 8, 30, tzinfo=UTC)


def read(state: str | None, rows: dict[str, Any], edition: str = "") -> tuple[str, set[str], list[str]]:
    """Read all rows once; return the new state, the changed keys and the vanished ones."""
    snapshot = Snapshot.from_state(state, edition)
    changed = {key for key, record in rows.items() if snapshot.changed(key, record)}
    state, vanished = snapshot.finish(confirmed_empty=True, at=MISSED_AT)
    return state, changed, vanished


def test_everything_is_new_without_a_state():
    _, changed, vanished = read(None, {"1": {"a": 1}, "2": {"a": 2}})

    assert changed == {"1", "2"}
    assert vanished == []


def test_only_changed_rows_count_as_changed_and_the_missing_as_vanished():
    state, _, _ = read(None, {"1": {"a": 1}, "2": {"a": 2}, "3": {"a": 3}})

    _, changed, vanished = read(state, {"1": {"a": 1}, "2": {"a": 5}, "4": {"a": 4}})

    assert changed == {"2", "4"}
    assert vanished == ["3"]


def test_the_order_of_fields_is_no_change():
    state, _, _ = read(None, {"1": {"a": 1, "b": {"x": 1, "y": [1, 2]}}})

    _, changed, _ = read(state, {"1": {"b": {"y": [1, 2], "x": 1}, "a": 1}})

    assert changed == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", 1),
        ("", None),
        (True, 1),
        ([1, 2], [2, 1]),
        ("é", "e\u0301"),
        (2**70, 2**70 + 1),
        ("\ud800", "\ud801"),
    ],
)
def test_values_that_look_alike_are_told_apart(one, other):
    state, _, _ = read(None, {"1": {"a": one}})

    assert read(state, {"1": {"a": one}})[1] == set()
    assert read(state, {"1": {"a": other}})[1] == {"1"}


def test_a_row_that_comes_back_unaltered_is_sent_again_and_named_with_when_it_was_missed():
    state, _, _ = read(None, {"1": "a", "2": "b"})
    state, _, vanished = read(state, {"1": "a"})
    assert vanished == ["2"]
    state, _, vanished = read(state, {"1": "a"})
    assert vanished == []  # said once

    snapshot = Snapshot.from_state(state)
    back = [snapshot.changed("1", "a"), snapshot.changed("2", "b")]

    assert back == [False, True]
    assert snapshot.returned() == {"2": MISSED_AT}
    state, _ = snapshot.finish()
    later = Snapshot.from_state(state)
    assert not later.changed("2", "b")
    assert later.returned() == {}


def test_of_a_repeated_row_the_last_one_wins():
    state, _, _ = read(None, {"1": "a"})
    snapshot = Snapshot.from_state(state)

    sent = [record for record in ("b", "a", "a", "c") if snapshot.changed("1", record)]

    assert sent == ["b", "a", "c"]
    assert read(snapshot.finish()[0], {"1": "c"})[1] == set()


def test_a_repeated_row_that_did_not_change_is_not_sent():
    state, _, _ = read(None, {"1": "a"})
    snapshot = Snapshot.from_state(state)

    assert [snapshot.changed("1", "a"), snapshot.changed("1", "a")] == [False, False]
    assert snapshot.seen == 1


def test_a_rejected_record_is_not_a_removal_and_keeps_what_was_sent():
    state, _, _ = read(None, {"1": "good", "2": "b"})
    snapshot = Snapshot.from_state(state)
    snapshot.keep("1")
    snapshot.keep("never sent")
    snapshot.changed("2", "b")

    state, vanished = snapshot.finish()

    assert vanished == []
    assert read(state, {"1": "good", "2": "b"})[1] == set()
    assert read(state, {"1": "other", "2": "b"})[1] == {"1"}
    assert read(state, {"1": "good", "2": "b"})[2] == []


def test_rejected_rows_are_rows_so_the_answer_is_not_empty():
    state, _, _ = read(None, {"1": "a"})
    snapshot = Snapshot.from_state(state)
    snapshot.keep("new and unreadable")
    snapshot.keep("new and unreadable")

    assert snapshot.seen == 1
    assert snapshot.unseen() == ["1"]
    assert snapshot.finish()[1] == ["1"]


def test_a_read_begun_anew_removes_what_only_its_first_attempt_met():
    state, _, _ = read(None, {"1": "a", "2": "b"})
    snapshot = Snapshot.from_state(state)
    first = [snapshot.changed(key, record) for key, record in (("1", "a"), ("2", "c"), ("3", "d"))]
    snapshot.restart()
    second = [snapshot.changed(key, record) for key, record in (("1", "a"), ("2", "c"))]

    state, vanished = snapshot.finish()

    assert first == [False, True, True]
    assert second == [False, False]
    assert vanished == ["3"]  # it was sent, so its removal is told as well
    assert read(state, {"1": "a", "2": "c"})[1:] == (set(), [])


def test_a_snapshot_tells_whether_it_knows_a_row():
    state, _, _ = read(None, {"1": "a"})
    snapshot = Snapshot.from_state(state)
    snapshot.changed("2", "b")
    snapshot.keep("3")

    assert [key in snapshot for key in ("1", "2", "3", "4")] == [True, True, True, False]


def test_all_rows_can_be_asked_for_again_without_losing_sight_of_removals():
    state, _, _ = read(None, {"1": "a", "2": "b"})
    snapshot = Snapshot.from_state(state)
    snapshot.send_all = True

    sent = [snapshot.changed("1", "a"), snapshot.changed("1", "a")]
    state, vanished = snapshot.finish()

    assert sent == [True, False]
    assert vanished == ["2"]
    assert read(state, {"1": "a"})[1] == set()


def test_a_read_of_changes_removes_nothing():
    state, _, _ = read(None, {"1": "a", "2": "b"})
    snapshot = Snapshot.from_state(state)
    snapshot.changed("2", "c")

    state, vanished = snapshot.finish(whole=False)

    assert vanished == []
    assert read(state, {"1": "a", "2": "c"})[1:] == (set(), [])


def test_an_empty_answer_removes_nobody_until_it_is_confirmed():
    state, _, _ = read(None, {"1": "a"})
    snapshot = Snapshot.from_state(state)

    with pytest.raises(EmptyAnswer):
        snapshot.finish()
    assert snapshot.finish(confirmed_empty=True)[1] == ["1"]
    assert Snapshot.from_state(None).finish()[1] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: "nonsense",
        lambda s: "s1:***",
        lambda s: s[:-9],
        lambda s: s[:20] + ("A" if s[20] != "A" else "B") + s[21:],
        lambda s: "s9:" + s[3:],
        lambda s: "s1:",
    ],
)
def test_a_damaged_state_is_no_state_with_one_warning(damage, caplog):
    state, _, _ = read(None, {"1": "a", "2": "b"})

    with caplog.at_level(logging.WARNING):
        _, changed, vanished = read(damage(state), {"1": "a"})

    assert (changed, vanished) == ({"1"}, [])
    assert len(caplog.records) == 1


def test_with_another_edition_all_rows_are_sent_and_removals_still_found():
    state, _, _ = read(None, {"1": "a", "2": "b"}, edition="columns of today")

    _, changed, vanished = read(state, {"1": "a"}, edition="one column more")

    assert changed == {"1"}
    assert vanished == ["2"]


def test_an_unchanged_read_leaves_the_state_as_it_was():
    state, _, _ = read(None, {"b": 1, "a": 2})

    assert read(state, {"a": 2, "b": 1})[0] == state


def test_two_partitions_do_not_show_that_they_hold_the_same_record():
    assert read(None, {"1": "a"})[0] != read(None, {"1": "a"})[0]


KEYS = st.sampled_from(["1", "2", "10", "a/b", "ü", "", 'q"\n'])
STEPS = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 2))), max_size=12)


@settings(max_examples=150, deadline=None)
@given(reads=st.lists(STEPS, max_size=6))
def test_whatever_is_read_the_target_ends_with_what_the_provider_holds(reads):
    """A target fed with what changed and vanished equals one fed with everything (None = rejected)."""
    state: str | None = None
    target: dict[str, int] = {}
    missing: set[str] = set()
    for rows in reads:
        snapshot = Snapshot.from_state(state)
        expected: dict[str, int] = {}
        for key, record in rows:
            if record is None:
                snapshot.keep(key)
                if key in target:
                    expected.setdefault(key, target[key])
                continue
            if snapshot.changed(key, record):
                target[key] = record
            expected[key] = record
        was_missing = set(missing)
        back = set(snapshot.returned())
        state, vanished = snapshot.finish(confirmed_empty=True)
        for key in vanished:
            del target[key]
        assert target == expected
        assert back == was_missing & set(expected)
        missing = (was_missing - back) | set(vanished)


def test_it_tells_which_rows_were_met_and_which_of_them_moved():
    state, _, _ = read(None, {"same": {"n": 1}, "other": {"n": 1}, "refused": {"n": 1}, "away": {"n": 1}})
    snapshot = Snapshot.from_state(state)

    snapshot.changed("same", {"n": 1})
    snapshot.changed("other", {"n": 2})
    snapshot.changed("new", {"n": 1})
    snapshot.keep("refused")

    assert snapshot.met == {"same", "other", "new"}
    assert snapshot.moved == {"other", "new"}
    snapshot.send_all = True
    assert snapshot.moved == {"same", "other", "new"}


def test_sixty_thousand_rows_are_cheap():
    rows = {
        f"{81_000_000 + number * 7}/{number % 5 + 311}": {
            "entry_id": str(81_000_000 + number * 7),
            "entry_bib": str(number),
            "athlete_first_name": f"First{number}",
            **{f"field_{column}": f"value {column * number}" for column in range(30)},
        }
        for number in range(60_000)
    }
    state, _, _ = read(None, rows)

    started = time.process_time()
    _, changed, vanished = read(state, rows)
    took = time.process_time() - started

    print(f"60,000 rows of 33 fields: {took:.2f} s, {len(state):,} bytes of state")
    assert (changed, vanished) == (set(), [])
    assert len(state) < 1_200_000
    assert took < 2  # measured 0.5 s; room for a busy machine


def doubted(state: str | None, key: str, **more: Any) -> str:
    """Return a state in which a row is stored, nobody knows how."""
    snapshot = Snapshot.from_state(state)
    snapshot.doubt(key, **more)
    return snapshot.finish(whole=False)[0]


def test_a_row_in_doubt_counts_as_changed_when_met_and_as_vanished_when_not():
    state, _, _ = read(None, {"1": {"a": 1}, "2": {"a": 2}})

    for key in ("1", "3"):
        state = doubted(state, key)
    _, changed, vanished = read(state, {"1": {"a": 1}, "2": {"a": 2}})

    assert changed == {"1"}
    assert vanished == ["3"]


def test_a_row_whose_removal_is_in_doubt_is_back_when_met_and_vanishes_once_more_when_not():
    state, _, _ = read(None, {"1": {"a": 1}, "2": {"a": 2}})
    for key in ("1", "2"):
        state = doubted(state, key, removed_at=MISSED_AT)

    snapshot = Snapshot.from_state(state)
    assert snapshot.changed("1", {"a": 1})
    _, vanished = snapshot.finish()

    assert snapshot.returned() == {"1": MISSED_AT}
    assert vanished == ["2"]
