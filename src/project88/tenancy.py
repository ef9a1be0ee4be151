"""Who sees what: a read-only role per timing partner, an analyst's role for all, and a check that nothing leaks.

Rows are kept apart by the database itself: row-level security, forced, on every table that a partner's role can
reach. No policy means no rows. Views run with the rights of who asks (`security_invoker`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2 import errors, sql
from psycopg2.extensions import encrypt_password

from project88.errors import ActionNeeded
from project88.legacy import VIEWS
from project88.persons.schema import ensure_tables as ensure_persons
from project88.published import RELATIONS, SCHEMA

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

HUB = "hub"
LONGEST_NAME = 63

HUB_COLUMNS: dict[str, tuple[str, ...]] = {
    "timing_partners": (
        "timing_partner_id", "company_name", "slug", "contact_email", "api_access_enabled", "created_at",
    ),
    "providers": ("id", "provider_name", "provider_type", "api_base_url", "rate_limit_per_hour", "created_at"),
    "connections": (
        "connection_id", "timing_partner_id", "provider_name", "account", "has_secrets", "enabled", "created_at",
    ),
    "users": ("id", "username", "email", "timing_partner_id", "role", "created_at"),
    "sync_queue": (
        "id", "timing_partner_id", "provider_name", "sync_type", "priority", "status", "scheduled_for",
        "retry_count", "max_retries", "payload", "created_at",
    ),
    "sync_history": (
        "id", "timing_partner_id", "provider_name", "sync_type", "status", "records_processed", "started_at",
        "completed_at", "error_message", "created_at",
    ),
    # Not the record, which may be of a shape that nobody has looked at.
    "quarantine": (
        "quarantine_id", "timing_partner_id", "source_provider", "stage", "relation", "row_key", "rule", "reason",
        "first_seen_at", "last_seen_at", "resolved_at",
    ),
}  # fmt: skip
"""What readers may read of the hub, column by column: the older system's views stand on it. Never a secret."""

STAFF_COLUMNS: dict[str, tuple[str, ...]] = {
    "people_across": ("global_participant_id", "timing_partner_id", "people_id", "confidence"),
}
"""What only the analyst's role may read: who raced with several partners is told to none of them."""

SHARED = {(HUB, "providers")}
"""Tables that hold nothing of any partner."""

WRITING = "INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"

# What an extension brings (pg_stat_statements and its like) is the administrator's, and holds nothing of ours.
OURS = """n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
            and not exists (select 1 from pg_depend as e where e.objid = {}.oid and e.deptype = 'e')"""
OUR_RELATIONS, OUR_FUNCTIONS, OUR_SCHEMAS = OURS.format("c"), OURS.format("p"), OURS.format("n")


@dataclass(frozen=True)
class Roles:
    """The names of a database's reading roles."""

    partners: dict[int, str]
    analyst: str

    @property
    def all(self) -> list[str]:
        """Every one of them."""
        return [*self.partners.values(), self.analyst]


def role_name(database: str, suffix: str) -> str:
    """Return the name of a role of this database: roles are shared by all databases of a server."""
    # Names that begin with pg_ are the server's own.
    base = f"p88_{database}" if database.startswith("pg_") else database
    name = f"{base}_{suffix}"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(base.encode()).hexdigest()[:8]
    room = LONGEST_NAME - len(f"_{digest}_{suffix}")
    # Cut in bytes, as the server counts; half a letter at the end is left out.
    return f"{base.encode()[:room].decode(errors='ignore')}_{digest}_{suffix}"


def partner_role(database: str, timing_partner_id: int) -> str:
    """Return the name of a timing partner's role."""
    return role_name(database, f"partner_{timing_partner_id}")


def roles(connection: Connection) -> Roles:
    """Return the names of the roles that this database should have."""
    with connection.cursor() as cursor:
        cursor.execute("select current_database()")
        database = _one(cursor)
        cursor.execute("select timing_partner_id from hub.timing_partners order by 1")
        partners = {row[0]: partner_role(database, row[0]) for row in cursor.fetchall()}
    return Roles(partners, role_name(database, "analyst"))


