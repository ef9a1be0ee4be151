"""`make bench`: loading, by our fast path and by every other way, on one machine in one run.

Each way loads ChronoTrack results and RunSignUp participants at the same time, as `p88 run` does on two cores, from the
same page server into the same embedded Postgres with the product's own settings, into tables made anew for each run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.hub import fresh_raw_tables, own_hub, query
from benchmarks.measure import IN_MEMORY, MEGABYTE, OURS, POSTGRES, Cost, Ended, groups, measured, wait
from benchmarks.pages.make import make
from benchmarks.pages.process import PageServer, serving
from benchmarks.pages.season import NOW, Wanted
from benchmarks.report import machine, replace_section, show, terminal
from project88 import settings

STREAMS = {"chronotrack": "results", "runsignup": "participants"}
DAY = 86_400
BENCH_PYTHON = settings.CHECKOUT / ".venv-bench" / "bin" / "python"
CHANGED_EVERY = 100
# One partner; all events ended days ago and none is settled, so that a reload has to read every one of them again.
# ChronoTrack's events are of production's usual size.
WANTED = Wanted(
    partners=1, ct_events=1_690, ct_entries=312_500, ct_results=1_000_000, rsu_events=1_000, rsu_participants=500_000,
    rsu_results=0, largest_event=20_000, recent=True,
)  # fmt: skip
FIRST, UNCHANGED, CHANGED = "first load", "reload, unchanged", "reload, 1 % changed"
EVERYTHING = "reload, all sent again"
TASKS = (FIRST, UNCHANGED, CHANGED, EVERYTHING)


@dataclass
class Sample:
    """A season made for this benchmark, and the server of its pages."""

    rows: dict[str, int]
    server: PageServer

    @property
    def total(self) -> int:
        """Return how many rows a load brings."""
        return sum(self.rows.values())


@dataclass
class Run:
    """One measured load."""

    way: str
    task: str
    rows: int
    cost: Cost
    seconds_of: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Return rows a second."""
        return self.rows / self.cost.seconds


