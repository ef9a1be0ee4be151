"""The command `p88`: parse, call one function, print."""

from __future__ import annotations

import sys
from typing import Any

import click

from project88.errors import ActionNeeded


class Commands(click.Group):
    """A group whose failures are one line, and whose commands are listed in the order they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they were added."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what a person must act on becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except ActionNeeded as error:
            click.echo(f"p88: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("p88: interrupted; `p88 run` goes on from here", err=True)
            sys.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="project88")
def cli() -> None:
    """Race registrations and results of many providers in one Postgres: checked, published, isolated by partner.

    \b
    Begin with:   p88 demo                 a fictional season through the whole path, no account needed
    Then look:    p88 status
                  p88 sql "select event_name, event_date from unified.unified_events order by 2"
    """


def _add_commands() -> None:
    from project88.cli import database, gate, link, partners, person, run, sandbox, show

    for command in (
        run.demo, run.run, run.sync, run.build, gate.gate, run.publish, run.rebuild, run.live, show.status,
        database.sql, database.db, partners.partner, partners.connection, partners.with_, sandbox.sandbox, show.docs,
        show.lab, partners.key, link.link, person.person,
    ):  # fmt: skip
        cli.add_command(command)


_add_commands()
