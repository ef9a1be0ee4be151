"""Ctrl-C, refused and missing credentials, wrong names and two runs at once: one line each, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psutil
import pytest

from tests.pipeline.harness import CHECKOUT, PARTNERS, Hub, differences, wait_for

# Longer than a run that was asked to stop may take: whoever waits for the answer ends too late.
HOLD_SECONDS = 60
MOST_SECONDS = 25
EVENTS = {"runsignup": {1: 900008, 2: 900012}, "chronotrack": {1: 40002, 2: 40003}}
EDITS = {"runsignup": {"city": "Elsewhere"}, "chronotrack": {"location_city": "Elsewhere"}}
CONNECTIONS = [(provider, partner) for provider in EVENTS for partner in PARTNERS]


def _told(output: str) -> list[str]:
    """Return what the command told the person who must act."""
    return [line for line in output.splitlines() if line.startswith("p88: ")]


# --- Ctrl-C


@dataclass
class Interrupted:
    """A first run that was interrupted while two of its four connections were being read."""

    hub: Hub
    code: int
    output: str
    seconds: float
    left: list[psutil.Process]


def _is_alive(process: psutil.Process) -> bool:
    """Tell a process that runs from one that is dead and waits for a parent that does not look."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def interrupted(season: Hub, connected: Hub, copies: Any) -> Iterator[Interrupted]:
    """Interrupt a first run as a terminal does: a signal to its whole process group."""
    connected.sandbox.reset()
    with copies(connected) as hub:
        for partner in PARTNERS:
            hub.sandbox.fault(
                "slow", "chronotrack", seconds=HOLD_SECONDS, times=None, path_contains="/results", partner=partner
            )
        # Harbour's RunSignUp has been read, Summit's waits for its turn.
        running = hub.start("run", "--at-once", "2")
        held = wait_for(lambda: all(fault["hits"] for fault in hub.sandbox.faults()) or running.poll() is not None, 60)
        assert held is True
        assert running.poll() is None
        below = psutil.Process(running.pid).children(recursive=True)
        began = time.monotonic()
        os.killpg(running.pid, signal.SIGINT)
        output, _ = running.communicate(timeout=120)
        seconds = time.monotonic() - began
        # Python's own helper process notices a moment later that its parent is gone.
        wait_for(lambda: not any(map(_is_alive, below)), 3)
        left = [process for process in below if _is_alive(process)]
        hub.sandbox.clear_faults()
        yield Interrupted(hub, running.returncode, output, seconds, left)


def test_an_interrupted_run_ends_soon_with_one_line_and_leaves_nothing_running(interrupted):
    assert interrupted.seconds < MOST_SECONDS
    assert interrupted.code == 1
    assert _told(interrupted.output) == ["p88: stopped before publishing; `p88 run` goes on from here"]
    assert "Traceback" not in interrupted.output
    assert interrupted.left == []
    assert list((interrupted.hub.memory() / "runs").iterdir()) == []


def test_an_interrupted_run_begins_with_no_other_connection(interrupted):
    assert "✓ harbour · runsignup" in interrupted.output
    assert "… summit · chronotrack" in interrupted.output
    assert "summit · runsignup" not in interrupted.output
    assert interrupted.hub.sandbox.calls()["total"] > 0
    assert [row for row in interrupted.hub.sandbox.calls()["calls"]
            if (row["provider"], row["timing_partner_id"]) == ("runsignup", 2)] == []  # fmt: skip


def test_an_interrupted_run_publishes_nothing_and_is_on_record(interrupted):
    hub = interrupted.hub

    assert hub.ask("select count(*) from hub.publications") == [(0,)]
    assert hub.ask("select status, error from hub.runs where kind = 'run'") == [
        ("failed", "stopped before publishing; `p88 run` goes on from here")
    ]
    assert hub.ask("select count(*) > 0 from raw_runsignup.participants where timing_partner_id = 1") == [(True,)]


def test_the_run_after_an_interrupted_one_goes_on_and_ends_like_an_undisturbed_one(interrupted, season):
    hub = interrupted.hub
    hub.sandbox.post("calls/reset")

    hub.p88("run")

    assert differences(hub.published(), season.published()) == []
    assert hub.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]
    # What is long over was read to its end and is not asked for again.
    assert hub.sandbox.calls()["total"] < season.first_run.calls["total"]
    hub.assert_raw_equals_holds()


# --- credentials


def _connect(hub: Hub, provider: str, partner: int, **secrets: str) -> None:
    """Replace a connection, its credentials as the sandbox gave them out but for those given."""
    (one,) = [
        one for one in hub.sandbox.get("connections")
        if (one["provider"], one["timing_partner_id"]) == (provider, partner)
    ]  # fmt: skip
    settings = dict(one["settings"])
    settings.pop("timing_partner_id")
    true = one["secrets"] | ({"api_key": settings.pop("api_key")} if "api_key" in settings else {})
    values = [f"--set={name}={value}" for name, value in settings.items()]
    hub.connect(PARTNERS[partner], provider, true | secrets, *values)


@dataclass
class Refused:
    """A run in which one connection has a wrong password and another none, with a change at all four."""

    done: CompletedProcess[str]
    calls: list[dict[str, Any]]
    edited: dict[tuple[str, int], str]


