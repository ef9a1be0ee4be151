"""Plain Meltano, and what the stock loader makes of our columns."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from project88 import db, raw, sync
from project88.db.schema import ensure_hub
from tests.pipeline.harness import Hub

SCHEMA = {
    "type": "object",
    "properties": {
        "timing_partner_id": {"type": ["integer"]},
        "id": {"type": ["string"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "name": {"type": ["string", "null"]},
        "splits": {"type": ["array", "null"]},
        "record": {"type": ["object", "null"], "properties": {}, "additionalProperties": True},
    },
}
CATALOG = {
    "streams": [
        {
            "tap_stream_id": "things",
            "stream": "things",
            "key_properties": ["timing_partner_id", "id"],
            "schema": SCHEMA,
            "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
        }
    ]
}
RECORD = {"a": None, "deep": [1, {"b": "\N{LINE SEPARATOR}é"}], "empty": ""}
ROWS = [
    {"timing_partner_id": 1, "id": "east", "at": "2026-05-01T12:00:00+02:00", "name": "Zoë 走", "record": RECORD},
    {"timing_partner_id": 1, "id": "utc", "at": "2026-05-01T12:00:00+00:00", "name": "", "splits": [{"name": "5K"}]},
    {"timing_partner_id": 2, "id": "utc", "at": None, "name": None, "record": {}},
]
PROJECT = """
default_environment: hub
send_anonymous_usage_stats: false
state_backend: {{uri: "p88://hub"}}
environments: [{{name: hub}}]
plugins:
  extractors:
    - {{name: tap-trial, namespace: trial, executable: "{tap}", load_schema: raw_trial,
        capabilities: [catalog, state, discover]}}
"""


def _meltano(hub: Hub, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "meltano"), *arguments],
        env=environment, cwd=environment["MELTANO_PROJECT_ROOT"], capture_output=True, text=True, timeout=180,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def hub(connected: Hub, copies):
    """A hub with connections and nothing loaded."""
    connected.sandbox.reset()
    with copies(connected) as hub:
        yield hub


def test_the_stock_loader_keeps_instants_unicode_empty_texts_and_what_is_nested(hub, tmp_path, monkeypatch):
    messages = [
        {"type": "SCHEMA", "stream": "things", "schema": SCHEMA, "key_properties": ["timing_partner_id", "id"]},
        *({"type": "RECORD", "stream": "things", "record": row} for row in ROWS),
        {"type": "STATE", "value": {"bookmarks": {"things": {"seen": len(ROWS)}}}},
    ]
    said, tap = tmp_path / "messages", tmp_path / "tap-trial"
    said.write_text("\n".join(map(json.dumps, messages)) + "\n", encoding="utf-8")
    (tmp_path / "catalog").write_text(json.dumps(CATALOG), encoding="utf-8")
    tap.write_text(
        f'#!/bin/sh\ncase "$*" in *--discover*) cat "{tmp_path}/catalog";; *) cat "{said}";; esac\n', encoding="utf-8"
    )
    tap.chmod(tap.stat().st_mode | stat.S_IXUSR)
    ours = (sync.settings.CHECKOUT / "meltano.yml").read_text(encoding="utf-8")
    loader = ours[ours.index("  loaders:") : ours.index("  utilities:")]
    (tmp_path / "meltano.yml").write_text(PROJECT.format(tap=tap) + loader, encoding="utf-8")
    connection = db.connect(hub.dsn)
    ensure_hub(connection)
    raw.ensure_tables(connection, {"trial": CATALOG})
    connection.close()
    monkeypatch.setenv("P88_HOME", str(hub.home))
    environment = sync.meltano_environment(hub.dsn, tmp_path / "system") | {"MELTANO_PROJECT_ROOT": str(tmp_path)}

    done = _meltano(hub, environment, "run", "--force", "--state-id-suffix=trial", "tap-trial", "target-postgres")

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {
        (row[0], row[1]): row[2:]
        for row in hub.ask("select timing_partner_id, id, at, name, splits, record from raw_trial.things")
    }
    assert rows[1, "east"] == (datetime(2026, 5, 1, 10, tzinfo=UTC), "Zoë 走", None, RECORD)
    assert rows[1, "utc"] == (datetime(2026, 5, 1, 12, tzinfo=UTC), "", [{"name": "5K"}], None)
    assert rows[2, "utc"] == (None, None, None, {})
    state = hub.ask("select completed from hub.connection_state where state_id like %s", "%:trial")
    assert state == [({"singer_state": {"bookmarks": {"things": {"seen": 3}}}},)]


def test_people_who_know_meltano_run_one_connection_by_hand(hub):
    hub.p88("with", "harbour", "runsignup", "meltano", "run", "--force", "--state-id-suffix=by-hand", "runsignup")

    hub.assert_raw_equals_holds(["runsignup"], [1])
    assert hub.ask("select count(*) from raw_runsignup.participants where timing_partner_id = 2") == [(0,)]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("schedule", "list"), "hourly"),
        (("job", "list"), "everything"),
        (("config", "list", "--all", "tap-chronotrack"), "client_id"),
    ],
)
def test_meltano_lists_what_there_is(hub, tmp_path, command, expected):
    environment = os.environ | {
        "MELTANO_PROJECT_ROOT": str(sync.settings.CHECKOUT),
        "MELTANO_SYS_DIR_ROOT": str(tmp_path),
        "P88_DATABASE_URL": hub.dsn,
    }

    done = _meltano(hub, environment, *command)

    assert done.returncode == 0, done.stderr
    assert expected in done.stdout + done.stderr


def test_a_run_is_given_the_tap_s_catalog_and_does_not_ask_for_it(connected: Hub, copies) -> None:
    with copies(connected) as hub:
        hub.p88("sync", "--partner", "harbour", "--provider", "chronotrack")

        (kept,) = (hub.home / "catalogs").glob("chronotrack-*.json")
        (log,) = (hub.home / "logs" / "runs").rglob("harbour-chronotrack-*.log")
        assert f"Using custom catalog in {kept}" in log.read_text()
        assert json.loads(kept.read_text()) == raw.discover("chronotrack")
        # The next one, too; a catalog of other sources of the taps is taken away.
        stale = kept.with_name("chronotrack-0123456789abcdef.json")
        kept.rename(stale)
        hub.p88("sync", "--partner", "harbour", "--provider", "chronotrack")
        assert kept.exists() and not stale.exists()
