"""`make bench-full`: a full season of 13 partners from the taps to what is published, and the same as plain SQL.

Every step is the product's own: partners and connections as `p88 connection add` saves them, loading as `p88 sync`
does it, then build, gate and publish as `p88 publish` does them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.cycle import SCATTERED
from benchmarks.hub import own_hub, query
from benchmarks.measure import MEGABYTE, POSTGRES, Cost, groups, measured
from benchmarks.pages.make import make
from benchmarks.pages.process import PageServer, serving
from benchmarks.pages.season import CHRONOTRACK, RUNSIGNUP, Wanted
from benchmarks.report import machine, replace_section, show, terminal
from project88 import settings
from project88.tell import Teller

PLAIN = Path(__file__).with_name("plain")
GIGABYTE = 1 << 30
SMALL = 0.01
STREAMS = {
    CHRONOTRACK: ("events", "races", "entries", "brackets", "intervals", "results"),
    RUNSIGNUP: ("races", "events", "participants", "removed_participants", "results"),
}
COLUMNS = ("s", "rows/s", "CPU s", "peak MB, all processes", "of it Postgres")
SYNC, WHOLE = "load", "build, gate and publish together"
# As the cycle calls its step: no part of what the plain SQL does, nor of "dbt, gate, publish".
LINKING = "who is who"


@dataclass
class Hub:
    """What one hub's way from pages to published rows came to."""

    counts: dict[str, int]
    costs: dict[str, Cost] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    plain: dict[str, Cost] = field(default_factory=dict)
    quarantined: int = 0
    version: str = ""


class MeasuringTeller(Teller):
    """Tells what goes on, and measures each step that it is told of."""

    def __init__(self, costs: dict[str, Cost], pages: PageServer) -> None:
        """Put what steps cost under their titles."""
        super().__init__()
        self._costs, self._pages = costs, pages

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], float]]:
        """Measure a step."""
        with measured(groups(self._pages.pid), every=1.0) as cost, super().step(title) as done:
            yield done
        self._costs[title] = cost


def connect_partners(dsn: str, server: PageServer) -> None:
    """Add the partners and their connections."""
    from project88 import connections, db

    accounts = server.control()["accounts"]
    connection = db.connect(dsn)
    try:
        for account in accounts:
            number = account["partner"]
            connections.add_partner(
                connection, slug=f"partner-{number}", name=f"Partner {number} Timing", timing_partner_id=number
            )
            for provider in (CHRONOTRACK, RUNSIGNUP):
                if account[provider]:
                    given = server.settings(provider, number)
                    del given["timing_partner_id"]
                    connections.save(
                        connection, timing_partner_id=number, provider=provider, settings=given, secrets={}
                    )
    finally:
        connection.close()


def load(dsn: str, server: PageServer, hub: Hub, at_once: int) -> None:
    """Load everything as `p88 sync` does."""
    from project88 import pipeline

    with measured(groups(server.pid), every=1.0) as cost:
        report = pipeline.run(dsn, teller=Teller(), publishing=False, at_once=at_once)
    if report.failures:
        raise RuntimeError("; ".join(report.failures))
    hub.costs[SYNC] = cost
    for provider, streams in STREAMS.items():
        for stream in streams:
            hub.rows[f"{provider}.{stream}"] = int(query(dsn, f"select count(*) from raw_{provider}.{stream}")[0][0])
    wanted = hub.counts
    for name, found in (
        ("ct_entries", "chronotrack.entries"), ("ct_results", "chronotrack.results"), ("ct_races", "chronotrack.races"),
        ("ct_events", "chronotrack.events"), ("rsu_events", "runsignup.events"), ("rsu_results", "runsignup.results"),
        ("rsu_participants", "runsignup.participants"), ("rsu_removed", "runsignup.removed_participants"),
    ):  # fmt: skip
        if wanted[name] != hub.rows[found]:
            raise RuntimeError(f"{found} holds {hub.rows[found]:,} rows, not {wanted[name]:,}")


def publish(dsn: str, server: PageServer, hub: Hub) -> None:
    """Build, judge and publish, as `p88 publish` does."""
    from project88 import pipeline

    with measured(groups(server.pid), every=1.0) as cost:
        report = pipeline.run(dsn, teller=MeasuringTeller(hub.costs, server), syncing=False)
    hub.costs[WHOLE] = cost
    hub.quarantined = report.quarantined


