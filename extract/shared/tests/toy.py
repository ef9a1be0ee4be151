"""A provider small enough to read at a glance, and a tap for it: what tests of the shared parts run on."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from singer_sdk import typing as th
from tap_shared.columns import Column, Record
from tap_shared.http import Answer, Client, Denied
from tap_shared.stream import HubStream
from tap_shared.tap import HubTap, common_settings

SECRET = "s3cr3t/of+the=toy"

Handler = Callable[[str, dict[str, str], Mapping[str, str]], "tuple[int, dict[str, str], bytes]"]


class Provider:
    """An HTTP server on loopback; `answer` is what it says to (path, query, headers)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.queue: list[Handler] = []
        self.things: dict[str, list[Any]] = {"1": [thing(1), thing(2)], "2": [thing(3)]}
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        outer = self

        class Handling(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with outer._lock:
                    outer.in_flight += 1
                    outer.most_in_flight = max(outer.most_in_flight, outer.in_flight)
                    parts = urlsplit(self.path)
                    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                    outer.calls.append((parts.path, query))
                    scripted = outer.queue.pop(0) if outer.queue else None
                try:
                    status, headers, body = (scripted or outer.answer)(parts.path, query, dict(self.headers))
                finally:
                    with outer._lock:
                        outer.in_flight -= 1
                if status == 0:
                    # Hang up without an answer.
                    self.close_connection = True
                    return
                self.send_response_only(status)
                for name, value in ({"Date": "Mon, 05 May 2025 10:00:00 GMT"} | headers).items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                if "Content-Length" in headers:
                    self.close_connection = True

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        if query.get("secret") != SECRET:
            return 401, {}, b'{"error": "who are you?"}'
        return 200, {}, json.dumps(self.things[path.rpartition("/")[2]]).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def says(status: int, body: bytes = b"", **headers: str) -> Handler:
    """Return an answer for the queue."""
    return lambda *_: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def thing(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "name": f"thing {number}", "weight": "1.5", "colour": "red"} | fields


class ToyClient(Client):
    provider = "toy"
    secret_params = ("secret",)

    def __init__(self, *, secret: str, **common: Any) -> None:
        super().__init__(**common)
        self._secret = secret

    def credential_settings(self) -> tuple[str, ...]:
        return ("secret",)

    def sign(self, params: dict[str, Any], headers: dict[str, str]) -> None:
        params["secret"] = self._secret
        headers["X-Secret"] = self._secret

    def inspect(self, status: int, data: Any, headers: Mapping[str, str]) -> None:
        if status == 200 and isinstance(data, dict) and data.get("error") == "denied":
            raise Denied("permission denied")


class Things(HubStream):
    """Things of two places, read whole and compared with the last read."""

    name = "things"
    primary_keys = ("timing_partner_id", "id")
    columns = (
        Column("id", "integer", required=True),
        Column("place", "integer", given=True),
        Column("name", required=True),
        Column("weight", "number"),
        Column("colour", known=frozenset({"red", "blue"})),
        Column("note", sent=False),
    )
    places = (1, 2)
    remembered_by = ("place",)

    def check(self, row: Record, record: Record) -> tuple[str, str] | None:
        if (record.get("place") or row["place"]) != row["place"]:
            return "place", "of another place than asked for"
        return None

    def walk(self) -> Iterator[Record]:
        client = self.hub.client

        def ask(place: int) -> Answer:
            value = self.bookmarks.get({"place": place}).get("snapshot")
            return client.get(f"things/{place}", {"page": 1}, stream=self.name, known=self.known(f"{place}", value))

        units = self.hub.ahead.each(self.places, ask)
        for place, future in units:
            answer = future.result()
            context = {"place": place}
            tally = self.tally(scope=str(place))
            tally.answered(answer)
            snapshot = self.snapshot(self.bookmarks.get(context).get("snapshot"))
            if self.skip(answer, tally, snapshot) is None:
                pairs = [(record, {"place": place}) for record in answer.read()]
                yield from self.deliver_page(answer, pairs, tally, snapshot)
            tally.at_provider = snapshot.seen
            value = self.finish_snapshot(snapshot, tally)
            self.report(tally)
            self.commit(context, snapshot=value)


class Others(Things):
    """The same again, to see what one stream's end means to the next."""

    name = "others"


class ToyTap(HubTap):
    """Singer tap for the toy."""

    name = "tap-toy"
    provider = "toy"
    stream_types = (Things, Others)
    config_jsonschema = th.PropertiesList(
        th.Property("secret", th.StringType, required=True, secret=True, description="What lets us in."),
        *common_settings(api_url="http://localhost", calls_per_hour=1000),
    ).to_dict()

    def new_client(self, **common: Any) -> Client:
        return ToyClient(secret=self.config["secret"], **common)

    def credential(self) -> str:
        return self.config["secret"]


if __name__ == "__main__":
    ToyTap.cli()
