"""A season to read, the wire between, and what the tap wrote."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from tap_haku.tap import TapHaku

STREAMS = ("events", "categories", "participants", "registrations")
# Streams that the sandbox holds as such; categories come inside registrations.
HELD = ("events", "participants", "registrations")
KEYS = {
    "events": ("event_id",),
    "categories": ("event_id", "category_id"),
    "participants": ("event_id", "registration_number"),
    "registrations": ("event_id", "registration_number"),
}
# Today's event of Harbour Timing, and the one in August, whose days of grace are over.
LIVE, PAST = "19008", "19010"


class Season:
    """The sandbox: a season, and the hand that changes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, f"{self.url}/control/{path}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self, size: str = "tiny") -> None:
        self._ask("POST", "reset", size=size, seed=88)

    def quirk(self, **switched: Any) -> None:
        self._ask("POST", "quirks", **switched)

    def account(self, partner: int = 1) -> dict[str, Any]:
        for account in self._ask("GET", "connections"):
            if (account["provider"], account["timing_partner_id"]) == ("haku", partner):
                return account["settings"] | account["secrets"]
        raise AssertionError(partner)

    def change(self, kind: str, event_id: str, **more: Any) -> dict[str, Any]:
        return self._ask("POST", "change", kind=kind, provider="haku", partner=1, event_id=event_id, **more)

    def fault(self, kind: str, **more: Any) -> None:
        self._ask("POST", "fault", kind=kind, provider="haku", **more)

    def faults_left(self) -> int:
        return sum(fault["times"] or 0 for fault in self._ask("GET", "faults")["faults"])

    def advance(self, **span: float) -> None:
        seconds = sum(value * {"days": 86400, "minutes": 60, "seconds": 1}[unit] for unit, value in span.items())
        self._ask("POST", "clock", advance_seconds=int(seconds))

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self._ask("GET", "clock")["now"])

    def holds(self, stream: str, partner: int = 1, **query: Any) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.url}/control/holds/haku/{partner}/{stream}", params=query or None, timeout=30)
        return answer.json()

    def calls(self) -> list[str]:
        return [line.removeprefix("haku ") for line in self._ask("GET", "calls")["log"]]

    def forget_calls(self) -> None:
        self._ask("POST", "calls/reset")

    def numbers(self, event_id: str = LIVE) -> list[str]:
        """Return the registration numbers of an event, in an order of no meaning."""
        found = self.http.get(
            f"{self.url}/control/holds/haku/1/participants", params={"context": "1"}, timeout=30
        ).json()
        return [one["record"]["registration_number"] for one in found if str(one["event_id"]) == event_id]


Rule = Callable[[str, dict[str, str], int, dict[str, str], Any], "tuple[int, dict[str, str], Any] | None"]


class Wire:
    """A wire to the sandbox on which answers can be altered: for what a sandbox has no switch for."""

    def __init__(self, target: str) -> None:
        self.rules: list[Rule] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        outer, http = self, requests.Session()

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: apart, each answer would wait 40 ms for an acknowledgement.
            wbufsize = 65536

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                path = parts.path.removeprefix("/haku")
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                outer.calls.append((path, query))
                sent = {k: v for k, v in self.headers.items() if k in ("Authorization", "X-API-Secret")}
                answer = http.get(target + self.path, headers=sent, timeout=30)
                status, headers, data = (
                    answer.status_code,
                    {k.lower(): v for k, v in answer.headers.items()},
                    answer.json(),
                )
                for rule in outer.rules:
                    status, headers, data = rule(path, query, status, headers, data) or (status, headers, data)
                body = data if isinstance(data, bytes) else json.dumps(data).encode()
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.api_url = f"http://127.0.0.1:{self.server.server_port}/haku"


class Run:
    """What one run of the tap wrote, and how it ended."""

    def __init__(self, tap: TapHaku) -> None:
        out = io.StringIO()
        self.error: str | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as error:
                self.error = str(error)
        self.messages = [json.loads(line) for line in out.getvalue().splitlines()]

    @classmethod
    def of(cls, text: str) -> Run:
        """Return what a tap in another process wrote."""
        run = cls.__new__(cls)
        run.error = None
        run.messages = [json.loads(line) for line in text.splitlines()]
        return run

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

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
        return {mark["context"]["event_id"]: mark for mark in partitions}


class Target:
    """What a database would hold after one or more runs."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, ...], dict[str, Any]]] = {stream: {} for stream in STREAMS}

    def load(self, run: Run) -> None:
        for message in run.messages:
            if message["type"] != "RECORD":
                continue
            stream, row = message["stream"], message["record"]
            if stream in KEYS:
                self.tables[stream][tuple(row[k] for k in KEYS[stream])] = row
            elif stream == "removals" and row["returned_at"] is None:
                self.tables[row["stream"]].pop(tuple(row["record_key"].split("/")), None)

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [row["record"] for row in self.tables[stream].values()]


def same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Tell whether two lists hold the same records in any order."""
    return sorted(map(_text, left)) == sorted(map(_text, right))


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)
