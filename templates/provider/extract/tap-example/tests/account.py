"""A provider small enough to read at a glance.

TODO: once sandbox/providers/example/ is written, the tests run against the sandbox, as those of the other taps do.
"""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "k3y/of+the=account"


class Provider:
    """An HTTP server on loopback with two events and their participants."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        # (status, body) of the next calls, instead of an answer.
        self.faults: list[tuple[int, bytes]] = []
        self.events: list[dict[str, Any]] = []
        self.participants: dict[str, list[dict[str, Any]]] = {}
        self.reset()
        outer = self

        class Handling(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.calls.append(self.path)
                status, body = outer.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response_only(status)
                # The week after the races: events that ended longer ago are settled.
                self.send_header("Date", "Sat, 19 Sep 2026 10:00:00 GMT")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def reset(self) -> None:
        """Put everything back in order."""
        self.calls.clear()
        self.faults.clear()
        self.events[:] = [event("A1"), event("B2", name="  Lighthouse   10K ")]
        self.participants.clear()
        self.participants |= {"A1": [participant(n) for n in range(1, 8)], "B2": [participant(20)]}

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Return status and body."""
        if self.faults:
            return self.faults.pop(0)
        if authorization != f"Bearer {KEY}":
            return 401, b"{}"
        parts = urlsplit(path)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        _, _, *rest = parts.path.split("/")
        rows = self.events if rest == ["events"] else self.participants.get(rest[1])
        if rows is None:
            return 404, b"{}"
        begin = (query["page"] - 1) * query["per_page"]
        return 200, json.dumps({"data": rows[begin : begin + query["per_page"]]}).encode()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    """Return an event as the provider sends it."""
    times = {"starts_at": "2026-09-12T07:30:00-04:00", "ends_at": "2026-09-12T13:00:00-04:00"}
    return {"id": event_id, "name": f"Event {event_id}", "timezone": "America/New_York"} | times | fields


def participant(number: int, **fields: Any) -> dict[str, Any]:
    """Return a participant as the provider sends it."""
    names = {"first_name": "Imani", "last_name": f"Åström-{number}", "email": f"Runner{number}@Mail.invalid "}
    told = {"gender": "female", "birth_date": "1990-02-03", "bib": f"0{number}", "status": "registered"}
    return {"id": number, "registered_at": "2026-05-02T10:00:00Z"} | names | told | fields
