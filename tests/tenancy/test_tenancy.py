"""A timing partner's role reads its own rows, through everything there is, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from project88 import db
from project88.errors import ActionNeeded
from project88.legacy import VIEWS, ensure_legacy_views
from project88.publish import publish
from project88.published import RELATIONS
from project88.raw import PROVIDERS
from project88.tenancy import (
    HUB_COLUMNS,
    acting_as,
    drop_roles,
    ensure_tenancy,
    leaks,
    partner_role,
    roles,
    set_partner_login,
)
from tests.publish.candidates import LATER, NOW, PARTNERS, execute, make_season

OWNER = "owns & publishes"


def owned_by_another(dsn: str) -> str:
    """Give a database to a user who is no superuser and may create roles; returns that user's URL."""
    parts = urlsplit(dsn)
    name = f"{OWNER} {parts.path.strip('/')}"
    connection = db.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("create role {} login createrole password 'open'").format(sql.Identifier(name)))
        cursor.execute(
            sql.SQL("alter database {} owner to {}").format(sql.Identifier(parts.path.strip("/")), sql.Identifier(name))
        )
    connection.close()
    user = name.replace(" ", "%20").replace("&", "%26")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:open@{host}").geturl()


@pytest.fixture(
    params=[("embedded_dsn", False), ("embedded_dsn", True), ("server15_dsn", False), ("server15_dsn", True)],
    ids=["embedded", "embedded, plain owner", "15 over TCP", "15 over TCP, plain owner"],
)
def dsn(request: pytest.FixtureRequest) -> str:
    """A fresh database on each server, as superuser and as an owner who is none."""
    fixture, is_plain = request.param
    given: str = request.getfixturevalue(fixture)
    return owned_by_another(given) if is_plain else given


@pytest.fixture(scope="module")
def season(embedded_dsn_of_module: str) -> Iterator[Connection]:
    """A connection to a database in which two partners' season is published, for all tests that change nothing."""
    connection = db.connect(embedded_dsn_of_module)
    make_season(connection, partners=2, runners=1)
    publish(embedded_dsn_of_module, run_id="run-1", now=NOW)
    yield connection
    connection.close()


@pytest.fixture
def unchanged(season: Connection) -> Iterator[Connection]:
    """That connection; what a test does is rolled back."""
    season.rollback()
    yield season
    season.rollback()


@pytest.fixture
def published(embedded_dsn: str) -> Iterator[Connection]:
    """A connection to a database in which two partners' season is published."""
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=2, runners=1)
    publish(embedded_dsn, run_id="run-1", now=NOW)
    yield connection
    connection.close()


def test_each_of_thirteen_partners_reads_its_own_rows_through_every_table_and_view(dsn: str) -> None:
    connection = db.connect(dsn)
    make_season(connection)
    publish(dsn, run_id="run-1", now=NOW)
    with_partner = [name for name in (*RELATIONS, *VIEWS) if name != "providers"]

    with connection, connection.cursor() as cursor:
        _tell_it_as_all_providers(cursor)
        everybody = {}
        for relation in with_partner:
            cursor.execute(
                sql.SQL("select timing_partner_id, count(*) from {} group by 1").format(
                    sql.Identifier("unified", relation)
                )
            )
            everybody[relation] = dict(cursor.fetchall())
            assert sorted(everybody[relation]) == list(range(1, PARTNERS + 1)), relation
        for partner in range(1, PARTNERS + 1):
            with acting_as(connection, partner):
                for relation in with_partner:
                    cursor.execute(
                        sql.SQL("select timing_partner_id, count(*) from {} group by 1").format(
                            sql.Identifier("unified", relation)
                        )
                    )
                    assert dict(cursor.fetchall()) == {partner: everybody[relation][partner]}, relation
                cursor.execute("select count(*) from unified.providers")
                assert cursor.fetchone() == (len(PROVIDERS),)
                cursor.execute("select count(*), min(account) from hub.connections")
                assert cursor.fetchone() == (2, f"account-{partner}")
        with acting_as(connection, None):
            for relation in with_partner:
                cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("unified", relation)))
                assert cursor.fetchone() == (sum(everybody[relation].values()),)
    connection.close()