class Bench:
    """What all ways need: the database, the catalogs, a folder for their files."""

    def __init__(self, dsn: str, folder: Path) -> None:
        """Ask the taps for their catalogs."""
        from project88 import raw

        self.dsn, self.folder = dsn, folder
        self.catalogs = {provider: raw.discover(provider) for provider in STREAMS}
        self.version = str(query(dsn, "show server_version")[0][0]).split()[0]

    def prepare(self, name: str) -> Path:
        """Return an empty folder for a way's files."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place


class Way:
    """A way to load: `reset` makes its tables anew, `load` loads both providers and returns when all is committed."""

    name = ""
    # Its reloads are measured on the small sample where this is set.
    slow = False
    tasks: tuple[str, ...] = (FIRST, UNCHANGED, CHANGED)

    def __init__(self, bench: Bench) -> None:
        """Take what all ways need."""
        self.bench = bench

    def reset(self, sample: Sample) -> None:
        """Begin from nothing."""

    def load(self, sample: Sample, task: str, cost_of: dict[str, Ended]) -> dict[str, float]:
        """Load, and return the seconds of each provider; what child processes used goes to cost_of."""
        raise NotImplementedError

    def found(self) -> dict[str, tuple[int, int]]:
        """Return rows, and a sum that changes with them, of each table that was loaded."""
        return {
            "chronotrack": self._ask("raw_chronotrack.results", "results_end_chip_time"),
            "runsignup": self._ask("raw_runsignup.participants", "last_modified"),
        }

    def _ask(self, table: str, column: str) -> tuple[int, int]:
        rows = query(self.bench.dsn, f"select count(*), sum(extract(epoch from {column}) * 100)::bigint from {table}")
        return int(rows[0][0]), int(rows[0][1] or 0)


def both(do: Callable[[str], None]) -> dict[str, float]:
    """Do something for both providers at the same time; return the seconds of each, raise the first failure."""
    seconds: dict[str, float] = {}
    failures: list[BaseException] = []

    def one(provider: str) -> None:
        began = time.perf_counter()
        try:
            do(provider)
        except BaseException as error:  # raised again below, in the thread that waits
            failures.append(error)
        seconds[provider] = time.perf_counter() - began

    threads = [threading.Thread(target=one, args=(provider,)) for provider in STREAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return seconds


class Pipe(Way):
    """`tap | target`, a pipe for each provider."""

    target = "target-postgres"

    def tap_settings(self, provider: str) -> dict[str, Any]:
        """Return what the tap is told beside the account."""
        return {}

    def target_settings(self, provider: str) -> dict[str, Any]:
        """Return the loader's settings."""
        raise NotImplementedError

    def reset(self, sample: Sample) -> None:
        """Make the raw tables as `p88` makes them, and forget the bookmarks."""
        self.place = self.bench.prepare("pipe")
        fresh_raw_tables(self.bench.dsn, self.bench.catalogs)

    def load(self, sample: Sample, task: str, cost_of: dict[str, Ended]) -> dict[str, float]:
        """Run both pipes."""
        return both(lambda provider: self._pipe(provider, sample, task, cost_of))

    def _pipe(self, provider: str, sample: Sample, task: str, cost_of: dict[str, Ended]) -> None:
        place = self.place
        tap_config = sample.server.settings(provider, 1) | {"budget_dir": str(place / "budget")}
        tap_config |= self.tap_settings(provider)
        if provider == "chronotrack":
            # Whole reads are due at once: otherwise a reload would be two calls an event.
            tap_config |= {"whole_read_minutes": 0, "whole_read_minutes_after": 0}
        if task == EVERYTHING:
            tap_config["read_everything"] = True
        files = {name: place / f"{provider}-{name}.json" for name in ("tap", "target", "catalog", "state", "states")}
        files["tap"].write_text(json.dumps(tap_config))
        files["target"].write_text(json.dumps(self.target_settings(provider)))
        files["catalog"].write_text(json.dumps(selected(self.bench.catalogs[provider], STREAMS[provider])))
        state = ["--state", str(files["state"])] if files["state"].exists() and task != FIRST else []
        log = place / f"{provider}.log"
        environment = settings.child_environment() | {"PGTZ": "UTC"}
        with log.open("ab") as errors, files["states"].open("wb") as states:
            tap = subprocess.Popen(
                [settings.executable(f"tap-{provider}"), "--config", str(files["tap"]),
                 "--catalog", str(files["catalog"]), *state],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment,
            )  # fmt: skip
            target = subprocess.Popen(
                [settings.executable(self.target), "--config", str(files["target"])],
                stdin=tap.stdout, stdout=states, stderr=errors, env=environment,
            )  # fmt: skip
            assert tap.stdout is not None
            tap.stdout.close()
            cost_of[f"loader {provider}"] = wait(target)
            cost_of[f"tap {provider}"] = wait(tap)
        if tap.returncode or target.returncode:
            tail = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise RuntimeError(f"{self.name}: tap {tap.returncode}, loader {target.returncode}: {' / '.join(tail)}")
        lines = [line for line in files["states"].read_bytes().splitlines() if line.strip()]
        if lines:
            files["state"].write_bytes(lines[-1])