@pytest.fixture(scope="module")
def refused(loaded: Hub) -> Refused:
    """Run with Harbour's ChronoTrack password wrong and Summit's RunSignUp secret empty."""
    sandbox = loaded.sandbox
    sandbox.reset()
    sandbox.advance(60)
    edited = {}
    for provider, partner in CONNECTIONS:
        changed = sandbox.change(
            "edit_entry", provider, EVENTS[provider][partner], partner=partner, fields=EDITS[provider]
        )
        edited[provider, partner] = f"{provider}/{partner}/{changed['changed'][0]}"
    sandbox.advance(60)
    _connect(loaded, "chronotrack", 1, password="Not-the-password-88")
    _connect(loaded, "runsignup", 2, api_secret="")
    sandbox.post("calls/reset")
    done = loaded.p88("run", check=False)
    return Refused(done, sandbox.calls()["calls"], edited)


def _cities(hub: Hub, edited: dict[tuple[str, int], str]) -> dict[tuple[str, int], bool]:
    """Tell for each connection whether the edit at its provider is published."""
    return {
        (provider, partner): hub.rows("unified_participants", provider)[key]["city"] == "Elsewhere"
        for (provider, partner), key in edited.items()
    }


def test_a_wrong_password_stops_its_connection_with_its_first_call(refused):
    found = [row for row in refused.calls if row["provider"] == "chronotrack" and row["timing_partner_id"] != 2]

    assert sum(row["calls"] for row in found) == 1, found


def test_a_wrong_password_is_one_line_naming_partner_provider_and_setting(refused):
    (line,) = [line for line in _told(refused.done.stderr) if "chronotrack" in line]

    assert line.startswith("p88: harbour · chronotrack: ")
    assert "partner 1" in line
    assert "password" in line
    assert "Not-the-password-88" not in refused.done.stdout + refused.done.stderr


def test_an_empty_credential_is_told_before_any_call_naming_the_setting(refused):
    (line,) = [line for line in _told(refused.done.stderr) if "runsignup" in line]

    assert line.startswith("p88: summit · runsignup: ")
    assert "partner 2" in line
    assert "setting api_secret is missing" in line
    assert [row for row in refused.calls if row["provider"] == "runsignup" and row["timing_partner_id"] != 1] == []


def test_the_other_connections_are_published_and_the_run_ends_with_an_error(loaded, refused, season):
    assert refused.done.returncode == 1
    assert len(_told(refused.done.stderr)) == 2
    assert "Traceback" not in refused.done.stderr
    published = {("runsignup", 1): True, ("chronotrack", 2): True, ("chronotrack", 1): False, ("runsignup", 2): False}
    assert _cities(loaded, refused.edited) == published
    # All that they brought in before is still there, as it was.
    for provider, partner in (("chronotrack", 1), ("runsignup", 2)):
        for relation in ("unified_participants", "unified_results"):
            before, now = (
                {key: row for key, row in hub.rows(relation, provider).items() if row["timing_partner_id"] == partner}
                for hub in (season, loaded)
            )
            assert now == before
            assert now
    statuses = loaded.ask(
        "select provider_name, timing_partner_id, status from hub.sync_history "
        "where run_id = (select max(run_id) from hub.runs)"
    )
    assert {(provider, partner): status for provider, partner, status in statuses} == {
        one: "success" if there else "failed" for one, there in published.items()
    }


def test_a_credential_in_the_operator_s_environment_does_not_serve_another_connection(loaded, refused):
    (secret,) = [
        one["secrets"]["api_secret"] for one in loaded.sandbox.get("connections")
        if (one["provider"], one["timing_partner_id"]) == ("runsignup", 1)
    ]  # fmt: skip
    loaded.sandbox.post("calls/reset")

    done = subprocess.run(
        [str(Path(sys.executable).parent / "p88"), "sync", "--partner", "summit", "--provider", "runsignup"],
        env=loaded.environment | {"TAP_RUNSIGNUP_API_SECRET": secret},
        cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "setting api_secret is missing" in done.stderr
    assert loaded.sandbox.calls()["total"] == 0


def test_put_right_the_next_sync_brings_what_was_missed(loaded, refused):
    _connect(loaded, "chronotrack", 1)
    _connect(loaded, "runsignup", 2)

    # Publishing what arrived is no other than in any run.
    loaded.p88("sync")

    loaded.assert_raw_equals_holds()


# --- names


@pytest.mark.parametrize("command", ["run", "sync"])
def test_an_unknown_partner_is_one_line(loaded, command):
    loaded.sandbox.post("calls/reset")

    done = loaded.p88(command, "--partner", "nobody", check=False)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "p88: there is no enabled connection for partner nobody; "
        "`p88 connection list` shows what there is, `p88 connection add --help` adds one\n"
    )
    assert loaded.sandbox.calls()["total"] == 0


# --- two at once


def test_two_runs_at_once_end_with_the_data_of_one(fresh_hub, season):
    both = [fresh_hub.start("run") for _ in range(2)]
    outputs = [running.communicate(timeout=300)[0] for running in both]

    # Each connection was read by one of them; the other one says so and takes it as not done.
    refusals = [line for output in outputs for line in _told(output)]
    assert refusals
    assert all(line.endswith("is being synced by another process; wait for that one to end") for line in refusals)
    assert [running.returncode for running in both] == [int(bool(_told(output))) for output in outputs], outputs
    # One of them may have published what it had while the other still read.
    assert differences(fresh_hub.published_together(), season.published_together()) == []
    assert fresh_hub.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]
    assert fresh_hub.ask("select count(*) from hub.quarantine") == [(0,)]
    fresh_hub.assert_raw_equals_holds()