def sizes(dsn: str) -> dict[str, int]:
    """Return how large the database and the parts of it are on disk."""
    of_schema = """
        select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
        from pg_class as c inner join pg_namespace as n on c.relnamespace = n.oid
        where c.relkind = 'r' and n.nspname like %s
    """
    found = {"database": int(query(dsn, "select pg_database_size(current_database())")[0][0])}
    for name, pattern in (("raw", "raw\\_%"), ("candidate", "candidate"), ("unified", "unified"), ("hub", "hub")):
        found[name] = int(query(dsn, of_schema, pattern)[0][0])
    return found


def plain(dsn: str, server: PageServer, hub: Hub, folder: Path) -> None:
    """Run a folder's `*.sql` in the order of their names, each in a transaction of its own, in schema plain."""
    from project88 import db

    connection = db.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("drop schema if exists plain cascade; create schema plain")
        for file in sorted(folder.glob("*.sql")):
            with measured(groups(server.pid), every=1.0) as cost, connection, connection.cursor() as cursor:
                cursor.execute("set local search_path = plain")
                cursor.execute(file.read_text(encoding="utf-8"))
            hub.plain[file.stem] = cost
    finally:
        connection.close()


def drop_plain(dsn: str) -> None:
    """Remove what the plain SQL made: it is no part of the hub."""
    query(dsn, "drop schema if exists plain cascade")


