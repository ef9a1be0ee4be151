"""The raw tables: made from each tap's own catalog before anything is loaded.

Made by us, not by the loader, for three reasons: instants become `timestamptz` (the stock loader makes columns
without a zone), several loads may begin at once (the loader's ALTERs race), and a trigger stamps each real change
and skips the write of a row that came again unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from project88 import settings
from project88.errors import ActionNeeded
from project88.persons import forgotten

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

PROVIDERS = ("runsignup", "chronotrack", "letsdothis", "haku", "raceroster", "copernico")
"""Providers whose taps exist so far."""

# Columns that say when and by which run a row was read. A row in which nothing else differs has not changed.
READING = ("read_at", "run_id")
# When and by which transaction a row was inserted or last changed. Set by default and trigger, never by a loader.
THIS_TRANSACTION = "pg_current_xact_id()::text::bigint"
STAMPS = (
    ("inserted_xid", "bigint", THIS_TRANSACTION),
    ("changed_xid", "bigint", THIS_TRANSACTION),
    # Not clock_timestamp(): with a volatile default COPY writes row by row.
    ("changed_at", "timestamptz", "statement_timestamp()"),
)
# The provider's record as sent: to be looked at, read by few models. As json it is checked and kept as it came;
# to take it apart into jsonb takes Postgres three times as long. Tables of before have jsonb, which does as well.
AS_SENT = "record"
# These describe reading itself: the latest always counts.
ALWAYS_WRITTEN = ("reads",)
# A change of the parent has its children built again; they are found by these. Every stream with an event_id that its
# key does not begin with has one by (timing_partner_id, event_id) beside them.
INDEXES: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("runsignup", "events"): (("timing_partner_id", "race_id"),),
    ("runsignup", "results"): (("timing_partner_id", "registration_id"),),
    ("chronotrack", "intervals"): (("timing_partner_id", "race_id"),),
    ("copernico", "events"): (("timing_partner_id", "race_id"),),
    ("haku", "participants"): (("timing_partner_id", "registration_number"),),
    ("haku", "registrations"): (("timing_partner_id", "registration_number"),),
    ("letsdothis", "races"): (("timing_partner_id", "occurrence_id"),),
    ("letsdothis", "participants"): (("timing_partner_id", "occurrence_id"), ("timing_partner_id", "application_id")),
    ("letsdothis", "applications"): (("timing_partner_id", "occurrence_id"),),
}

TRIGGER_FUNCTIONS = """
create or replace function hub.stamp_change() returns trigger language plpgsql as $body$
begin
    new.inserted_xid := old.inserted_xid;
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


def catalog_file(provider: str) -> Path:
    """Return where the catalog of a provider's tap is kept, asking the tap where its sources changed since.

    Handed to Meltano, which would start the tap once more for it in each run: a second of each. Raises ActionNeeded
    when the tap cannot be started.
    """
    path = settings.private_folder("catalogs") / f"{provider}-{taps_fingerprint()[:16]}.json"
    if not path.exists():
        new = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        new.write_text(json.dumps(discover(provider)), encoding="utf-8")
        # In one step: several runs may begin at once.
        new.replace(path)
        for old in path.parent.glob(f"{provider}-*.json"):
            if old != path:
                old.unlink(missing_ok=True)
    return path


def settings_of(provider: str) -> set[str]:
    """Return the names of a tap's settings. Raises ActionNeeded when the tap cannot be started."""
    return set(_ask_tap(provider, "--about", "--format=json")["settings"]["properties"])


def _ask_tap(provider: str, *arguments: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [settings.executable(f"tap-{provider}"), *arguments],
            capture_output=True,
            text=True,
            env=settings.child_environment(),
            timeout=120,
            check=False,
        )
    except FileNotFoundError as error:
        raise ActionNeeded(f"tap-{provider} is not installed; `make setup` installs it") from error
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
                _ensure_table(cursor, provider, stream)
        forgotten.install(cursor)


