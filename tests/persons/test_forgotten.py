"""What is kept of forgotten persons: hashes, and raw tables that refuse what has them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet

from project88 import connections, db, pipeline, vault
from project88.errors import ActionNeeded
from project88.persons import forgotten
from project88.persons.forgotten import PERSONAL, Salt, everybody, own
from tests.conftest import fresh_database

NOW = datetime(2026, 6, 14, 12, tzinfo=UTC)
SAID = {
    ("raceroster", "participants"): {"bib_number": " 41 ", "first_name": "Ana", "last_name": "Sousa  Reis"},
    ("raceroster", "results"): {"bib": "41", "name": "ana sousa reis"},
}


@pytest.fixture(scope="module")
def prepared(embedded_server, tmp_path_factory) -> Iterator[str]:
    """A database with all raw tables and partners 1 and 2; to be used in transactions that are rolled back."""
    with pytest.MonkeyPatch.context() as patch, fresh_database(embedded_server) as dsn:
        patch.setenv("P88_HOME", str(tmp_path_factory.mktemp("home")))
        pipeline.prepare(dsn)
        yield dsn


@pytest.fixture
def cursor(prepared) -> Iterator[Any]:
    with closing(db.connect(prepared)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.rollback()


def put(cursor: Any, stream: Any, partner: int = 1, id_: str = "7", **values: str) -> int:
    """Insert a row all of whose ids are the same; return how many were stored."""
    columns = {"timing_partner_id": str(partner)}
    for one in everybody(stream):
        if one.name != "starter":
            columns |= {part.format(row="x").removeprefix("x."): id_ for part in one.parts}
    if stream.by_event:
        columns.setdefault(stream.scope_column, "5")
    columns |= SAID.get((stream.provider, stream.name), {}) | values
    cursor.execute(
        f"insert into {stream.table} ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})"  # noqa: S608
        " on conflict do nothing",
        list(columns.values()),
    )
    return int(cursor.rowcount)


def keep(cursor: Any, salt: Salt, provider: str, name: str, id_: str, partner: int = 1) -> None:
    """Remember one id as forgotten."""
    cursor.execute(
        "insert into hub.forgotten values (%s, %s, %s, %s, %s, null, %s, 'ada')",
        (salt.hash(forgotten.named(provider, partner, name, id_)), salt.salt_id, partner, provider, name, NOW),
    )


def know(cursor: Any, salt: Salt) -> None:
    """Tell the session the key, as a loader's is told."""
    cursor.execute("select set_config(%s, %s, true)", (forgotten.SETTING, salt.setting))


@pytest.mark.parametrize("key", [b"k" * 32, b"", bytes(range(64)), b"longer than a block " * 5])
def test_the_hash_is_hmac_sha256_in_python_and_in_the_database(cursor, key):
    salt = Salt("s", key)
    know(cursor, salt)

    for text in ("runsignup/1/entry/900101", "copernico/2/entry/évé/1", ""):
        cursor.execute("select hub.forgotten_hash(%s)", (text,))
        (found,) = cursor.fetchone()
        assert bytes(found) == salt.hash(text) == hmac.new(key, text.encode(), hashlib.sha256).digest()


def test_the_key_lies_sealed_and_moves_to_another_key_of_the_hub(cursor, monkeypatch):
    made = forgotten.made_salt(cursor)
    assert forgotten.made_salt(cursor) == forgotten.salt(cursor) == made
    cursor.execute("select sealed from hub.forgotten_salt")
    assert made.key.hex() not in str(cursor.fetchall())

    new = Fernet.generate_key().decode()
    forgotten.seal_anew(cursor, new)

    with pytest.raises(ActionNeeded, match="sealed with key"):
        forgotten.salt(cursor)
    monkeypatch.setenv("P88_SECRET_KEY", new)
    assert forgotten.salt(cursor) == made


def test_rotating_the_key_of_the_hub_takes_the_key_of_the_hashes_along(embedded_server, tmp_path, monkeypatch):
    monkeypatch.setenv("P88_HOME", str(tmp_path))
    with fresh_database(embedded_server) as dsn:
        pipeline.prepare(dsn)
        with closing(db.connect(dsn)) as connection:
            with connection, connection.cursor() as cursor:
                made = forgotten.made_salt(cursor)
            new = Fernet.generate_key().decode()
            connections.seal_anew(connection, new)
            monkeypatch.setenv("P88_SECRET_KEY", new)
            assert forgotten.session_options(connection) == f"-c {forgotten.SETTING}={made.setting}"


