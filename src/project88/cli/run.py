"""`p88 demo`, `run`, `sync`, `build`, `publish`, `rebuild` and `live`."""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import UTC, datetime

import click

from project88 import connections, db, pipeline, raw, sandbox_process, settings
from project88.show import print_run
from project88.tell import Teller

partner_option = click.option("--partner", help="Only this timing partner (slug or id).")
provider_option = click.option("--provider", type=click.Choice(raw.PROVIDERS), help="Only this provider.")
everything_option = click.option("--everything", is_flag=True, help="Read all again, whatever the bookmarks say.")


def _finish(dsn: str, report: pipeline.RunReport, began: float, *, demo: bool = False) -> None:
    print_run(dsn, report, time.monotonic() - began, demo=demo)
    if report.failures:
        for failure in report.failures:
            click.echo(f"p88: {failure}", err=True)
        sys.exit(1)


@click.command()
@click.option("--at-once", default=2, show_default=True, help="Connections read at the same time.")
def demo(at_once: int) -> None:
    """Bring a fictional season from the sandbox through the whole path; no account needed.

    P88_SIZE (tiny, small, medium or a number of participants) sets its size; P88_WORLD=FOLDER serves a folder of
    result CSVs instead.

    Example: p88 demo
    """
    began = time.monotonic()
    teller = Teller()
    with teller.step("database") as done:
        dsn = db.database_url()
        pipeline.prepare(dsn)
        done(db.without_password(dsn))
    with teller.step("sandbox") as done:
        url = sandbox_process.start()
        served = sandbox_process.connections(url)
        _save(dsn, served)
        done(url)
    report = pipeline.run(dsn, teller=teller, at_once=at_once)
    _finish(dsn, report, began, demo=True)


def _save(dsn: str, served: list[dict[str, object]]) -> None:
    connection = db.connect(dsn)
    try:
        for one in served:
            number = int(str(one["timing_partner_id"]))
            connections.add_partner(
                connection, slug=str(one["slug"]), name=str(one["partner"]), timing_partner_id=number
            )
            settings = dict(one["settings"])  # type: ignore[call-overload]
            settings.pop("timing_partner_id", None)
            connections.save(
                connection, timing_partner_id=number, provider=str(one["provider"]), settings=settings,
                secrets=dict(one["secrets"]),  # type: ignore[call-overload]
            )  # fmt: skip
        # Another world may have been served before: its accounts are not asked any more, what they brought stays.
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                update hub.connections set enabled = false
                where settings ->> 'api_url' like 'http://127.0.0.1:%%'
                    and (timing_partner_id, provider_name) not in (
                        select * from unnest(%s::int[], %s::text[])
                    )
                """,
                (
                    [int(str(one["timing_partner_id"])) for one in served],
                    [str(one["provider"]) for one in served],
                ),
            )
    finally:
        connection.close()


@click.command()
@partner_option
@provider_option
@everything_option
@click.option(
    "--at-once", type=int, default=lambda: min(4, os.cpu_count() or 2), help="Connections read at the same time."
)
def run(partner: str | None, provider: str | None, everything: bool, at_once: int) -> None:
    """Sync the connections, build, check and publish.

    \b
    Example: p88 run
    Example: p88 run --partner harbour --provider runsignup
    """
    began = time.monotonic()
    dsn = db.database_url()
    report = pipeline.run(
        dsn, teller=Teller(), partner=partner, provider=provider, read_everything=everything, at_once=at_once
    )
    _finish(dsn, report, began)


@click.command()
@partner_option
@provider_option
@everything_option
@click.option(
    "--at-once", type=int, default=lambda: min(4, os.cpu_count() or 2), help="Connections read at the same time."
)
def sync(partner: str | None, provider: str | None, everything: bool, at_once: int) -> None:
    """Load into the raw schemas only; nothing is published.

    Example: p88 sync --partner harbour --provider chronotrack
    """
    began = time.monotonic()
    dsn = db.database_url()
    report = pipeline.run(
        dsn, teller=Teller(), partner=partner, provider=provider, read_everything=everything, at_once=at_once,
        publishing=False,
    )  # fmt: skip
    _finish(dsn, report, began)


@click.command()
@click.option("--everything", is_flag=True, help="Build all rows anew, not only those that changed.")
def build(everything: bool) -> None:
    """Build the candidate relations with dbt; nothing is published.

    Example: p88 build
    """
    from project88 import transform

    dsn = db.database_url()
    pipeline.prepare(dsn)
    teller = Teller()
    with teller.step("dbt builds the candidates") as done:
        done(f"{transform.build(dsn, everything=everything).nodes} models and tests")


@click.command()
def publish() -> None:
    """Build, check and publish what is loaded; reads from no provider.

    Example: p88 publish
    """
    began = time.monotonic()
    dsn = db.database_url()
    report = pipeline.run(dsn, teller=Teller(), syncing=False, now=datetime.now(UTC))
    _finish(dsn, report, began)


@click.command()
def rebuild() -> None:
    """Build every row anew from raw, judge all of it, and publish what differs; reads from no provider.

    A changed model, mapping or suite is noticed by any run and rebuilds what it touches; this is for what nobody can
    notice, such as a database that was restored from a dump, or rows deleted by hand.

    Example: p88 rebuild
    """
    began = time.monotonic()
    dsn = db.database_url()
    report = pipeline.run(dsn, teller=Teller(), syncing=False, rebuild=True)
    _finish(dsn, report, began)


@click.command()
@click.option("--every", default=60.0, show_default=True, help="Seconds until a cycle begins though nothing arrived.")
@click.option("--pause", default=5.0, show_default=True, help="Seconds between two cycles, at least.")
@click.option("--cycles", type=int, help="End after so many; goes on until Ctrl-C where left out.")
def live(every: float, pause: float, cycles: int | None) -> None:
    """Stay, and publish what arrives within seconds of its arrival, whoever loads it.

    dbt and the gate are started once. Loading goes on beside it: by `p88 sync`, by a schedule of Meltano.

    Example: p88 live --cycles 1
    """
    from project88 import live as staying

    logging.basicConfig(
        filename=settings.private_folder("logs") / "live.log", level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )  # fmt: skip
    dsn = db.database_url()
    teller = Teller()
    pipeline.prepare(dsn)
    with pipeline.stop_requests(teller) as stopping:
        failed = staying.stay(dsn, teller=teller, stopping=stopping, every=every, pause=pause, cycles=cycles)
    if failed:
        sys.exit(1)