def ensure_tenancy(connection: Connection) -> None:
    """Make roles, policies and grants what they should be, in the caller's transaction.

    Issues only what is missing, so that it takes no lock where nothing has changed. Raises ActionNeeded when a
    role has to be created and this user may not.
    """
    # Staff may read one of its tables.
    ensure_persons(connection)
    wanted = roles(connection)
    with connection.cursor() as cursor:
        # Two processes that begin at once would both create.
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('tenancy', 88))")
        _ensure_roles(cursor, wanted)
        _retire_roles(cursor, wanted)
        _ensure_row_security(cursor)
        _ensure_policies(cursor, wanted)
        _ensure_grants(cursor, wanted)


def set_partner_login(connection: Connection, timing_partner_id: int, password: str | None) -> str:
    """Let a timing partner's role sign in with a password (None: not any more); returns the role's name."""
    names = roles(connection)
    if timing_partner_id not in names.partners:
        raise ActionNeeded(f"there is no timing partner {timing_partner_id}; add it first")
    role = names.partners[timing_partner_id]
    with connection.cursor() as cursor:
        if password is None:
            cursor.execute(sql.SQL("alter role {} nologin password null").format(sql.Identifier(role)))
        else:
            # Hashed here: a statement may end in the server's log.
            sealed = encrypt_password(password, role, scope=connection, algorithm="scram-sha-256")
            cursor.execute(sql.SQL("alter role {} login password %s").format(sql.Identifier(role)), (sealed,))
    return role


@contextmanager
def acting_as(connection: Connection, timing_partner_id: int | None) -> Iterator[None]:
    """Read as a timing partner's role (None: the analyst's) until the end of the block or of the transaction."""
    # Without a transaction the role would be forgotten at once, and every partner's rows be shown.
    if connection.autocommit:
        raise ValueError("acting_as needs a connection that is not in autocommit mode")
    names = roles(connection)
    role = names.analyst if timing_partner_id is None else names.partners[timing_partner_id]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        try:
            yield
        finally:
            # A failed transaction takes no command and forgets the role by itself.
            if connection.info.transaction_status != 3:
                cursor.execute("reset role")


def drop_roles(connection: Connection) -> list[str]:
    """Take this database's reading roles away (before the database itself is dropped); returns their names."""
    with connection.cursor() as cursor:
        names = _existing_roles(cursor)
        for name in names:
            _drop_policies(cursor, name)
            _revoke_everything(cursor, name)
            cursor.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
    return names


# roles


def _ensure_roles(cursor: Cursor, wanted: Roles) -> None:
    cursor.execute("select rolname from pg_roles where rolname = any(%s)", (wanted.all,))
    present = {row[0] for row in cursor.fetchall()}
    for name in wanted.all:
        if name not in present:
            _create_role(cursor, name)
    _set_defaults(cursor, wanted)


def _create_role(cursor: Cursor, name: str) -> None:
    cursor.execute("savepoint new_role")
    try:
        cursor.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))
    except errors.InsufficientPrivilege as error:
        cursor.execute("rollback to savepoint new_role")
        cursor.execute("select current_user")
        user = _one(cursor)
        raise ActionNeeded(
            f'the role "{name}" is missing and {user} may not create it; as an administrator run: '
            f'ALTER ROLE "{user}" CREATEROLE; (or CREATE ROLE "{name}" NOLOGIN; for each partner and the analyst)'
        ) from error
    cursor.execute("release savepoint new_role")
    _allow_acting_as(cursor, name)


def _allow_acting_as(cursor: Cursor, name: str) -> None:
    """Let the owner read as the role: notebooks and services check what a partner sees."""
    cursor.execute("select rolsuper from pg_roles where rolname = current_user")
    if _one(cursor):
        return
    # Since 16 who creates a role administers it, yet neither becomes it nor inherits from it. The owner needs no
    # right of the role, only to become it.
    cursor.execute("show server_version_num")
    options = " with set true, inherit false" if int(_one(cursor)) >= 160000 else ""
    cursor.execute(sql.SQL("grant {} to current_user" + options).format(sql.Identifier(name)))


def _set_defaults(cursor: Cursor, wanted: Roles) -> None:
    """Give readers the older system's search path, and sessions that begin as read-only."""
    cursor.execute(
        """
        select r.rolname
        from pg_roles as r
        inner join pg_db_role_setting as s on r.oid = s.setrole
        inner join pg_database as d on s.setdatabase = d.oid
        where d.datname = current_database() and r.rolname = any(%s)
        """,
        (wanted.all,),
    )
    present = {row[0] for row in cursor.fetchall()}
    for name in set(wanted.all) - present:
        if not _may_alter(cursor, name):
            continue
        for setting in ("search_path = unified, public", "default_transaction_read_only = on"):
            cursor.execute(
                sql.SQL("alter role {} in database {} set " + setting).format(
                    sql.Identifier(name), sql.Identifier(_database(cursor))
                )
            )


