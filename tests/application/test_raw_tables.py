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
        "record": "json",
        "read_at": "timestamp with time zone",
        "inserted_xid": "bigint",
        "changed_xid": "bigint",
        "changed_at": "timestamp with time zone",
    }


def test_a_row_that_comes_again_unchanged_is_not_written(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    before = _ask(connection, "select xmin::text, changed_xid, read_at from raw_trial.participants")

    _ask(connection, INSERT, "0012", "2026-05-01T07:00:00+00:00")

    assert _ask(connection, "select xmin::text, changed_xid, read_at from raw_trial.participants") == before


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_a_record_is_compared_by_what_it_says(connection, kind):
    # Tables made before records were kept as they came have jsonb.
    _ask(connection, "drop trigger a_skip_unchanged on raw_trial.participants")
    _ask(connection, f"alter table raw_trial.participants alter column record type {kind} using record::text::{kind}")
    raw.ensure_tables(connection, {"trial": CATALOG})
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    _ask(connection, """update raw_trial.participants set record = '{"wave": null, "bib_num": 1}'""")
    (before,) = _ask(connection, "select xmin::text, changed_xid from raw_trial.participants")

    _ask(connection, """update raw_trial.participants set record = '{"bib_num":1,  "wave":null}'""")
    (again,) = _ask(connection, "select xmin::text, changed_xid from raw_trial.participants")
    _ask(connection, """update raw_trial.participants set record = '{"bib_num": 2, "wave": null}'""")

    assert again == before
    [(changed, bib)] = _ask(connection, "select changed_xid, record ->> 'bib_num' from raw_trial.participants")
    assert changed > before[1]
    assert bib == "2"


def test_a_change_is_stamped_with_its_transaction(connection):
    _ask(connection, INSERT, "0012", "2026-05-01T06:00:00+00:00")
    [(before,)] = _ask(connection, "select changed_xid from raw_trial.participants")

    _ask(connection, INSERT, "0013", "2026-05-01T07:00:00+00:00")

    [(after, inserted, bib)] = _ask(connection, "select changed_xid, inserted_xid, bib_num from raw_trial.participants")
    assert after > before
    assert inserted == before
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


def _counts(connection):
    raw.count(connection)
    return dict(_ask(connection, "select timing_partner_id, rows from hub.raw_counts where provider = 'trial'"))


def _insert(connection, partner, *registrations):
    for registration in registrations:
        _ask(
            connection,
            "insert into raw_trial.participants (timing_partner_id, registration_id) values (%s, %s)"
            " on conflict (timing_partner_id, registration_id) do update set bib_num = '1'",
            partner,
            registration,
        )


def test_counts_follow_what_is_inserted(connection):
    assert _counts(connection) == {}
    _insert(connection, 1, 1, 2, 3)
    _insert(connection, 2, 1)
    assert _counts(connection) == {1: 3, 2: 1}

    _insert(connection, 1, 3, 4)

    assert _counts(connection) == {1: 4, 2: 1}
    assert _counts(connection) == {1: 4, 2: 1}


def test_a_load_that_was_open_while_counting_is_counted_once_when_it_ends(connection, embedded_dsn):
    _counts(connection)
    late = db.connect(embedded_dsn)
    with late.cursor() as cursor:
        cursor.execute("insert into raw_trial.participants (timing_partner_id, registration_id) values (1, 9)")
        _insert(connection, 1, 10)
        assert _counts(connection) == {1: 1}
    late.commit()
    late.close()

    assert _counts(connection) == {1: 2}
    assert _counts(connection) == {1: 2}


def test_counting_anew_agrees_and_heals(connection):
    _insert(connection, 1, 1, 2)
    _counts(connection)
    _ask(connection, "delete from raw_trial.participants where registration_id = 1")

    raw.recount(connection)

    assert _counts(connection) == {1: 1}


def test_rows_from_before_the_stamp_count_once(connection):
    _insert(connection, 1, 1, 2)
    _ask(connection, "alter table raw_trial.participants disable trigger all")
    _ask(connection, "update raw_trial.participants set inserted_xid = null")
    _ask(connection, "alter table raw_trial.participants enable trigger all")
    assert _counts(connection) == {1: 2}

    _insert(connection, 1, 1)

    assert _counts(connection) == {1: 2}
