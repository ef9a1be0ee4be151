"""Invented candidates: a small season of thirteen timing partners, written as dbt would leave it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extras import Json

from project88.db.schema import ensure_hub
from project88.published import BOOKKEEPING, RELATIONS

NOW = datetime(2026, 6, 6, 12, tzinfo=UTC)
LATER = datetime(2026, 6, 6, 13, tzinfo=UTC)
GUN = datetime(2026, 6, 6, 11, 30, tzinfo=UTC)
PARTNERS = 13
PROVIDERS = ("chronotrack", "runsignup")

# As the contract between dbt and publishing says; not taken from published.sql, which it is there to check.
PARENT = "source_provider text, timing_partner_id integer, event_id text"
RACE = f"{PARENT}, event_key text, race_id text, race_key text"
COLUMNS = {
    "unified_events": f"""event_key text primary key, {PARENT}, event_name text, occasion_id text, occasion_name text,
        event_date date, starts_at timestamptz, ends_at timestamptz, registration_opens_at timestamptz, time_zone text,
        event_type text, city text, state text, country text, status text, provider_fields jsonb,
        fetched_date timestamptz""",
    "unified_races": f"""race_key text primary key, {PARENT}, event_key text, race_id text, race_name text,
        distance_m numeric, race_type text, starts_at timestamptz, started_at timestamptz, time_zone text, status text,
        provider_fields jsonb, fetched_date timestamptz""",
    "unified_divisions": f"""division_key text primary key, {RACE}, division_id text, division_name text,
        division_type text, provider_fields jsonb, fetched_date timestamptz""",
    "unified_timing_points": f"""timing_point_key text primary key, {RACE}, timing_point_id text,
        timing_point_name text, distance_m numeric, is_finish boolean, provider_fields jsonb,
        fetched_date timestamptz""",
    "unified_participants": f"""participant_key text primary key, {RACE}, participant_id text,
        global_participant_id text, person_confidence double precision, external_id text,
        first_name text, middle_name text, last_name text, email text, phone text, phone_as_sent text, gender text,
        birth_date date, age integer, age_as_sent integer, bib_number text, city text, state text, country text,
        nationality text, postal_code text, registration_date timestamptz, status text, status_as_sent text,
        status_changed_at timestamptz,
        is_removed boolean, team_id text, team_name text, wave text, division text, currency text, race_fee numeric,
        amount_paid numeric, provider_fields jsonb, fetched_date timestamptz""",
    "unified_results": f"""result_key text primary key, {RACE}, participant_id text, participant_key text,
        bib_number text, first_name text, last_name text, gender text, age integer, city text, state text,
        country text, results_time text, results_gun_time text, chip_seconds numeric, gun_seconds numeric,
        overall_place integer, status text, status_changed_at timestamptz, is_removed boolean,
        is_preliminary boolean, splits jsonb, provider_fields jsonb, fetched_date timestamptz""",
    "participant_tracking": """timing_partner_id integer, timing_partner_name text, global_participant_id text,
        events_participated integer, providers_used text[], first_seen_on date, last_seen_on date, best_known_name text,
        birth_year_from integer, birth_year_to integer, primary key (timing_partner_id, global_participant_id)""",
    "entry_links": """link_key text primary key, timing_partner_id integer, timing_provider text,
        timing_participant_key text, timing_event_key text, registration_provider text,
        registration_participant_key text, registration_event_key text, linked_by text, evidence text[],
        matched_fields text[], fetched_date timestamptz""",
    "results_without_entry": """result_key text primary key, source_provider text, timing_partner_id integer,
        event_key text, race_key text, global_participant_id text, person_confidence double precision,
        is_removed boolean""",
    "person_changes": """change_key text primary key, timing_partner_id integer, change_number bigint, change_type text,
        global_participant_id text, other_global_participant_id text, records integer, is_decided boolean,
        changed_at timestamptz""",
}

FIRST_NAMES = ("Imani", "Zoë", "Łukasz", "Noor")


def make_season(connection: Connection, partners: int = PARTNERS, runners: int = 4) -> None:
    """Make hub, connections and candidates; the caller's user owns them all."""
    ensure_hub(connection)
    with connection, connection.cursor() as cursor:
        for partner in range(1, partners + 1):
            add_partner(cursor, partner)
        cursor.execute("create schema candidate")
        for relation, columns in COLUMNS.items():
            cursor.execute(f"create table candidate.{relation} ({columns})")
        for partner in range(1, partners + 1):
            for provider in PROVIDERS:
                _add_event(cursor, provider, partner, runners)
            _add(
                cursor, "entry_links", link_key=f"chronotrack/{partner}/8001~runsignup/{partner}/8001",
                timing_partner_id=partner, timing_provider="chronotrack",
                timing_participant_key=f"chronotrack/{partner}/8001", timing_event_key=f"chronotrack/{partner}/900101",
                registration_provider="runsignup", registration_participant_key=f"runsignup/{partner}/8001",
                registration_event_key=f"runsignup/{partner}/900101", linked_by="bib_event_name",
                evidence=["bib 01"], matched_fields=["bib_number"], fetched_date=NOW,
            )  # fmt: skip
            _add(
                cursor, "participant_tracking", timing_partner_id=partner, timing_partner_name=f"Partner {partner}",
                global_participant_id=f"person-{partner}", events_participated=2, providers_used=list(PROVIDERS),
            )  # fmt: skip
            _add(
                cursor, "results_without_entry", result_key=f"runsignup/{partner}/8001", source_provider="runsignup",
                timing_partner_id=partner, event_key=f"runsignup/{partner}/900101",
                global_participant_id=f"person-{partner}", person_confidence=0.98, is_removed=False,
            )  # fmt: skip
            _add(
                cursor, "person_changes", change_key=f"{partner}/1", timing_partner_id=partner, change_number=1,
                change_type="merged", global_participant_id=f"person-{partner}-was",
                other_global_participant_id=f"person-{partner}", records=1, is_decided=False, changed_at=NOW,
            )  # fmt: skip


