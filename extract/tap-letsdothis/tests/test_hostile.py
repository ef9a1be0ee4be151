"""Random sequences of changes, faults, surprises and restarts: in the end a loader holds what the provider holds.

`P88_HOSTILE` is how many sequences to try.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from letsdothis_season import AHEAD, PAST, LetsDoThisSeason, LetsDoThisTarget

HALF_HOUR, DAY = 1_800, 90_000

changes = st.tuples(
    st.just("change"),
    st.sampled_from(
        [
            ("add_entry", {"count": 2}),
            ("edit_entry", {"fields": {"lastName": "Ng"}, "count": 2}),
            ("cancel", {}),
            ("refund", {}),
            ("defer", {}),
            ("transfer", {}),
            ("delete", {}),
            ("restore", {}),
            ("assign_bibs", {"count": 3}),
            ("decide_application", {"fields": {"approvalStatus": "REJECTED"}}),
            ("move_event", {}),
        ]
    ),
    st.sampled_from([PAST, AHEAD]),
)
faults = st.tuples(
    st.just("fault"),
    st.sampled_from(
        ["status_429", "status_500", "cut_json", "drop_connection", "empty_answer", "row_between_pages",
         "row_gone_between_pages", "no_key", "bad_record"]
    ),
    st.sampled_from(["participants", "applications", "events"]),
)  # fmt: skip
surprises = st.tuples(
    st.just("quirk"),
    st.sampled_from(["exclusive_cursors", "empty_ends", "cursors_never_end", "drop_withdrawn", "one_r_occurence"]),
    st.booleans(),
)
time = st.tuples(st.just("time"), st.sampled_from([1, 61, HALF_HOUR, DAY]), st.none())
runs = st.tuples(st.just("run"), st.sampled_from([5, 500]), st.sampled_from([100_000, 100_000, 100_000, 3]))
# Killed before its state was kept: the rows are there, the next run is told of them and does it all again.
restarts = st.tuples(st.just("restart"), st.sampled_from([5, 500]), st.none())


# Hundreds take longer than a test may otherwise.
@pytest.mark.timeout(7200)
@given(st.lists(st.one_of(changes, changes, faults, surprises, time, runs, runs, restarts), max_size=12))
@settings(
    max_examples=int(os.environ.get("P88_HOSTILE", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_happens_raw_is_what_the_provider_holds(
    run: Any, sandbox: LetsDoThisSeason, tmp_path_factory: Any, steps: list[Any]
) -> None:
    sandbox.reset()
    target = LetsDoThisTarget()
    states: list[Any] = [None]

    def once(*, keeps_state: bool = True, **more: Any) -> Any:
        # A counter of its own: the hour's calls of one example are not the next one's.
        folder = tmp_path_factory.mktemp("run")
        doubtful = folder / "doubtful.json"
        doubtful.write_text(json.dumps(target.doubtful))
        done = run(states[-1], budget_dir=str(folder), doubtful_rows=str(doubtful), **more)
        target.load(done, keeps_state=keeps_state)
        if keeps_state:
            states.append(done.state)
        return done

    for kind, what, more in steps:
        match kind:
            case "change":
                sandbox.try_change(what[0], more, **what[1])
            case "fault":
                sandbox.fault(what, path_contains=more, times=1)
            case "quirk":
                sandbox.quirks(**{what: more})
            case "time":
                sandbox.advance(what)
            case "run":
                once(page_size=what, calls_per_hour=more, budget_max_wait=0)
            case "restart":
                once(page_size=what, keeps_state=False)
                once(page_size=what)
    sandbox.clear_faults()
    # A day later, when lists are gone through, and once more: what one read found odd, the next one settles.
    for _ in range(2):
        sandbox.advance(DAY)
        done = once(page_size=7)

    assert done.error is None
    target.assert_holds(sandbox)