def _may_alter(cursor: Cursor, name: str) -> bool:
    """Return whether we may alter a role; one that an administrator made for us we may not (16 and later)."""
    cursor.execute(
        """
        select
            r.rolsuper
            or (
                r.rolcreaterole
                and (
                    current_setting('server_version_num')::integer < 160000
                    or exists (
                        select 1
                        from pg_auth_members as m
                        where m.roleid = %s::regrole and m.member = r.oid and m.admin_option
                    )
                )
            )
        from pg_roles as r where r.rolname = current_user
        """,
        (_quoted(cursor, name),),
    )
    return bool(_one(cursor))


def _existing_roles(cursor: Cursor) -> list[str]:
    """Return the names of this database's reading roles that exist, those of partners that are gone as well."""
    database = _database(cursor)
    cursor.execute("select rolname from pg_roles order by 1")
    found = []
    for (name,) in cursor.fetchall():
        number = name.rpartition("_")[2]
        is_partner = number.isdigit() and name == partner_role(database, int(number))
        if is_partner or name == role_name(database, "analyst"):
            found.append(name)
    return found


def _retire_roles(cursor: Cursor, wanted: Roles) -> None:
    for name in _existing_roles(cursor):
        if name in wanted.all:
            continue
        _drop_policies(cursor, name)
        _revoke_everything(cursor, name)
        cursor.execute("savepoint retired_role")
        try:
            cursor.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))
        except (errors.DependentObjectsStillExist, errors.InsufficientPrivilege):
            # It has been given something beyond what we gave; without grants and policies it reads nothing of ours.
            cursor.execute("rollback to savepoint retired_role")
        cursor.execute("release savepoint retired_role")


def _drop_policies(cursor: Cursor, role: str) -> None:
    cursor.execute("select schemaname, tablename, policyname from pg_policies where roles = array[%s]::name[]", (role,))
    for schema, table, policy in cursor.fetchall():
        cursor.execute(sql.SQL("drop policy {} on {}").format(sql.Identifier(policy), sql.Identifier(schema, table)))


def _revoke_everything(cursor: Cursor, role: str) -> None:
    for schema in (SCHEMA, HUB):
        cursor.execute("select to_regnamespace(%s) is not null", (schema,))
        if _one(cursor):
            names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
            cursor.execute(sql.SQL("revoke all on all tables in schema {schema} from {role}").format(**names))
            cursor.execute(sql.SQL("revoke all on schema {schema} from {role}").format(**names))


# policies


def _protected() -> list[tuple[str, str]]:
    return [(SCHEMA, relation) for relation in RELATIONS] + [(HUB, table) for table in (*HUB_COLUMNS, *STAFF_COLUMNS)]


def _ensure_row_security(cursor: Cursor) -> None:
    for schema, table in _protected():
        cursor.execute(
            "select relrowsecurity, relforcerowsecurity from pg_class where oid = %s::regclass", (f"{schema}.{table}",)
        )
        if cursor.fetchone() != (True, True):
            cursor.execute(
                sql.SQL("alter table {} enable row level security, force row level security").format(
                    sql.Identifier(schema, table)
                )
            )


