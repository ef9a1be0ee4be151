"""Rows in COPY's binary form: what is stored is what was sent, whatever the values."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from target_hub.binary import MOST_ROWS, as_binary, prepared

KINDS = {
    "name": "text",
    "day": "date",
    "many": "bigint",
    "yes": "boolean",
    "at": "timestamp with time zone",
    "record": "jsonb",
    "plain": "json",
}
ARROW = pa.schema(
    [
        ("name", pa.string()),
        ("day", pa.string()),
        ("many", pa.int64()),
        ("yes", pa.bool_()),
        ("at", pa.timestamp("us", "UTC")),
        ("record", pa.string()),
        ("plain", pa.string()),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
DOCUMENTS = st.dictionaries(TEXTS, TEXTS | st.integers(-(2**53), 2**53) | st.none(), max_size=3)
ROWS = st.fixed_dictionaries(
    {
        "name": st.none() | TEXTS | st.sampled_from(["", "\\N", "\\.", "a\tb\nc\r", '"', ","]),
        "day": st.none() | st.dates(),
        "many": st.none() | st.integers(-(2**63), 2**63 - 1),
        "yes": st.none() | st.booleans(),
        "at": st.none() | st.datetimes(timezones=st.just(UTC)),
        "record": st.none() | DOCUMENTS,
        "plain": st.none() | DOCUMENTS,
    }
)


@pytest.fixture(scope="module")
def connection(embedded_dsn_of_module):
    """A connection with an empty temporary table."""
    with psycopg.connect(embedded_dsn_of_module, autocommit=True) as connection:
        connection.execute("set timezone to 'UTC'")
        columns = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
        connection.execute(f"create temporary table things ({columns}, number serial)")
        yield connection


def arrow(rows):
    """Return rows as a tap hands them over."""
    forms = {"day": date.isoformat, "record": json.dumps, "plain": json.dumps}
    return pa.Table.from_pylist(
        [
            {name: forms[name](value) if name in forms and value is not None else value for name, value in row.items()}
            for row in rows
        ],
        ARROW,
    )


def stored(connection, table):
    """Return what the database holds after a COPY of a table."""
    rows = prepared(table, KINDS)
    assert rows is not None
    connection.execute("truncate things restart identity")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy things ({', '.join(KINDS)}) from stdin (format binary)") as copy,
    ):
        for piece in as_binary(rows, KINDS):
            copy.write(piece)
    cursor = connection.execute("select * from things order by number")
    return [dict(zip(KINDS, row, strict=False)) for row in cursor.fetchall()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, max_size=12), st.integers(0, 5))
def test_every_value_is_stored_as_sent(connection, rows, first):
    # A part of a table, since its arrays do not begin where their buffers do.
    assert stored(connection, arrow(rows).slice(first)) == rows[first:]


def test_more_rows_than_are_made_at_once_arrive_in_order(connection):
    rows = [
        dict.fromkeys(KINDS) | {"many": n, "name": "x" * (n % 3000), "record": {"n": n}} for n in range(MOST_ROWS + 10)
    ]

    assert stored(connection, arrow(rows)) == rows


@pytest.mark.parametrize(
    ("column", "kind"),
    [("many", "integer"), ("many", "numeric"), ("at", "timestamp without time zone"), ("name", "xml")],
)
def test_a_column_of_another_type_is_left_to_a_form_that_postgres_reads(column, kind):
    assert prepared(arrow([]), KINDS | {column: kind}) is None


def test_a_day_that_is_none_is_left_to_postgres():
    assert prepared(pa.Table.from_pylist([{"day": "2026-02-30"}], ARROW), KINDS) is None


def test_an_instant_in_the_year_one_is_not_shifted(connection):
    moment = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)

    assert stored(connection, arrow([dict.fromkeys(KINDS) | {"at": moment}]))[0]["at"] == moment
