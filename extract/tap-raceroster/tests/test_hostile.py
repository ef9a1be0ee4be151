"""Random changes, faults and kills; after them the target holds what the sandbox holds, and nothing twice.

P88_HOSTILE says how many sequences are tried.
"""

from __future__ import annotations

import json
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raceroster_season import DAY, RaceRosterTarget

OF_EVENTS = [
    ("cancel", {}),
    ("refund", {}),
    ("transfer", {}),
    ("defer", {}),
    ("delete", {}),
    ("delete", {"fields": {"trace": False}}),
    ("restore", {}),
    ("add_entry", {"count": 2}),
    ("edit_entry", {"fields": {"city": "Elsewhere"}}),
    ("assign_bibs", {"count": 1}),
    ("swap_sub_event", {}),
    ("refund_part", {}),
    ("rename_event", {"fields": {"name": "Renamed"}}),
]
OF_RESULTS = [("correct_result", {}), ("disqualify", {}), ("delete_result", {})]
FAULTS = ["status_500", "status_429", "cut_json", "non_json", "drop_connection", "expired_token", "empty_answer"]
BETWEEN = ["row_between_pages", "row_gone_between_pages"]

changes = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(OF_EVENTS), st.sampled_from(["Orchard", "Advent"])),
    st.tuples(st.just("change"), st.sampled_from(OF_RESULTS), st.just("Orchard")),
)
faults = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.sampled_from(["/events?", "/participants", "v2/api"])),
    st.tuples(st.just("fault"), st.sampled_from(BETWEEN), st.just("/participants")),
)
# How much of what a run writes arrives before it is killed.
runs = st.tuples(st.just("run"), st.sampled_from([0.2, 0.5, 0.9, 1.0]), st.sampled_from([5, 100]))
waits = st.tuples(st.just("wait"), st.sampled_from([60, 3600, DAY + 60]), st.none())
sequences = st.lists(st.one_of(changes, changes, faults, runs, waits), min_size=3, max_size=9)


@settings(
    max_examples=int(os.environ.get("P88_HOSTILE", "6")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)
@given(sequence=sequences)
def test_whatever_happens_the_target_ends_with_what_the_sandbox_holds(season, run, tmp_path, sequence):
    season.reset()
    target, state = RaceRosterTarget(), None
    held = {title: season.event(title) for title in ("Orchard", "Advent")}

    def read(part: float = 1.0, size: int = 100) -> None:
        nonlocal state
        doubtful = tmp_path / "doubtful.json"
        doubtful.write_text(json.dumps(target.doubtful))
        done = run(state, calls_per_hour=0, page_size=size, max_tries=3, doubtful_rows=str(doubtful))
        done.messages = done.messages[: round(len(done.messages) * part)]
        target.load(done)
        state = done.states[-1] if done.states else state

    read()
    for what, which, more in sequence:
        if what == "change":
            kind, fields = which
            season.advance(1)
            season.try_change(kind, held[more], **fields)
        elif what == "fault":
            season.fault(which, times=1, path_contains=more, retry_after=0)
        elif what == "wait":
            season.advance(which)
        else:
            read(which, more)
    season.clear_faults()
    season.advance(DAY + 60)
    read()

    target.assert_holds(season)
