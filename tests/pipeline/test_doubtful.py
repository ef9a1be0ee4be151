"""Rows that are stored and that no state stands for: none after a run, and put right after one whose state was lost."""

from __future__ import annotations

import contextlib
import json

import psycopg2

from project88 import connections, doubtful, raw

DAY = 86_400
EVENT = {"partner": 1, "event_id": 900008}


def test_after_a_run_that_ended_well_no_row_is_in_doubt(season, monkeypatch, tmp_path):
    monkeypatch.setenv("P88_HOME", str(season.home))
    with contextlib.closing(psycopg2.connect(season.dsn)) as connection:
        for one in connections.enabled(connection):
            catalog = json.loads(raw.catalog_file(one.provider).read_bytes())

            assert doubtful.write(connection, one, catalog, tmp_path) is None, one.title


def test_what_was_stored_by_a_run_whose_state_was_lost_is_put_right(season, copies):
    season.sandbox.reset()
    with copies(season) as hub:
        kept = hub.ask("select state_id, completed::text, partial::text from hub.connection_state")
        new = hub.sandbox.post("change", kind="add_entry", provider="runsignup", count=2, **EVENT)["new"]
        hub.p88("run")
        assert {str(one) for one in new} <= hub.raw("runsignup", 1, "participants").keys()
        for state_id, completed, partial in kept:
            hub.ask(
                "update hub.connection_state set completed = %s::jsonb, partial = %s::jsonb where state_id = %s",
                completed, partial, state_id,
            )  # fmt: skip
        hub.sandbox.post("change", kind="delete", provider="runsignup", ids=new, fields={"trace": False}, **EVENT)

        # What vanishes shows in the whole read of the next day.
        hub.sandbox.advance(DAY + 60)
        hub.p88("run")

        hub.assert_raw_equals_holds()