def _ensure_policies(cursor: Cursor, wanted: Roles) -> None:
    cursor.execute(
        """
        select schemaname::text, tablename::text, policyname::text, permissive, roles::text[], cmd, qual, with_check
        from pg_policies
        where schemaname = any(%s)
        """,
        ([SCHEMA, HUB],),
    )
    present = {(row[0], row[1], row[2]): row[3:] for row in cursor.fetchall()}
    for schema, table in _protected():
        cursor.execute(
            "select pg_get_userbyid(relowner)::text from pg_class where oid = %s::regclass", (f"{schema}.{table}",)
        )
        owner = _one(cursor)
        shared = (schema, table) in SHARED
        policies = {"owner": (owner, "ALL", "true"), "analyst": (wanted.analyst, "SELECT", "true")}
        for number, name in ({} if table in STAFF_COLUMNS else wanted.partners).items():
            policies[f"partner_{number}"] = (name, "SELECT", _own_rows(number, shared))
        for policy, (role, command, rows) in policies.items():
            check = rows if command == "ALL" else None
            found = present.get((schema, table, policy))
            if found == ("PERMISSIVE", [role], command, rows, check):
                continue
            place = {"policy": sql.Identifier(policy), "table": sql.Identifier(schema, table)}
            if found:
                cursor.execute(sql.SQL("drop policy {policy} on {table}").format(**place))
            cursor.execute(
                sql.SQL("create policy {policy} on {table} for " + command + " to {role} using ({rows})").format(
                    **place, role=sql.Identifier(role), rows=sql.SQL(rows)
                )
                + (sql.SQL(" with check ({})").format(sql.SQL(check)) if check else sql.SQL(""))
            )


def _own_rows(timing_partner_id: int, shared: bool = False) -> str:
    """Return a partner's condition as the server shows it, brackets included."""
    return "true" if shared else f"(timing_partner_id = {int(timing_partner_id)})"


# grants


def _ensure_grants(cursor: Cursor, wanted: Roles) -> None:
    for schema in (SCHEMA, HUB):
        lacking = _without(cursor, wanted.all, "has_schema_privilege(r.oid, %s, 'USAGE')", schema)
        _grant(cursor, "usage on schema {}", sql.Identifier(schema), lacking)
    for relation in (*RELATIONS, *VIEWS):
        lacking = _without(cursor, wanted.all, "has_table_privilege(r.oid, %s, 'SELECT')", f"{SCHEMA}.{relation}")
        _grant(cursor, "select on {}", sql.Identifier(SCHEMA, relation), lacking)
    for table, columns in (HUB_COLUMNS | STAFF_COLUMNS).items():
        cursor.execute(
            """
            select r.rolname
            from pg_roles as r
            where
                r.rolname = any(%s)
                and not (select every(has_column_privilege(r.oid, %s, c, 'SELECT')) from unnest(%s) as c)
            """,
            ([wanted.analyst] if table in STAFF_COLUMNS else wanted.all, f"{HUB}.{table}", list(columns)),
        )
        what = sql.SQL("({}) on {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(HUB, table)
        )
        _grant(cursor, "select {}", what, [row[0] for row in cursor.fetchall()])
    # Anybody may run a new function unless told otherwise.
    cursor.execute(
        """
        select count(*) = 0
        from pg_default_acl as d
        where pg_get_userbyid(d.defaclrole) = current_user and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
        """
    )
    if _one(cursor):
        cursor.execute("alter default privileges revoke execute on functions from public")
    cursor.execute(
        """
        select p.oid::regprocedure::text
        from pg_proc as p
        inner join pg_namespace as n on p.pronamespace = n.oid
        where
            n.nspname = any(%s)
            and exists (
                select 1 from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee = 0
            )
        """,
        ([SCHEMA, HUB],),
    )
    for (function,) in cursor.fetchall():
        cursor.execute(sql.SQL("revoke execute on routine {} from public").format(sql.SQL(function)))


def _without(cursor: Cursor, names: list[str], has: str, what: str) -> list[str]:
    cursor.execute(f"select r.rolname from pg_roles as r where r.rolname = any(%s) and not {has}", (names, what))  # noqa: S608
    return [row[0] for row in cursor.fetchall()]


def _grant(cursor: Cursor, privilege: str, what: sql.Composable, to: Iterable[str]) -> None:
    names = sorted(to)
    if names:
        cursor.execute(
            sql.SQL("grant " + privilege + " to {}").format(what, sql.SQL(", ").join(map(sql.Identifier, names)))
        )


# the check


def leaks(connection: Connection) -> list[str]:
    """Return one line for each way in which a reader could see what is not its own, or write; empty is good."""
    names = roles(connection)
    with connection.cursor() as cursor:
        checks = (
            _leaking_roles,
            _leaking_tables,
            _leaking_policies,
            _leaking_views,
            _leaking_functions,
            _leaking_grants,
            _public_grants,
        )
        found = [line for check in checks for line in check(cursor, names)]
    return sorted(set(found))


