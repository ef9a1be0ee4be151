"""The change log of the candidate relations: which keys changed since the last publish, and maintained counts.

Statement-level triggers on the tables that dbt writes see every row that a statement touched, so that the gate and the
publish find what changed by its key. What they write belongs to the writer's transaction: a build that is killed leaves
tables, log and counts agreeing. dbt drops a table that it rebuilds, and the triggers with it: `ensure` notices that the
triggers are gone, counts the table anew and marks the relation as whole.
"""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2 import sql

from expectations.streams import RELATIONS as WATCHED
from project88.db.schema import fingerprint, is_applied, mark_applied
from project88.published import CANDIDATES, READING, RELATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

DDL = Path(__file__).with_name("candidate_log.sql")

WHOLE_ROWS = 10_000
WHOLE_SHARE = 4
"""A statement that touches more rows than this, and more than one in so many of the relation, makes it whole."""

TRIGGERS = {
    "candidate_log_insert": "after insert on {table} referencing new table as new_rows",
    "candidate_log_update": "after update on {table} referencing old table as old_rows new table as new_rows",
    "candidate_log_delete": "after delete on {table} referencing old table as old_rows",
    "candidate_log_truncate": "after truncate on {table}",
}


def key_parts(keys: Sequence[str], row_key: str) -> list[str]:
    """Return the SQL of each key column's value, taken out of a row_key: the way back from `row_key` to an index.

    All but the last are whole numbers; a text that is no such key gives null, which equals nothing.
    """
    parts, rest = [], row_key
    for _ in keys[:-1]:
        parts.append(f"case when {rest} ~ '^[0-9]{{1,9}}/' then split_part({rest}, '/', 1)::integer end")
        rest = f"substr({rest}, strpos({rest}, '/') + 1)"
    return [*parts, rest]


def make(connection: Connection) -> None:
    """Make what the log is kept in where it is not there, and commit: models read it. The triggers come by `ensure`."""
    with connection, connection.cursor() as cursor:
        text = DDL.read_text(encoding="utf-8")
        if is_applied(connection, "candidate log", text):
            return
        # Two processes that begin at once would both create.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('candidate log', 88))")
        cursor.execute("set local client_min_messages = warning")
        cursor.execute(text)
        mark_applied(connection, "candidate log", text)


def ensure(connection: Connection) -> list[str]:
    """Put the triggers on every candidate table that lacks them, and commit; return the relations made whole by it.

    Cheap where nothing is to do. To be called after each build and before anything reads the log.
    """
    make(connection)
    with connection, connection.cursor() as cursor:
        if not _without_triggers(cursor):
            return []
        # As in `make`.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('candidate log', 88))")
        missing = _without_triggers(cursor)
        for table in missing:
            table.begin(cursor)
    return [table.name for table in missing]


def unlogged(cursor: Cursor) -> set[str]:
    """Return the relations whose changes are not logged: they were rebuilt, and `ensure` has not seen it yet."""
    return {table.name for table in _without_triggers(cursor)}


def clear(cursor: Cursor) -> None:
    """Forget the changes that this transaction sees: it publishes them."""
    cursor.execute("delete from hub.candidate_changes")
    cursor.execute("delete from hub.candidate_wholes")
    cursor.execute("delete from hub.quarantine_changes")


def wholes(cursor: Cursor) -> set[str]:
    """Return the relations of which everything is to be judged and compared."""
    cursor.execute("select relation from hub.candidate_wholes")
    return {row[0] for row in cursor.fetchall()}


