"""A hub of one's own for a test: a database, a folder of local state, the sandbox, and the command `p88`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from project88 import settings
from project88.published import BOOKKEEPING

CHECKOUT = Path(__file__).resolve().parents[2]

# When a row was read, noticed or published differs between two runs; the integer key is given in order of arrival.
PASSING = {"fetched_date", "status_changed_at", "changed_at", *BOOKKEEPING}
RELATIONS = (
    "unified_events",
    "unified_races",
    "unified_divisions",
    "unified_timing_points",
    "unified_participants",
    "unified_results",
    "participant_tracking",
    "entry_links",
    "results_without_entry",
    "person_changes",
)
KEYS = {
    "runsignup": {
        "races": ("race_id",),
        "events": ("event_id",),
        "participants": ("registration_id",),
        "removed_participants": ("registration_id",),
        "results": ("result_id",),
    },
    "chronotrack": {
        "events": ("event_id",),
        "races": ("race_id",),
        "entries": ("entry_id",),
        "brackets": ("bracket_id",),
        "intervals": ("interval_id",),
        "results": ("event_id", "results_entry_id", "results_interval_id"),
    },
}
"""The ids of each provider's records, beside the timing partner."""

PARTNERS = {1: "harbour", 2: "summit"}
Records = dict[str, dict[str, Any]]


