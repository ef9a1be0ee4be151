"""The raw tables: made from each tap's own catalog before anything is loaded.

Made by us, not by the loader, for three reasons: instants become `timestamptz` (the stock loader makes columns
without a zone), several loads may begin at once (the loader's ALTERs race), and a trigger stamps each real change
and skips the write of a row that came again unchanged.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from project88 import settings
from project88.errors import ActionNeeded

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

PROVIDERS = ("runsignup", "chronotrack")
"""Providers whose taps exist so far."""

# Columns that say when and by which run a row was read. A row in which nothing else differs has not changed.
READING = ("read_at", "run_id")
STAMPS = (("changed_xid", "bigint"), ("changed_at", "timestamptz"))
# These describe reading itself: the latest always counts.
ALWAYS_WRITTEN = ("reads",)

TRIGGER_FUNCTIONS = """
create or replace function hub.stamp_change() returns trigger language plpgsql as $body$
begin
    new.changed_xid := pg_current_xact_id()::text::bigint;
    new.changed_at := clock_timestamp();
    return new;
end
$body$;
create or replace function hub.skip_write() returns trigger language plpgsql as $body$
begin
    return null;
end
$body$;
"""


def discover(provider: str) -> dict[str, Any]:
    """Return the catalog of a provider's tap. Raises ActionNeeded when the tap cannot be started."""
    return _ask_tap(provider, "--discover")


def settings_of(provider: str) -> set[str]:
    """Return the names of a tap's settings. Raises ActionNeeded when the tap cannot be started."""
    return set(_ask_tap(provider, "--about", "--format=json")["settings"]["properties"])


def _ask_tap(provider: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [settings.executable(f"tap-{provider}"), *arguments],
        capture_output=True,
        text=True,
        env=settings.child_environment(),
        timeout=120,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        raise ActionNeeded(f"tap-{provider} does not start: {last[0]}; `make setup` installs it again")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _column_type(schema: dict[str, Any]) -> str:
    types = schema.get("type", "string")
    kinds = {types} if isinstance(types, str) else set(types)
    if "anyOf" in schema:
        kinds = {
            kind for one in schema["anyOf"] for kind in ([one["type"]] if isinstance(one["type"], str) else one["type"])
        }
        schema = next((one for one in schema["anyOf"] if "format" in one), schema)
    kinds.discard("null")
    if kinds & {"object", "array"}:
        return "jsonb"
    if kinds == {"string"}:
        return {"date-time": "timestamptz", "date": "date"}.get(schema.get("format", ""), "text")
    return {"integer": "bigint", "number": "numeric", "boolean": "boolean"}.get(next(iter(kinds), "string"), "text")


def ensure_tables(connection: Connection, catalogs: dict[str, dict[str, Any]]) -> None:
    """Create what is missing of the raw schemas, tables, columns and triggers; changes and drops nothing."""
    with connection, connection.cursor() as cursor:
        # Two processes that start at once would both create.
        cursor.execute("select pg_advisory_xact_lock(8808)")
        cursor.execute(TRIGGER_FUNCTIONS)
        for provider, catalog in catalogs.items():
            schema = f"raw_{provider}"
            cursor.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
            for stream in catalog["streams"]:
                _ensure_table(cursor, schema, stream)


def _ensure_table(cursor: Any, schema: str, stream: dict[str, Any]) -> None:
    name, keys = stream["tap_stream_id"], stream["key_properties"]
    columns = [(column, _column_type(definition)) for column, definition in stream["schema"]["properties"].items()]
    table = sql.Identifier(schema, name)
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in [*columns, *STAMPS]
    ]
    cursor.execute(
        sql.SQL("create table if not exists {} ({}, primary key ({}))").format(
            table, sql.SQL(", ").join(definitions), sql.SQL(", ").join(map(sql.Identifier, keys))
        )
    )
    cursor.execute(
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s",
        (schema, name),
    )
    present = {row[0] for row in cursor.fetchall()}
    for column, kind in [*columns, *STAMPS]:
        if column not in present:
            cursor.execute(
                sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(column), sql.SQL(kind))
            )
    cursor.execute(
        sql.SQL("create index if not exists {} on {} (changed_xid)").format(
            sql.Identifier(f"{name}_changed_xid"), table
        )
    )
    facts = [column for column, _ in columns if column not in READING or name in ALWAYS_WRITTEN]
    unchanged = sql.SQL("({}) is not distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("old.{}").format(sql.Identifier(column)) for column in facts),
        sql.SQL(", ").join(sql.SQL("new.{}").format(sql.Identifier(column)) for column in facts),
    )
    # Triggers fire in the order of their names: what is skipped is not stamped. The condition stands in WHEN,
    # where it costs no function call.
    cursor.execute(
        sql.SQL(
            "create or replace trigger a_skip_unchanged before update on {} for each row "
            "when ({}) execute function hub.skip_write()"
        ).format(table, unchanged)
    )
    cursor.execute(
        sql.SQL(
            "create or replace trigger b_stamp_change before insert or update on {} "
            "for each row execute function hub.stamp_change()"
        ).format(table)
    )


def taps_fingerprint() -> str:
    """Return a hash over the taps' sources: while it stays the same, so do their catalogs."""
    digest = hashlib.sha256()
    for file in sorted((settings.CHECKOUT / "extract").rglob("*.py")):
        if "tests" not in file.parts:
            digest.update(str(file.relative_to(settings.CHECKOUT)).encode())
            digest.update(file.read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def prepare(connection: Connection) -> None:
    """Make the raw tables fit the taps; asks the taps for their catalogs only when their sources changed."""
    fingerprint = taps_fingerprint()
    with connection, connection.cursor() as cursor:
        cursor.execute("select rules_hash from hub.transform_marks where name = 'raw_tables'")
        row = cursor.fetchone()
    if row and row[0] == fingerprint:
        return
    with ThreadPoolExecutor(max_workers=2) as pool:
        catalogs = dict(zip(PROVIDERS, pool.map(discover, PROVIDERS), strict=True))
    ensure_tables(connection, catalogs)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.transform_marks (name, rules_hash, at) values ('raw_tables', %s, now())
            on conflict (name) do update set rules_hash = excluded.rules_hash, at = excluded.at
            """,
            (fingerprint,),
        )
