"""The sandbox seen from a test: its controls, and what it holds."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import requests

# What holds the key of each stream in a row of the tap; in the provider's record it is always `id`.
KEYS = {
    "events": "event_id",
    "occurrences": "occurrence_id",
    "races": "race_id",
    "participants": "participant_id",
    "applications": "application_id",
}
Rows = dict[str, dict[str, Any]]


class Season:
    """A running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url

    def _post(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/control/{path}", json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self) -> None:
        self._post("reset", size="tiny", seed=88, providers="letsdothis")

    def change(self, kind: str, event_id: str, **more: Any) -> dict[str, Any]:
        return self._post("change", kind=kind, provider="letsdothis", event_id=event_id, **{"partner": 1} | more)

    def try_change(self, kind: str, event_id: str, **more: Any) -> None:
        """Change something where that can be done: nobody can be brought back who has not gone."""
        body = {"kind": kind, "provider": "letsdothis", "event_id": event_id, "partner": 1} | more
        answer = requests.post(f"{self.url}/control/change", json=body, timeout=20)
        assert answer.status_code in (200, 400), answer.text

    def fault(self, kind: str, **more: Any) -> None:
        self._post("fault", provider="letsdothis", kind=kind, **more)

    def quirks(self, **switches: bool) -> None:
        self._post("quirks", **{f"letsdothis_{name}": value for name, value in switches.items()})

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/control/fault", timeout=20)

    def pass_time(self, seconds: int) -> None:
        self._post("clock", advance_seconds=seconds)

    def log(self) -> list[str]:
        found: list[str] = requests.get(f"{self.url}/control/calls", timeout=20).json()["log"]
        return found

    def forget_calls(self) -> None:
        self._post("calls/reset")

    def settings(self, partner: int = 1) -> dict[str, Any]:
        found = requests.get(f"{self.url}/control/connections", timeout=20).json()
        connection = next(c for c in found if c["provider"] == "letsdothis" and c["timing_partner_id"] == partner)
        return connection["settings"] | connection["secrets"]

    def holds(self, stream: str, partner: int = 1) -> Rows:
        found = requests.get(f"{self.url}/control/holds/letsdothis/{partner}/{stream}", timeout=20).json()
        return {record["id"]: record for record in found}


class Run:
    """What one run of a tap wrote, and how it ended."""

    def __init__(self, tap: Any) -> None:
        out = io.StringIO()
        self.error: Exception | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as error:
                self.error = error
        self.messages = [json.loads(line) for line in out.getvalue().splitlines()]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def calls(self, stream: str) -> int:
        return sum(row["calls_made"] for row in self.rows("reads") if row["stream"] == stream)

    @property
    def state(self) -> dict[str, Any]:
        return [m["value"] for m in self.messages if m["type"] == "STATE"][-1]


class Target:
    """What a loader would hold after the runs it has seen: rows by key, without the removed ones."""

    def __init__(self) -> None:
        self.rows: dict[str, Rows] = {stream: {} for stream in KEYS}
        self.removed: dict[tuple[str, str], dict[str, Any]] = {}
        # Ids of rows that came after the state that was kept: what the application tells the next run of.
        self.doubtful: dict[str, list[dict[str, Any]]] = {}

    def take(self, run: Run, *, keeps_state: bool = True) -> None:
        for message in run.messages:
            if message["type"] == "STATE" and keeps_state:
                self.doubtful.clear()
            if message["type"] != "RECORD":
                continue
            row, stream = message["record"], message["stream"]
            if stream in KEYS:
                self.rows[stream][row[KEYS[stream]]] = row
                self.doubtful.setdefault(stream, []).append(_ids(row))
            elif stream == "removals":
                self.removed[row["stream"], row["record_key"]] = row
                told = _ids(self.rows[row["stream"]][row["record_key"]]) | {"noticed_at": row["noticed_at"]}
                self.doubtful.setdefault(row["stream"], []).append(told)

    def live(self, stream: str) -> Rows:
        """Return the provider's records that are there, by key."""
        gone = {key for (name, key), row in self.removed.items() if name == stream and row["returned_at"] is None}
        return {key: row["record"] for key, row in self.rows[stream].items() if key not in gone}

    def assert_holds(self, season: Season, partner: int = 1, streams: tuple[str, ...] = tuple(KEYS)) -> None:
        for stream in streams:
            assert self.live(stream) == season.holds(stream, partner), stream


def _ids(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column.endswith("_id")}