def _tell_it_as_all_providers(cursor: Any) -> None:
    """Publish RunSignUp's rows once more as every other provider's: each has relations of its own."""
    for relation in RELATIONS:
        cursor.execute(
            "select column_name from information_schema.columns where table_schema = 'unified' and table_name = %s "
            "and is_generated = 'NEVER' and is_identity = 'NO'",
            (relation,),
        )
        columns = [row[0] for row in cursor.fetchall()]
        if "source_provider" not in columns:
            continue
        for provider in set(PROVIDERS) - {"runsignup", "chronotrack"}:
            told = [
                sql.SQL("replace({}, 'runsignup', {})").format(sql.Identifier(column), sql.Literal(provider))
                if column == "source_provider" or column.endswith("_key")
                else sql.Identifier(column)
                for column in columns
            ]
            cursor.execute(
                sql.SQL(
                    "insert into {table} ({columns}) select {told} from {table} where {source} = 'runsignup'"
                ).format(
                    table=sql.Identifier("unified", relation),
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                    told=sql.SQL(", ").join(told),
                    source=sql.Identifier("source_provider"),
                )
            )


def test_publishing_goes_on_for_every_kind_of_owner_and_a_partner_may_come_and_go(dsn: str) -> None:
    connection = db.connect(dsn)
    make_season(connection, partners=2, runners=1)
    publish(dsn, run_id="run-1", now=NOW)
    execute(connection, "insert into hub.timing_partners (timing_partner_id, company_name, slug) values (3, 'N', 'n')")
    execute(connection, "update candidate.unified_results set bib_number = 'X1'")

    assert publish(dsn, run_id="run-2", now=LATER).changed == 4
    newcomer = roles(connection).partners[3]
    assert execute(connection, "select 1 from pg_roles where rolname = %s", newcomer) == [(1,)]
    execute(connection, "delete from hub.timing_partners where timing_partner_id = 3")
    assert publish(dsn, run_id="run-3", now=LATER).changed == 0

    assert execute(connection, "select 1 from pg_roles where rolname = %s", newcomer) == []
    assert execute(connection, "select 1 from pg_policies where policyname = 'partner_3'") == []
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "select secrets from hub.connections",
        "select settings from hub.connections",
        "select * from hub.connections",
        "select password_hash from hub.users",
        "select * from hub.quarantine",
        "select * from hub.connection_state",
        "select * from hub.persons",
        "select * from hub.person_records",
        "select * from hub.person_aliases",
        "select * from hub.person_decisions",
        "select * from hub.person_changes",
        "select * from hub.person_news",
        "select * from hub.person_linkage",
        "select * from hub.person_due",
        "select * from candidate.unified_events",
        "insert into unified.unified_events (event_key, source_provider, timing_partner_id, event_id) "
        "values ('x', 'x', 1, 'x')",
        "update unified.unified_participants set bib_number = '1'",
        "delete from unified.sync_history",
        "truncate unified.unified_results",
        "create table unified.mine (id integer)",
        "create schema mine",
    ],
)
@pytest.mark.parametrize("reader", [1, None], ids=["partner", "analyst"])
def test_a_reader_can_neither_write_nor_see_secrets(unchanged: Connection, reader: int | None, statement: str) -> None:
    unchanged.rollback()
    with unchanged.cursor() as cursor, acting_as(unchanged, reader), pytest.raises(errors.InsufficientPrivilege):
        cursor.execute(statement)
    unchanged.rollback()


def test_who_raced_with_several_partners_is_for_staff_alone(unchanged: Connection) -> None:
    with unchanged.cursor() as cursor:
        cursor.execute("insert into hub.people_across values ('a', 1, 'x', 0.9), ('b', 2, 'x', 0.9)")
        with acting_as(unchanged, None):
            cursor.execute("select people_id, count(*) from hub.people_across group by 1")
            assert cursor.fetchall() == [("x", 2)]
        for partner in (1, 2):
            for columns in ("count(*)", "people_id", "global_participant_id"):
                cursor.execute("savepoint before_it")
                with pytest.raises(errors.InsufficientPrivilege), acting_as(unchanged, partner):
                    cursor.execute(f"select {columns} from hub.people_across")  # noqa: S608
                cursor.execute("rollback to before_it")


def test_the_older_systems_credentials_show_that_there_are_some_and_never_which(unchanged: Connection) -> None:
    with unchanged, unchanged.cursor() as cursor, acting_as(unchanged, 1):
        cursor.execute("select account, has_secret, is_active from unified.partner_provider_credentials")
        assert cursor.fetchall() == [("account-1", True, True)] * 2
        cursor.execute("select username, password_hash from unified.users")
        assert cursor.fetchall() == [("user-1", None)]
        everything = []
        for view in VIEWS:
            cursor.execute(sql.SQL("select v::text from {} as v").format(sql.Identifier("unified", view)))
            everything += cursor.fetchall()
    assert "secret" not in str(everything).replace("has_secret", "")


