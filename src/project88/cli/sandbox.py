"""`p88 sandbox`."""

from __future__ import annotations

import click


@click.group(invoke_without_command=True)
@click.pass_context
def sandbox(context: click.Context) -> None:
    """Start the sandbox in the background, or find it running, and print its URL.

    \b
    Example: p88 sandbox
    Example: curl -s "$(p88 sandbox)/control/health"
    """
    from project88 import sandbox_process

    if context.invoked_subcommand is None:
        click.echo(sandbox_process.start())


@sandbox.command("stop")
def stop() -> None:
    """Stop it (it also stops by itself after half an hour without a call).

    Example: p88 sandbox stop
    """
    from project88 import sandbox_process

    click.echo("stopped" if sandbox_process.stop() else "it was not running", err=True)