def test_every_stream_with_a_persons_columns_is_known(cursor):
    """A stream that comes later with names or addresses must say whose its rows are."""
    cursor.execute(
        """
        select table_schema, table_name from information_schema.columns
        where starts_with(table_schema, 'raw_') and column_name in (
            'first_name', 'last_name', 'surname', 'email', 'email_address', 'phone', 'athlete_email', 'bib', 'dob',
            'person_full_name', 'results_last_name', 'birthdate', 'date_of_birth'
        )
        group by 1, 2
        """
    )
    assert {(schema.removeprefix("raw_"), table) for schema, table in cursor.fetchall()} == set(forgotten.WHOSE)


@pytest.mark.parametrize("stream", PERSONAL, ids=lambda one: one.table)
def test_raw_refuses_a_row_by_each_of_its_ids_and_remembers_it(cursor, stream):
    salt = forgotten.made_salt(cursor)
    know(cursor, salt)
    for number, one in enumerate(everybody(stream)):
        id_ = f"{70 + number}"
        names = "5/41/ana sousa reis" if one.name == "starter" else "/".join([id_] * len(one.parts))
        if one.name == "starter":
            # Its own event; the others' may be part of the key.
            assert put(cursor, stream, id_="60", event_id="6") == 1
        keep(cursor, salt, stream.provider, one.name, names)
        forgotten.install(cursor)

        more = {"event_id": "5"} if one.name == "starter" else {}
        assert put(cursor, stream, id_=id_, **more) == 0, one
        assert put(cursor, stream, partner=2, id_=id_, **more) == 1, "another partner's"
        cursor.execute(
            "select count(*) from hub.forgotten where key_hash = %s",
            (salt.hash(forgotten.named(stream.provider, 1, stream.name, "/".join([id_] * len(own(stream).parts)))),),
        )
        assert cursor.fetchone() == (1,), one
    if not any(one.name == "starter" for one in everybody(stream)):
        assert put(cursor, stream, id_="99") == 1, "somebody else's"


def test_a_row_that_moves_to_another_event_is_counted_there(cursor):
    stream = next(one for one in PERSONAL if one.table == "raw_runsignup.participants")
    salt = forgotten.made_salt(cursor)
    know(cursor, salt)
    keep(cursor, salt, "runsignup", "entry", "7")
    forgotten.install(cursor)

    for event in ("5", "6"):
        assert put(cursor, stream, event_id=event) == 0
        cursor.execute("select scope from hub.forgotten where stream = 'participants'")
        assert cursor.fetchall() == [(event,)]


@pytest.mark.parametrize("side", forgotten.SIDE_STREAMS)
def test_nothing_is_told_of_a_refused_row_in_rejects_and_removals(cursor, side):
    salt = forgotten.made_salt(cursor)
    know(cursor, salt)
    keep(cursor, salt, "chronotrack", "entries", "7")
    forgotten.install(cursor)
    statement = (
        f"insert into raw_chronotrack.{side} (timing_partner_id, stream, record_key"  # noqa: S608
        + (", reject_id) values (1, 'entries', %s, %s)" if side == "rejects" else ") values (1, 'entries', %s)")
    )

    stored = []
    for key in ("7", "8", None) if side == "rejects" else ("7", "8"):
        cursor.execute(statement, (key, f"r{key}") if side == "rejects" else (key,))
        stored.append(cursor.rowcount)

    assert stored == ([0, 1, 1] if side == "rejects" else [0, 1])


def test_a_session_without_the_key_loads_nothing_of_that_partner(cursor):
    stream = next(one for one in PERSONAL if one.table == "raw_chronotrack.entries")
    salt = forgotten.made_salt(cursor)
    keep(cursor, salt, "chronotrack", "entry", "7")
    forgotten.install(cursor)

    assert put(cursor, stream, partner=2, id_="8") == 1
    with pytest.raises(psycopg2.errors.RaiseException, match="load with p88 run"):
        put(cursor, stream, partner=1, id_="8")


def test_a_key_that_the_hub_cannot_open_is_said(cursor, monkeypatch):
    cursor.execute(
        "insert into hub.forgotten_salt values ('s', %s, %s)",
        vault.seal(vault.Owner(0, "forgotten", "s"), {"salt": "00"}, Fernet.generate_key().decode()),
    )

    with pytest.raises(ActionNeeded, match="P88_SECRET_KEY"):
        forgotten.salt(cursor)
