"""The command `p88`."""

import click


@click.group()
def cli() -> None:
    """Project88Hub: race registrations and results, checked and published."""
