"""Credentials are sealed in one column; in plain only in a run's private folder in memory, which goes with the run."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import psutil
import pytest

from tests.pipeline.harness import FirstRun, Hub, children_named, wait_for, watch

PROGRAMS = ("meltano", "tap-runsignup", "tap-chronotrack", "target-hub")
HOLD_SECONDS = 20


def _forms(hub: Hub) -> dict[str, str]:
    """Return each credential in all forms that open the account, and what it is called."""
    found = {}
    for one in hub.sandbox.get("connections"):
        settings, secrets = one["settings"], dict(one["secrets"])
        if "api_key" in settings:
            secrets["api_key"] = settings["api_key"]
        user = settings.get("username")
        for name, value in secrets.items():
            called = f"{one['slug']} {one['provider']} {name}"
            found[value] = found[quote(value, safe="")] = called
            found[base64.b64encode(value.encode()).decode()] = f"{called}, base64"
            # What ChronoTrack takes in a query in the place of the password.
            found[hashlib.sha1(value.encode()).hexdigest()] = f"{called}, hashed"  # noqa: S324
            for before in (user, settings.get("client_id")):
                if before:
                    header = base64.b64encode(f"{before}:{value}".encode()).decode()
                    found[header] = f"{called}, as a header"
    return found


def _leaks(forms: dict[str, str], texts: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{where}: {called}" for where, text in texts for form, called in forms.items() if form in text]


@dataclass
class Noisy:
    """A run in which many calls went wrong."""

    output: str
    seen: FirstRun
    forms: dict[str, str]


@pytest.fixture(scope="module")
def noisy(loaded: Hub) -> Noisy:
    """Read all again while calls go wrong in the ways that make somebody write an address or a body down."""
    sandbox, forever = loaded.sandbox, {"times": None}
    loaded.configure(backoff_base=0.01, max_tries=3)
    # Signing in, where the password is in the query: once refused, once cut off.
    sandbox.fault("status_500", "chronotrack", path_contains="oauth2/token")
    sandbox.fault("drop_connection", "chronotrack", path_contains="oauth2/token", before_body=True)
    for provider, entries, results in (
        ("runsignup", "participants", "get-results"),
        ("chronotrack", "entry", "results"),
    ):
        sandbox.fault("drop_connection", provider, path_contains=entries, before_body=True, partner=1, **forever)
        sandbox.fault("cut_json", provider, path_contains=results, partner=1, **forever)
        sandbox.fault("status_502_html", provider, path_contains=results, partner=2, **forever)
        sandbox.fault("expired_token", provider, path_contains=entries, partner=2)
    running, seen = loaded.start("sync", "--everything"), FirstRun()
    watcher = threading.Thread(target=watch, args=(running, seen, [loaded.memory()]))
    watcher.start()
    output, _ = running.communicate(timeout=120)
    watcher.join()
    faults = sandbox.faults()
    sandbox.clear_faults()
    assert running.returncode == 1, output
    assert [fault for fault in faults if not fault["hits"]] == []
    return Noisy(output, seen, _forms(loaded))


def test_what_a_run_prints_has_no_secret(loaded, noisy):
    told = [("first run", loaded.first_run.output), ("run with errors", noisy.output)]

    assert "STOPPED chronotrack, partner 1" in noisy.output
    assert _leaks(noisy.forms, told) == []


def test_no_file_has_a_secret(loaded, noisy):
    files = {
        str(path.relative_to(loaded.home)): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in loaded.home.rglob("*")
        if path.is_file()
    }

    # What is searched is what the runs wrote: logs with addresses in them, and the gate's reports.
    logs = [text for name, text in files.items() if name.startswith("logs/runs/")]
    assert len(logs) >= 8
    assert any("/runsignup/rest/race/" in text for text in logs)
    assert any("/chronotrack/api/event/" in text for text in logs)
    assert any(name.startswith("docs/gate/") for name in files)
    assert _leaks(noisy.forms, files.items()) == []


def test_no_table_has_a_secret_beside_the_sealed_column(loaded, noisy):
    found, errors = [], 0
    for schema, name in loaded.ask(
        "select schemaname::text, tablename::text from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema')"
    ):
        sealed = " - 'secrets'" if (schema, name) == ("hub", "connections") else ""
        rows = [row for (row,) in loaded.ask(f'select (to_jsonb(t){sealed})::text from {schema}."{name}" as t')]  # noqa: S608
        text = "\n".join(rows)
        found += _leaks(noisy.forms, [(f"{schema}.{name}", text)])
        if schema == "hub":
            errors += text.count("STOPPED ")
        if (schema, name) == ("hub", "connection_state"):
            assert len(rows) == 4
            assert "bookmarks" in text

    # The run with its errors is on record there.
    assert errors >= 8
    assert found == []


def test_the_sealed_column_cannot_be_read_without_the_key(loaded, noisy):
    sealed = loaded.ask("select connection_id::text, secrets from hub.connections")

    assert len(sealed) == 4
    assert all(text for _, text in sealed)
    assert _leaks(noisy.forms, sealed) == []


def test_no_process_has_a_secret_among_its_arguments(loaded, noisy):
    for seen in (loaded.first_run, noisy.seen):
        programs = {program for program in PROGRAMS for line in seen.arguments if f"/{program}" in line}
        assert programs == set(PROGRAMS)
        assert _leaks(noisy.forms, [(line, line) for line in seen.arguments]) == []


def test_private_folders_are_gone_after_a_run(season, loaded, noisy):
    for hub, seen in ((season, season.first_run), (loaded, noisy.seen)):
        assert any(name.startswith(f"{hub.memory()}/runs/") for name in seen.files)
        assert list((hub.memory() / "runs").iterdir()) == []


@pytest.fixture
def holding(loaded: Hub) -> Iterator[Hub]:
    """A hub whose ChronoTrack accounts answer late when asked for entries."""
    for partner in (1, 2):
        loaded.sandbox.fault(
            "slow", "chronotrack", seconds=HOLD_SECONDS, times=None, path_contains="/entry", partner=partner
        )
    yield loaded
    loaded.sandbox.clear_faults()


def test_what_a_killed_run_leaves_is_swept_and_ended_by_the_next_one(holding):
    hub, runs = holding, holding.memory() / "runs"
    running = hub.start("sync", "--everything", "--provider", "chronotrack", "--at-once", "2")
    held = wait_for(lambda: all(fault["hits"] for fault in hub.sandbox.faults()) or running.poll() is not None, 60)
    assert held is True
    assert running.poll() is None
    orphans = {name: children_named(running.pid, name) for name in ("meltano", "tap-chronotrack", "target-hub")}
    folders = list(runs.iterdir())
    running.kill()
    assert running.stdout is not None
    running.stdout.close()
    running.wait(20)

    # Nobody is left to remove these: without the next run they would stay.
    assert {name: len(found) for name, found in orphans.items()} == dict.fromkeys(orphans, 2)
    assert all(_runs(process) for found in orphans.values() for process in found)
    assert len(folders) == 2
    for folder in folders:
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.stat().st_uid == os.geteuid()

    hub.sandbox.clear_faults()
    hub.p88("sync", "--provider", "chronotrack")

    assert [process for found in orphans.values() for process in found if _runs(process)] == []
    assert list(runs.iterdir()) == []
    hub.assert_raw_equals_holds(["chronotrack"])


def _runs(process: psutil.Process) -> bool:
    """Tell whether a process still does something; one that only waits to be buried does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
