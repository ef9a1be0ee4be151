"""kill -9 at random instants: after a rerun raw and published data equal those of an undisturbed run.

Killed are a tap, a loader, p88 itself (building, judging and publishing included) and every process of Postgres, which
is then started again; while a season is loaded for the first time, and in a later cycle that brings changes; with our
loader and with the stock one. A bookmark that ran ahead of its data would leave rows out after the rerun.

`make test` kills six times. `P88_KILLS=100 .venv/bin/pytest tests/pipeline/test_killed.py -s` does it more often.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conftest import Server, embedded_programs, fresh_database, running_server
from tests.pipeline.conftest import connect_all
from tests.pipeline.harness import Hub, Sandbox, children_named, differences, kill, wait_for

KILLS = int(os.environ.get("P88_KILLS", "6"))
SEED = int(os.environ.get("P88_KILL_SEED", "88"))
LOADERS = ("target-hub", "target-postgres")
VICTIMS = {
    "tap": ("tap-runsignup", "tap-chronotrack"),
    "loader": LOADERS,
    # Its children go on without it until the next run ends them.
    "p88": (),
    "postgres": (),
}
PARTNER = (1,)


@dataclass
class Way:
    """A database to begin with, what the provider holds then, and what an undisturbed run comes to."""

    name: str
    template: str
    changed: bool
    seconds: float
    published: dict[str, list[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may crash without taking other tests with it."""
    with running_server(embedded_programs(), over_tcp=False) as found:
        yield found


def _season(sandbox: Sandbox, *, changed: bool) -> None:
    """Bring the sandbox to the state that the way is about."""
    sandbox.reset()
    if changed:
        sandbox.advance(3600)
        sandbox.change("edit_entry", "runsignup", 900000, fields={"last_name": "Changed"}, count=5)
        sandbox.change("cancel", "runsignup", 900008, count=2)
        sandbox.change("add_entry", "chronotrack", 40000, count=3)
        sandbox.change("correct_result", "chronotrack", 40000, count=4)
        sandbox.change("delete", "chronotrack", 40008, count=2)
        sandbox.change("post_results", "chronotrack", 40002, count=5)


@pytest.fixture(scope="module")
def ways(server: Server, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, list[Way]]]:
    """A hub without a database of its own, and the two ways that are disturbed."""
    home = tmp_path_factory.mktemp("killed") / "home"
    home.mkdir(mode=0o711)
    with fresh_database(server) as empty, fresh_database(server) as loaded:
        hub = Hub(empty, home, sandbox)
        _season(sandbox, changed=False)
        connect_all(hub)
        first = _undisturbed(hub, server, "first load", empty, changed=False)
        hub.dsn = loaded
        connect_all(hub)
        hub.p88("run", "--partner", "harbour")
        later = _undisturbed(hub, server, "later cycle", loaded, changed=True)
        yield hub, [first, later]


def _undisturbed(hub: Hub, server: Server, name: str, template: str, *, changed: bool) -> Way:
    template = template.partition("?")[0].rpartition("/")[2]
    with fresh_database(server, template=template) as dsn:
        hub.dsn = dsn
        _season(hub.sandbox, changed=changed)
        began = time.monotonic()
        hub.p88("run", "--partner", "harbour")
        way = Way(name, template, changed, time.monotonic() - began, hub.published_together())
        hub.assert_raw_equals_holds(partners=PARTNER)
        return way


def _disturb(hub: Hub, server: Server, victim: str, instant: float) -> bool:
    """Run, and kill one part at an instant, or as soon after it as the part is there; returns whether it was there."""
    running = hub.start("run", "--partner", "harbour")
    assert running.stdout is not None
    until = time.monotonic() + instant
    while time.monotonic() < until and running.poll() is None:
        time.sleep(0.01)
    struck = running.poll() is None
    if victim == "postgres":
        server.crash()
        server.start()
    elif victim == "p88":
        running.kill()
        # Its children hold the other end of what we would read.
        running.stdout.close()
        running.wait(60)
        return struck
    else:
        found = wait_for(lambda: children_named(running.pid, *VICTIMS[victim]) or running.poll() is not None, 60)
        struck = isinstance(found, list)
        if struck:
            kill(found[0])
    running.communicate(timeout=300)
    return struck


@pytest.mark.slow
@pytest.mark.timeout(300 + KILLS * 120)
def test_killed_at_any_instant_a_rerun_loses_and_doubles_nothing(ways, server):
    hub, both = ways
    draw = random.Random(SEED)
    plan = [(way, loader, victim) for way in both for loader in LOADERS for victim in VICTIMS]
    draw.shuffle(plan)

    for number in range(KILLS):
        way, loader, victim = plan[number % len(plan)]
        # A tap and its loader live in the first part of a run.
        instant = draw.uniform(0, way.seconds * (0.6 if victim in ("tap", "loader") else 1.0))
        with fresh_database(server, template=way.template) as dsn:
            hub.dsn, hub.loader = dsn, loader
            # A sequence that is copied with its database counts on up to 32 numbers that only the template's log holds:
            # without a checkpoint a crash would give them out twice.
            hub.checkpoint()
            # Nor has it made calls: by the budget of all together the twenty-seventh would be told to wait an hour.
            shutil.rmtree(hub.home / "budgets", ignore_errors=True)
            _season(hub.sandbox, changed=way.changed)
            struck = _disturb(hub, server, victim, instant)
            hub.p88("run", "--partner", "harbour")

            told = f"{victim:8} killed after {instant:4.1f} s of a {way.name} by {loader}" + (
                "" if struck else " (over)"
            )
            unlike = hub.unlike_holds(partners=PARTNER)
            assert not unlike, f"{told}, seed {SEED}: {unlike[:10]}"
            differing = "\n".join(differences(hub.published_together(), way.published))
            assert not differing, f"{told}, seed {SEED}: {differing}"
            assert hub.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]
            print(f"{number + 1:3} {told}; rerun: equal")
