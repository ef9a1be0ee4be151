"""`p88 person`."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from project88.persons.decisions import Kind

why_option = click.option("--why", required=True, help="The reason; kept on record.")
by_option = click.option("--by", default=getpass.getuser, help="Who decides; your user name where left out.")


@click.group()
def person() -> None:
    """Persons: who is who among a partner's entries, and what somebody decided about it.

    A person is named by its global_participant_id, one that it had before, or the key of one of its records.
    """


@contextlib.contextmanager
def _opened() -> Iterator[Connection]:
    from project88 import db, pipeline

    dsn = db.database_url()
    pipeline.prepare(dsn)
    connection = db.connect(dsn)
    try:
        yield connection
    finally:
        connection.close()


@person.command("show")
@click.argument("name", metavar="PERSON")
def show(name: str) -> None:
    """Show a person: its records and how surely they are one, the ids it had, what changed, what was decided.

    \b
    Example: p88 person show \\
             "$(p88 sql --csv "select min(participant_key) from unified_participants" | tail -1)"
    """
    from project88.cli.database import _print_table
    from project88.persons import store

    with _opened() as connection, connection.cursor() as cursor:
        found = store.look(cursor, name)
    click.echo(f"person {found.person_id} of timing partner {found.timing_partner_id}, since {_time(found.minted_at)}")
    if found.names_before:
        click.echo(f"before also {', '.join(found.names_before)}")
    shown = found.records[: store.MOST_RECORDS_SHOWN]
    _print_table(["record", "confidence"], [(key, f"{value:.4f}") for key, value in shown], len(found.records))
    if found.changes:
        rows = [(_time(at), *rest) for at, *rest in found.changes]
        _print_table(["changed", "how", "person", "now", "records"], rows, len(rows))
    if found.decisions:
        rows = [(_time(at), *rest) for at, *rest in found.decisions]
        _print_table(["decided", "what", "by", "why", "records", "apart from"], rows, len(rows))


@person.command("merge")
@click.argument("names", metavar="PERSON PERSON...", nargs=-1, required=True)
@why_option
@by_option
def merge(names: tuple[str, ...], why: str, by: str) -> None:
    """Decide that these are one person. The oldest id stays; it holds whatever the linkage finds.

    \b
    Example: p88 person merge --why "maiden name, told by the runner" \\
             $(p88 sql --csv "select min(participant_key) from unified_participants where timing_partner_id = 1
                              group by global_participant_id order by 1 limit 2" | tail -2)
    """
    _decide("merge", names, (), why, by)


@person.command("split")
@click.argument("name", metavar="PERSON")
@click.argument("records", metavar="RECORD...", nargs=-1, required=True)
@why_option
@by_option
def split(name: str, records: tuple[str, ...], why: str, by: str) -> None:
    """Decide that these records of PERSON are somebody else's. The larger part keeps the id.

    \b
    Example: p88 person split --why "father and son" \\
             $(p88 sql --csv "select global_participant_id || ' ' || min(participant_key) from unified_participants
                              group by global_participant_id having count(*) > 1 order by 1 limit 1" | tail -1)
    """
    _decide("split", (name,), records, why, by)


@person.command("confirm")
@click.argument("name", metavar="PERSON")
@why_option
@by_option
def confirm(name: str, why: str, by: str) -> None:
    """Decide that PERSON is right as it is: its records stay one, whatever the linkage finds.

    \b
    Example: p88 person confirm --why "seen the passport" \\
             "$(p88 sql --csv "select min(participant_key) from unified_participants" | tail -1)"
    """
    _decide("confirm", (name,), (), why, by)


@person.command("forget")
@click.argument("name", metavar="PERSON")
@click.option("--partner", required=True, help="The timing partner whose person it is: slug or id.")
@click.option("--everywhere", is_flag=True, help="Whoever is the same person at other timing partners as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@by_option
def forget(name: str, partner: str, everywhere: bool, yes: bool, by: str) -> None:
    """Erase PERSON: from raw to published, and so that no sync brings it back. There is no way to undo it.

    Shows how many rows of which relation go, and asks. What stays is the id, retired, and keyed hashes of the
    provider's ids. Backups, and what others have copied, are yours to look after: docs/operations.md.

    \b
    Example: p88 person forget --yes --partner harbour \\
             "$(p88 sql --as harbour --csv "select min(participant_key) from unified_participants" | tail -1)"
    """
    from project88 import connections, db, pipeline
    from project88.cli.database import _print_table
    from project88.persons import belongings, forgetting
    from project88.tell import Teller

    dsn = db.database_url()
    now = datetime.now(UTC)
    with _opened() as connection, connection.cursor() as cursor:
        timing_partner_id = connections.partner_id(connection, partner)
        persons = forgetting.who(cursor, name, timing_partner_id, everywhere=everywhere)
        if not isinstance(persons, forgetting.Forgotten):
            told = belongings.counts(cursor, belongings.find(cursor, persons))
            for one, of in persons.items():
                click.echo(f"person {one} of timing partner {of}")
            _print_table(["relation", "rows"], list(told.items()), len(told))
    if not yes and not isinstance(persons, forgetting.Forgotten):
        click.confirm("Erase all of it?", abort=True, err=True)
    done = forgetting.forget(dsn, name, timing_partner_id, everywhere=everywhere, by=by, now=now)
    if isinstance(done, forgetting.Forgotten):
        click.echo(f"{name} was forgotten already, on {_time(done.at)}", err=True)
        if done.is_finished:
            return
    else:
        click.echo("erased; what follows from it is published now", err=True)
    pipeline.run(dsn, teller=Teller(), syncing=False)


def _decide(kind: Kind, names: tuple[str, ...], records: tuple[str, ...], why: str, by: str) -> None:
    from project88.persons import store

    with _opened() as connection:
        outcome = store.decide_about(connection, kind, names, records, by=by, reason=why, now=datetime.now(UTC))
        for change in outcome.changes:
            click.echo(f"{change.kind}: {change.records} records of {change.person_id} are {change.other_person_id}'s")
    click.echo("decided and on record; `p88 publish` shows it to readers", err=True)


def _time(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