@dataclass
class Sandbox:
    """The sandbox over HTTP."""

    url: str

    def post(self, path: str, **body: Any) -> Any:
        """Post to the control endpoint."""
        answer = requests.post(f"{self.url}/control/{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        """Ask the control endpoint."""
        answer = requests.get(f"{self.url}/control/{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self) -> None:
        """Start the tiny season anew, without changes and faults."""
        self.post("reset", size="tiny", seed=88)
        self.clear_faults()

    def change(self, kind: str, provider: str, event_id: int | str, **more: Any) -> dict[str, Any]:
        """Change something at a provider, for partner 1 unless told; returns what was touched."""
        return self.post("change", kind=kind, provider=provider, event_id=event_id, **{"partner": 1} | more)

    def fault(self, kind: str, provider: str, **more: Any) -> None:
        """Switch a fault on."""
        self.post("fault", kind=kind, provider=provider, **more)

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults with how often they struck."""
        return self.get("fault")["faults"]

    def clear_faults(self) -> None:
        """Switch all faults off."""
        requests.delete(f"{self.url}/control/fault", timeout=60).raise_for_status()

    def advance(self, seconds: int) -> None:
        """Let time pass at the providers."""
        self.post("clock", advance_seconds=seconds)

    def calls(self) -> dict[str, Any]:
        """Return the calls since the last reset of the counts."""
        return self.get("calls")

    def holds(self, provider: str, partner: int, stream: str) -> Records:
        """Return the records of a stream as the provider would send them now, by their ids joined with a stroke."""
        found = {}
        for one in self.get(f"holds/{provider}/{partner}/{stream}?context=1"):
            ids = {"event_id": one.get("event_id"), **one["record"]}
            found["/".join(str(ids[key]) for key in KEYS[provider][stream])] = one["record"]
        return found

    def secrets(self) -> set[str]:
        """Return every credential that the sandbox gave out."""
        found = set()
        for one in self.get("connections"):
            found |= set(one["secrets"].values()) | {one["settings"].get("api_key")}
        return found - {None}


@dataclass
class FirstRun:
    """What was seen of the run that loaded a hub."""

    output: str = ""
    seconds: float = 0.0
    calls: dict[str, Any] = field(default_factory=dict)
    # Of every process below the run, at many instants.
    arguments: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


@dataclass
class Hub:
    """One database and one folder of local state."""

    dsn: str
    home: Path
    sandbox: Sandbox
    first_run: FirstRun = field(default_factory=FirstRun, repr=False)
    # Which loader its runs use; None is the default.
    loader: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment `p88` runs in."""
        values = {key: value for key, value in os.environ.items() if not key.startswith(("P88_", "TAP_"))}
        values |= {"P88_HOME": str(self.home), "P88_DATABASE_URL": self.dsn, "P88_SIZE": "tiny"}
        if self.loader is not None:
            values["P88_LOADER"] = self.loader
        values.pop("PYTHONDONTWRITEBYTECODE", None)
        return values

    def p88(self, *arguments: str, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "p88"), *arguments],
            env=self.environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"p88 {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "p88"), *arguments],
            env=self.environment, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip

    def connect(self, partner: str, provider: str, secrets: dict[str, str], *values: str) -> None:
        """Add a connection, its credentials in the environment."""
        prefix = f"TAP_{provider.upper()}_"
        subprocess.run(
            [str(Path(sys.executable).parent / "p88"), "connection", "add", partner, provider, *values],
            env=self.environment | {prefix + key.upper(): value for key, value in secrets.items()},
            cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def memory(self) -> Path:
        """Return the folder in memory where runs keep what must not reach a disk."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("P88_HOME", str(self.home))
            return settings.memory_folder()

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        connection = psycopg2.connect(self.dsn, options="-c timezone=UTC")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def checkpoint(self) -> None:
        """Have the server write everything to its files."""
        connection = psycopg2.connect(self.dsn)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("checkpoint")
        finally:
            connection.close()

    def configure(self, **values: Any) -> None:
        """Set settings of all connections, as `p88 connection add --set` would."""
        self.ask("update hub.connections set settings = settings || %s::jsonb", json.dumps(values))

    def raw(self, provider: str, partner: int, stream: str) -> Records:
        """Return the records in raw that are not removed, by their ids joined with a stroke."""
        keys = KEYS[provider][stream]
        key = " || '/' || ".join(f"t.{name}::text" for name in keys)
        # A registration is either among the participants or among the removed ones; the latest word counts.
        withdrawn = (
            """
            and not exists (
                select from raw_runsignup.removed_participants as w
                where w.timing_partner_id = t.timing_partner_id and w.registration_id = t.registration_id
                    and w.last_modified >= t.last_modified
                    and not exists (
                        select from raw_runsignup.removals as m
                        where m.timing_partner_id = w.timing_partner_id and m.stream = 'removed_participants'
                            and m.record_key = w.registration_id::text and m.returned_at is null
                    )
            )
            """
            if stream == "participants"
            else ""
        )
        rows = self.ask(
            f"""
            select {key}, t.record from raw_{provider}.{stream} as t
            where t.timing_partner_id = %s {withdrawn} and not exists (
                select from raw_{provider}.removals as m
                where m.timing_partner_id = t.timing_partner_id and m.stream = '{stream}'
                    and m.record_key = {key} and m.returned_at is null
            )
            """,  # noqa: S608
            partner,
        )
        return dict(rows)

    def unlike_holds(
        self, providers: Iterable[str] = KEYS, partners: Iterable[int] = PARTNERS, besides: Iterable[str] = ()
    ) -> list[str]:
        """Return where raw differs from what the providers hold now, in any stream, besides some ids."""
        told = []
        for provider in providers:
            for partner in partners:
                for stream in KEYS[provider]:
                    where = f"{provider}, partner {partner}, {stream}"
                    here, there = self.raw(provider, partner, stream), self.sandbox.holds(provider, partner, stream)
                    for one in besides:
                        here.pop(one, None)
                        there.pop(one, None)
                    told += [f"{where}: raw lacks {key}" for key in sorted(set(there) - set(here))]
                    told += [f"{where}: raw has {key}" for key in sorted(set(here) - set(there))]
                    for key in set(here) & set(there):
                        names = [name for name, sent in there[key].items() if here[key].get(name, "-") != sent]
                        told += [f"{where} {key}: raw has another {name}" for name in names]
        return told

    def assert_raw_equals_holds(self, *arguments: Any, **more: Any) -> None:
        """Check every stream against what the provider holds now."""
        unlike = self.unlike_holds(*arguments, **more)
        assert not unlike, "\n".join(unlike[:20])

    def rows(self, relation: str, provider: str) -> dict[str, dict[str, Any]]:
        """Return the published rows of a provider by key, as JSON has them."""
        key = {"unified_events": "event_key", "unified_races": "race_key", "unified_participants": "participant_key",
               "unified_results": "result_key", "unified_divisions": "division_key",
               "unified_timing_points": "timing_point_key"}[relation]  # fmt: skip
        return dict(
            self.ask(f"select {key}, to_jsonb(r) from unified.{relation} r where source_provider = %s", provider)  # noqa: S608
        )

    def published(self) -> dict[str, list[str]]:
        """Return every published row, as text, without what differs between any two runs."""
        found = {}
        for relation in RELATIONS:
            rows = self.ask(f"select to_jsonb(r) from unified.{relation} r")  # noqa: S608
            found[relation] = sorted(
                json.dumps({key: value for key, value in row[0].items() if key not in PASSING}, sort_keys=True)
                for row in rows
            )
        return found

    def published_together(self) -> dict[str, list[str]]:
        """Return what `published` does, told so that hubs with different histories compare: who is together.

        Persons are called by their first record: which of two ids stays depends on which was first. How sure it is
        depends on what was known when it was linked, and changes of ids are the history itself.
        """
        first = dict(
            self.ask(
                """
                select p.person_id, min(r.record_key collate "C")
                from hub.persons as p inner join hub.person_records as r on p.person_id = r.person_id group by 1
                """
            )
        )
        found = {}
        for relation, rows in self.published().items():
            if relation == "person_changes":
                continue
            told = []
            for row in map(json.loads, rows):
                row.pop("person_confidence", None)
                if "global_participant_id" in row:
                    row["global_participant_id"] = first[row["global_participant_id"]]
                told.append(json.dumps(row, sort_keys=True))
            found[relation] = sorted(told)
        return found

    def published_at(self) -> dict[str, Any]:
        """Return when each relation's rows were last published: moves only when a row is written."""
        return {
            relation: self.ask(f"select count(*), max(published_at) from unified.{relation}")[0]  # noqa: S608
            for relation in RELATIONS
        }


def kill(process: psutil.Process) -> None:
    """End a process by SIGKILL, as a power cut would."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def children_named(parent: int, *names: str) -> list[psutil.Process]:
    """Return the running descendants of a process whose command line names one of the programs."""
    try:
        below = psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for process in below:
        try:
            words = [Path(word).name for word in process.cmdline()[:3]]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if set(words) & set(names):
            found.append(process)
    return found


def watch(process: subprocess.Popen[str], seen: FirstRun, folders: Iterable[Path] = ()) -> None:
    """Note the arguments of all processes below one, and the files in some folders, until it ends."""
    while process.poll() is None:
        try:
            below = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            break
        for one in below:
            try:
                seen.arguments.add(" ".join(one.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        for folder in folders:
            # A run takes its own folder away in the end.
            with contextlib.suppress(FileNotFoundError):
                seen.files.update(str(path) for path in folder.rglob("*"))
        time.sleep(0.1)


def wait_for(condition: Any, seconds: float) -> Any:
    """Return the first truth a condition gives, or None when the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.01)
    return None


def differences(found: dict[str, list[str]], expected: dict[str, list[str]], most: int = 3) -> list[str]:
    """Return what one published state has and the other has not; empty where they are equal."""
    told = []
    for relation, rows in expected.items():
        lacking, beyond = sorted(set(rows) - set(found[relation])), sorted(set(found[relation]) - set(rows))
        if lacking or beyond or len(rows) != len(found[relation]):
            told.append(f"{relation}: {len(found[relation])} rows, expected {len(rows)}")
            told += [f"  lacks {row}" for row in lacking[:most]] + [f"  has {row}" for row in beyond[:most]]
    return told
