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

HAKU_EVENTS = """event_id text, event_name text, start_date timestamp, end_date timestamp, location text,
    event_type text, distance numeric(10,2), max_participants integer, registration_fee numeric(10,2), currency text,
    status text, fetched_date timestamp, credentials_used text, timing_partner_id integer, created_at timestamp"""
HAKU_PARTICIPANTS = """id integer, event_id text, participant_id text, bib_number text, first_name text, last_name text,
    email text, phone text, date_of_birth date, gender text, nationality text, emergency_contact jsonb,
    team_affiliation text, category text, registration_date timestamp, payment_status text, amount_paid numeric(10,2),
    special_requirements text, fetched_date timestamp, credentials_used text, timing_partner_id integer,
    created_at timestamp"""
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
    # Race Roster's event id is text, as it is sent: decision 0009.
    "raceroster_events": """event_id text, race_id integer, name text, description text, start_date timestamp,
        end_date timestamp, location_name text, address jsonb, timezone text, distance numeric(10,2), event_type text,
        registration_open_date timestamp, registration_close_date timestamp, max_participants integer,
        current_participants integer, price numeric(10,2), currency text, status text, fetched_date timestamp,
        credentials_used text, timing_partner_id integer, created_at timestamp""",
    "raceroster_participants": """id integer, event_id text, registration_id integer, bib_number text,
        first_name text, last_name text, email text, phone text, date_of_birth date, gender text, address jsonb,
        emergency_contact jsonb, team_name text, division text, registration_date timestamp, registration_status text,
        payment_status text, amount_paid numeric(10,2), additional_info jsonb, fetched_date timestamp,
        credentials_used text, timing_partner_id integer, created_at timestamp""",
    "copernico_events": """event_id text, event_name text, event_date timestamp, location text, discipline text,
        distance numeric(10,2), event_type text, organizer text, status text, max_participants integer,
        registration_fee numeric(10,2), currency text, created_at timestamp, updated_at timestamp,
        fetched_date timestamp, credentials_used text, timing_partner_id integer""",
    "copernico_participants": """id integer, event_id text, participant_id text, bib_number text, first_name text,
        last_name text, date_of_birth date, gender text, nationality text, club_team text, category text,
        license_number text, registration_status text, created_at timestamp, updated_at timestamp,
        fetched_date timestamp, credentials_used text, timing_partner_id integer""",
    "copernico_results": """id integer, event_id text, participant_id text, bib_number text, first_name text,
        last_name text, category text, start_time timestamp, finish_time timestamp, total_time interval,
        split_times jsonb, overall_position integer, category_position integer, status text, created_at timestamp,
        updated_at timestamp, fetched_date timestamp, credentials_used text, timing_partner_id integer""",
    "haku_events": HAKU_EVENTS,
    "haku_participants": HAKU_PARTICIPANTS,
    # Not documented: after Haku's pattern.
    "letsdothis_events": HAKU_EVENTS,
    "letsdothis_participants": HAKU_PARTICIPANTS,
}
OURS = {"partner_provider_credentials", "quarantine", "result_persons"}
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
    execute(
        connection,
        "update candidate.unified_participants set is_removed = true, status = 'removed' where participant_id = '8001'",
    )
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


