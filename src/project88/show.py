"""What a run ends with: a table, and what to try next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from project88 import db

if TYPE_CHECKING:
    from project88.pipeline import RunReport

# Where a stream's rows are published. A stream that is missing here describes others (a race's name on its events).
STREAM_RELATIONS = {
    ("runsignup", "events"): "unified_events",
    ("runsignup", "participants"): "unified_participants",
    ("runsignup", "results"): "unified_results",
    ("chronotrack", "events"): "unified_events",
    ("chronotrack", "races"): "unified_races",
    ("chronotrack", "entries"): "unified_participants",
    ("chronotrack", "brackets"): "unified_divisions",
    ("chronotrack", "intervals"): "unified_timing_points",
    ("chronotrack", "results"): "unified_results",
    ("copernico", "events"): "unified_events",
    ("copernico", "participants"): "unified_participants",
    ("copernico", "results"): "unified_results",
    ("raceroster", "events"): "unified_events",
    ("raceroster", "sub_events"): "unified_races",
    ("raceroster", "participants"): "unified_participants",
    ("raceroster", "results"): "unified_results",
    ("letsdothis", "occurrences"): "unified_events",
    ("letsdothis", "races"): "unified_races",
    ("letsdothis", "participants"): "unified_participants",
    ("haku", "events"): "unified_events",
    ("haku", "categories"): "unified_races",
    ("haku", "participants"): "unified_participants",
}

PUBLISHED = """
    select source_provider, 'unified_events', count(*), 0 from unified.unified_events group by 1
    union all select source_provider, 'unified_races', count(*), 0 from unified.unified_races group by 1
    union all select source_provider, 'unified_divisions', count(*), 0 from unified.unified_divisions group by 1
    union all select source_provider, 'unified_timing_points', count(*), 0
        from unified.unified_timing_points group by 1
    union all select source_provider, 'unified_participants', count(*), count(*) filter (where is_removed)
        from unified.unified_participants group by 1
    union all select source_provider, 'unified_results', count(*), count(*) filter (where is_removed)
        from unified.unified_results group by 1
"""

QUARANTINED = """
    select source_provider, relation, count(distinct row_key)
    from hub.quarantine where resolved_at is null group by 1, 2
"""

LINES = """
    select provider_name, stream, sum(received)::bigint, sum(calls_made)::bigint, sum(calls_saved)::bigint,
        max(seconds)
    from hub.run_streams where run_id = %s group by 1, 2 order by 1 desc, 2
"""


def print_run(dsn: str, report: RunReport, seconds: float, *, demo: bool = False) -> None:
    """Print the table of a run to stdout, and to stderr how it went and what comes next."""
    connection = db.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(LINES, (report.run_id,))
            lines = cursor.fetchall()
            published: dict[tuple[str, str], tuple[int, int]] = {}
            quarantined: dict[tuple[str, str], int] = {}
            if report.publication is not None:
                cursor.execute(PUBLISHED)
                published = {(row[0], row[1]): (row[2], row[3]) for row in cursor.fetchall()}
                cursor.execute(QUARANTINED)
                quarantined = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
            cursor.execute("select exists (select 1 from hub.publications where run_id <> %s)", (report.run_id,))
            is_first = cursor.fetchone() == (False,)
    finally:
        connection.close()

    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("provider")
    table.add_column("stream")
    for name in ("received", "published", "quarantined", "removed", "calls", "saved", "seconds"):
        table.add_column(name, justify="right")
    for provider, stream, received, calls, saved, took in lines:
        relation = STREAM_RELATIONS.get((provider, stream), "")
        rows, removed = published.get((provider, relation), (None, None))
        held = quarantined.get((provider, relation), 0) + quarantined.get((provider, f"raw_{provider}.{stream}"), 0)
        table.add_row(
            provider, stream, f"{received:,}", "" if rows is None else f"{rows:,}", f"{held:,}" if relation else "",
            f"{removed:,}" if removed is not None and relation in {"unified_participants", "unified_results"} else "",
            f"{calls:,}", f"{saved:,}", f"{took:.1f}",
        )  # fmt: skip
    console.print(table)

    err = Console(stderr=True, highlight=False, soft_wrap=True)
    if report.publication is None:
        err.print(f"\nLoaded in {seconds:.0f} s; nothing was built or published. Next: p88 publish")
        return
    saved_calls = sum(found.calls_saved for outcome in report.outcomes for found in outcome.streams.values())
    if not is_first:
        what = (
            f"{report.changed_rows:,} published rows changed"
            if report.changed_rows
            else "nothing changed, nothing published"
        )
        err.print(f"\nIncremental: {what}; {saved_calls:,} calls saved, {seconds:.0f} s in all.")
    else:
        err.print(f"\nFirst publish: {report.changed_rows:,} rows, {seconds:.0f} s in all.")
    err.print("published = rows now visible; received, calls and seconds are this run's.", style="dim")
    program = "p88" if not demo else ".venv/bin/p88"
    err.print("\nNext:")
    query = "select event_name, event_date, source_provider from unified_events order by 2 limit 10"
    err.print(f'  {program} sql "{query}"', markup=False)
    err.print(
        f"  {program} status          what is published, when, from which connection, what is in quarantine",
        markup=False,
    )
    if demo:
        err.print("  make lab                  JupyterLab on the published data")
        err.print("  make docs                 the dbt docs site with lineage, and the gate's data docs")
        err.print("  make run                  once more: only what changed")
