"""Publishing: what passed the gate becomes visible, all relations at once or none.

The published tables are merged with the candidates by key: only keys of which the candidate or the quarantine changed
since the last publish are looked at (project88.candidate_log), and only rows that differ are written. A relation that
was rebuilt is compared as a whole. Rows in open quarantine are taken out until they pass again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_delay, wait_random_exponential

from project88 import candidate_log, db
from project88.errors import ActionNeeded
from project88.legacy import ensure_legacy_views
from project88.published import BOOKKEEPING, CANDIDATES, READING, RELATIONS, SCHEMA, ensure_published
from project88.tenancy import ensure_tenancy, leaks

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

logger = logging.getLogger(__name__)

Hook = Callable[["Connection", str], object]
"""What else belongs into the publishing transaction: gets its connection and the run's id, commits nothing."""

EVERYTHING = "*"
"""The relation under which hub.publications keeps the sums of a publication."""

MANY_ROWS = 10_000
"""From so many rows on, an empty table is filled without its indexes, which are built afterwards."""

# Passing things: somebody held a lock, or made the same role or policy at the same time.
TRY_AGAIN = (
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.DuplicateObject,
    errors.DuplicateTable,
)

SAME_KIND = {
    "character varying": "text",
    "smallint": "integer",
    "bigint": "integer",
    "double precision": "numeric",
    "real": "numeric",
}


@dataclass(frozen=True)
class Counts:
    """How many rows of a relation were written, and how many it holds now."""

    inserted: int
    updated: int
    deleted: int
    total: int

    @property
    def changed(self) -> int:
        """How many rows were written."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class Publication:
    """What one publish did."""

    publication_id: int
    run_id: str
    published_at: datetime
    relations: dict[str, Counts]

    @property
    def changed(self) -> int:
        """How many rows were written, of all relations."""
        return sum(counts.changed for counts in self.relations.values())


@dataclass(frozen=True)
class Table:
    """A published relation, as the database holds it."""

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def published(self) -> sql.Identifier:
        """The table that consumers read."""
        return sql.Identifier(SCHEMA, self.name)

    @property
    def candidate(self) -> sql.Identifier:
        """The table that dbt writes."""
        return sql.Identifier(CANDIDATES, self.name)

    @property
    def compared(self) -> list[str]:
        """Columns whose difference is a change."""
        return [column for column in self.columns if column not in (*self.keys, *READING)]

    def same_key(self, left: str, right: str) -> sql.Composed:
        """Return the condition that two rows are the same one."""
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(left, key), sql.Identifier(right, key)) for key in self.keys
        )

    def row_key(self, alias: str) -> sql.Composed:
        """Return the key as quarantine writes it: as text, parts joined with a stroke."""
        return sql.SQL(" || '/' || ").join(sql.SQL("{}::text").format(sql.Identifier(alias, key)) for key in self.keys)

    def key_is(self, alias: str, row_key: str) -> sql.Composed:
        """Return the condition that a row is the one of a row_key, in a form that the key's index serves."""
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(alias, key), sql.SQL(part))
            for key, part in zip(self.keys, candidate_log.key_parts(self.keys, row_key), strict=True)
        )


def publish(
    dsn: str,
    *,
    run_id: str,
    now: datetime,
    hooks: Sequence[Hook] = (),
    lock_timeout: float = 3.0,
    patience: float = 120.0,
) -> Publication:
    """Make the candidates visible, all relations in one transaction, and return what changed.

    A publish at the same time is waited for. A reader who blocks is waited for `lock_timeout` seconds, then let
    go first, and so on for `patience` seconds. Raises ActionNeeded when nothing could be published: a candidate
    relation is missing or of another shape, a partner's role could read what is not its own, rows do not add up,
    or somebody held a lock all the time. What was published then stays as it was.
    """
    connection = db.connect(dsn)
    try:
        connection.autocommit = True
        _take_turn(connection, patience)
        _ensure_log(connection, lock_timeout, patience)
        is_prepared = _prepare(connection, lock_timeout, patience)
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, autocommit=False)
        for attempt in _attempts(patience):
            with attempt:
                done = _publish_once(connection, run_id, now, hooks, lock_timeout, is_prepared)
        _refresh_statistics(connection, done)
        return done
    except TRY_AGAIN as error:
        raise ActionNeeded(
            f"nothing was published: {_first_line(error)} for {patience:.0f} s; {_who_blocks(dsn)}"
        ) from error
    except psycopg2.IntegrityError as error:
        raise ActionNeeded(
            f"nothing was published: {error.diag.schema_name}.{error.diag.table_name}: {_first_line(error)}"
            f"{'; ' + error.diag.message_detail if error.diag.message_detail else ''}; correct the dbt model"
        ) from error
    finally:
        connection.close()