# The older documents name the relations, their columns and the indexes that its consumers rely on, and show no query in
# full: these are the ones that those imply.
QUERIES = {
    "a partner's events by start": {
        "runsignup_events": "select event_id, name, start_time from {} where timing_partner_id = 1 order by start_time",
        "raceroster_events": "select event_id, name, start_date from {} where timing_partner_id = 1 order by 3",
        "haku_events": "select event_id, event_name, start_date from {} where timing_partner_id = 1 order by 3",
        "letsdothis_events": "select event_id, event_name, start_date from {} where timing_partner_id = 1 order by 3",
        "copernico_events": "select event_id, event_name, event_date from {} where timing_partner_id = 1 order by 3",
        "ct_events": "select event_id, event_name, event_start_time from {} where timing_partner_id = 1 order by 3",
    },
    "participants by e-mail and by bib": {
        "runsignup_participants": "select id from {} where email = 'runner1@example.org' and bib_num = '01'",
        "raceroster_participants": "select id from {} where email = 'runner1@example.org' and bib_number = '01'",
        "haku_participants": "select id from {} where email = 'runner1@example.org' and bib_number = '01'",
        "letsdothis_participants": "select id from {} where email = 'runner1@example.org' and bib_number = '01'",
        "copernico_participants": "select id from {} where bib_number = '01'",
        "ct_participants": "select entry_id from {} where athlete_email = 'runner1@example.org' and entry_bib = '01'",
    },
    "results by place": {
        "copernico_results": "select bib_number, total_time from {} where event_id = '900101' order by 2",
        "ct_results": "select results_bib, results_time from {} where event_id = '900101' order by 2",
    },
    "search over all providers": {
        "unified_participants": "select source_provider, event_id, first_name, bib_number, city, registration_date "
        "from {} where timing_partner_id = 1 and last_name = 'Okonkwo-1'",
        "unified_results": "select source_provider, results_time, results_gun_time, overall_place from {} "
        "where timing_partner_id = 1 and event_id = '900101' and bib_number = '01'",
        "unified_events": "select source_provider, event_id, event_name from {} where timing_partner_id = 1",
    },
    "who came how often": {
        "participant_tracking": "select timing_partner_name, count(*) from {} where events_participated > 1 group by 1",
    },
    "entrants of an event with its name": dict.fromkeys(
        (
            "runsignup_participants", "raceroster_participants", "haku_participants", "letsdothis_participants",
            "copernico_participants",
        ),
        "select p.last_name, e.* from {} as p inner join {events} as e "
        "on p.event_id = e.event_id and p.timing_partner_id = e.timing_partner_id",
    ),
    "what was synced": {
        "sync_history": "select provider_name, sync_type, status, records_processed from {} order by started_at desc",
        "sync_queue": "select provider_name from {} where status = 'pending' order by priority, scheduled_for",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("relation", "query"),
    [pytest.param(name, text, id=f"{what}: {name}") for what, found in QUERIES.items() for name, text in found.items()],
)
def test_a_query_of_the_older_system_finds_its_rows(published_by_all: Connection, relation: str, query: str) -> None:
    execute(published_by_all, "set search_path = unified")

    assert execute(published_by_all, query.format(relation, events=relation.replace("participants", "events")))


@pytest.fixture(scope="module")
def published_by_all(embedded_server: Any) -> Iterator[Connection]:
    """A connection to a database in which a season of all six providers is published."""
    with fresh_database(embedded_server) as dsn:
        connection = db.connect(dsn)
        make_season(connection, partners=1, runners=1)
        # What ChronoTrack holds, as if the other four had sent it.
        for provider in ("raceroster", "haku", "letsdothis", "copernico"):
            for relation, key in (
                ("unified_events", ["event_key"]), ("unified_races", ["race_key", "event_key"]),
                ("unified_participants", ["participant_key", "event_key", "race_key"]),
                ("unified_results", ["result_key", "event_key", "race_key", "participant_key"]),
            ):  # fmt: skip
                copied = ", ".join(f"{name} = replace({name}, 'chronotrack/', '{provider}/')" for name in key)
                execute(connection, f"create table copied as select * from candidate.{relation} "  # noqa: S608
                        "where source_provider = 'chronotrack'")  # fmt: skip
                execute(connection, f"update copied set source_provider = '{provider}', {copied}")  # noqa: S608
                execute(connection, f"insert into candidate.{relation} select * from copied")  # noqa: S608
                execute(connection, "drop table copied")
        publish(dsn, run_id="run-1", now=NOW)
        yield connection
        connection.close()