@dataclass(frozen=True)
class _Table:
    """A candidate table, as the database holds it."""

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    def begin(self, cursor: Cursor) -> None:
        """Make function and triggers, count every row, and mark the relation as whole."""
        names = {"function": sql.Identifier("hub", f"log_{self.name}"), "table": sql.Identifier(CANDIDATES, self.name)}
        cursor.execute(
            sql.SQL("create or replace function {function}() returns trigger language plpgsql as {body}").format(
                **names, body=sql.Literal(self.body())
            )
        )
        cursor.execute(sql.SQL("revoke execute on function {function}() from public").format(**names))
        cursor.execute(
            sql.SQL("comment on function {function}() is {mark}").format(
                **names, mark=sql.Literal(fingerprint(self.body()))
            )
        )
        for trigger, when in TRIGGERS.items():
            cursor.execute(
                sql.SQL(
                    "create or replace trigger {trigger} " + when + " for each statement execute function {function}()"
                ).format(**names, trigger=sql.Identifier(trigger))
            )
        cursor.execute("delete from hub.candidate_counts where relation = %s", (self.name,))
        cursor.execute(self._count(f"select 1 as sign, c.* from {CANDIDATES}.{self.name} as c"))
        cursor.execute("insert into hub.candidate_wholes (relation) values (%s) on conflict do nothing", (self.name,))

    def body(self) -> str:
        """Return the text of the trigger function."""
        compared = [column for column in self.columns if column not in (*self.keys, *READING)]
        old, new = ", ".join(f"o.{c}" for c in compared), ", ".join(f"n.{c}" for c in compared)
        same_key = " and ".join(f"o.{key} = n.{key}" for key in self.keys)
        update = (
            f"select coalesce({self._row_key('n')}, {self._row_key('o')}) as row_key"
            f" from old_rows as o full join new_rows as n on {same_key}"
            f" where n.{self.keys[0]} is null or o.{self.keys[0]} is null or ({old}) is distinct from ({new})"
        )
        branches = {
            "INSERT": ("new_rows", f"select {self._row_key('n')} as row_key from new_rows as n", self._signed(1)),
            "DELETE": ("old_rows", f"select {self._row_key('o')} as row_key from old_rows as o", self._signed(-1)),
            "UPDATE": ("new_rows", update, f"{self._signed(1)} union all {self._signed(-1)}"),
        }
        return f"""
declare
    touched bigint;
begin
    if tg_op = 'TRUNCATE' then
        delete from hub.candidate_counts where relation = '{self.name}';
        insert into hub.candidate_wholes (relation) values ('{self.name}') on conflict do nothing;
{"".join(self._branch(operation, *parts) for operation, parts in branches.items())}
    end if;
    return null;
end
"""

    def _branch(self, operation: str, touched: str, keys: str, signed: str) -> str:
        return f"""
    elsif tg_op = '{operation}' then
        select count(*) into touched from {touched};
        if touched > {WHOLE_ROWS} and touched > (
            select coalesce(sum(c.rows), 0) / {WHOLE_SHARE} from hub.candidate_counts as c
            where c.relation = '{self.name}'
        ) then
            insert into hub.candidate_wholes (relation) values ('{self.name}') on conflict do nothing;
        end if;
        if touched > 0 and not exists (select from hub.candidate_wholes where relation = '{self.name}') then
            insert into hub.candidate_changes (relation, row_key)
            select distinct '{self.name}', changed.row_key from ({keys}) as changed where changed.row_key is not null
            on conflict do nothing;
        end if;
        {self._count(signed)};
        delete from hub.candidate_counts where relation = '{self.name}' and rows = 0;
"""

    def _row_key(self, alias: str) -> str:
        return " || '/' || ".join(f"{alias}.{key}::text" for key in self.keys)

    def _signed(self, sign: int) -> str:
        return f"select {sign} as sign, r.* from {'new_rows' if sign > 0 else 'old_rows'} as r"

    def _count(self, rows: str) -> str:
        """Return the statement that adds signed rows to the counts."""
        watched = next((relation for relation in WATCHED if relation.name == self.name), None)
        facts = [fact for fact in (watched.facts if watched else ()) if fact in self.columns]
        present = "not coalesce(t.is_removed, false)" if "is_removed" in self.columns else "true"
        nulls = ", ".join(
            f"'{fact}', coalesce(sum(t.sign) filter (where {present} and coalesce(t.{fact}::text, '') = ''), 0)"
            for fact in facts
        )
        provider = "t.source_provider" if "source_provider" in self.columns else "'all'"
        newest = "max(t.fetched_date) filter (where t.sign > 0)" if "fetched_date" in self.columns else "null"
        return f"""
        insert into hub.candidate_counts as c (
            relation, source_provider, timing_partner_id, rows, present, nulls, newest
        )
        select
            '{self.name}', {provider}, t.timing_partner_id, sum(t.sign),
            coalesce(sum(t.sign) filter (where {present}), 0), jsonb_build_object({nulls}), {newest}
        from ({rows}) as t
        group by 2, 3
        on conflict (relation, source_provider, timing_partner_id) do update set
            rows = c.rows + excluded.rows,
            present = c.present + excluded.present,
            nulls = (
                select coalesce(jsonb_object_agg(n.key, n.value::bigint + (c.nulls ->> n.key)::bigint), '{{}}')
                from jsonb_each_text(excluded.nulls) as n
            ),
            newest = greatest(c.newest, excluded.newest)"""


def _without_triggers(cursor: Cursor) -> list[_Table]:
    """Return the candidate tables whose changes are not logged, or not by today's function."""
    cursor.execute(
        """
        select
            c.relname,
            array(
                select a.attname::text from pg_attribute as a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                order by a.attnum
            ),
            array(
                select t.tgname::text from pg_trigger as t
                where t.tgrelid = c.oid and t.tgenabled = 'O' and t.tgfoid = to_regproc('hub.log_' || c.relname)
            ),
            obj_description(to_regproc('hub.log_' || c.relname), 'pg_proc')
        from pg_class as c
        where c.relnamespace = to_regnamespace(%s) and c.relname = any(%s) and c.relkind = 'r'
        order by c.relname
        """,
        (CANDIDATES, list(RELATIONS)),
    )
    found = []
    for name, columns, triggers, mark in cursor.fetchall():
        table = _Table(name, RELATIONS[name], tuple(columns))
        if not set(TRIGGERS) <= set(triggers) or mark != fingerprint(table.body()):
            found.append(table)
    return found
