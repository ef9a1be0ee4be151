"""A small database as the gate finds it: raw, candidate and hub, two partners, invented people."""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from psycopg2.extras import Json

from expectations.runner import accept_baseline, ensure_tables
from project88 import candidate_log, raw
from project88.db.schema import ensure_hub
from project88.persons.schema import ensure as ensure_persons
from project88.published import RELATIONS

if TYPE_CHECKING:
    from psycopg2.extensions import connection

NOW = datetime(2026, 6, 14, 12, 0, tzinfo=UTC)
READ = NOW - timedelta(hours=1)

_SIDES = {
    "reads": "timing_partner_id bigint, stream text, scope text, run_id text, read_at timestamptz, mode text,"
    " rows_received bigint, rows_sent bigint, rows_rejected bigint, rows_removed bigint, rows_at_provider bigint",
    "rejects": "timing_partner_id bigint, stream text, reject_id text, scope text, record_key text, field text,"
    " reason text, record jsonb, run_id text, read_at timestamptz",
    "removals": "timing_partner_id bigint, stream text, record_key text, scope text, noticed_at timestamptz,"
    " returned_at timestamptz, run_id text, read_at timestamptz",
}
_RAW = {
    "runsignup": {
        "races": "race_id bigint, name text, timezone text",
        "events": "race_id bigint, event_id bigint, name text, start_time timestamptz, end_time timestamptz",
        "participants": "race_id bigint, event_id bigint, registration_id bigint, first_name text, last_name text,"
        " gender text, dob date, registration_date timestamptz, last_modified timestamptz",
        "removed_participants": "race_id bigint, event_id bigint, registration_id bigint, dob date,"
        " removed_reason text, new_registration_id bigint",
        "results": "race_id bigint, event_id bigint, result_id bigint, first_name text, last_name text,"
        " clock_time text",
    },
    "chronotrack": {
        "events": "event_id text, event_name text, event_start_time timestamptz, event_end_time timestamptz,"
        " location_time_zone text",
        "races": "event_id text, race_id text, race_name text, race_planned_start_time timestamptz,"
        " race_planned_end_time timestamptz, race_actual_start_time timestamptz, race_actual_end_time timestamptz",
        "entries": "event_id text, race_id text, entry_id text, athlete_first_name text, athlete_last_name text,"
        " athlete_sex text, athlete_birthdate date, entry_status text",
        "brackets": "event_id text, race_id text, bracket_id text, bracket_name text",
        "intervals": "event_id text, race_id text, interval_id text, interval_name text",
        "results": "event_id text, results_entry_id text, results_interval_id text, results_first_name text,"
        " results_last_name text, results_time text, results_interval_full boolean,"
        " results_begin_chip_time timestamptz, results_end_chip_time timestamptz",
    },
}
_STAMPS = ", ".join(
    f"{name} bigint default pg_current_xact_id()::text::bigint" for name in ("inserted_xid", "changed_xid")
)
_PARENTS = "source_provider text, timing_partner_id int, event_id text, event_key text, race_id text, race_key text"
_TAIL = "provider_fields jsonb, fetched_date timestamptz"
_CANDIDATE = {
    "unified_events": "event_key text, source_provider text, timing_partner_id int, event_id text, event_name text,"
    f" event_date date, starts_at timestamptz, ends_at timestamptz, time_zone text, status text, {_TAIL}",
    "unified_races": f"{_PARENTS}, race_name text, distance_m numeric, starts_at timestamptz,"
    f" started_at timestamptz, {_TAIL}",
    "unified_divisions": f"division_key text, {_PARENTS}, division_name text, {_TAIL}",
    "unified_timing_points": f"timing_point_key text, {_PARENTS}, timing_point_name text, distance_m numeric, {_TAIL}",
    "unified_participants": f"participant_key text, {_PARENTS}, participant_id text, first_name text, last_name text,"
    " gender text, birth_date date, age int, age_as_sent int, bib_number text, registration_date timestamptz,"
    f" status text, is_removed boolean, race_fee numeric, amount_paid numeric, {_TAIL}",
    "unified_results": f"result_key text, {_PARENTS}, participant_key text, bib_number text, first_name text,"
    " last_name text, gender text, age int, chip_seconds numeric, gun_seconds numeric, overall_place int,"
    f" status text, is_removed boolean, splits jsonb, {_TAIL}",
    "participant_tracking": "timing_partner_id int, global_participant_id text, events_participated int,"
    " providers_used text[]",
    "entry_links": "link_key text, timing_partner_id int, timing_provider text, timing_participant_key text,"
    " registration_provider text, registration_participant_key text, linked_by text, evidence text[],"
    " fetched_date timestamptz",
    "results_without_entry": "result_key text, source_provider text, timing_partner_id int, event_key text,"
    " global_participant_id text, person_confidence double precision, is_removed boolean",
    "person_changes": "change_key text, timing_partner_id int, change_number bigint, change_type text,"
    " global_participant_id text, other_global_participant_id text, records int, is_decided boolean,"
    " changed_at timestamptz",
    "reconciliation": "timing_partner_id int, source_provider text, stream text, received bigint, unaccounted bigint",
}


