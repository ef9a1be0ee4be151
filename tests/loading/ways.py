"""The ways into a table, behind one face: stock target-postgres, target-hub by lines, target-hub by page files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from tap_shared.messages import HubWriter
from tap_shared.pages import Pages
from target_hub.target import TargetHub
from target_postgres.target import TargetPostgres

from project88 import settings

WAYS = ("stock", "lines", "pages")


class _Lines(HubWriter):
    """Keeps what a tap would write to standard output."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def _write(self, line: str) -> None:
        if line:
            self.lines.append(line)


@dataclass
class Way:
    """One way, into one database."""

    name: str
    dsn: str
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """Return the loader."""
        return "target-postgres" if self.name == "stock" else "target-hub"

    def lines(self, messages: list[dict[str, Any]]) -> list[str]:
        """Return messages as the tap would write them: rows go to page files where that is the way."""
        writer = _Lines()
        pages = Pages(self.folder, writer, waiting_bytes=1 << 40)
        schemas: dict[str, Any] = {}
        for message in messages:
            if message["type"] == "SCHEMA":
                pages.flush()
                schemas[message["stream"]] = message["schema"]
            if self.name == "pages" and message["type"] == "RECORD":
                stream = message["stream"]
                pages.add_rows(stream, schemas[stream], [message["record"]])
                continue
            pages.flush()
            writer.lines.append(json.dumps(message))
        pages.flush()
        return writer.lines

    def settings(self) -> dict[str, Any]:
        """Return the loader's settings."""
        return (
            {
                "sqlalchemy_url": self.dsn.replace("postgresql://", "postgresql+psycopg://", 1),
                "default_target_schema": "trial",
                "use_copy": True,
                "add_record_metadata": False,
                "activate_version": False,
                "validate_records": False,
            }
            | ({"reading_columns": ["read_at"], "always_written": ["reads"]} if self.name != "stock" else {})
            | self.config
        )

    def command(self) -> list[str]:
        """Return the loader's command line."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.settings()), encoding="utf-8")
        return [settings.executable(self.program), "--config", str(config)]

    def run(self, messages: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
        """Load messages and return how the loader ended."""
        text = "\n".join(self.lines(messages)) + "\n"
        return subprocess.run(
            self.command(), input=text, capture_output=True, text=True, timeout=120, check=False, env=environment()
        )

    def load(self, *messages: dict[str, Any]) -> list[Any]:
        """Load messages in this process and return the states that were passed on."""
        return self.load_lines(self.lines(list(messages)))

    def load_lines(self, lines: list[str]) -> list[Any]:
        """Load lines in this process and return the states that were passed on."""
        kind = TargetPostgres if self.name == "stock" else TargetHub
        states = io.StringIO()
        with contextlib.redirect_stdout(states):
            kind(config=self.settings()).listen(io.StringIO("\n".join(lines) + "\n"))
        return [json.loads(line) for line in states.getvalue().splitlines()]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg2.connect(self.dsn, options="-c timezone=UTC") as connection, connection.cursor() as cursor:
            cursor.execute(query)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return found


def environment() -> dict[str, str]:
    """Return the environment of a loader in a zone that is not UTC: whoever forgets a zone shall see it."""
    return {name: value for name, value in os.environ.items() if name != "PGTZ"} | {"TZ": "Asia/Tokyo"}


def schema(stream: str = "things", keys: tuple[str, ...] = ("id",), **properties: Any) -> dict[str, Any]:
    """Return a SCHEMA message; a property is the name of a JSON type, or a whole schema."""
    kinds = {
        name: {"type": [kind, "null"]} if isinstance(kind, str) else kind
        for name, kind in ({"id": {"type": ["integer"]}} | properties).items()
    }
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": list(keys),
        "schema": {"type": "object", "properties": kinds},
    }


def record(stream: str = "things", **values: Any) -> dict[str, Any]:
    """Return a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values}


def state(value: Any) -> dict[str, Any]:
    """Return a STATE message."""
    return {"type": "STATE", "value": value}


INSTANT = {"type": ["string", "null"], "format": "date-time"}
DAY = {"type": ["string", "null"], "format": "date"}
