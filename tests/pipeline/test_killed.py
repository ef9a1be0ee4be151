"""kill -9 at random instants: after a rerun the published data equal those of an undisturbed run.

`make test` kills each part once. `P88_KILLS=20 .venv/bin/pytest tests/pipeline/test_killed.py -s` does it twenty times.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.pipeline.harness import Hub, children_named, differences, kill, wait_for

KILLS = int(os.environ.get("P88_KILLS", "5"))
VICTIMS = {
    "tap": ("tap-runsignup", "tap-chronotrack"),
    "loader": ("target-postgres",),
    "dbt": ("dbt",),
    "publish": (),
    # p88 itself while connections are read: its children go on without it until the next run ends them.
    "p88": ("tap-runsignup", "tap-chronotrack"),
}
LATEST = {"tap": 1.2, "loader": 2.0, "dbt": 6.0, "publish": 0.4, "p88": 2.0}


def _disturb(hub: Hub, victim: str, draw: random.Random) -> float | None:
    """Run, and kill one part at a random instant of its life; returns the instant, None where it was already over."""
    running = hub.start("run")
    assert running.stdout is not None
    wait = draw.uniform(0, LATEST[victim])
    if victim == "publish":
        # The step before it has just ended: the transaction is about to begin or under way.
        for line in running.stdout:
            if "gate: what would be published" in line:
                break
        time.sleep(wait)
        killed = running.poll() is None
        running.kill()
    else:
        found = wait_for(lambda: children_named(running.pid, *VICTIMS[victim]) or running.poll() is not None, 120)
        time.sleep(wait)
        alive = [] if found is True else children_named(running.pid, *VICTIMS[victim])
        killed = bool(alive)
        if victim == "p88":
            running.kill()
            # Its children hold the other end of what we would read.
            assert running.stdout is not None
            running.stdout.close()
            running.wait(60)
            return round(wait, 2)
        if alive:
            kill(draw.choice(alive))
    running.communicate(timeout=300)
    return round(wait, 2) if killed else None


@pytest.mark.timeout(300 + KILLS * 150)
def test_killed_at_any_instant_a_rerun_loses_and_doubles_nothing(fresh_hub, loaded):
    seed = int(os.environ.get("P88_KILL_SEED", "88"))
    draw = random.Random(seed)
    expected = loaded.published()
    victims = [list(VICTIMS)[number % len(VICTIMS)] for number in range(KILLS)]

    for victim in victims:
        _empty(fresh_hub)
        instant = _disturb(fresh_hub, victim, draw)
        fresh_hub.p88("run")

        print(f"killed {victim:8} after {instant if instant is not None else 'its end'} s; rerun: equal")
        differing = "\n".join(differences(fresh_hub.published(), expected))
        assert not differing, f"{victim} killed after {instant} s (seed {seed}): {differing}"
        assert fresh_hub.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]


def _empty(hub: Hub) -> None:
    """Take the hub back to where nothing was loaded; connections stay."""
    for schema in ("raw_runsignup", "raw_chronotrack", "candidate", "intermediate", "staging", "unified"):
        hub.ask(f"drop schema if exists {schema} cascade")
    hub.ask("delete from hub.connection_state")
    hub.ask("delete from hub.transform_marks")
    hub.ask("delete from hub.quarantine")
    hub.ask("delete from hub.schema_objects where name <> 'hub'")
    if hub.ask("select to_regclass('hub.gate_baselines')::text") != [(None,)]:
        hub.ask("delete from hub.gate_baselines")