def create(conn: connection) -> None:
    """Make every table that the gate reads."""
    ensure_hub(conn)
    ensure_persons(conn)
    ensure_tables(conn)
    with conn, conn.cursor() as cur:
        for provider, tables in _RAW.items():
            cur.execute(f"create schema raw_{provider}")
            for name, columns in tables.items():
                cur.execute(
                    f"create table raw_{provider}.{name} (timing_partner_id bigint, {columns}, record jsonb,"
                    f" read_at timestamptz, changed_at timestamptz, {_STAMPS})"
                )
                _stamp(cur, f"raw_{provider}.{name}")
            for name, columns in _SIDES.items():
                cur.execute(f"create table raw_{provider}.{name} ({columns}, {_STAMPS})")
                _stamp(cur, f"raw_{provider}.{name}")
        cur.execute("create schema candidate")
        for name, columns in _CANDIDATE.items():
            cur.execute(f"create table candidate.{name} ({columns})")


def _stamp(cur: Any, table: str) -> None:
    """Have each change of a raw row stamped, as project88.raw does; when it happened is the test's to say."""
    cur.execute(
        "create or replace function public.stamp() returns trigger language plpgsql as $$ begin"
        " new.changed_xid := pg_current_xact_id()::text::bigint; return new; end $$"
    )
    cur.execute(f"create trigger stamp before update on {table} for each row execute function public.stamp()")