def _leaking_roles(cursor: Cursor, names: Roles) -> Iterator[str]:
    cursor.execute(
        """
        select r.rolname, rights.what
        from
            pg_roles as r,
            lateral (
                values
                (r.rolsuper, 'is a superuser'),
                (r.rolbypassrls, 'bypasses row-level security'),
                (r.rolcreaterole, 'may create roles'),
                (r.rolcreatedb, 'may create databases'),
                (r.rolreplication, 'may replicate'),
                (has_database_privilege(r.oid, current_database(), 'CREATE'), 'may create schemas')
            ) as rights (has, what)
        where r.rolname = any(%s) and rights.has
        """,
        (names.all,),
    )
    yield from (f"role {role} {what}" for role, what in cursor.fetchall())
    cursor.execute(
        """
        select m.rolname, g.rolname
        from pg_auth_members as a
        inner join pg_roles as m on a.member = m.oid
        inner join pg_roles as g on a.roleid = g.oid
        where m.rolname = any(%s)
        """,
        (names.all,),
    )
    yield from (f"role {member} is a member of {group}" for member, group in cursor.fetchall())


def _leaking_tables(cursor: Cursor, names: Roles) -> Iterator[str]:
    cursor.execute(
        f"""
        select n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            c.relkind in ('r', 'p', 'f', 'm')
            and (
                n.nspname = %(schema)s
                or (
                    {OUR_RELATIONS}
                    and exists (
                        select 1 from pg_roles as r
                        where r.rolname = any(%(roles)s) and has_any_column_privilege(r.oid, c.oid, 'SELECT')
                    )
                )
            )
        """,  # noqa: S608
        {"schema": SCHEMA, "roles": names.all},
    )
    for schema, table, kind, enabled, forced in cursor.fetchall():
        if kind == "m":
            yield f"{schema}.{table} is a materialized view, which has no row-level security"
        elif kind == "f":
            yield f"{schema}.{table} is a foreign table, which has no row-level security"
        elif not enabled:
            yield f"{schema}.{table} has no row-level security"
        elif not forced:
            yield f"{schema}.{table} does not force row-level security"


def _leaking_policies(cursor: Cursor, names: Roles) -> Iterator[str]:
    by_role = {name: number for number, name in names.partners.items()}
    cursor.execute("select schemaname, tablename, policyname, roles::text[], cmd, qual, with_check from pg_policies")
    present = set()
    for schema, table, policy, policy_roles, command, rows, check in cursor.fetchall():
        where = f"policy {policy} on {schema}.{table}"
        if (schema in (SCHEMA, HUB)) and "public" in policy_roles:
            yield f"{where} is for everybody"
        for role in set(policy_roles) & set(names.all):
            present.add((schema, table))
            shared = (schema, table) in SHARED
            if command != "SELECT" or check is not None:
                yield f"{where} lets {role} write"
            if role in by_role and rows != _own_rows(by_role[role], shared):
                yield f"{where} shows {role} rows where {rows}"
    for schema, table in _protected():
        # A single role without one reads nothing, which is safe; none at all means that they were dropped.
        if (schema, table) not in present:
            yield f"{schema}.{table} has no policy for any reader"


def _leaking_views(cursor: Cursor, names: Roles) -> Iterator[str]:
    cursor.execute(
        f"""
        select n.nspname, c.relname
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            c.relkind = 'v'
            and {OUR_RELATIONS}
            and (
                n.nspname = %(schema)s
                or exists (
                    select 1 from pg_roles as r
                    where r.rolname = any(%(roles)s) and has_any_column_privilege(r.oid, c.oid, 'SELECT')
                )
            )
            and not coalesce(
                (
                    select o.option_value::boolean
                    from pg_options_to_table(c.reloptions) as o
                    where o.option_name = 'security_invoker'
                ),
                false
            )
        """,  # noqa: S608
        {"schema": SCHEMA, "roles": names.all},
    )
    yield from (
        f"view {schema}.{view} shows its owner's rows (no security_invoker)" for schema, view in cursor.fetchall()
    )


def _leaking_functions(cursor: Cursor, names: Roles) -> Iterator[str]:
    cursor.execute(
        f"""
        select p.oid::regprocedure::text
        from pg_proc as p
        inner join pg_namespace as n on p.pronamespace = n.oid
        where
            p.prosecdef
            and {OUR_FUNCTIONS}
            and (
                n.nspname = %(schema)s
                or exists (
                    select 1 from pg_roles as r
                    where r.rolname = any(%(roles)s) and has_function_privilege(r.oid, p.oid, 'EXECUTE')
                )
            )
        """,  # noqa: S608
        {"schema": SCHEMA, "roles": names.all},
    )
    yield from (f"function {name} runs with its owner's rights (security definer)" for (name,) in cursor.fetchall())


