"""A provider's sandbox, its tap and the loader in one process, and what raw holds in the end.

Tap and loader are the ones that Meltano starts; here they are called, since starting them takes longer than their work.
A tap that is killed is one of whose output the loader got a part: everything up to some line.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from tap_shared.errors import TapError
from tap_shared.stream import HubStream
from tap_shared.tap import HubTap
from target_hub.target import TargetHub

from project88 import doubtful, raw
from project88.db import schema
from sandbox.providers import PROVIDERS
from tests.pipeline.harness import Sandbox

PARTNER = 1
MOVING = re.compile(r"(times|rankings|netrankings|intervalaverages)[._]")


def tap_of(provider: str) -> type[HubTap]:
    """Return a provider's tap."""
    module = importlib.import_module(f"tap_{provider}.tap")
    (found,) = (
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, HubTap) and one.__module__ == module.__name__
    )
    return found


@dataclass
class Account:
    """One account at one provider: what to read it with, what was loaded of it, and how far."""

    provider: str
    sandbox: Sandbox
    dsn: str
    folder: Path
    partner: int = PARTNER
    # What the loader passed on: this a run begins with, as with Meltano.
    state: dict[str, Any] = field(default_factory=dict)
    runs: int = 0

    def settings(self) -> dict[str, Any]:
        """Return the tap's settings: quick to give up, and no event ever settled."""
        (one,) = (
            one
            for one in self.sandbox.get("connections")
            if one["provider"] == self.provider and one["timing_partner_id"] == self.partner
        )
        # What is settled is not read again, by design; here everything may change at any time.
        patience = {"backoff_base": 0.001, "request_timeout": 20, "calls_per_hour": 0, "settle_days": 100_000}
        return one["settings"] | one["secrets"] | patience | {"budget_dir": str(self.folder / "budget")}

    def tap(self, **settings: Any) -> HubTap:
        """Return a tap that begins where the loader is."""
        state = json.loads(json.dumps(self.state)) or None
        tap = tap_of(self.provider)(config=self.settings() | settings, state=state)
        # Every state, not one in five seconds: each is a place to be killed at.
        tap._state_writer._every_s = 0
        return tap

    def make_tables(self) -> None:
        """Make the raw tables, empty."""
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection:
            schema.ensure_hub(connection)
            raw.ensure_tables(connection, {self.provider: self.tap().catalog_dict})

    def forget(self) -> None:
        """Empty the raw tables and start without a state."""
        self.state = {}
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            for stream in self.tap().streams:
                cursor.execute(sql.SQL("truncate {}").format(sql.Identifier(f"raw_{self.provider}", stream)))

    def run(self, *, part: float = 1.0, as_pages: bool = False) -> list[str]:
        """Read and load; of the tap's output only a part arrives. Returns the streams that stopped, as told."""
        self.runs += 1
        settings: dict[str, Any] = {"run_id": f"run-{self.runs}", "doubtful_rows": str(self._doubtful())}
        if as_pages:
            pages = self.folder / f"pages-{self.runs}"
            pages.mkdir()
            settings["pages_dir"] = str(pages)
        tap = self.tap(**settings)
        written = io.StringIO()
        with contextlib.redirect_stdout(written), contextlib.suppress(TapError):
            tap.sync_all()
        # Not splitlines(): garbled names hold what it takes for ends of lines.
        written.seek(0)
        lines = written.readlines()
        passed_on = io.StringIO()
        with contextlib.redirect_stdout(passed_on):
            target = TargetHub(config=self.loading())
            target.listen(io.StringIO("".join(lines[: round(part * len(lines))])))
        # A loader of its own process takes its connections with it.
        target.target_connector._engine.dispose()
        passed_on.seek(0)
        for line in passed_on:
            self.state = json.loads(line)
        return tap.failures

    def _doubtful(self) -> Path:
        """Write down, as the application does before each run, which rows the state does not stand for."""
        path = self.folder / "doubtful.json"
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            since = self.state.get("loaded_before_xid", 0)
            found = doubtful.rows(cursor, self.provider, self.partner, self.tap().catalog_dict, since)
        path.write_text(json.dumps(found), encoding="utf-8")
        return path

    def loading(self) -> dict[str, Any]:
        """Return the loader's settings, as meltano.yml has them."""
        parts = psycopg2.extensions.parse_dsn(self.dsn)
        return {
            "sqlalchemy_url": f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}"
            f"?host={parts['host']}&port={parts['port']}",
            "default_target_schema": f"raw_{self.provider}",
            "validate_records": False,
            "add_record_metadata": False,
            "activate_version": False,
            "batch_size_rows": 20_000,
            "reading_columns": list(raw.READING),
            "always_written": list(raw.ALWAYS_WRITTEN),
            "stamp_states": True,
        }

    # what there is

    def unlike_holds(self) -> list[str]:
        """Return where raw differs from what the provider holds now: what is missing, left over, or other."""
        told = []
        streams = self.tap().streams
        for name, there in self.holds().items():
            here = self.rows(streams[name])
            told += [f"{name}: raw lacks {key}" for key in sorted(there.keys() - here.keys())]
            told += [f"{name}: raw has {key}" for key in sorted(here.keys() - there.keys())]
            for key in here.keys() & there.keys():
                others = [field for field, sent in there[key].items() if here[key].get(field, "-") != sent]
                told += [f"{name} {key}: raw has another {field}" for field in others]
        return told

    def holds(self) -> dict[str, dict[str, Any]]:
        """Return the records of each stream as the provider would send them now, by their keys.

        Left out are streams that the provider has no list of (Haku's categories, Copernico's events): they come inside
        the records of others, which are here.
        """
        if self.provider == "copernico":
            return self._presets()
        streams, served = self.tap().streams, PROVIDERS[self.provider].streams
        found: dict[str, dict[str, Any]] = {}
        for name in streams.keys() & set(served):
            rows = found[name] = {}
            for one in self._held(name):
                # What a tap has from the call it made is beside the record, or stands in it under that name.
                key = streams[name].typer.key_of(one["record"], one["record"] | one)
                assert key is not None and key not in rows, f"{name} {key} is held twice"
                rows[key] = one["record"]
        return found

    def _presets(self) -> dict[str, dict[str, Any]]:
        """Return what Copernico's presets come to.

        A row is an entry, and a result once somebody was seen: then it stays one, and its times go back to null when
        they are retracted (section 4 of copernico.md). What moves while they run is kept with the result.
        """
        entries, results = {}, {}
        known = self.rows(self.tap().streams["results"])
        for one in self._held("preset"):
            row, key = one["record"], f"{one['race_id']}:{one['event']}/{one['record']['id']}"
            moving = {name: value for name, value in row.items() if MOVING.match(name)}
            entries[key] = {name: value for name, value in row.items() if name not in moving}
            seen = any(value for name, value in moving.items() if name.startswith("times.official"))
            if seen or key in known or row["status"] in {"running", "finished", "dnf", "dsq"}:
                results[key] = moving | {"status": row["status"]}
        races = {one["race_id"]: one["record"] for one in self._held("races")}
        return {"races": races, "participants": entries, "results": results}

    def _held(self, stream: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.get(f"holds/{self.provider}/{self.partner}/{stream}?context=1")
        return found

    def rows(self, stream: HubStream) -> dict[str, Any]:
        """Return the records in raw that are not removed, by their keys."""
        key = sql.SQL(" || '/' || ").join(sql.SQL("t.{}::text").format(sql.Identifier(one)) for one in stream.key_ids)
        schema = f"raw_{self.provider}"
        query = sql.SQL(
            """
            select {key}, t.record from {table} as t
            where t.timing_partner_id = %(partner)s and not exists (
                select from {removals} as m
                where m.timing_partner_id = t.timing_partner_id and m.stream = %(stream)s
                    and m.record_key = {key} and m.returned_at is null
            ) {moved}
            """
        ).format(
            key=key,
            table=sql.Identifier(schema, stream.name),
            removals=sql.Identifier(schema, "removals"),
            moved=sql.SQL(MOVED.get((self.provider, stream.name), "")),
        )
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(query, {"partner": self.partner, "stream": stream.name})
            return dict(cursor.fetchall())


# A registration of RunSignUp is either active or withdrawn, in two lists: the latest word counts.
MOVED = {
    ("runsignup", "participants"): """
        and not exists (
            select from raw_runsignup.removed_participants as w
            where w.timing_partner_id = t.timing_partner_id and w.registration_id = t.registration_id
                and w.last_modified >= t.last_modified
                and not exists (
                    select from raw_runsignup.removals as m
                    where m.timing_partner_id = w.timing_partner_id and m.stream = 'removed_participants'
                        and m.record_key = w.registration_id::text and m.returned_at is null
                )
        )
    """
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what taps and loader log to themselves: hundreds of runs would bury what failed."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