def add_partner(cursor: Any, partner: int) -> None:
    """Add a timing partner with an account at each provider, a user, a waiting job and a sync that has been."""
    cursor.execute(
        "insert into hub.timing_partners (timing_partner_id, company_name, slug) values (%s, %s, %s)",
        (partner, f"Partner {partner}", f"partner-{partner}"),
    )
    cursor.execute(
        "insert into hub.users (username, email, password_hash, timing_partner_id, role) values (%s, %s, %s, %s, %s)",
        (f"user-{partner}", f"user-{partner}@example.org", "hashed-secret", partner, "partner"),
    )
    cursor.execute(
        "insert into hub.quarantine (timing_partner_id, source_provider, stage, relation, row_key, rule, reason, "
        "resolved_at) values (%s, 'runsignup', 'arrival', 'unified_results', %s, 'a_rule', 'odd', %s)",
        (partner, f"runsignup/{partner}/kept-back-once", NOW),
    )
    cursor.execute(
        "insert into hub.sync_queue (timing_partner_id, provider_name, sync_type) values (%s, 'runsignup', 'events')",
        (partner,),
    )
    for provider in PROVIDERS:
        cursor.execute(
            "insert into hub.connections (timing_partner_id, provider_name, account, settings, secrets) "
            "values (%s, %s, %s, %s, %s) returning connection_id",
            (partner, provider, f"account-{partner}", Json({"client_id": "kept-private"}), "sealed-secret"),
        )
        cursor.execute(
            "insert into hub.sync_history (timing_partner_id, provider_name, sync_type, status, completed_at, "
            "connection_id) values (%s, %s, 'events', 'success', %s, %s)",
            (partner, provider, NOW, cursor.fetchone()[0]),
        )


def _add(cursor: Any, relation: str, **values: Any) -> None:
    cursor.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier("candidate", relation),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        ),
        [Json(value) if isinstance(value, dict) else value for value in values.values()],
    )


def _add_event(cursor: Any, provider: str, partner: int, runners: int) -> None:
    # The same provider ids under every partner: only the key tells them apart.
    parent = {"source_provider": provider, "timing_partner_id": partner, "event_id": "900101"}
    event_key, race_key = f"{provider}/{partner}/900101", f"{provider}/{partner}/77"
    read = {"fetched_date": NOW}
    _add(
        cursor, "unified_events", event_key=event_key, **parent, event_name="Harbour 10K", occasion_id="5001",
        occasion_name="Harbour Day", event_date=date(2026, 6, 6), starts_at=GUN, time_zone="America/New_York",
        registration_opens_at=GUN, event_type="running_race", status="scheduled", **read,
        provider_fields={
            "details": "By the water", "distance": "6.2 Miles", "volunteer": False, "require_dob": True,
            "age_calc_base_date": "2026-12-31", "location": {"city": "Moorestown"},
        },
    )  # fmt: skip
    _add(
        cursor, "unified_races", race_key=race_key, **parent, event_key=event_key, race_id="77", race_name="10K",
        distance_m=10000, starts_at=GUN, **read,
    )  # fmt: skip
    race = {**parent, "event_key": event_key, "race_id": "77", "race_key": race_key}
    _add(cursor, "unified_divisions", division_key=f"{race_key}/d1", **race, division_id="d1", **read)
    _add(cursor, "unified_timing_points", timing_point_key=f"{race_key}/t1", **race, timing_point_id="t1", **read)
    for number in range(1, runners + 1):
        name = FIRST_NAMES[number % len(FIRST_NAMES)]
        person = {"first_name": name, "last_name": f"Okonkwo-{partner}", "gender": "F", "bib_number": f"0{number}"}
        participant_key = f"{provider}/{partner}/{8000 + number}"
        _add(
            cursor, "unified_participants", participant_key=participant_key, **race, **person,
            participant_id=str(8000 + number), email=f"runner{number}@example.org", age=35, age_as_sent=34,
            birth_date=date(1991, 4, 2), registration_date=GUN, status="registered", status_as_sent="CONF",
            is_removed=False, race_fee="40.50", amount_paid="42.00", **read,
            provider_fields={
                "race_id": 5001, "user_id": 4000 + number, "address": {"city": "Moorestown"}, "chip_num": "A1",
                "team_info": None, "payment_info": {"race_fee": "$40.50"}, "entry_type": "IND", "athlete_id": "7712",
            },
        )  # fmt: skip
        _add(
            cursor, "unified_results", result_key=f"{provider}/{partner}/{8000 + number}", **race, **person,
            participant_key=None if (provider, number) == ("runsignup", 1) else participant_key, age=35,
            results_time="49:02.1", results_gun_time="49:10.6",
            chip_seconds="2942.10", overall_place=number, status="finished", is_removed=False, **read,
        )  # fmt: skip


def execute(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement in a transaction of its own and return its rows."""
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def published_rows(connection: Connection, *, with_ids: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """Return all published data by relation, without the columns of bookkeeping unless asked."""
    found = {}
    with connection, connection.cursor() as cursor:
        for relation in RELATIONS:
            cursor.execute(sql.SQL("select * from {} order by id").format(sql.Identifier("unified", relation)))
            assert cursor.description is not None
            kept = [n for n, column in enumerate(cursor.description) if with_ids or column.name not in BOOKKEEPING]
            found[relation] = [tuple(row[n] for n in kept) for row in cursor.fetchall()]
    return found
