"""`p88 status` and `p88 docs`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from project88.status import Status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status(as_json: bool) -> None:
    """Say what is published, when, from which connection, and what is in quarantine.

    \b
    Example: p88 status
    Example: p88 status --json | python3 -m json.tool
    """
    import dataclasses
    import json

    from project88 import db, pipeline
    from project88.status import status as ask

    dsn = db.database_url()
    pipeline.prepare(dsn)
    connection = db.connect(dsn)
    try:
        found = ask(connection)
    finally:
        connection.close()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), default=str, indent=2))
    else:
        _print_status(found)


def _print_status(found: Status) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)

    def table(title: str, names: str, rows: list[list[object]]) -> None:
        shown = Table(
            title=title, title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False
        )
        for name in names.split(", "):
            shown.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
        for row in rows:
            shown.add_row(*(_text(value) for value in row))
        console.print(shown)
        console.print()

    if found.publication is None:
        console.print("Nothing has been published yet: `p88 run`, or `p88 demo` to try without an account.\n")
    else:
        one = found.publication
        console.print(f"Last publish {_text(one.published_at)} UTC by run {one.run_id}: {one.inserted:,} rows new, "
                      f"{one.updated:,} changed, {one.deleted:,} taken back; {one.total:,} in all.\n")  # fmt: skip
    table("Published", "relation, rows, last changed",
          [[each.relation, each.rows, each.changed_at] for each in found.relations])  # fmt: skip
    table("Connections", "partner, provider, account, events, participants, results, last read, last run",
          [[each.company_name, each.provider_name, each.account + ("" if each.is_enabled else " (off)"), each.events,
            each.participants, each.results, each.last_fetched_at, each.last_sync_error or each.last_sync_status]
           for each in found.connections])  # fmt: skip
    if found.quarantine:
        shown, more = found.quarantine[:MOST_GROUPS], found.quarantine[MOST_GROUPS:]
        table(
            "Quarantine", "rows, partner, provider, relation, rule, for example, reason",
            [[each.rows, each.timing_partner_id, each.source_provider, each.relation, each.rule,
              (each.sample_keys or [""])[0], each.reason[:60]] for each in shown],
        )  # fmt: skip
        if more:
            console.print(
                f"and {sum(each.rows for each in more):,} more rows in {len(more)} groups: p88 status --json\n"
            )
    else:
        console.print("Quarantine: empty.\n")


NUMBERS = {"rows", "events", "participants", "results"}
MOST_GROUPS = 20


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@click.command()
@click.option("--serve/--no-serve", default=True, help="Serve on loopback until Ctrl-C, or only build.")
@click.option("--port", default=8088, show_default=True)
def docs(serve: bool, port: int) -> None:
    """Build the dbt docs site, the gate's data docs linked from it, and serve both on loopback.

    Example: p88 docs
    """
    from project88 import db, docs_site, pipeline
    from project88.tell import Teller

    dsn = db.database_url()
    pipeline.prepare(dsn)
    teller = Teller()
    with teller.step("dbt docs") as done:
        folder = docs_site.build(dsn)
        done(str(folder))
    if serve:
        docs_site.serve(folder, port, say=lambda text: click.echo(text, err=True))


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--as", "reader", metavar="PARTNER", default="analyst", help="See what a partner sees (slug or id).")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(reader: str, arguments: tuple[str, ...]) -> None:
    """Open JupyterLab on the published data; ARGUMENTS go to it. `make lab` makes its environment first.

    The notebooks read as the analyst, who sees all partners, or as one partner.

    \b
    Example: p88 lab
    Example: p88 lab --as harbour --no-browser --port 8890
    """
    import os
    import subprocess
    import sys

    from project88 import db, pipeline, settings, tenancy
    from project88.cli.database import _partner_id
    from project88.errors import ActionNeeded

    program = settings.CHECKOUT / ".venv-lab" / "bin" / "jupyter"
    if not program.exists():
        raise ActionNeeded("JupyterLab has an environment of its own, which is not there yet; `make lab` makes it")
    dsn = db.database_url()
    pipeline.prepare(dsn)
    # Held as long as the lab is open: the embedded server stops when nobody is connected for a while.
    connection = db.connect(dsn)
    try:
        with connection.cursor() as cursor:
            partner = _partner_id(cursor, reader)
        names = tenancy.roles(connection)
        connection.commit()
        command = [str(program), "lab", "--notebook-dir", str(settings.CHECKOUT / "notebooks"), *arguments]
        if os.geteuid() == 0:
            command.append("--allow-root")
        environment = os.environ | {
            "P88_NOTEBOOK_URL": dsn,
            "P88_NOTEBOOK_ROLE": names.analyst if partner is None else names.partners[partner],
            # Where the notebooks find project88.notebook: the lab's environment does not hold the application.
            "PYTHONPATH": str(settings.CHECKOUT / "src"),
        }
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    finally:
        connection.close()