def _attempts(patience: float) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type(TRY_AGAIN),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(patience),
        before_sleep=before_sleep_log(logger, logging.INFO),
        reraise=True,
    )


def _take_turn(connection: Connection, patience: float) -> None:
    """Wait for another publish; the lock is the session's, and a killed process's session ends with it."""
    with connection.cursor() as cursor:
        # Taken before the transaction begins: what it sees must include what the other publish wrote.
        cursor.execute("select set_config('lock_timeout', %s, false)", (_milliseconds(patience),))
        try:
            cursor.execute("select pg_advisory_lock(hashtextextended('publish', 88))")
        except errors.LockNotAvailable as error:
            raise ActionNeeded(
                f"nothing was published: another publish has been at work for more than {patience:.0f} s; try again"
            ) from error
        cursor.execute("set lock_timeout = 0")


def _ensure_log(connection: Connection, lock_timeout: float, patience: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, false)", (_milliseconds(lock_timeout),))
        for attempt in _attempts(patience):
            with attempt:
                candidate_log.ensure(connection)
        cursor.execute("set lock_timeout = 0")


def _prepare(connection: Connection, lock_timeout: float, patience: float) -> bool:
    """Bring tables, views, policies and grants up to date, apart from the rows.

    Apart, because it may have to wait for readers: done inside the merge, that would wait with it. Usually there
    is nothing to do and no lock is taken. Returns False when a reader was in the way all the time: data can still be
    published, a new partner's role just reads nothing yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("select count(*) = 0 from hub.publications")
        is_first = cursor.fetchone() == (True,)
    try:
        for attempt in _attempts(patience if is_first else min(patience, 10 * lock_timeout)):
            with attempt, connection:
                _set_lock_timeout(connection, lock_timeout)
                _ensure(connection)
    except TRY_AGAIN as error:
        # Before the first publish there is nothing to fall back on.
        if is_first:
            raise
        logger.warning("published without changing views, policies or grants: %s", _first_line(error))
        return False
    return True


def _ensure(connection: Connection) -> None:
    ensure_published(connection)
    ensure_legacy_views(connection)
    ensure_tenancy(connection)


def _publish_once(
    connection: Connection,
    run_id: str,
    now: datetime,
    hooks: Sequence[Hook],
    lock_timeout: float,
    is_prepared: bool,
) -> Publication:
    with connection, connection.cursor() as cursor:
        _set_lock_timeout(connection, lock_timeout)
        tables = _matching_tables(cursor)
        wholes = candidate_log.wholes(cursor)
        due = _due(cursor)
        totals = _totals(cursor)
        relations = {}
        for table in tables:
            if table.name in wholes or table.name not in totals:
                relations[table.name] = _merge(cursor, table, now)
                _reconcile(cursor, table, relations[table.name].total)
            elif table.name in due:
                relations[table.name] = _merge_due(cursor, table, now, totals[table.name])
                _reconcile_counts(cursor, table, relations[table.name].total)
            else:
                relations[table.name] = Counts(0, 0, 0, totals[table.name])
        _note_totals(cursor, relations)
        candidate_log.clear(cursor)
        publication = Publication(_record(cursor, run_id, now, relations), run_id, now, relations)
        cursor.execute(
            """
            update hub.transform_marks
            set changed_xid = pending_xid, pending_xid = null, at = %s
            where name = 'published' and pending_xid is not null
            """,
            (now,),
        )
        for hook in hooks:
            hook(connection, run_id)
        if is_prepared:
            _ensure(connection)
        found = leaks(connection)
        if found:
            raise ActionNeeded(
                f"nothing was published: timing partners would not be isolated: {'; '.join(found[:10])}"
                + (f"; and {len(found) - 10} more" if len(found) > 10 else "")
            )
    return publication


# shape


def _columns(cursor: Cursor, schema: str) -> dict[str, dict[str, str]]:
    cursor.execute(
        """
        select c.relname, a.attname, format_type(a.atttypid, null)
        from pg_class as c
        left join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace(%s) and c.relname = any(%s) and c.relkind in ('r', 'p', 'v', 'm')
        order by c.relname, a.attnum
        """,
        (schema, list(RELATIONS)),
    )
    found: dict[str, dict[str, str]] = {}
    for relation, column, kind in cursor.fetchall():
        found.setdefault(relation, {})[column] = kind
    return found


def _matching_tables(cursor: Cursor) -> list[Table]:
    """Return the relations to publish. Raises ActionNeeded for the first that candidates do not fit."""
    published, candidates = _columns(cursor, SCHEMA), _columns(cursor, CANDIDATES)
    tables = []
    for name, keys in RELATIONS.items():
        if name not in candidates:
            raise ActionNeeded(f"nothing was published: {CANDIDATES}.{name} does not exist; run dbt first")
        wanted = {column: kind for column, kind in published[name].items() if column not in BOOKKEEPING}
        there = candidates[name]
        where = f"nothing was published: {CANDIDATES}.{name}"
        way_out = "dbt's model and published.sql must agree"
        if missing := [column for column in wanted if column not in there]:
            raise ActionNeeded(f"{where} lacks the column {', '.join(missing)}; {way_out}")
        if extra := [column for column in there if column not in wanted]:
            raise ActionNeeded(f"{where} has a column {', '.join(extra)} that nobody publishes; {way_out}")
        for column, kind in wanted.items():
            if SAME_KIND.get(there[column], there[column]) != SAME_KIND.get(kind, kind):
                raise ActionNeeded(f"{where}.{column} is {there[column]}, not {kind}; {way_out}")
        tables.append(Table(name, keys, tuple(wanted)))
    return tables


# rows


def _names(table: Table) -> dict[str, sql.Composable]:
    """Return the parts from which the statements of a merge are made; aliases are p, published, and c, candidate."""
    return {
        "published": table.published,
        "candidate": table.candidate,
        "same_key": table.same_key("p", "c"),
        "columns": _list(table.columns),
        "candidate_columns": _list(table.columns, "c"),
        "assignments": sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(column), sql.Identifier("c", column))
            for column in table.columns
            if column not in table.keys
        ),
        # In the order of the keys: the same data gets the same ids, and the key's index is filled from left to right.
        "ordered": sql.SQL(", ").join(
            sql.SQL('{}::text collate "C"').format(sql.Identifier("c", key)) for key in table.keys
        ),
        # Compared by value: 1.0 is 1.00, and a jsonb object is the same in any order of its keys.
        "differ": sql.SQL("({}) is distinct from ({})").format(_list(table.compared, "p"), _list(table.compared, "c")),
        "quarantined": _quarantined(table),
    }


def _merge(cursor: Cursor, table: Table, now: datetime) -> Counts:
    """Make the published rows those of the candidate that are not in quarantine; writes only what differs."""
    names = _names(table)
    deleted = updated = 0
    rebuild: list[str] = []
    cursor.execute(sql.SQL("select exists (select from {published})").format(**names))
    if cursor.fetchone() == (True,):
        cursor.execute(
            sql.SQL(
                "delete from {published} as p where not exists (select 1 from {candidate} as c where {same_key})"
            ).format(**names)
        )
        deleted = cursor.rowcount
        cursor.execute(
            sql.SQL("delete from {published} as p using {quarantined} as q where {row_key} = q.row_key").format(
                **names, row_key=table.row_key("p")
            )
        )
        deleted += cursor.rowcount
        cursor.execute(
            sql.SQL(
                "update {published} as p set {assignments}, published_at = %s from {candidate} as c "
                "where {same_key} and {differ}"
            ).format(**names),
            (now,),
        )
        updated = cursor.rowcount
    else:
        rebuild = _take_indexes_away(cursor, table)
    cursor.execute(
        sql.SQL(
            "insert into {published} ({columns}, first_published_at, published_at) "
            "select {candidate_columns}, %s, %s from {candidate} as c "
            "where not exists (select 1 from {published} as p where {same_key}) "
            "and not exists (select 1 from {quarantined} as q where q.row_key = {row_key}) order by {ordered}"
        ).format(**names, row_key=table.row_key("c")),
        (now, now),
    )
    inserted = cursor.rowcount
    for statement in rebuild:
        cursor.execute(statement)
    cursor.execute(sql.SQL("select count(*) from {published}").format(**names))
    return Counts(inserted, updated, deleted, _number(cursor))


def _take_indexes_away(cursor: Cursor, table: Table) -> list[str]:
    """Drop the indexes of an empty table that many rows will fill; return the statements that make them again.

    Built once over all rows, they take a fifth of the time. Whoever reads the table meanwhile waits, and somebody who
    holds it (or anything that hangs on its key) leaves the indexes where they are.
    """
    cursor.execute("select coalesce(sum(rows), 0) from hub.candidate_counts where relation = %s", (table.name,))
    if _number(cursor) < MANY_ROWS:
        return []
    cursor.execute(
        """
        select
            case
                when c.oid is null then format('drop index %%s', i.indexrelid::regclass)
                else format('alter table %%s drop constraint %%I', i.indrelid::regclass, c.conname)
            end,
            case
                when c.oid is null then pg_get_indexdef(i.indexrelid)
                else format('alter table %%s add constraint %%I ', i.indrelid::regclass, c.conname)
                    || pg_get_constraintdef(c.oid)
            end
        from pg_index as i
        left join pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
        where i.indrelid = %s::regclass
        order by i.indisprimary desc, i.indexrelid
        """,
        (f"{SCHEMA}.{table.name}",),
    )
    found = cursor.fetchall()
    cursor.execute("savepoint indexes")
    try:
        for drop, _ in found:
            cursor.execute(drop)
    except (errors.LockNotAvailable, errors.DependentObjectsStillExist):
        cursor.execute("rollback to savepoint indexes")
        found = []
    cursor.execute("release savepoint indexes")
    return [make for _, make in found]


def _due(cursor: Cursor) -> set[str]:
    """Return the relations of which a candidate row, or what is held back, changed since the last publish."""
    cursor.execute("select relation from hub.candidate_changes union select relation from hub.quarantine_changes")
    return {row[0] for row in cursor.fetchall()}


def _merge_due(cursor: Cursor, table: Table, now: datetime, total: int) -> Counts:
    """Do what `_merge` does for the keys that changed; `total` is how many rows were published before."""
    names = _names(table) | {"due": sql.Identifier(f"due_{table.name}"), "due_key": table.key_is("p", "d.row_key")}
    cursor.execute(
        sql.SQL(
            "create temp table {due} on commit drop as "
            "select changed.row_key, exists ("
            "select from hub.quarantine as q"
            " where q.relation = {name} and q.row_key = changed.row_key and q.resolved_at is null) as is_held "
            "from (select row_key from hub.candidate_changes where relation = {name}"
            " union select row_key from hub.quarantine_changes where relation = {name}) as changed"
        ).format(**names, name=sql.Literal(table.name))
    )
    # Without statistics the planner takes the list for a long one, and reads the tables instead of their indexes.
    cursor.execute(sql.SQL("analyze {due}").format(**names))
    cursor.execute(
        sql.SQL(
            "delete from {published} as p using {due} as d where {due_key} and "
            "(d.is_held or not exists (select 1 from {candidate} as c where {candidate_key}))"
        ).format(**names, candidate_key=table.key_is("c", "d.row_key"))
    )
    deleted = cursor.rowcount
    cursor.execute(
        sql.SQL(
            "update {published} as p set {assignments}, published_at = %s from {due} as d, {candidate} as c "
            "where {due_key} and {same_key} and {differ}"
        ).format(**names),
        (now,),
    )
    updated = cursor.rowcount
    cursor.execute(
        sql.SQL(
            "insert into {published} ({columns}, first_published_at, published_at) "
            "select {candidate_columns}, %s, %s from {due} as d inner join {candidate} as c on {candidate_key} "
            "where not d.is_held and not exists (select 1 from {published} as p where {due_key}) order by {ordered}"
        ).format(**names, candidate_key=table.key_is("c", "d.row_key")),
        (now, now),
    )
    inserted = cursor.rowcount
    return Counts(inserted, updated, deleted, total + inserted - deleted)


def _totals(cursor: Cursor) -> dict[str, int]:
    cursor.execute("select relation, rows from hub.published_counts")
    return dict(cursor.fetchall())


def _note_totals(cursor: Cursor, relations: dict[str, Counts]) -> None:
    cursor.execute(
        """
        insert into hub.published_counts as p (relation, rows)
        select * from unnest(%s::text[], %s::bigint[])
        on conflict (relation) do update set rows = excluded.rows where p.rows <> excluded.rows
        """,
        (list(relations), [counts.total for counts in relations.values()]),
    )


def _quarantined(table: Table) -> sql.Composed:
    return sql.SQL("(select distinct row_key from hub.quarantine where relation = {} and resolved_at is null)").format(
        sql.Literal(table.name)
    )


def _reconcile(cursor: Cursor, table: Table, total: int) -> None:
    """Check that every candidate row is published or quarantined."""
    cursor.execute(
        sql.SQL(
            "select count(*), count(q.row_key) from {candidate} as c "
            "left join {quarantined} as q on q.row_key = {row_key}"
        ).format(candidate=table.candidate, quarantined=_quarantined(table), row_key=table.row_key("c"))
    )
    candidates, quarantined = cursor.fetchone() or (0, 0)
    _must_add_up(table, candidates, total, quarantined)


def _reconcile_counts(cursor: Cursor, table: Table, total: int) -> None:
    """Check the same by the counts that are kept; only the rows in quarantine are looked up."""
    cursor.execute(
        sql.SQL(
            "select (select coalesce(sum(rows), 0) from hub.candidate_counts where relation = {name}),"
            # As a value, not as a join: looked up by its index, however long the planner thinks the list is.
            " (select count((select true from {candidate} as c where {key} limit 1)) from {quarantined} as q)"
        ).format(
            name=sql.Literal(table.name),
            candidate=table.candidate,
            key=table.key_is("c", "q.row_key"),
            quarantined=_quarantined(table),
        )
    )
    candidates, quarantined = cursor.fetchone() or (0, 0)
    _must_add_up(table, int(candidates), total, quarantined)


def _must_add_up(table: Table, candidates: int, total: int, quarantined: int) -> None:
    if candidates != total + quarantined:
        raise ActionNeeded(
            f"nothing was published: {table.name}: {candidates} candidate rows are not {total} published "
            f"and {quarantined} quarantined ones; its key is not unique, or is null"
        )


def _record(cursor: Cursor, run_id: str, now: datetime, relations: dict[str, Counts]) -> int:
    cursor.execute("select nextval('hub.publication_ids')")
    publication_id = _number(cursor)
    sums = Counts(
        sum(counts.inserted for counts in relations.values()),
        sum(counts.updated for counts in relations.values()),
        sum(counts.deleted for counts in relations.values()),
        sum(counts.total for counts in relations.values()),
    )
    rows = [(name, counts) for name, counts in relations.items() if counts.changed] + [(EVERYTHING, sums)]
    for name, counts in rows:
        cursor.execute(
            """
            insert into hub.publications
            (publication_id, run_id, published_at, relation, inserted, updated, deleted, total)
            values (%s, %s, %s, %s, %s, %s, %s, %s)
            """,
            (publication_id, run_id, now, name, counts.inserted, counts.updated, counts.deleted, counts.total),
        )
    return publication_id


def _refresh_statistics(connection: Connection, done: Publication) -> None:
    """Tell the planner about tables that changed a lot; autovacuum would, a minute later."""
    connection.set_session(autocommit=True)
    with connection.cursor() as cursor:
        for name, counts in done.relations.items():
            if counts.changed > 1000 and counts.changed > counts.total / 10:
                cursor.execute(sql.SQL("analyze {}").format(sql.Identifier(SCHEMA, name)))


# small things


def _list(columns: Sequence[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) if alias else sql.Identifier(column) for column in columns)


def _number(cursor: Cursor) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _milliseconds(seconds: float) -> str:
    # 0 would mean to wait for ever.
    return str(max(1, int(seconds * 1000)))


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select set_config('lock_timeout', %s, true)", (_milliseconds(seconds),))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _who_blocks(dsn: str) -> str:
    """Return who has been holding locks on our tables for longest, for the person who must act."""
    connection = db.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                """
                select a.pid, a.usename, a.application_name, date_trunc('second', now() - a.xact_start)
                from pg_stat_activity as a
                where a.pid <> pg_backend_pid() and exists (
                    select 1
                    from pg_locks as l
                    inner join pg_class as c on l.relation = c.oid
                    inner join pg_namespace as n on c.relnamespace = n.oid
                    where
                        l.pid = a.pid and l.granted
                        and l.database = (select d.oid from pg_database as d where d.datname = current_database())
                        and n.nspname in ('unified', 'hub', 'candidate')
                )
                order by a.xact_start
                limit 1
                """
            )
            row: tuple[Any, ...] | None = cursor.fetchone()
    finally:
        connection.close()
    if row is None:
        return "try again"
    pid, user, application, since = row
    return f"session {pid} of {user} ({application or 'unnamed'}) has held a lock for {since}; end it or try again"
