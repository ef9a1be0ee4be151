"""`p88 db` and `p88 sql`."""

from __future__ import annotations

import contextlib
import csv
import sys
from typing import Any

import click
import psycopg2

from project88 import db as database
from project88.errors import ActionNeeded

MOST_ROWS_SHOWN = 200


@click.group()
def db() -> None:
    """The database in use: the embedded one, or the one P88_DATABASE_URL names."""


@db.command("url")
def db_url() -> None:
    """Print the DSN in use; starts the embedded server where needed.

    Example: psql "$(p88 db url)"
    """
    click.echo(database.database_url())


@db.command("programs")
def db_programs() -> None:
    """Print the folder of the embedded server's own pg_dump, pg_restore, psql and createdb: they fit its version.

    Example: PATH="$(p88 db programs):$PATH"
    """
    from project88.db import embedded

    click.echo(embedded.programs())


@db.command("start")
def db_start() -> None:
    """Start the embedded server and bring its schemas up to date.

    Example: p88 db start
    """
    from project88 import pipeline

    dsn = database.database_url()
    pipeline.prepare(dsn)
    click.echo(database.without_password(dsn))


@db.command("stop")
def db_stop() -> None:
    """Stop the embedded server (it also stops by itself when nobody has used it for 45 minutes).

    Example: p88 db stop
    """
    from project88.db import embedded

    click.echo("stopped" if embedded.stop() else "it was not running", err=True)


@click.command()
@click.argument("query")
@click.option("--csv", "as_csv", is_flag=True, help="CSV on stdout instead of a table.")
@click.option("--as", "role", metavar="PARTNER", help="See what a partner sees (slug or id), or `analyst`.")
def sql(query: str, as_csv: bool, role: str | None) -> None:
    """Run QUERY and print a table, or CSV. Names are looked up in schema unified first.

    \b
    Example: p88 sql "select source_provider, count(*) from unified_participants group by 1"
    Example: p88 sql --as harbour --csv "select * from unified_events" > events.csv
    """
    from project88 import tenancy

    connection = database.connect()
    try:
        with connection.cursor() as cursor, contextlib.ExitStack() as acting:
            if role:
                acting.enter_context(tenancy.acting_as(connection, _partner_id(cursor, role)))
            cursor.execute("set local search_path = unified, hub, public")
            try:
                cursor.execute(query)
            except psycopg2.Error as error:
                raise ActionNeeded(f"the query failed: {str(error).strip().splitlines()[0]}") from error
            if cursor.description is None:
                click.echo(f"{cursor.rowcount} rows", err=True)
            else:
                _print_rows(cursor, as_csv)
        connection.commit()
    finally:
        connection.close()


def _print_rows(cursor: Any, as_csv: bool) -> None:
    names = [column.name for column in cursor.description]
    if not as_csv:
        _print_table(names, cursor.fetchmany(MOST_ROWS_SHOWN), cursor.rowcount)
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(cursor)


def _partner_id(cursor: Any, who: str) -> int | None:
    if who == "analyst":
        return None
    cursor.execute(
        "select timing_partner_id from hub.timing_partners where slug = %s or timing_partner_id::text = %s", (who, who)
    )
    row = cursor.fetchone()
    if row is None:
        raise ActionNeeded(f"there is no timing partner {who}; `p88 partner list` shows them")
    return int(row[0])


def _print_table(names: list[str], rows: list[tuple[Any, ...]], count: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*names, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console(width=None if sys.stdout.isatty() else 240, highlight=False, markup=False)
    console.print(table)
    if count > len(rows):
        click.echo(f"the first {len(rows)} of {count} rows; --csv prints all", err=True)