LEAKS = {
    "view without security_invoker": (
        "create view unified.entries as table unified.unified_participants",
        "view unified.entries shows its owner's rows",
    ),
    "older view replaced by hand": (
        "create or replace view unified.ct_results as table unified.ct_results",
        "view unified.ct_results shows its owner's rows",
    ),
    "view in another schema": (
        "create view public.entries as table unified.unified_participants; grant select on public.entries to {role}",
        "role {role} may read public.entries",
    ),
    "materialized view": (
        "create materialized view unified.entries as table unified.unified_participants",
        "unified.entries is a materialized view",
    ),
    "table": ("create table unified.copied as table unified.unified_participants", "copied has no row-level security"),
    "row security off": (
        "alter table unified.unified_events disable row level security",
        "unified.unified_events has no row-level security",
    ),
    "row security not forced": (
        "alter table hub.connections no force row level security",
        "hub.connections does not force row-level security",
    ),
    "policy for everybody": (
        "create policy open on unified.unified_events for select using (true)",
        "policy open on unified.unified_events is for everybody",
    ),
    "policy that shows more": (
        "create policy more on unified.unified_events for select to {role} using (timing_partner_id in (1, 2))",
        "policy more on unified.unified_events shows {role} rows where",
    ),
    "policies dropped": (
        "drop policy partner_1 on unified.unified_events; drop policy partner_2 on unified.unified_events; "
        "drop policy analyst on unified.unified_events",
        "unified.unified_events has no policy for any reader",
    ),
    "function": (
        "create function unified.entries() returns bigint language sql security definer "
        "as 'select count(*) from unified.unified_participants'",
        "function unified.entries() runs with its owner's rights",
    ),
    "function elsewhere": (
        "create function public.entries() returns bigint language sql security definer as 'select 1::bigint'; "
        "grant execute on function public.entries() to {role}",
        "function entries() runs with its owner's rights",
    ),
    "secrets": ("grant select (secrets) on hub.connections to {role}", "role {role} may read hub.connections.secrets"),
    "candidates": (
        "grant select on candidate.unified_events to {role}",
        "role {role} may read candidate.unified_events",
    ),
    "writing": (
        "grant update (bib_number) on unified.unified_results to {role}",
        "role {role} may write unified.unified_results",
    ),
    "creating": ("grant create on schema unified to {role}", "role {role} may create in schema unified"),
    "everybody may use": ("grant usage on schema candidate to public", "everybody has rights on schema candidate"),
    "everybody may read": ("grant select on hub.runs to public", "everybody has rights on hub.runs"),
    "everybody will read": (
        "alter default privileges in schema candidate grant select on tables to public",
        "everybody has rights on tables made in future",
    ),
    "member": ("grant pg_read_all_data to {role}", "role {role} is a member of pg_read_all_data"),
    "bypass": ("alter role {role} bypassrls", "role {role} bypasses row-level security"),
    "superuser": ("alter role {role} superuser", "role {role} is a superuser"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "says"), LEAKS.values(), ids=LEAKS)
def test_a_leak_is_named(unchanged: Connection, statement: str, says: str) -> None:
    assert leaks(unchanged) == []
    role = roles(unchanged).partners[1]

    with unchanged.cursor() as cursor:
        cursor.execute(statement.format(role=role))

    assert says.format(role=role) in "\n".join(leaks(unchanged))
    unchanged.rollback()


def test_an_older_view_that_was_replaced_by_hand_is_put_right_by_the_next_publish(
    embedded_dsn: str, published: Connection
) -> None:
    definition = execute(published, "select pg_get_viewdef('unified.ct_results'::regclass)")[0][0]
    execute(published, f"create or replace view unified.ct_results as {definition}")
    assert leaks(published) != []
    published.rollback()

    publish(embedded_dsn, run_id="run-2", now=LATER)

    assert leaks(published) == []


def test_a_policy_that_was_changed_or_dropped_is_put_right_by_the_next_publish(
    embedded_dsn: str, published: Connection
) -> None:
    execute(published, "alter policy partner_1 on unified.unified_events using (true)")
    execute(published, "drop policy partner_2 on unified.unified_results")
    execute(published, "alter table unified.unified_races no force row level security")

    publish(embedded_dsn, run_id="run-2", now=LATER)

    assert leaks(published) == []
    rows = execute(
        published, "select qual from pg_policies where tablename like 'unified%' and policyname = 'partner_1'"
    )
    assert rows == [("(timing_partner_id = 1)",)] * 6