def _ensure_table(cursor: Any, provider: str, stream: dict[str, Any]) -> None:
    schema, name, keys = f"raw_{provider}", stream["tap_stream_id"], stream["key_properties"]
    columns = [
        (column, "json" if column == AS_SENT else _column_type(definition))
        for column, definition in stream["schema"]["properties"].items()
    ]
    table = sql.Identifier(schema, name)
    definitions = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns]
    cursor.execute("select to_regclass(%s) is null", (table.as_string(cursor),))
    if cursor.fetchone() == (True,):
        # A table of this name may have been there before, and counted.
        for counts in ("raw_counts", "raw_counted"):
            cursor.execute(
                sql.SQL("delete from {} where provider = %s and stream = %s").format(sql.Identifier("hub", counts)),
                (provider, name),
            )
    cursor.execute(
        sql.SQL("create table if not exists {} ({}, primary key ({}))").format(
            table, sql.SQL(", ").join(definitions), sql.SQL(", ").join(map(sql.Identifier, keys))
        )
    )
    cursor.execute(
        "select column_name, data_type from information_schema.columns where table_schema = %s and table_name = %s",
        (schema, name),
    )
    present = dict(cursor.fetchall())
    for column, kind in [*columns, *((stamp, kind) for stamp, kind, _ in STAMPS)]:
        if column not in present:
            cursor.execute(
                sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(column), sql.SQL(kind))
            )
    for stamp, _, default in STAMPS:
        # Apart from adding the column: rows that are there keep null, and none is rewritten.
        cursor.execute(
            sql.SQL("alter table {} alter column {} set default {}").format(
                table, sql.Identifier(stamp), sql.SQL(default)
            )
        )
    indexes = [("changed_xid",), *INDEXES.get((provider, name), ())]
    if "event_id" in dict(columns) and keys[:2] != ["timing_partner_id", "event_id"]:
        indexes.append(("timing_partner_id", "event_id"))
    for index in indexes:
        cursor.execute(
            sql.SQL("create index if not exists {} on {} ({})").format(
                sql.Identifier("_".join((name, *index))), table, sql.SQL(", ").join(map(sql.Identifier, index))
            )
        )
    facts = [column for column, _ in columns if column not in READING or name in ALWAYS_WRITTEN]
    as_text = [column for column in facts if present.get(column, dict(columns)[column]) == "json"]
    others = [sql.Identifier(column) for column in facts if column not in as_text]
    unchanged: sql.Composable = sql.SQL("({}) is not distinct from ({})").format(
        sql.SQL(", ").join(sql.SQL("old.{}").format(column) for column in others),
        sql.SQL(", ").join(sql.SQL("new.{}").format(column) for column in others),
    )
    for column in as_text:
        # Another order of keys is no change; what was written in the same way need not be taken apart to be the same.
        unchanged += sql.SQL(
            " and case when old.{0}::text is not distinct from new.{0}::text then true"
            " else old.{0}::jsonb is not distinct from new.{0}::jsonb end"
        ).format(sql.Identifier(column))
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
            "create or replace trigger b_stamp_change before update on {} "
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
        found = pool.map(lambda provider: json.loads(catalog_file(provider).read_text(encoding="utf-8")), PROVIDERS)
        catalogs = dict(zip(PROVIDERS, found, strict=True))
    ensure_tables(connection, catalogs)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            """
            insert into hub.transform_marks (name, rules_hash, at) values ('raw_tables', %s, now())
            on conflict (name) do update set rules_hash = excluded.rules_hash, at = excluded.at
            """,
            (fingerprint,),
        )


def count(connection: Connection) -> None:
    """Bring hub.raw_counts up to date: rows of each raw table per partner, as this moment's snapshot sees them.

    Reads what was inserted since the snapshot of the last count, found by the index on changed_xid; a whole table only
    the first time. Nothing else may delete raw rows without calling `recount`.
    """
    with connection, connection.cursor() as cursor:
        # Before the counting transaction begins: its snapshot must hold what another one counted.
        cursor.execute("select pg_advisory_lock(8809)")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            cursor.execute(
                """
                select n.nspname, c.relname from pg_class as c
                inner join pg_namespace as n on c.relnamespace = n.oid
                inner join pg_attribute as a on c.oid = a.attrelid and a.attname = 'inserted_xid' and not a.attisdropped
                where starts_with(n.nspname, 'raw_') and c.relkind = 'r'
                order by 1, 2
                """
            )
            tables = [(schema.removeprefix("raw_"), table) for schema, table in cursor.fetchall()]
            cursor.execute(
                "select provider, stream, snapshot::text, pg_snapshot_xmin(snapshot)::text from hub.raw_counted"
            )
            counted = {row[:2]: (row[2], int(row[3])) for row in cursor.fetchall()}
            for provider, stream in tables:
                _count_table(cursor, provider, stream, counted.get((provider, stream)))
    finally:
        with connection, connection.cursor() as cursor:
            cursor.execute("select pg_advisory_unlock(8809)")


def _count_table(cursor: Any, provider: str, stream: str, counted: tuple[str, int] | None) -> None:
    new: sql.Composable = sql.SQL("true")
    if counted:
        snapshot, oldest = counted
        new = sql.SQL(
            "changed_xid >= {oldest} and not pg_visible_in_snapshot(inserted_xid::text::xid8, {snapshot}::pg_snapshot)"
        ).format(oldest=sql.Literal(oldest), snapshot=sql.Literal(snapshot))
    cursor.execute(
        sql.SQL(
            """
            insert into hub.raw_counts as c (provider, stream, timing_partner_id, rows)
            select %(provider)s, %(stream)s, timing_partner_id, count(*) from {table} where {new}
            group by timing_partner_id
            on conflict (provider, stream, timing_partner_id) do update set rows = c.rows + excluded.rows
            """
        ).format(table=sql.Identifier(f"raw_{provider}", stream), new=new),
        {"provider": provider, "stream": stream},
    )
    cursor.execute(
        """
        insert into hub.raw_counted (provider, stream, snapshot) values (%s, %s, pg_current_snapshot())
        on conflict (provider, stream) do update set snapshot = excluded.snapshot
        """,
        (provider, stream),
    )


def recount(connection: Connection) -> None:
    """Count every raw table anew, by a scan."""
    with connection, connection.cursor() as cursor:
        cursor.execute("delete from hub.raw_counted")
        cursor.execute("delete from hub.raw_counts")
    count(connection)
