"""A wire to the sandbox on which answers can be altered: for what a sandbox has no switch for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

# (path, query, status, headers, data) -> (status, headers, data), or None to leave the answer as it is.
Rule = Callable[[str, dict[str, str], int, dict[str, str], Any], "tuple[int, dict[str, str], Any] | None"]


class Wire:
    """Hands GET calls on to an API and their answers back; `api_url` takes the API's place in a tap's settings."""

    def __init__(self, api_url: str) -> None:
        """Begin at the address of the API; paths in `calls` and rules are what follows it."""
        self.rules: list[Rule] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        outer, http = self, requests.Session()
        base = urlsplit(api_url).path
        host = api_url.removesuffix(base)

        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: apart, each answer would wait 40 ms for an acknowledgement.
            wbufsize = 65536

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                path = parts.path.removeprefix(base)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                outer.calls.append((path, query))
                sent = {k: v for k, v in self.headers.items() if k == "Authorization" or k.startswith("X-")}
                answer = http.get(host + self.path, headers=sent, timeout=30)
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
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.api_url = f"http://127.0.0.1:{self.server.server_port}{base}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