def test_a_view_in_the_way_is_named(published: Connection) -> None:
    execute(published, "drop view unified.ct_events")
    execute(published, "create view unified.ct_events with (security_invoker) as select 1 as event_id")
    execute(published, "create view unified.mine with (security_invoker) as table unified.ct_events")

    with pytest.raises(ActionNeeded, match=r"view unified\.ct_events could not be made: .*depend"):
        ensure_legacy_views(published)
    published.rollback()
    execute(published, "drop view unified.mine")
    ensure_legacy_views(published)
    published.commit()
    assert len(execute(published, "select * from unified.ct_events")[0]) == 8


def test_a_partner_can_be_let_in_with_a_password(server15_dsn: str) -> None:
    connection = db.connect(server15_dsn)
    make_season(connection, partners=2, runners=1)
    publish(server15_dsn, run_id="run-1", now=NOW)
    parts = urlsplit(server15_dsn)
    with connection:
        role = set_partner_login(connection, 2, "by the sea")
    guest_dsn = parts._replace(netloc=f"{role}:by%20the%20sea@{parts.hostname}:{parts.port}").geturl()

    guest = psycopg2.connect(guest_dsn)

    assert execute(guest, "select distinct timing_partner_id from unified_participants") == [(2,)]
    with pytest.raises(errors.ReadOnlySqlTransaction):
        execute(guest, "create temporary table mine (id integer); insert into unified_events default values")
    guest.close()
    with connection:
        set_partner_login(connection, 2, None)
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(guest_dsn)
    with pytest.raises(ActionNeeded, match="no timing partner 9"):
        set_partner_login(connection, 9, "x")
    connection.close()


def test_an_owner_who_may_not_create_roles_is_told_what_to_ask_for(embedded_dsn: str) -> None:
    owner_dsn = owned_by_another(embedded_dsn)
    name = f"{OWNER} {urlsplit(embedded_dsn).path.strip('/')}"
    administrator = db.connect(embedded_dsn)
    with administrator, administrator.cursor() as cursor:
        cursor.execute(sql.SQL("alter role {} nocreaterole").format(sql.Identifier(name)))
    connection = db.connect(owner_dsn)
    make_season(connection, partners=1, runners=1)

    with pytest.raises(ActionNeeded, match=r'partner_1" is missing and .* may not create it.*CREATEROLE'):
        publish(owner_dsn, run_id="run-1", now=NOW)

    with connection:
        names = roles(connection).all
    for role in names:
        execute(administrator, sql.SQL("create role {} nologin").format(sql.Identifier(role)).as_string(administrator))
    assert publish(owner_dsn, run_id="run-2", now=NOW).changed == 16
    connection.close()
    administrator.close()


def test_the_roles_of_a_database_can_be_taken_away(published: Connection) -> None:
    names = roles(published).all

    with published:
        assert sorted(drop_roles(published)) == sorted(names)

    assert execute(published, "select 1 from pg_roles where rolname = any(%s)", names) == []
    with published:
        ensure_tenancy(published)
    assert leaks(published) == []


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("project88", "project88_partner_7"),
        ("pg_hub", "p88_pg_hub_partner_7"),
        ("Harbour & Söhne", "Harbour & Söhne_partner_7"),
    ],
)
def test_a_role_is_named_after_its_database(database: str, expected: str) -> None:
    assert partner_role(database, 7) == expected


def test_long_names_of_databases_give_short_roles_that_differ() -> None:
    names = [partner_role("ø" * 28 + end, 1234567) for end in ("aaaaaaa", "bbbbbbb")]

    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 63 and name.endswith("_partner_1234567") for name in names)


def test_a_connection_that_forgets_the_role_at_once_is_refused(unchanged: Connection) -> None:
    unchanged.rollback()
    unchanged.autocommit = True

    with pytest.raises(ValueError, match="autocommit"), acting_as(unchanged, 1):
        pass
    unchanged.autocommit = False


def test_readers_of_the_hub_get_only_columns_that_exist(unchanged: Connection) -> None:
    for table, columns in HUB_COLUMNS.items():
        present = execute(
            unchanged,
            "select column_name from information_schema.columns where table_schema = 'hub' and table_name = %s",
            table,
        )
        assert set(columns) <= {row[0] for row in present}
