"""`p88 partner`, `p88 connection`, `p88 with` and `p88 key`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from project88 import connections, db, pipeline, raw, settings, sync
from project88.errors import ActionNeeded


@click.group()
def partner() -> None:
    """Timing partners: whose data it is."""


@partner.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="The company's name.")
def partner_add(slug: str, name: str) -> None:
    """Add a timing partner and print its id.

    Example: p88 partner add harbour --name "Harbour Timing"
    """
    dsn = db.database_url()
    pipeline.prepare(dsn)
    connection = db.connect(dsn)
    try:
        click.echo(connections.add_partner(connection, slug=slug, name=name))
    finally:
        connection.close()


@partner.command("list")
def partner_list() -> None:
    """List the timing partners.

    Example: p88 partner list
    """
    from project88.cli.database import _print_table

    connection = db.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select timing_partner_id, slug, company_name from hub.timing_partners order by 1")
            rows = cursor.fetchall()
            _print_table(["id", "slug", "name"], rows, len(rows))
    finally:
        connection.close()


@click.group("connection")
def connection() -> None:
    """Connections: a partner's account with a provider."""


@connection.command("add")
@click.argument("partner_slug", metavar="PARTNER")
@click.argument("provider", type=click.Choice(raw.PROVIDERS))
@click.option("--account", default="main", show_default=True, help="A name, where a partner has several accounts.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A setting of the tap that is no secret.")
@click.option("--no-secrets", is_flag=True, help="The account needs none, such as one that reads Copernico's presets.")
def connection_add(partner_slug: str, provider: str, account: str, values: tuple[str, ...], no_secrets: bool) -> None:
    """Add a connection or replace it; credentials are asked for, or read from TAP_<PROVIDER>_<NAME>.

    Secrets are never taken as arguments: other users of the machine could read them.

    \b
    Example: TAP_RUNSIGNUP_API_KEY=… TAP_RUNSIGNUP_API_SECRET=… \\
             p88 connection add harbour runsignup --set auth_style=key
    """
    chosen = dict(value.partition("=")[::2] for value in values)
    if wrong := connections.SECRET_SETTINGS & set(chosen):
        raise ActionNeeded(
            f"{', '.join(sorted(wrong))}: a secret does not go into an argument; leave it out to be asked"
        )
    # Meltano leaves out without a word what a tap does not know.
    known = raw.settings_of(provider)
    if unknown := sorted(set(chosen) - known):
        raise ActionNeeded(
            f"{', '.join(unknown)}: tap-{provider} has no such setting; it has {', '.join(sorted(known))}"
        )
    dsn = db.database_url()
    pipeline.prepare(dsn)
    opened = db.connect(dsn)
    try:
        with opened, opened.cursor() as cursor:
            cursor.execute("select timing_partner_id from hub.timing_partners where slug = %s", (partner_slug,))
            row = cursor.fetchone()
        if row is None:
            raise ActionNeeded(
                f"there is no timing partner {partner_slug}; `p88 partner add {partner_slug} --name …` adds it"
            )
        secrets: dict[str, str] = {}
        prefix = f"TAP_{provider.upper()}_"
        for name in sorted(connections.SECRET_SETTINGS):
            if value := os.environ.get(prefix + name.upper()):
                secrets[name] = value
        if not secrets and not no_secrets:
            if not sys.stdin.isatty():
                raise ActionNeeded(
                    f"no credentials: set {prefix}… in the environment (see extract/tap-{provider}/README.md)"
                )
            # What a tap has of these depends on how its account signs in: whoever asks for the connection knows.
            for name in sorted(connections.SECRET_SETTINGS & known):
                if value := click.prompt(f"{name} (Enter for none)", default="", show_default=False, hide_input=True):
                    secrets[name] = value
            if not secrets:
                raise ActionNeeded(f"no credentials were given (see extract/tap-{provider}/README.md)")
        connections.save(
            opened,
            timing_partner_id=int(row[0]),
            provider=provider,
            account=account,
            settings=chosen,
            secrets=secrets,
        )
    finally:
        opened.close()
    click.echo(f"saved; next: p88 run --partner {partner_slug} --provider {provider}", err=True)


@connection.command("list")
def connection_list() -> None:
    """List the connections; never their secrets.

    Example: p88 connection list
    """
    from project88.cli.database import _print_table

    opened = db.connect()
    try:
        with opened.cursor() as cursor:
            cursor.execute(
                """
                select p.slug, c.provider_name, c.account, c.enabled,
                    (select max(h.completed_at) from hub.sync_history h
                     where h.connection_id = c.connection_id and h.status = 'success')::timestamptz(0) as last_success
                from hub.connections c join hub.timing_partners p using (timing_partner_id) order by 1, 2, 3
                """
            )
            rows = cursor.fetchall()
            _print_table(["partner", "provider", "account", "enabled", "last success"], rows, len(rows))
    finally:
        opened.close()


@click.command("with", context_settings={"ignore_unknown_options": True})
@click.argument("partner_slug", metavar="PARTNER")
@click.argument("provider", type=click.Choice(raw.PROVIDERS))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def with_(partner_slug: str, provider: str, command: tuple[str, ...]) -> None:
    """Run COMMAND with a connection's settings and credentials in its environment, isolated from other runs.

    \b
    Example: p88 with harbour runsignup meltano run --force --state-id-suffix=partner1-main runsignup
    Example: p88 with harbour runsignup tap-runsignup --config=ENV --test
    """
    dsn = db.database_url()
    pipeline.prepare(dsn)
    opened = db.connect(dsn)
    try:
        found = connections.enabled(opened, partner=partner_slug, provider=provider)[0]
    finally:
        opened.close()
    sync.sweep()
    with sync.private_folder(f"with-{found.connection_id}") as folder:
        environment = sync.meltano_environment(dsn, folder) | found.tap_environment()
        environment.setdefault(f"TAP_{provider.upper()}_BUDGET_DIR", str(settings.private_folder("budgets")))
        program = settings.executable(command[0])
        arguments = [program if Path(program).exists() else command[0], *command[1:]]
        try:
            code = subprocess.run(arguments, env=environment, cwd=settings.CHECKOUT, check=False).returncode
        except FileNotFoundError as error:
            raise ActionNeeded(f"there is no program {command[0]}") from error
    sys.exit(code)


@click.group()
def key() -> None:
    """The key that seals credentials (P88_SECRET_KEY, else a file in P88_HOME)."""


@key.command("new")
def key_new() -> None:
    """Print a new key.

    Example: export P88_SECRET_KEY="$(p88 key new)"
    """
    from cryptography.fernet import Fernet

    click.echo(Fernet.generate_key().decode())


@key.command("rotate")
def key_rotate() -> None:
    """Seal every connection's credentials with the key in P88_NEW_SECRET_KEY, to be put in the old one's place.

    \b
    Example: P88_NEW_SECRET_KEY="$(p88 key new | tee new.key)" p88 key rotate
    """
    new = os.environ.get("P88_NEW_SECRET_KEY", "")
    if not new.strip():
        raise ActionNeeded("P88_NEW_SECRET_KEY is not set; `p88 key new` prints a key for it")
    dsn = db.database_url()
    pipeline.prepare(dsn)
    opened = db.connect(dsn)
    try:
        count = connections.seal_anew(opened, new)
    finally:
        opened.close()
    click.echo(f"{count} connections are sealed anew; set P88_SECRET_KEY to the new key before the next run", err=True)
