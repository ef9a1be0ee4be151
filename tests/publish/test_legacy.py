"""The older system's SQL goes on running: its relations, columns, types, order, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812

from project88 import db
from project88.legacy import VIEWS
from project88.publish import publish
from tests.conftest import fresh_database
from tests.publish.candidates import NOW, execute, make_season

# As the older system documents them; `timestamp` there is UTC wall time.
DOCUMENTED = {
    "timing_partners": """timing_partner_id integer, company_name text, contact_email text,
        api_access_enabled boolean, created_at timestamp""",
    "providers": """id integer, provider_name text, provider_type text, api_base_url text,
        rate_limit_per_hour integer, created_at timestamp""",
    "users": """id integer, username text, email text, password_hash text, timing_partner_id integer, role text,
        created_at timestamp""",
    "sync_queue": """id integer, timing_partner_id integer, provider_name text, sync_type text, priority integer,
        status text, scheduled_for timestamp, retry_count integer, max_retries integer, payload jsonb,
        created_at timestamp""",
    "sync_history": """id integer, timing_partner_id integer, provider_name text, sync_type text, status text,
        records_processed integer, started_at timestamp, completed_at timestamp, error_message text,
        created_at timestamp""",
    "runsignup_events": """event_id integer, race_id integer, name text, details text, start_time timestamp,
        end_time timestamp, age_calc_base_date date, registration_opens timestamp, event_type text,
        distance numeric(10,2), volunteer boolean, require_dob boolean, require_phone boolean, giveaway text,
        fetched_date timestamp, credentials_used text, timing_partner_id integer, created_at timestamp""",
    "runsignup_participants": """id integer, race_id integer, event_id integer, registration_id integer,
        user_id integer, first_name text, middle_name text, last_name text, email text, address jsonb, dob date,
        gender text, phone text, profile_image_url text, bib_num text, chip_num text, age integer,
        registration_date timestamp, team_info jsonb, payment_info jsonb, additional_data jsonb,
        fetched_date timestamp, credentials_used text, timing_partner_id integer, created_at timestamp,
        race_fee numeric(10,2), amount_paid numeric(10,2), team_name text, fundraiser_charity_name text""",
    "ct_events": """event_id text, event_name text, event_start_time timestamp, event_type text, location jsonb,
        timing_partner_id integer, created_at timestamp, credentials_used text""",
    "ct_participants": """entry_id text, event_id text, race_id text, entry_external_id text, entry_name text,
        entry_type text, entry_status text, entry_bib text, entry_race_age integer, athlete_id text,
        athlete_first_name text, athlete_last_name text, athlete_sex text, athlete_birthdate date,
        athlete_email text, athlete_home_phone text, athlete_mobile_phone text, location jsonb, team_id text,
        team_name text, timing_partner_id integer, created_at timestamp, credentials_used text""",
    "ct_results": """id integer, event_id text, results_bib text, results_first_name text, results_last_name text,
        results_sex text, results_age integer, results_time text, results_gun_time text, results_rank integer,
        timing_partner_id integer, created_at timestamp, credentials_used text""",
}
OURS = {"partner_provider_credentials"}
WALL_TIME = datetime(2026, 6, 6, 11, 30)  # noqa: DTZ001


@pytest.fixture(scope="module", params=["embedded_server", "server15"])
def published(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to a database in which one partner's season is published; its tests only read."""
    with fresh_database(request.getfixturevalue(request.param)) as dsn:
        connection = db.connect(dsn)
        make_season(connection, partners=1, runners=1)
        publish(dsn, run_id="run-1", now=NOW)
        with connection, connection.cursor() as cursor:
            # The older system's readers have sessions in any zone.
            cursor.execute("set timezone = 'Australia/Adelaide'")
        yield connection
        connection.close()


def the_row(connection: Connection, relation: str) -> dict[str, Any]:
    """Return the only row of a relation."""
    with connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("select * from {}").format(sql.Identifier("unified", relation)))
        (row,) = cursor.fetchall()
        assert cursor.description is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))