class Fast(Pipe):
    """Our taps and our loader."""

    name = "tap | target-hub"
    target = "target-hub"
    tasks = TASKS

    def tap_settings(self, provider: str) -> dict[str, Any]:
        """Return the folder in memory by which pages go to the loader, as `p88` gives one."""
        pages = settings.memory_folder() / "bench-pages" / provider
        shutil.rmtree(pages, ignore_errors=True)
        pages.mkdir(parents=True)
        return {"pages_dir": str(pages)}

    def target_settings(self, provider: str) -> dict[str, Any]:
        """Return the settings that meltano.yml gives it."""
        from project88 import db

        loaders = yaml.safe_load((settings.CHECKOUT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["loaders"]
        ours: dict[str, Any] = next(loader["config"] for loader in loaders if loader["name"] == self.target)
        return ours | {
            "sqlalchemy_url": db.sqlalchemy_url(self.bench.dsn, "psycopg"),
            "default_target_schema": f"raw_{provider}",
        }


class Tuned(Pipe):
    """Our taps and the stock loader, tuned as well as it can be."""

    name = "tap | target-postgres, tuned"
    tasks = TASKS

    def target_settings(self, provider: str) -> dict[str, Any]:
        """Return what makes it fastest: COPY, nothing validated, nothing added, big batches."""
        from project88 import db

        return {
            "sqlalchemy_url": db.sqlalchemy_url(self.bench.dsn, "psycopg"),
            "default_target_schema": f"raw_{provider}",
            "use_copy": True,
            "validate_records": False,
            "add_record_metadata": False,
            "activate_version": False,
            "sanitize_null_text_characters": False,
            "batch_size_rows": 50_000,
        }


class Stock(Pipe):
    """Our taps and the stock loader as it comes: it makes its own tables."""

    name = "tap | target-postgres, defaults"
    slow = True

    def reset(self, sample: Sample) -> None:
        """Leave empty schemas."""
        self.place = self.bench.prepare("pipe")
        fresh_raw_tables(self.bench.dsn, {})

    def target_settings(self, provider: str) -> dict[str, Any]:
        """Return where to load, and nothing else."""
        from project88 import db

        return {
            "sqlalchemy_url": db.sqlalchemy_url(self.bench.dsn, "psycopg"),
            "default_target_schema": f"raw_{provider}",
        }


class Meltano(Way):
    """Our way as `p88` runs it: `meltano run` for each connection."""

    name = "p88 sync (meltano run)"
    tasks = (FIRST,)

    def reset(self, sample: Sample) -> None:
        """Make the raw tables anew, and a connection to the page server for each provider."""
        from project88 import connections, db

        fresh_raw_tables(self.bench.dsn, self.bench.catalogs)
        connection = db.connect(self.bench.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("delete from hub.connection_state")
            partner = connections.add_partner(connection, slug="bench", name="Bench Timing")
            for provider in STREAMS:
                given = sample.server.settings(provider, 1)
                del given["timing_partner_id"]
                connections.save(connection, timing_partner_id=partner, provider=provider, settings=given, secrets={})
        finally:
            connection.close()

    def load(self, sample: Sample, task: str, cost_of: dict[str, Ended]) -> dict[str, float]:
        """Sync both connections; only the two streams are selected, as in the other ways."""
        import os

        from project88 import connections, db, sync

        connection = db.connect(self.bench.dsn)
        wanted = {one.provider: one for one in connections.enabled(connection, partner="bench")}
        connection.close()
        chosen = {f"TAP_{provider.upper()}__SELECT": json.dumps([f"{stream}.*", "reads.*", "rejects.*", "removals.*"])
                  for provider, stream in STREAMS.items()}  # fmt: skip
        os.environ.update(chosen)

        def one(provider: str) -> None:
            outcome = sync.sync(wanted[provider], run_id=f"bench-{time.time_ns()}", dsn=self.bench.dsn)
            if outcome.error:
                raise RuntimeError(outcome.error)

        try:
            return both(one)
        finally:
            for name in chosen:
                del os.environ[name]


class Dlt(Way):
    """dlt from dicts, merged."""

    name = "dlt, dicts"
    slow = True
    way, file_format, strategy = "dicts", "csv", "delete-insert"

    def reset(self, sample: Sample) -> None:
        """Drop its datasets and forget its pipelines."""
        self.place = self.bench.prepare("dlt")
        for provider in STREAMS:
            for suffix in ("", "_staging"):
                query(self.bench.dsn, f"drop schema if exists dlt_{provider}{suffix} cascade")
        fresh_raw_tables(self.bench.dsn, {})

    def load(self, sample: Sample, task: str, cost_of: dict[str, Ended]) -> dict[str, float]:
        """Run a pipeline for each provider."""
        return both(lambda provider: self._pipeline(provider, sample, cost_of))

    def _pipeline(self, provider: str, sample: Sample, cost_of: dict[str, Ended]) -> None:
        from project88 import db

        columns, key = described(provider)
        where = db.parts(self.bench.dsn)
        work = {
            "way": self.way,
            "provider": provider,
            "stream": STREAMS[provider],
            "partner": 1,
            "settings": sample.server.settings(provider, 1),
            "columns": columns,
            "key": key,
            "strategy": self.strategy,
            "file_format": self.file_format,
            "dataset": f"dlt_{provider}",
            "folder": str(self.place / provider),
            # dlt wants a password and a host; libpq takes the later host: the socket's folder, where none is asked for.
            "dsn": f"postgresql://{where['user']}:none@localhost/{where['dbname']}?host={where['host']}",
            "environment": {},
        }
        file = self.place / f"{provider}.json"
        file.write_text(json.dumps(work))
        log = self.place / f"{provider}.log"
        environment = settings.child_environment() | {"PGTZ": "UTC", "DLT_DATA_DIR": str(self.place / "data")}
        environment.pop("PYTHONPATH", None)
        with log.open("ab") as out:
            child = subprocess.Popen(
                [str(BENCH_PYTHON), str(Path(__file__).with_name("with_dlt.py")), str(file)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd=self.place,
            )  # fmt: skip
            cost_of[f"dlt {provider}"] = wait(child)
        if child.returncode:
            raise RuntimeError(f"{self.name}: {' / '.join(log.read_text(errors='replace').strip().splitlines()[-8:])}")

    def found(self) -> dict[str, tuple[int, int]]:
        """Look into its own tables."""
        return {
            "chronotrack": self._ask("dlt_chronotrack.results", "results_end_chip_time"),
            "runsignup": self._ask("dlt_runsignup.participants", "last_modified"),
        }


class DltArrow(Dlt):
    """dlt from Arrow pages, merged, loaded through ADBC."""

    name = "dlt, Arrow pages by ADBC"
    slow = False
    way, file_format = "arrow", "parquet"


class Copy(Way):
    """Bare COPY of the same typed rows from a file into tables without any index: the limit."""

    name = "bare COPY"
    tasks = (FIRST,)

    def save(self) -> None:
        """Write what a load left in the raw tables to files."""
        for provider, stream in STREAMS.items():
            table = f"raw_{provider}.{stream}"
            names = ", ".join(f'"{name}"' for (name,) in query(self.bench.dsn, _COLUMNS, f"raw_{provider}", stream))
            query(self.bench.dsn, f"drop table if exists public.bare_{provider}")
            query(self.bench.dsn, f"create table public.bare_{provider} as select {names} from {table} with no data")
            with self._file(provider).open("wb") as out:
                self._copy(f"copy (select {names} from {table}) to stdout", out)

    def _file(self, provider: str) -> Path:
        return self.bench.folder / f"bare-{provider}.copy"

    def _copy(self, text: str, file: Any) -> None:
        from project88 import db

        connection = db.connect(self.bench.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.copy_expert(text, file, size=1 << 18)
        finally:
            connection.close()

    def reset(self, sample: Sample) -> None:
        """Empty the tables."""
        for provider in STREAMS:
            query(self.bench.dsn, f"truncate public.bare_{provider}")

    def load(self, sample: Sample, task: str, cost_of: dict[str, Ended]) -> dict[str, float]:
        """Copy both files."""

        def one(provider: str) -> None:
            with self._file(provider).open("rb") as file:
                self._copy(f"copy public.bare_{provider} from stdin", file)

        return both(one)

    def found(self) -> dict[str, tuple[int, int]]:
        """Look into the bare tables."""
        return {
            "chronotrack": self._ask("public.bare_chronotrack", "results_end_chip_time"),
            "runsignup": self._ask("public.bare_runsignup", "last_modified"),
        }


_COLUMNS = """
select column_name from information_schema.columns where table_schema = %s and table_name = %s
and column_name not in ('inserted_xid', 'changed_xid', 'changed_at') order by ordinal_position
"""


def selected(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """Return a catalog in which one stream is selected, beside those that describe reading."""
    found = json.loads(json.dumps(catalog))
    for one in found["streams"]:
        wanted = one["tap_stream_id"] in (stream, "reads", "rejects", "removals")
        for entry in one["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = wanted
    return found


def described(provider: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a stream's columns for dlt, and its key: what the tap says of them, without the tap's code."""
    if provider == "chronotrack":
        from tap_chronotrack.streams import Results as stream  # noqa: N813
    else:
        from tap_runsignup.streams import Participants as stream  # type: ignore[assignment]  # noqa: N813
    from tap_runsignup.columns import eastern

    columns = []
    for column in stream.columns:
        convert = column.type
        if column.type == "instant":
            convert = "eastern" if column.convert is eastern else "epoch"
        columns.append(
            {
                "name": column.name,
                "type": column.type,
                "path": list(column.keys),
                "given": column.given,
                "convert": convert,
            }
        )
    return columns, list(stream.primary_keys)


# -- the run ------------------------------------------------------------------------------------------------------


def fast_path_is_there() -> bool:
    """Tell whether our own loader is installed."""
    return Path(settings.executable(Fast.target)).exists()


def measure(way: Way, task: str, sample: Sample) -> Run:
    """Measure one load; the reset before a first load, and moving the clock before a reload, are not counted."""
    server = sample.server
    if task == FIRST:
        server.control(now=NOW, change_every=0)
        way.reset(sample)
    else:
        # A day and more later, so that registrations are read whole again, too.
        server.control(advance=DAY + 600)
        if task == CHANGED:
            server.control(change_every=CHANGED_EVERY)
    ended: dict[str, Ended] = {}
    with measured(groups(server.pid)) as cost:
        seconds = way.load(sample, task, ended)
    if ended:
        # The kernel's own account of the child processes is more exact than samples.
        del cost.cpu[OURS]
        for name, one in ended.items():
            kind = name.partition(" ")[0]
            cost.cpu[kind] = cost.cpu.get(kind, 0.0) + one.cpu
            cost.peak[kind] = max(cost.peak.get(kind, 0), one.peak)
    return Run(way.name, task, sample.total, cost, seconds)


def check(way: Way, sample: Sample, expected: dict[str, tuple[int, int]] | None) -> dict[str, tuple[int, int]]:
    """Raise where a load did not bring all rows, or other values than another way brought."""
    found = way.found()
    for provider, rows in sample.rows.items():
        if found[provider][0] != rows:
            raise RuntimeError(f"{way.name}: {provider} has {found[provider][0]:,} rows, not {rows:,}")
        if expected is not None and expected[provider] != found[provider]:
            raise RuntimeError(f"{way.name}: {provider} holds other values than another way brought")
    return found


@contextmanager
def sample_of(folder: Path, name: str, scale: float, progress: Progress) -> Iterator[Sample]:
    """Make a season and serve it."""
    task = progress.add_task(f"pages ({name})", total=None)
    counts = make(
        folder / name,
        WANTED.scaled(scale),
        progress=lambda done, total: progress.update(task, completed=done, total=total),
    )
    progress.update(task, completed=1, total=1)
    with serving(folder / name) as server:
        yield Sample({"chronotrack": counts["ct_results"], "runsignup": counts["rsu_participants"]}, server)


def run(
    console: Console, folder: Path, *, scale: float, small: float, runs: int, names: Sequence[str] = ()
) -> tuple[list[Run], str]:
    """Measure every way; returns the runs and the server's version."""
    found: list[Run] = []
    with ExitStack() as stack:
        progress = stack.enter_context(
            Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                     console=console, transient=True)
        )  # fmt: skip
        dsn = stack.enter_context(own_hub(folder))
        bench = Bench(dsn, folder)
        large = stack.enter_context(sample_of(folder, "large", scale, progress))
        little = large if small >= scale else stack.enter_context(sample_of(folder, "small", small, progress))
        ways: list[Way] = [Fast(bench)] if fast_path_is_there() else []
        ways += [Tuned(bench), Stock(bench), Dlt(bench), DltArrow(bench), Copy(bench)]
        ways = [way for way in ways if not names or any(name in way.name for name in names)]
        for way in ways:
            if isinstance(way, Copy) and not any(isinstance(one, Fast | Tuned) for one in ways):
                raise SystemExit("bare COPY copies what a load by our taps left: measure one of those, too")
        found += _alternating(progress, ways, large, little, runs)
        if not names or any(name in Meltano.name for name in names):
            task = progress.add_task(Meltano.name, total=1)
            way = Meltano(bench)
            found.append(measure(way, FIRST, large))
            check(way, large, None)
            progress.update(task, completed=1)
    return found, bench.version


def _alternating(progress: Progress, ways: list[Way], large: Sample, little: Sample, runs: int) -> list[Run]:
    """Measure way after way, and all of them again, so that what changes on the machine meets each of them."""
    found: list[Run] = []
    expected: dict[tuple[int, str], dict[str, tuple[int, int]]] = {}
    total = progress.add_task("loads", total=runs * sum(len(way.tasks) for way in ways))
    for _ in range(runs):
        for way in ways:
            if isinstance(way, Copy) and not way._file("runsignup").exists():
                _leave_rows(ways, large)
                way.save()
            sample = large
            for task in way.tasks:
                progress.update(total, description=f"{way.name}: {task}")
                if task == UNCHANGED and way.slow and little is not large:
                    # What its reloads reload is the small sample.
                    sample = little
                    measure(way, FIRST, sample)
                one = measure(way, task, sample)
                # Rows changed by a reload differ from run to run by design; loads before that do not.
                key = (sample.total, "changed" if task in (CHANGED, EVERYTHING) else "as made")
                values = check(way, sample, expected.get(key))
                expected.setdefault(key, values)
                found.append(one)
                progress.advance(total)
    return found


def _leave_rows(ways: list[Way], sample: Sample) -> None:
    way = next(one for one in ways if isinstance(one, Fast | Tuned))
    measure(way, FIRST, sample)


# -- telling ------------------------------------------------------------------------------------------------------


def tell(console: Console, runs: list[Run], version: str) -> str:
    """Print the tables; return them as Markdown."""
    medians: dict[tuple[str, str], Run] = {}
    for key in dict.fromkeys((one.way, one.task) for one in runs):
        same = sorted((one for one in runs if (one.way, one.task) == key), key=lambda one: one.rate)
        medians[key] = same[len(same) // 2] if len(same) % 2 else same[len(same) // 2 - 1]
    ours = next((name for name in (Fast.name, Tuned.name) if (name, FIRST) in medians), "")
    parts = [machine(("meltanolabs-target-postgres", "singer-sdk", "meltano"), version) + " " + _bench_versions()]
    for task in TASKS:
        rows, most = [], 0
        for (way, what), one in medians.items():
            if what != task:
                continue
            rates = [r.rate for r in runs if (r.way, r.task) == (way, task)]
            most = max(most, len(rates))
            mine = medians.get((ours, task))
            ratio = f"{mine.rate / one.rate:.2f}" if mine is not None else ""
            rows.append(
                [
                    way,
                    f"{one.rows:,}",
                    f"{statistics.median(rates):,.0f}",
                    f"{min(rates):,.0f} to {max(rates):,.0f}",
                    f"{one.cost.seconds:.1f}",
                    ratio,
                    f"{one.cost.cpu_together:.1f}",
                    _peak(one),
                ]
            )
        if rows:
            columns = [
                "way",
                "rows",
                "rows/s",
                "least to most",
                "s",
                "ours is so many times faster",
                "CPU s",
                "peak MB",
            ]
            parts.append(show(console, f"{task} (medians of {most} runs)", columns, rows))
    return "\n\n".join([*parts, _needs(console, medians, ours), NOTES])


NOTES = """
Each way loads both providers at the same time, as `p88 run` does, all from the same page server over loopback HTTP
(one session, two calls at once, the next page fetched ahead), into the hub's embedded Postgres with its normal settings
and tables made anew; a checkpoint comes before each run. Ways with a tap are a plain pipe, `tap | target`, with the
streams `results` and `participants` selected; `p88 sync` is the same by `meltano run`. A reload keeps the state; its
clock stands a day later, and whole reads are due: every page is fetched and compared. `all sent again` is the same with
`read_everything`, so that each row reaches the loader. dlt has no memory of rows: its reloads fetch and merge all.
Peak memory: of the largest process of a kind (resident), Postgres as a whole (proportional). dlt writes `json` through
ADBC, which cannot write `jsonb`, and keeps no primary key; the raw tables have theirs, an index more, and triggers.
Bare COPY goes into tables without an index, from a file of typed rows made beforehand.
"""


def _peak(one: Run) -> str:
    names = [name for name in ("tap", "loader", "dlt", POSTGRES, IN_MEMORY) if one.cost.peak.get(name)]
    if len(names) == 1:
        names.insert(0, OURS)
    return ", ".join(f"{name} {one.cost.peak[name] / MEGABYTE:,.0f}" for name in names)


def _needs(console: Console, medians: dict[tuple[str, str], Run], ours: str) -> str:
    def ratio(other: str) -> float | None:
        mine, theirs = medians.get((ours, FIRST)), medians.get((other, FIRST))
        return mine.rate / theirs.rate if mine and theirs else None

    rows = []
    for what, found, needed, aim in (
        ("first load against dlt, dicts", ratio(Dlt.name), 4.0, "8"),
        ("first load against dlt, Arrow", ratio(DltArrow.name), 1.25, "2"),
        ("first load against stock defaults", ratio(Stock.name), 8.0, "15"),
        ("first load against stock, tuned", ratio(Tuned.name) if ours != Tuned.name else None, 1.0, ""),
        ("reload unchanged against first load", _reload(medians, ours), 3.0, ""),
    ):
        if found is not None:
            rows.append([what, f"{found:.2f}", f"{needed:g}", aim, "yes" if found >= needed else "NO"])
    return show(console, "What is needed", ["", "found", "needed", "aim", "reached"], rows) if rows else ""


def _reload(medians: dict[tuple[str, str], Run], ours: str) -> float | None:
    first, again = medians.get((ours, FIRST)), medians.get((ours, UNCHANGED))
    return first.cost.seconds / again.cost.seconds if first and again else None


def _bench_versions() -> str:
    code = "import importlib.metadata as m; print(', '.join(f'{n} {m.version(n)}' for n in ('dlt', 'adbc-driver-postgresql', 'pyarrow')))"  # noqa: E501
    if not BENCH_PYTHON.exists():
        return ""
    done = subprocess.run([str(BENCH_PYTHON), "-c", code], capture_output=True, text=True, check=False)
    return f"Beside them: {done.stdout.strip()}." if done.returncode == 0 else ""


def main() -> None:
    """Measure, print, and write the section in README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loading", description=main.__doc__)
    parser.add_argument("--rows-scale", type=float, default=1.0, help="part of the rows, for trying")
    parser.add_argument("--small", type=float, default=0.1, help="part of the rows that slow ways reload")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ways", nargs="*", default=[], help="parts of the names of ways to measure; all without it")
    parser.add_argument("--folder", type=Path, help="where pages and database go (some 20 GB); a temporary one without")
    parser.add_argument("--readme", action=argparse.BooleanOptionalAction, default=None,
                        help="write the section (default: at full size with all ways)")  # fmt: skip
    arguments = parser.parse_args()
    console = terminal()
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="p88-bench-", dir=arguments.folder) as place:
        runs, version = run(
            console, Path(place), scale=arguments.rows_scale, small=arguments.small * arguments.rows_scale,
            runs=arguments.runs, names=arguments.ways,
        )  # fmt: skip
    text = tell(console, runs, version)
    writes = arguments.readme
    if writes is None:
        writes = arguments.rows_scale == 1 and not arguments.ways
    if writes:
        replace_section("loading", f"## Loading (`make bench`)\n\n{text}")


if __name__ == "__main__":
    main()
