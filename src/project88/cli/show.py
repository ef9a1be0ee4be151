"""`p88 status` and `p88 docs`."""

from __future__ import annotations

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status(as_json: bool) -> None:
    """Say what is published, when, from which connection, and what is in quarantine.

    \b
    Example: p88 status
    Example: p88 status --json | python3 -m json.tool
    """
    from project88 import db, pipeline
    from project88.status_page import as_text, collect

    dsn = db.database_url()
    pipeline.prepare(dsn)
    connection = db.connect(dsn)
    try:
        found = collect(connection)
    finally:
        connection.close()
    if as_json:
        import json

        click.echo(json.dumps(found, default=str, indent=2))
    else:
        as_text(found)


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