def one_hub(console: Console, folder: Path, scale: float, *, keep: bool, at_once: int, sql: Path | None) -> Hub:
    """Take a season of some size all the way; the hub is in `folder/home`, its pages in `folder/pages`."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("pages", total=None)
        counts = make(
            folder / "pages",
            Wanted().scaled(scale),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    hub = Hub(counts)
    console.print(
        f"{counts['events']:,} events, {counts['participants']:,} participants, {counts['results']:,} results"
    )
    with own_hub(folder, keep=keep) as dsn, serving(folder / "pages") as server:
        hub.version = str(query(dsn, "show server_version")[0][0]).split()[0]
        connect_partners(dsn, server)
        load(dsn, server, hub, at_once)
        publish(dsn, server, hub)
        hub.sizes = sizes(dsn)
        if sql is not None and list(sql.glob("*.sql")):
            with console.status("plain SQL"):
                plain(dsn, server, hub, sql)
                drop_plain(dsn)
    return hub


# -- telling ------------------------------------------------------------------------------------------------------


def tell(console: Console, hub: Hub, cycles: dict[str, Any]) -> str:
    """Print the tables; return them as Markdown."""
    counts = hub.counts
    head = (
        f"{machine(('meltano', 'dbt-core', 'great-expectations'), hub.version)} The season: 13 partners, "
        f"{counts['events']:,} events, {counts['participants']:,} participants, {counts['results']:,} results; "
        f"RunSignUp's part: {counts['rsu_events']:,} events, {counts['rsu_participants']:,} participants, "
        f"{counts['rsu_results']:,} results."
    )
    main_rows = counts["participants"] + counts["results"]
    every_row = sum(hub.rows.values())
    parts = [head, show(console, "Steps", ["step", *COLUMNS],
                        [_row(name, cost, main_rows) for name, cost in hub.costs.items()])]  # fmt: skip
    parts.append(
        f"Rows/s count participants and results ({main_rows:,}); with events, races, brackets and intervals the load "
        f"brought {every_row:,} rows. Held back by the gate: {hub.quarantined:,}."
    )
    if hub.plain:
        rows = [_row(name, cost, main_rows) for name, cost in hub.plain.items()]
        parts.append(show(console, "The same as plain SQL (the limit)", ["file", *COLUMNS], rows))
    sized = [[name, f"{size / GIGABYTE:.2f}"] for name, size in hub.sizes.items()]
    parts.append(show(console, "On disk", ["", "GB"], sized))
    parts.append(show(console, "What is needed", ["", "found", "needed", "reached"], _needs(hub, main_rows, cycles)))
    if cycles:
        parts.append(_cycles(console, cycles))
    return "\n\n".join(part for part in parts if part)


def _row(name: str, cost: Cost, rows: int) -> list[str]:
    return [
        name,
        f"{cost.seconds:,.1f}",
        f"{rows / cost.seconds:,.0f}",
        f"{cost.cpu_together:,.1f}",
        f"{cost.peak_together / MEGABYTE:,.0f}",
        f"{cost.peak.get(POSTGRES, 0) / MEGABYTE:,.0f}",
    ]


def _needs(hub: Hub, rows: int, cycles: dict[str, Any]) -> list[list[str]]:
    found = [
        _need("load, rows/s", rows / hub.costs[SYNC].seconds, 30_000, at_least=True),
        _need("memory, all processes, MB", max(c.peak_together for c in hub.costs.values()) / MEGABYTE, 6 * 1024),
        _need("disk, times the raw tables", hub.sizes["database"] / max(1, hub.sizes["raw"]), 3),
    ]
    if hub.plain:
        seconds = sum(cost.seconds for cost in hub.plain.values())
        rest = hub.costs[WHOLE].seconds - (hub.costs[LINKING].seconds if LINKING in hub.costs else 0.0)
        found += [
            _need("build, gate and publish, times the plain SQL", rest / seconds, 2.5),
            _need("the same with who is who", hub.costs[WHOLE].seconds / seconds, 2.5),
        ]
    if cycles:
        large, small = cycles["full"], cycles["small"]
        for what, kind in (("1,000 changed rows", "changed"), ("1,000 rows of as many events", SCATTERED)):
            with_linking = [one[kind] for one in (large, small)]
            without = [one[kind] - one["steps"][kind].get(LINKING, 0.0) for one in (large, small)]
            found += [
                _need(f"cycle (dbt, gate, publish) with {what}, s", without[0], 10),
                _need("the same, times that at a hundredth of the size", without[0] / without[1], 1.3),
                _need("cycle with who is who, s", with_linking[0], 10),
                _need("the same, times that at a hundredth of the size", with_linking[0] / with_linking[1], 1.3),
            ]
        found.append(_need("cycle without a change, s", large["unchanged"], 3))
    return found


def _need(what: str, found: float, needed: float, *, at_least: bool = False) -> list[str]:
    reached = found >= needed if at_least else found <= needed
    shown = f"{found:,.0f}" if found >= 100 else f"{found:.2f}"
    return [what, shown, f"{'at least' if at_least else 'at most'} {needed:,g}", "yes" if reached else "NO"]


def _cycles(console: Console, cycles: dict[str, Any]) -> str:
    rows = []
    for size, found in cycles.items():
        for kind, seconds in found["runs"].items():
            steps = found["steps"].get(kind, {})
            rows.append(
                [f"{size}: {kind}", f"{found[kind]:.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}",
                 ", ".join(f"{name} {value:.2f}" for name, value in steps.items())]
            )  # fmt: skip
    return show(
        console, "Cycles in a warm process (dbt, who is who, gate, publish)", ["", "s", "least to most", "steps"], rows
    )


def cycles_of(folder: Path) -> dict[str, Any]:
    """Measure cycles on a kept hub, in a process of its own: a warm one, that has done nothing else."""
    out = folder / "cycles.json"
    subprocess.run(
        [sys.executable, "-m", "benchmarks.cycle", "--folder", str(folder), "--json", str(out)],
        check=True,
        cwd=settings.CHECKOUT,
    )
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the section in README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full", description=main.__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full season")
    parser.add_argument("--folder", type=Path, help="where pages and database go (some 60 GB); a temporary one without")
    parser.add_argument(
        "--keep", action="store_true", help="keep pages and hub in the folder: FOLDER/full, FOLDER/small"
    )
    parser.add_argument("--at-once", type=int, default=min(4, os.cpu_count() or 2), help="connections at the same time")
    parser.add_argument("--cycles", action=argparse.BooleanOptionalAction, default=True, help="measure cycles, too")
    parser.add_argument("--readme", action=argparse.BooleanOptionalAction, default=None,
                        help="write the section (default: at full size)")  # fmt: skip
    given = parser.parse_args(arguments)
    if given.keep and not given.folder:
        parser.error("--keep needs --folder")
    console = terminal()
    began = time.monotonic()
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="p88-full-", dir=given.folder)) if not given.keep else given.folder
    try:
        for name in ("full", "small"):
            shutil.rmtree(place / name, ignore_errors=True)
        hub = one_hub(console, place / "full", given.scale, keep=given.keep or given.cycles, at_once=given.at_once,
                      sql=PLAIN)  # fmt: skip
        cycles: dict[str, Any] = {}
        if given.cycles:
            one_hub(console, place / "small", given.scale * SMALL, keep=True, at_once=given.at_once, sql=None)
            cycles = {name: cycles_of(place / name) for name in ("full", "small")}
        text = tell(console, hub, cycles)
    finally:
        if not given.keep:
            shutil.rmtree(place, ignore_errors=True)
    console.print(f"{time.monotonic() - began:,.0f} s in all")
    if given.readme if given.readme is not None else given.scale == 1:
        when = datetime.now(UTC).date().isoformat()
        replace_section("full", f"## A full season (`make bench-full`, {when})\n\n{text}")


if __name__ == "__main__":
    main()
