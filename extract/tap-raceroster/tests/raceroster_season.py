"""A season to read, and what the tap wrote."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import requests
from tap_raceroster.tap import TapRaceRoster

STREAMS = ("events", "sub_events", "participants", "results")
KEYS = {
    "events": "event_id",
    "sub_events": "sub_event_id",
    "participants": "participant_id",
    "results": "result_id",
}
DAY = 86_400


class Season:
    """The sandbox: a season, and the hand that changes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/control/{path}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self, size: str = "tiny") -> None:
        self.ask("POST", "reset", size=size, seed=88)

    def account(self, partner: int = 1) -> dict[str, Any]:
        for account in self.ask("GET", "connections"):
            if (account["provider"], account["timing_partner_id"]) == ("raceroster", partner):
                return account["settings"] | account["secrets"]
        raise AssertionError(partner)

    def change(self, kind: str, event_id: str, **more: Any) -> dict[str, Any]:
        return self.ask("POST", "change", kind=kind, provider="raceroster", partner=1, event_id=event_id, **more)

    def fault(self, kind: str, **more: Any) -> None:
        self.ask("POST", "fault", kind=kind, provider="raceroster", **more)

    def faults_left(self) -> int:
        return sum(fault["times"] or 0 for fault in self.ask("GET", "faults")["faults"])

    def quirk(self, *names: str, on: bool = True) -> None:
        self.ask("POST", "quirks", **{f"raceroster_{name}": on for name in names})

    def advance(self, seconds: float) -> None:
        self.ask("POST", "clock", advance_seconds=int(seconds))

    def holds(self, stream: str, partner: int = 1) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.url}/control/holds/raceroster/{partner}/{stream}", timeout=30)
        found: list[dict[str, Any]] = answer.json()
        return found

    def calls(self) -> list[str]:
        return [line.removeprefix("raceroster ") for line in self.ask("GET", "calls")["log"]]

    def forget_calls(self) -> None:
        self.ask("POST", "calls/reset")

    def event(self, title: str) -> str:
        """Return the id of an event by its first word: Orchard and Ropewalk are over, Advent is ahead."""
        (found,) = [event["eventId"] for event in self.holds("events") if event["name"].startswith(title)]
        event_id: str = found
        return event_id


class Run:
    """What one run of the tap wrote, and how it ended."""

    def __init__(self, tap: TapRaceRoster) -> None:
        out = io.StringIO()
        self.error: str | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as error:
                self.error = str(error)
        self.messages = [json.loads(line) for line in out.getvalue().splitlines()]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    @property
    def sent(self) -> dict[str, int]:
        """Return how many rows of each stream of the provider were written."""
        return {stream: count for stream in STREAMS if (count := len(self.rows(stream)))}

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = [message["value"] for message in self.messages if message["type"] == "STATE"][-1]
        return state

    def read(self, stream: str, scope: str = "") -> dict[str, Any]:
        """Return the last row of `reads` about a stream and event."""
        return [r for r in self.rows("reads") if (r["stream"], r["scope"]) == (stream, scope)][-1]

    def removals(self, stream: str) -> dict[str, Any]:
        """Return what was removed, and when it came back."""
        return {r["record_key"]: r["returned_at"] for r in self.rows("removals") if r["stream"] == stream}

    def marks(self, stream: str) -> dict[str, dict[str, Any]]:
        """Return the bookmarks of a stream by event."""
        partitions = self.state["bookmarks"][stream]["partitions"]
        return {mark["context"]["event_id"]: mark for mark in partitions}


class Target:
    """What a database would hold after one or more runs."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {stream: {} for stream in STREAMS}
        # Ids of rows that came after the last state: what the application tells the next run of.
        self.doubtful: dict[str, list[dict[str, Any]]] = {}

    def load(self, run: Run) -> None:
        for message in run.messages:
            if message["type"] == "STATE":
                self.doubtful.clear()
            if message["type"] != "RECORD":
                continue
            stream, row = message["stream"], message["record"]
            if stream in KEYS:
                self.tables[stream][str(row[KEYS[stream]])] = row
                self.doubtful.setdefault(stream, []).append(_ids(row))
            elif stream == "removals" and row["returned_at"] is None:
                gone = self.tables[row["stream"]].pop(row["record_key"], None)
                if gone is not None:
                    told = _ids(gone) | {"noticed_at": row["noticed_at"]}
                    self.doubtful.setdefault(row["stream"], []).append(told)

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [row["record"] for row in self.tables[stream].values()]


def _ids(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if column.endswith("_id")}


def same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Tell whether two lists hold the same records in any order."""
    return sorted(map(_text, left)) == sorted(map(_text, right))


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)
