"""`p88 gate`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import click

from project88 import db, pipeline, settings
from project88.cycle import stop_message
from project88.errors import ActionNeeded


@click.group(invoke_without_command=True)
@click.pass_context
def gate(context: click.Context) -> None:
    """Check what arrived and what would be published; publishes nothing.

    Example: p88 gate
    """
    if context.invoked_subcommand:
        return
    from expectations.runner import Stage, run_gate

    stages: tuple[Stage, ...] = ("arrivals", "candidates")
    dsn = db.database_url()
    pipeline.prepare(dsn)
    now = datetime.now(UTC)
    run_id = pipeline.new_run_id(now)
    passed = True
    for stage in stages:
        report = run_gate(dsn, stage, run_id, now, settings.home() / "docs" / "gate")
        click.echo(f"{stage}: {'passed' if report.passed else 'STOPPED'}, {report.quarantined} rows in quarantine")
        if not report.passed:
            click.echo(f"p88: {stop_message(report.failures)}", err=True)
            passed = False
    if not passed:
        sys.exit(1)


@gate.command("accept")
@click.argument("rule")
@click.option("--partner", required=True, help="The timing partner (slug or id) it is accepted for.")
@click.option("--provider", required=True, help="The provider it is accepted for.")
@click.option("--relation", required=True, help="The relation that the rule stopped, as the message names it.")
@click.option("--reason", required=True, help="Why; kept on record.")
@click.option("--days", default=1, show_default=True, help="For how long, at most; it is used once.")
def accept(rule: str, partner: str, provider: str, relation: str, reason: str, days: int) -> None:
    """Accept what RULE stopped, once, and say why.

    \b
    Example: p88 gate accept count_collapse --partner harbour --provider runsignup \\
             --relation raw_runsignup.participants --reason "the race was cancelled"
    """
    from expectations.runner import waive
    from project88 import connections

    connection = db.connect()
    try:
        found = connections.enabled(connection, partner=partner, provider=provider)[0]
        try:
            waive(
                connection, rule=rule, timing_partner_id=found.timing_partner_id, source_provider=provider,
                relation=relation, reason=reason, until=datetime.now(UTC) + timedelta(days=days),
            )  # fmt: skip
        except ValueError as error:
            raise ActionNeeded(str(error)) from error
        connection.commit()
    finally:
        connection.close()
    click.echo("accepted for the next run: p88 run", err=True)