class Season:
    """Puts rows into the tables: a good row unless told otherwise."""

    def __init__(self, conn: connection) -> None:
        """Empty everything and register two partners with both providers."""
        self.conn = conn
        with conn, conn.cursor() as cur:
            cur.execute(
                "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables"
                " where schemaname in ('raw_runsignup', 'raw_chronotrack', 'candidate')"
                " or schemaname = 'hub' and tablename not in ('providers', 'schema_objects', 'transform_marks')"
            )
            cur.execute(f"truncate {cur.fetchone()[0]} cascade")  # type: ignore[index]
            cur.execute("delete from hub.transform_marks")
            cur.execute("drop schema if exists unified cascade")
            cur.execute(
                "insert into hub.timing_partners (timing_partner_id, company_name, slug, api_access_enabled)"
                " values (1, 'Harbour Timing', 'harbour', true), (2, 'Summit Timing', 'summit', true)"
            )
            cur.execute(
                "insert into hub.connections (timing_partner_id, provider_name, account, enabled)"
                " select partner, provider, 'main', true"
                " from unnest(array[1, 2]) as partner, unnest(array['runsignup', 'chronotrack']) as provider"
            )

    def put(self, table: str, **values: Any) -> None:
        """Insert one row."""
        values = {k: Json(v, dumps=json.dumps) if isinstance(v, dict) else v for k, v in values.items()}
        with self.conn, self.conn.cursor() as cur:
            cur.execute(
                sql.SQL("insert into {} ({}) values ({})").format(
                    sql.Identifier(*table.split(".")),
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(sql.Placeholder() * len(values)),
                ),
                list(values.values()),
            )

    def do(self, statement: str, *parameters: Any) -> None:
        """Run a statement."""
        with self.conn, self.conn.cursor() as cur:
            cur.execute(statement, parameters or None)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.conn, self.conn.cursor() as cur:
            cur.execute(query, parameters or None)
            return cur.fetchall()

    # what arrived

    def raw_event(self, event_id: int, partner: int = 1, **other: Any) -> None:
        """Put a RunSignUp race with one event of the same number."""
        self.put(
            "raw_runsignup.races", timing_partner_id=partner, race_id=event_id, name="Quay Run",
            timezone="America/New_York", record={}, read_at=READ, changed_at=READ,
        )  # fmt: skip
        self.put(
            "raw_runsignup.events",
            **{
                "timing_partner_id": partner, "race_id": event_id, "event_id": event_id, "name": "10K",
                "start_time": NOW + timedelta(days=9), "end_time": NOW + timedelta(days=9, hours=3), "record": {},
                "read_at": READ, "changed_at": READ,
            } | other,
        )  # fmt: skip

    def raw_participants(self, count: int, event_id: int = 5, partner: int = 1, first: int = 100, **other: Any) -> None:
        """Put registrations first, first + 1, …"""
        values: dict[str, Any] = {
            "timing_partner_id": partner, "event_id": event_id, "first_name": "Imani", "last_name": "Okonkwo",
            "gender": "F", "dob": date(1991, 4, 2), "registration_date": READ, "last_modified": READ,
            "read_at": READ, "changed_at": READ,
        } | other  # fmt: skip
        self.do(
            f"insert into raw_runsignup.participants (registration_id, record, {', '.join(values)})"
            f" select {first} + n, '{{}}', {', '.join(['%s'] * len(values))} from generate_series(0, {count - 1}) as n",
            *values.values(),
        )

    def raw_entry(self, entry_id: str, **other: Any) -> None:
        """Put a ChronoTrack entry."""
        self.put(
            "raw_chronotrack.entries",
            **{
                "timing_partner_id": 1, "event_id": "40021", "race_id": "90311", "entry_id": entry_id,
                "athlete_first_name": "Jun", "athlete_last_name": "Ekström", "entry_status": "CONF", "record": {},
                "read_at": READ, "changed_at": READ,
            } | other,
        )  # fmt: skip

    def delete_raw(self, table: str, condition: str = "true") -> None:
        """Delete raw rows and have the table counted anew, as whoever deletes them must."""
        self.do(f"delete from {table} where {condition}")
        raw.recount(self.conn)

    def read(self, stream: str, scope: str = "", provider: str = "runsignup", partner: int = 1, **other: Any) -> None:
        """Say that a tap read a stream."""
        self.put(
            f"raw_{provider}.reads",
            **{
                "timing_partner_id": partner, "stream": stream, "scope": scope, "run_id": "r1", "read_at": READ,
                "mode": "changes", "rows_rejected": 0,
            } | other,
        )  # fmt: skip

    def refused(self, reject_id: str, record_key: str | None, **other: Any) -> None:
        """Say that the tap refused a participant."""
        self.put(
            "raw_runsignup.rejects",
            **{
                "timing_partner_id": 1, "stream": "participants", "reject_id": reject_id, "scope": "5",
                "record_key": record_key, "field": "dob", "reason": "not a date", "record": {"dob": "soon"},
                "run_id": "r1", "read_at": READ,
            } | other,
        )  # fmt: skip

    # what would leave

    def event(self, event_id: str = "5", partner: int = 1, provider: str = "runsignup", **other: Any) -> None:
        """Put an event with one race of the same number."""
        key = f"{provider}/{partner}/{event_id}"
        self.put(
            "candidate.unified_events",
            **{
                "event_key": key, "source_provider": provider, "timing_partner_id": partner, "event_id": event_id,
                "event_name": "10K", "event_date": date(2026, 6, 23), "starts_at": NOW, "ends_at": NOW,
                "time_zone": "America/New_York", "status": "scheduled", "provider_fields": {}, "fetched_date": READ,
            } | other,
        )  # fmt: skip

    def race(self, race_id: str = "5", event_id: str = "5", partner: int = 1, **other: Any) -> None:
        """Put a race."""
        self.put(
            "candidate.unified_races",
            **(self._below(race_id, event_id, partner)
               | {"race_name": "10K", "fetched_date": READ, "distance_m": 10_000} | other),
        )  # fmt: skip

    def participants(self, count: int = 1, partner: int = 1, first: int = 100, **other: Any) -> None:
        """Put participants first, first + 1, …"""
        values: dict[str, Any] = {
            **self._below("5", "5", partner), "first_name": "Imani", "last_name": "Okonkwo", "gender": "F",
            "birth_date": date(1991, 4, 2), "age": 35, "age_as_sent": 35, "registration_date": READ,
            "status": "registered", "is_removed": False, "provider_fields": Json({}), "fetched_date": READ,
            "race_fee": 55, "amount_paid": 57.75,
        } | other  # fmt: skip
        self._many("unified_participants", "participant_key, participant_id", "{0}, {1}", values, count, first, partner)

    def results(self, count: int = 1, partner: int = 1, first: int = 700, **other: Any) -> None:
        """Put results first, first + 1, …"""
        values: dict[str, Any] = {
            **self._below("5", "5", partner), "bib_number": "0147", "first_name": "Imani", "last_name": "Okonkwo",
            "gender": "F", "age": 35, "chip_seconds": 2942.1, "gun_seconds": 2950.6, "overall_place": 58,
            "status": "finished", "is_removed": False, "splits": Json([]), "provider_fields": Json({}),
            "fetched_date": READ,
        } | other  # fmt: skip
        self._many("unified_results", "result_key", "{0}", values, count, first, partner)

    def _below(self, race_id: str, event_id: str, partner: int) -> dict[str, Any]:
        return {
            "source_provider": "runsignup", "timing_partner_id": partner, "event_id": event_id,
            "event_key": f"runsignup/{partner}/{event_id}", "race_id": race_id,
            "race_key": f"runsignup/{partner}/{race_id}",
        }  # fmt: skip

    def _many(
        self, table: str, keys: str, made: str, values: dict[str, Any], count: int, first: int, partner: int
    ) -> None:
        number = f"({first} + n)::text"
        made = made.format(f"'runsignup/{partner}/' || {number}", number)
        self.do(
            f"insert into candidate.{table} ({keys}, {', '.join(values)})"
            f" select {made}, {', '.join(['%s'] * len(values))}"
            f" from generate_series(0, {count - 1}) as n",
            *values.values(),
        )

    # what the rest of a cycle does

    def publish(self, run_id: str) -> None:
        """Do what a publish does: candidates that are not held back are published, and what changed is forgotten."""
        with self.conn, self.conn.cursor() as cur:
            cur.execute("create schema if not exists unified")
            for relation, (key, *_) in RELATIONS.items():
                cur.execute(f"create table if not exists unified.{relation} (like candidate.{relation})")
                cur.execute(f"truncate unified.{relation}")
                cur.execute(
                    f"insert into unified.{relation} select * from candidate.{relation} as c where not exists ("
                    f"select from hub.quarantine where relation = '{relation}' and row_key = c.{key}::text"
                    " and resolved_at is null)"
                )
            cur.execute(
                "insert into hub.transform_marks (name, changed_xid)"
                " values ('published', pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
                " on conflict (name) do update set changed_xid = excluded.changed_xid"
            )
            candidate_log.clear(cur)
            accept_baseline(self.conn, run_id)

    # what came of it

    def held(self, stage: str | None = None) -> set[tuple[str, str]]:
        """Return (row_key, rule) of what is held back."""
        rows = self.ask(
            "select row_key, rule from hub.quarantine where resolved_at is null and (%s is null or stage = %s)",
            stage, stage,
        )  # fmt: skip
        return {(key, rule) for key, rule in rows}
