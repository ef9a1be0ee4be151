"""Whatever comes, in whatever order: what cycles published one after another is what a rebuild from raw publishes.

`P88_EXAMPLES=50 .venv/bin/pytest tests/pipeline/test_incremental_equals_rebuild.py -s` tries more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from project88 import db
from project88.cycle import Cycle
from project88.errors import ActionNeeded
from project88.published import BOOKKEEPING
from tests.pipeline.deliveries import Delivery, apply, deliveries
from tests.pipeline.harness import RELATIONS, Hub

EXAMPLES = int(os.environ.get("P88_EXAMPLES", "5"))
HELD = (
    "select relation, row_key, rule from hub.quarantine where resolved_at is null and stage <> 'tap' order by 1, 2, 3"
)


@pytest.fixture(scope="module")
def home(loaded: Hub) -> Iterator[None]:
    """Local state of this process is the hub's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("P88_HOME", str(loaded.home))
        yield


def _published(hub: Hub) -> dict[str, list[str]]:
    left_out = {"fetched_date", *BOOKKEEPING}
    return {
        relation: sorted(
            json.dumps({name: value for name, value in row.items() if name not in left_out}, sort_keys=True)
            for (row,) in hub.ask(f"select to_jsonb(r) from unified.{relation} r")  # noqa: S608
        )
        for relation in RELATIONS
    }


@pytest.mark.slow
@pytest.mark.timeout(300 + EXAMPLES * 120)
def test_incremental_cycles_publish_what_a_rebuild_publishes(season, copies, home):
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize="P88_EXAMPLES" not in os.environ, database=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip
    @given(st.lists(st.lists(deliveries(), min_size=4, max_size=15), min_size=2, max_size=3))
    def check(batches: list[list[Delivery]]) -> None:
        with copies(season) as hub:
            cycle, published = Cycle(hub.dsn), 0
            for number, batch in enumerate(batches):
                with closing(db.connect(hub.dsn)) as open_late:
                    with closing(db.connect(hub.dsn)) as connection, connection, connection.cursor() as cursor:
                        for one in batch:
                            if not one.late:
                                apply(cursor, one)
                    # Begun before the cycle and committed after it: what transaction ids are there for.
                    with open_late.cursor() as cursor:
                        for one in batch:
                            if one.late:
                                apply(cursor, one)
                    published += _cycle(cycle, f"cycle {number}")
                    open_late.commit()
            published += _cycle(cycle, "last")
            incremental, held = _published(hub), hub.ask(HELD)

            cycle.run("rebuild", now=datetime.now(UTC), rebuild=True)

            rebuilt = _published(hub)
            assert rebuilt == incremental
            assert hub.ask(HELD) == held
            assert hub.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]
            print(f"{sum(map(len, batches))} deliveries in {len(batches)} cycles, {published} published: equal")

    check()


def _cycle(cycle: Cycle, run_id: str) -> int:
    """Run one cycle; a stop of the gate is the next cycle's business."""
    try:
        done = cycle.run(run_id, now=datetime.now(UTC))
    except ActionNeeded as stop:
        assert "the gate stopped" in str(stop), stop
        return 0
    return done.publication.changed
