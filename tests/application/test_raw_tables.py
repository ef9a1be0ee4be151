"""The raw tables: their types, and that an unchanged row costs no write."""

import pytest

from project88 import db, raw
from project88.db.schema import ensure_hub

CATALOG = {
    "streams": [
        {
            "tap_stream_id": "participants",
            "key_properties": ["timing_partner_id", "registration_id"],
            "schema": {
                "properties": {
                    "timing_partner_id": {"type": ["integer"]},
                    "registration_id": {"type": ["integer"]},
                    "bib_num": {"type": ["string", "null"]},
                    "last_modified": {"type": ["string", "null"], "format": "date-time"},
                    "dob": {"type": ["string", "null"], "format": "date"},
                    "imported": {"type": ["boolean", "null"]},
                    "distance": {"type": ["number", "null"]},
                    "splits": {"type": ["array", "null"]},
                    "record": {"type": ["object"]},
                    "read_at": {"type": ["string"], "format": "date-time"},
                }
            },
        }
    ]
}
INSERT = """
    insert into raw_trial.participants (timing_partner_id, registration_id, bib_num, record, read_at)
    values (1, 7, %s, '{"bib_num": 1}', %s)
    on conflict (timing_partner_id, registration_id) do update
    set bib_num = excluded.bib_num, record = excluded.record, read_at = excluded.read_at
"""


@pytest.fixture
def connection(embedded_dsn):
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    raw.ensure_tables(connection, {"trial": CATALOG})
    yield connection
    connection.close()


def _ask(connection, query, *values):
    with connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def test_each_column_has_the_type_of_its_schema(connection):
    found = dict(
        _ask(
            connection,
            "select column_name, data_type from information_schema.columns where table_schema = 'raw_trial'",
        )
    )

    assert found == {
        "timing_partner_id": "bigint",
        "registration_id": "bigint",
        "bib_num": "text",
        "last_modified": "timestamp with time zone",
        "dob": "date",
        "imported": "boolean",
        "distance": "numeric",
        "splits": "jsonb",
        "record": "jsonb",
        "read_at": "timestamp with time zone",
        "changed_xid": "bigint",
        "changed_at": "timestamp with time zone",
    }


def test_a_row_that_comes_again_unchanged_is_not_written(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    before = _ask(connection, "select xmin::text, changed_xid, read_at from raw_trial.participants")

    _ask(connection, INSERT, "0012", "2026-05-01T07:00:00+00:00")

    assert _ask(connection, "select xmin::text, changed_xid, read_at from raw_trial.participants") == before


def test_a_change_is_stamped_with_its_transaction(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    [(before,)] = _ask(connection, "select changed_xid from raw_trial.participants")

    _ask(connection, INSERT, "0013", "2026-05-01T07:00:00+00:00")

    [(after, bib)] = _ask(connection, "select changed_xid, bib_num from raw_trial.participants")
    assert after > before
    assert bib == "0013"


def test_preparing_again_changes_nothing_and_a_new_field_is_added(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    stream = CATALOG["streams"][0]
    grown = stream["schema"]["properties"] | {"wave": {"type": ["string", "null"]}}

    raw.ensure_tables(connection, {"trial": {"streams": [stream | {"schema": {"properties": grown}}]}})

    assert _ask(connection, "select bib_num, wave from raw_trial.participants") == [("0012", None)]


def test_the_new_field_counts_as_a_change(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    stream = CATALOG["streams"][0]
    grown = stream["schema"]["properties"] | {"wave": {"type": ["string", "null"]}}
    raw.ensure_tables(connection, {"trial": {"streams": [stream | {"schema": {"properties": grown}}]}})

    _ask(connection, "update raw_trial.participants set wave = 'A'")

    assert _ask(connection, "select wave from raw_trial.participants") == [("A",)]
