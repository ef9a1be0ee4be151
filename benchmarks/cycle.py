"""Cycles on a hub that `make bench-full` kept: `python -m benchmarks.cycle --folder FOLDER/full`.

A warm process builds, judges and publishes, as `p88 live` does: without a change, with 1,000 changed rows, and after a
sync that brought some 1,000 changed rows through tap and loader. The database does not stop for it: what is measured is
the cycle, in a process that has run one before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.hub import own_hub, query
from benchmarks.pages.process import PageServer, serving
from benchmarks.pages.season import RUNSIGNUP
from benchmarks.report import show, terminal
from project88.errors import ActionNeeded
from project88.tell import Teller

ROWS = 1_000
# Of a late delivery most are corrected times, the rest entries that were edited.
RESULTS, ENTRIES = 800, 200

SCATTERED = "changed, as few as can be of an event"
GATHERED = 100
"""Of so many events are the rows of a race day's minute: at every size the same change."""

# As many of each event, other ones each time, found by the index on events: a scan would push out of memory what
# the cycle is about to read, and no cycle comes after a scan.
PICK = """
create temporary table picked on commit drop as
with events as materialized (
    select timing_partner_id, event_id, least({most}, count(*) over ()) as number
    from raw_chronotrack.events
    order by md5(event_id || '{seed}')
    -- Some have none of these rows.
    limit 2 * {most}
)
select picked.* from events cross join lateral (
    select {keys} from raw_chronotrack.{table} as r
    where (r.timing_partner_id, r.event_id) = (events.timing_partner_id, events.event_id) and {condition}
    order by md5({shuffled} || '{seed}')
    limit ceil({rows}::numeric / events.number)
) as picked
limit {rows}
"""
CHANGE_RESULTS = """
with later as (
    select r.timing_partner_id, r.event_id, r.results_entry_id, r.results_interval_id,
        case r.results_pace when '00:09:59' then '00:09:58' else '00:09:59' end as pace
    from raw_chronotrack.results as r
    inner join picked using (timing_partner_id, event_id, results_entry_id, results_interval_id)
)
update raw_chronotrack.results as r
set results_pace = later.pace, read_at = now(),
    record = jsonb_set(r.record::jsonb, '{results_pace}', to_jsonb(later.pace))
from later
where (r.timing_partner_id, r.event_id, r.results_entry_id, r.results_interval_id)
    = (later.timing_partner_id, later.event_id, later.results_entry_id, later.results_interval_id)
"""
CHANGE_ENTRIES = """
with later as (
    select e.timing_partner_id, e.entry_id,
        case e.location_city when 'Elsewhere' then 'Nowhere' else 'Elsewhere' end as city
    from raw_chronotrack.entries as e
    inner join picked using (timing_partner_id, entry_id)
)
update raw_chronotrack.entries as e
set location_city = later.city, read_at = now(),
    record = jsonb_set(e.record::jsonb, '{location_city}', to_jsonb(later.city))
from later
where (e.timing_partner_id, e.entry_id) = (later.timing_partner_id, later.entry_id)
"""


def change_rows(dsn: str, seed: int, events: int | None = None) -> int:
    """Change 1,000 results and entries in raw; returns how many there were.

    They are of so many events, or of as many as there are of them, drawn alike whatever their size.
    """
    from project88 import db

    connection = db.connect(dsn)
    changed = 0
    try:
        for table, keys, shuffled, condition, rows, change in (
            ("results", "timing_partner_id, event_id, results_entry_id, results_interval_id", "results_entry_id",
             "results_interval_full", RESULTS, CHANGE_RESULTS),
            ("entries", "timing_partner_id, entry_id", "entry_id", "entry_status = 'FIN'", ENTRIES, CHANGE_ENTRIES),
        ):  # fmt: skip
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    PICK.format(table=table, keys=keys, shuffled=shuffled, condition=condition, rows=rows, seed=seed,
                                most=events or rows)
                )  # fmt: skip
                cursor.execute(change)
                changed += cursor.rowcount
    finally:
        connection.close()
    return changed