def test_every_documented_relation_has_its_columns_in_their_order_with_their_types(published: Connection) -> None:
    assert set(VIEWS) == set(DOCUMENTED) | OURS
    for relation, columns in DOCUMENTED.items():
        found = execute(
            published,
            "select attname || ' ' || replace(format_type(atttypid, atttypmod), ' without time zone', '') "
            "from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum",
            f"unified.{relation}",
        )
        assert [row[0] for row in found] == " ".join(columns.split()).split(", "), relation


def test_an_event_of_runsignup_reads_as_before(published: Connection) -> None:
    row = the_row(published, "runsignup_events")

    assert row == {
        **row,
        "event_id": 900101,
        "race_id": 5001,
        "name": "Harbour 10K",
        "details": "By the water",
        "start_time": WALL_TIME,
        "end_time": None,
        "age_calc_base_date": date(2026, 12, 31),
        "distance": Decimal("6.20"),
        "volunteer": False,
        "require_dob": True,
        "require_phone": None,
        "fetched_date": NOW.replace(tzinfo=None),
        "credentials_used": "account-1",
        "created_at": NOW.replace(tzinfo=None),
    }


def test_a_participant_of_runsignup_reads_as_before(published: Connection) -> None:
    row = the_row(published, "runsignup_participants")

    assert row == {
        **row,
        "id": 2,
        "race_id": 5001,
        "event_id": 900101,
        "registration_id": 8001,
        "user_id": 4001,
        "address": {"city": "Moorestown"},
        "dob": date(1991, 4, 2),
        "bib_num": "01",
        "chip_num": "A1",
        "age": 34,
        "registration_date": WALL_TIME,
        "team_info": None,
        "payment_info": {"race_fee": "$40.50"},
        "race_fee": Decimal("40.50"),
        "amount_paid": Decimal("42.00"),
    }


def test_events_entries_and_results_of_chronotrack_read_as_before(published: Connection) -> None:
    event, entry, result = (the_row(published, name) for name in ("ct_events", "ct_participants", "ct_results"))

    assert (event["event_id"], event["event_start_time"], event["location"]) == (
        "900101", WALL_TIME, {"city": "Moorestown"},
    )  # fmt: skip
    assert (entry["entry_id"], entry["entry_status"], entry["entry_type"], entry["entry_race_age"]) == (
        "8001", "CONF", "IND", 34,
    )  # fmt: skip
    assert (result["results_time"], result["results_rank"], result["credentials_used"]) == ("49:02.1", 1, "account-1")


def test_a_distance_is_the_number_that_was_sent(embedded_dsn: str) -> None:
    numbers = {
        "5K": "5.00", "13.1 Miles": "13.10", " 26.2 M": "26.20", "1.": "1.00", "Half": None, "": None,
        "123456789012 m": None, "1,500 m": None,
    }  # fmt: skip
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=len(numbers), runners=1)
    for partner, as_sent in enumerate(numbers, start=1):
        execute(
            connection,
            "update candidate.unified_events set provider_fields = jsonb_build_object('distance', %s) "
            "where timing_partner_id = %s",
            as_sent,
            partner,
        )

    publish(embedded_dsn, run_id="run-1", now=NOW)

    found = execute(connection, "select distance::text from unified.runsignup_events order by timing_partner_id")
    assert dict(zip(numbers, [row[0] for row in found], strict=True)) == numbers
    connection.close()


def test_entries_that_are_gone_are_left_out(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=1, runners=2)
    execute(connection, "update candidate.unified_participants set is_removed = true where participant_id = '8001'")
    execute(connection, "update candidate.unified_results set is_removed = true where bib_number = '02'")

    publish(embedded_dsn, run_id="run-1", now=NOW)

    assert the_row(connection, "runsignup_participants")["registration_id"] == 8002
    assert the_row(connection, "ct_participants")["entry_id"] == "8002"
    assert the_row(connection, "ct_results")["results_bib"] == "01"
    assert execute(connection, "select count(*) from unified.unified_participants") == [(4,)]
    connection.close()


def test_the_account_is_left_open_where_a_partner_has_two(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=1, runners=1)
    execute(connection, "insert into hub.connections (timing_partner_id, provider_name, account) "
            "values (1, 'runsignup', 'another')")  # fmt: skip

    publish(embedded_dsn, run_id="run-1", now=NOW)

    assert the_row(connection, "runsignup_events")["credentials_used"] is None
    assert the_row(connection, "ct_events")["credentials_used"] == "account-1"
    connection.close()