def _leaking_grants(cursor: Cursor, names: Roles) -> Iterator[str]:
    cursor.execute(
        f"""
        select r.rolname, n.nspname || '.' || c.relname, 'may write'
        from pg_roles as r, pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            r.rolname = any(%(roles)s)
            and {OUR_RELATIONS}
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and (
                has_table_privilege(r.oid, c.oid, %(writing)s)
                or has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE, REFERENCES')
            )
        union all
        select r.rolname, n.nspname || '.' || c.relname, 'may read'
        from pg_roles as r, pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            r.rolname = any(%(roles)s)
            and {OUR_RELATIONS}
            and n.nspname not in (%(schema)s, %(hub)s)
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and has_any_column_privilege(r.oid, c.oid, 'SELECT')
        union all
        select r.rolname, 'schema ' || n.nspname, 'may create in'
        from pg_roles as r, pg_namespace as n
        where r.rolname = any(%(roles)s) and {OUR_SCHEMAS} and has_schema_privilege(r.oid, n.oid, 'CREATE')
        union all
        select r.rolname, n.nspname || '.' || c.relname, 'owns'
        from pg_roles as r
        inner join pg_class as c on r.oid = c.relowner
        inner join pg_namespace as n on c.relnamespace = n.oid
        where r.rolname = any(%(roles)s)
        union all
        select r.rolname, 'sequence ' || n.nspname || '.' || c.relname, 'may use'
        from pg_roles as r, pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            r.rolname = any(%(roles)s)
            and {OUR_RELATIONS}
            and case
                when c.relkind = 'S' then has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE') else false
            end
        """,  # noqa: S608
        {"roles": names.all, "writing": WRITING, "schema": SCHEMA, "hub": HUB},
    )
    yield from (f"role {role} {may} {what}" for role, what, may in cursor.fetchall())
    cursor.execute(
        """
        select r.rolname, c.relname, a.attname
        from pg_roles as r, pg_class as c
        inner join pg_attribute as a on c.oid = a.attrelid
        where
            r.rolname = any(%s)
            and c.relnamespace = to_regnamespace(%s)
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and a.attnum > 0 and not a.attisdropped
            and has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')
        """,
        (names.all, HUB),
    )
    for role, table, column in cursor.fetchall():
        known = HUB_COLUMNS | (STAFF_COLUMNS if role == names.analyst else {})
        if column not in known.get(table, ()):
            yield f"role {role} may read {HUB}.{table}.{column}"


def _public_grants(cursor: Cursor, names: Roles) -> Iterator[str]:
    ours = "(n.nspname in ('unified', 'hub', 'staging', 'intermediate', 'candidate') or n.nspname like 'raw\\_%%')"
    cursor.execute(
        f"""
        select 'schema ' || n.nspname
        from pg_namespace as n, aclexplode(n.nspacl) as a
        where {ours} and a.grantee = 0
        union
        select n.nspname || '.' || c.relname
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid,
            aclexplode(c.relacl) as a
        where {ours} and a.grantee = 0
        union
        select n.nspname || '.' || c.relname || '.' || t.attname
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        inner join pg_attribute as t on c.oid = t.attrelid,
            aclexplode(t.attacl) as a
        where {ours} and a.grantee = 0
        union
        select 'tables made in future'
        from pg_default_acl as d, aclexplode(d.defaclacl) as a
        where d.defaclobjtype = 'r' and (a.grantee = 0 or pg_get_userbyid(a.grantee) = any(%s))
        """,  # noqa: S608
        (names.all,),
    )
    yield from (f"everybody has rights on {what}" for (what,) in cursor.fetchall())


# small things


def _one(cursor: Cursor) -> Any:
    row = cursor.fetchone()
    return row[0] if row else None


def _database(cursor: Cursor) -> str:
    cursor.execute("select current_database()")
    return str(_one(cursor))


def _quoted(cursor: Cursor, name: str) -> str:
    return sql.Identifier(name).as_string(cursor)