def through_tap(dsn: str, server: PageServer, rows: int) -> float:
    """Let some 1,000 of the rows change that taps still look at, and sync; returns the seconds."""
    from project88 import connections, db, pipeline

    connection = db.connect(dsn)
    try:
        # The page server has another port this time.
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "update hub.connections set settings = settings || jsonb_build_object('api_url', "
                "%s || case provider_name when %s then '/runsignup/rest' else '/chronotrack/api' end)",
                (server.address, RUNSIGNUP),
            )
        connections.enabled(connection)
    finally:
        connection.close()
    server.control(advance=600, change_every=max(1, rows // ROWS))
    began = time.perf_counter()
    report = pipeline.run(dsn, teller=Teller(quiet=True), publishing=False)
    if report.failures:
        raise ActionNeeded("; ".join(report.failures))
    return time.perf_counter() - began


def watched_rows(dsn: str) -> int:
    """Return how many rows belong to events that a tap reads again."""
    return int(
        query(
            dsn,
            """
            select count(*) from raw_chronotrack.results as r
            inner join raw_chronotrack.events as e using (timing_partner_id, event_id)
            where e.event_end_time between '2026-09-05' and '2026-09-19'
            """,
        )[0][0]
    )


def measure(console: Console, folder: Path, *, runs: int, with_tap: bool) -> dict[str, Any]:
    """Return the seconds of each kind of cycle: all of them, the median, and the median's steps."""
    from project88 import pipeline
    from project88.cycle import Cycle

    found: dict[str, Any] = {"runs": {}, "steps": {}, "changed_rows": {}}
    with own_hub(folder, keep=True) as dsn, serving(folder / "pages") as server:
        cycle = Cycle(dsn)

        def turn() -> tuple[float, dict[str, float], int]:
            now = datetime.now(UTC)
            began = time.perf_counter()
            done = cycle.run(pipeline.new_run_id(now), now=now)
            return time.perf_counter() - began, done.steps, done.publication.changed

        def kind(name: str, before: Callable[[int], Any], times: int = runs) -> None:
            timed = []
            for n in range(times):
                with console.status(f"{name}, {n + 1} of {times}"):
                    before(n)
                    timed.append(turn())
            timed.sort(key=lambda one: one[0])
            middle = timed[len(timed) // 2]
            found["runs"][name] = [seconds for seconds, _, _ in timed]
            found["steps"][name], found["changed_rows"][name] = middle[1], middle[2]
            found[name] = statistics.median(found["runs"][name])

        with console.status("starting up: the first cycle is not counted"):
            turn()
            # One with changes, too: what it needs is imported, planned and cached by then.
            change_rows(dsn, 1)
            turn()
        kind("unchanged", lambda n: None)
        kind("changed", lambda n: change_rows(dsn, 100 + n, GATHERED))
        kind(SCATTERED, lambda n: change_rows(dsn, 200 + n))
        if with_tap:
            rows = watched_rows(dsn)
            syncs: list[float] = []
            if rows:
                # Each of these syncs every connection first, which takes far longer than the cycle.
                kind(
                    "changed through tap and loader",
                    lambda n: syncs.append(through_tap(dsn, server, rows)),
                    min(runs, 2),
                )
                found["sync"] = statistics.median(syncs)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure cycles on a kept hub and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cycle", description=main.__doc__)
    parser.add_argument(
        "--folder", type=Path, required=True, help="what make bench-full kept: it holds home/ and pages/"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--tap", action=argparse.BooleanOptionalAction, default=True, help="also through tap and loader"
    )
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    given = parser.parse_args(arguments)
    if not (given.folder / "home").is_dir():
        parser.error(f"{given.folder} holds no hub: make one with python -m benchmarks.full --keep --folder FOLDER")
    console = terminal()
    found = measure(console, given.folder, runs=given.runs, with_tap=given.tap)
    rows = [
        [name, f"{found[name]:.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}", f"{found['changed_rows'][name]:,}",
         ", ".join(f"{step} {value:.2f}" for step, value in found["steps"][name].items())]
        for name, seconds in found["runs"].items()
    ]  # fmt: skip
    show(console, f"Cycles of {given.folder.name}", ["", "s", "least to most", "rows published", "steps, s"], rows)
    if given.json:
        given.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
