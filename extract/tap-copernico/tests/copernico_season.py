"""A season to read, and what the tap wrote."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from datetime import datetime
from typing import Any

import requests
from tap_copernico.shapes import athlete_entries
from tap_copernico.tap import TapCopernico

STREAMS = ("races", "events", "participants", "results")
KEYS = {
    "races": ("race_id",),
    "events": ("event_id",),
    "participants": ("event_id", "participant_id"),
    "results": ("event_id", "participant_id"),
}


class Season:
    """The sandbox: a season, and the hand that changes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/control/{path}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self, **more: Any) -> None:
        self._ask("POST", "reset", **({"size": "tiny", "seed": 88, "providers": "all", "bad_rate": 0} | more))
        self._ask("DELETE", "fault")
        self._ask("POST", "calls/reset")

    def account(self, partner: int = 1) -> dict[str, Any]:
        for account in self._ask("GET", "connections"):
            if (account["provider"], account["timing_partner_id"]) == ("copernico", partner):
                return account["settings"] | account["secrets"]
        raise AssertionError(partner)

    def change(self, kind: str, event_id: str, **more: Any) -> dict[str, Any]:
        return self._ask("POST", "change", kind=kind, provider="copernico", partner=1, event_id=event_id, **more)

    def fault(self, kind: str, **more: Any) -> None:
        self._ask("POST", "fault", kind=kind, provider="copernico", **more)

    def no_faults(self) -> None:
        self._ask("DELETE", "fault")

    def faults_left(self) -> int:
        return sum(fault["times"] or 0 for fault in self._ask("GET", "faults")["faults"])

    def quirks(self, **switched: Any) -> None:
        self._ask("POST", "quirks", **{f"copernico_{name}": value for name, value in switched.items()})

    def advance(self, **span: float) -> None:
        seconds = sum(value * {"days": 86400, "minutes": 60, "seconds": 1}[unit] for unit, value in span.items())
        self._ask("POST", "clock", advance_seconds=int(seconds))

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self._ask("GET", "clock")["now"])

    def holds(self, stream: str, partner: int = 1, **query: Any) -> list[dict[str, Any]]:
        url = f"{self.url}/control/holds/copernico/{partner}/{stream}"
        return self.http.get(url, params={"context": 1} | query, timeout=30).json()

    def rows(self, stream: str = "preset", **query: Any) -> dict[str, dict[str, Any]]:
        """Return what the provider holds of each athlete, by event and id."""
        found = {}
        for one in self.holds(stream, **query):
            (record,) = athlete_entries(one["record"])
            found[f"{one['race_id']}:{one['event']}/{record['id']}"] = record
        return found

    def calls(self) -> list[str]:
        return [line.removeprefix("copernico ") for line in self._ask("GET", "calls")["log"] if "copernico " in line]

    def forget_calls(self) -> None:
        self._ask("POST", "calls/reset")

    def live(self) -> str:
        """Return the race that is on."""
        return next(one["race_id"] for one in self.holds("races") if one["record"]["status"] == "running")

    def finisher(self, event: str = "10K") -> tuple[str, dict[str, Any]]:
        """Return somebody who finished in the race that is on: event_id and the preset's row."""
        race = self.live()
        for one in self.holds("preset"):
            row = one["record"]
            if one["race_id"] == race and row["event"] == event and row["status"] == "finished":
                return f"{race}:{event}", row
        raise AssertionError(event)


def expected_results(season: Season) -> set[str]:
    """Return the keys of those who were seen somewhere, or whose status says how it ended."""
    return {
        key
        for key, row in season.rows().items()
        if row["status"] in ("running", "finished", "dnf", "dsq")
        or any(value for name, value in row.items() if name.startswith("times.official"))
    }


class Run:
    """What one run of the tap wrote, and how it ended."""

    def __init__(self, tap: TapCopernico) -> None:
        out = io.StringIO()
        self.error: str | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as error:
                self.error = str(error)
        # Not splitlines(): garbled names hold what it takes for ends of lines.
        self.messages = [json.loads(line) for line in out.getvalue().split("\n") if line]

    @classmethod
    def of(cls, text: str) -> Run:
        """Return what a tap in another process wrote."""
        run = cls.__new__(cls)
        run.error = None
        run.messages = [json.loads(line) for line in text.split("\n") if line]
        return run

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    def row(self, stream: str, participant_id: str) -> dict[str, Any]:
        (row,) = [row for row in self.rows(stream) if row["participant_id"] == participant_id]
        return row

    @property
    def sent(self) -> dict[str, int]:
        """Return how many rows of each stream of the provider were written."""
        return {stream: count for stream in STREAMS if (count := len(self.rows(stream)))}

    @property
    def state(self) -> dict[str, Any]:
        return [message["value"] for message in self.messages if message["type"] == "STATE"][-1]

    def read(self, stream: str, scope: str = "") -> dict[str, Any]:
        """Return the last row of `reads` about a stream and event."""
        return [r for r in self.rows("reads") if (r["stream"], r["scope"]) == (stream, scope)][-1]

    def removals(self, stream: str) -> dict[str, Any]:
        """Return what was removed, and when it came back."""
        return {r["record_key"]: r["returned_at"] for r in self.rows("removals") if r["stream"] == stream}

    def marks(self, stream: str) -> dict[str, dict[str, Any]]:
        """Return the bookmarks of a stream by event."""
        partitions = self.state["bookmarks"][stream]["partitions"]
        return {mark["context"]["event_id"] or mark["context"]["race_id"]: mark for mark in partitions}


class Target:
    """What a database would hold after one or more runs."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {stream: {} for stream in STREAMS}

    def load(self, *runs: Run) -> Target:
        for message in [message for run in runs for message in run.messages]:
            if message["type"] != "RECORD":
                continue
            stream, row = message["stream"], message["record"]
            if stream in KEYS:
                self.tables[stream]["/".join(row[k] for k in KEYS[stream])] = row
            elif stream == "removals" and row["returned_at"] is None:
                self.tables[row["stream"]].pop(row["record_key"], None)
        return self
