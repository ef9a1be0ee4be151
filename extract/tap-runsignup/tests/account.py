"""One account small enough to write down in a test, served over HTTP as the documentation draws it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, bytes]


def race(race_id: int, *events: dict[str, Any], **fields: Any) -> dict[str, Any]:
    address = {"street": None, "city": "Moorestown", "state": "NJ", "zipcode": "08057", "country_code": "US"}
    return {
        "race_id": race_id,
        "name": f"Race {race_id}",
        "timezone": "America/New_York",
        "url": "https://example.org/race",
        "is_draft_race": "F",
        "is_private_race": "F",
        "address": address,
        "created": "1/2/2025 09:05",
        "last_modified": "1/2/2025 09:05",
        "events": list(events),
    } | fields


def event(event_id: int, start: str | None = "5/4/2025 08:00", end: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "race_event_days_id": 1,
        "name": "5K",
        "details": None,
        "start_time": start,
        "end_time": end,
        "registration_opens": "1/2/2025 09:05",
        "age_calc_base_date": None,
        "event_type": "running_race",
        "distance": "5K",
        "volunteer": "F",
        "require_dob": "T",
        "require_phone": "F",
    } | fields


def entry(registration_id: int, event_id: int, modified: int = 1_746_000_000, **fields: Any) -> dict[str, Any]:
    address = {"street": None, "city": "Moorestown", "state": "NJ", "zipcode": "08057", "country_code": "US"}
    user = {
        "user_id": 700_000 + registration_id,
        "first_name": "Imani",
        "middle_name": None,
        "last_name": "Okonkwo-Reyes",
        "email": "imani@example.org",
        "address": address,
        "dob": "1991-04-02",
        "gender": "F",
        "phone": None,
    }
    return {
        "user": user | fields.pop("user", {}),
        "registration_id": registration_id,
        "event_id": event_id,
        "transaction_id": "zz_100_0",
        "bib_num": None,
        "chip_num": None,
        "age": 34,
        "registration_date": "9/7/2024 15:15",
        "team_id": None,
        "team_name": None,
        "last_modified": modified,
        "imported": "F",
        "race_fee": "$1,055.00",
        "processing_fee": "$2.75",
        "amount_paid": "$57.75",
    } | fields


def removed(registration_id: int, modified: int = 1_746_000_000, **fields: Any) -> dict[str, Any]:
    row = entry(registration_id, 0) | {
        "registration_date": "2024-09-07 15:15:00",
        "last_modified": "2025-04-30 04:00:00",
        "last_modified_ts": modified,
        "removed_reason": "removed",
        "new_registration_id": None,
    }
    del row["event_id"]
    return row | fields


def result(result_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "result_id": result_id,
        "place": result_id,
        "bib": 100 + result_id,
        "registration_id": None,
        "first_name": "Imani",
        "last_name": "Okonkwo-Reyes",
        "clock_time": "25:04",
        "chip_time": "",
        "modified": 0,
    } | fields


def result_set(set_id: int, *rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "individual_result_set_id": set_id,
        "individual_result_set_name": "Overall",
        "public_results": "T",
        "preliminary_results": "F",
        "alt_event_ids": [],
        "results_headers": {"place": "Place", "clock_time": "Clock Time"},
        "results": list(rows),
    } | fields


class Account:
    """What the account holds, and the calls that were made."""

    def __init__(self) -> None:
        self.now = "Mon, 05 May 2025 10:00:00 GMT"
        self.races: list[dict[str, Any]] = []
        # Races that exist and are not in the list, such as those of another account.
        self.unlisted: dict[int, dict[str, Any] | int] = {}
        self.entries: dict[int, list[dict[str, Any]]] = {}
        self.removed: dict[int, list[dict[str, Any]]] = {}
        self.sets: dict[int, list[dict[str, Any]]] = {}
        self.counts = True
        self.calls: list[tuple[str, dict[str, str]]] = []
        # Changes the answer to a call, or answers instead: (path, query, body) -> body or (status, bytes).
        self.twist: Callable[[str, dict[str, str], Any], Any] | None = None
        lock = threading.Lock()
        outer = self

        class Handling(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                path = parts.path.removeprefix("/rest/")
                with lock:
                    outer.calls.append((path, query))
                    body = outer.answer(path, query)
                    if outer.twist is not None:
                        body = outer.twist(path, query, body)
                status, content = body if isinstance(body, tuple) else (200, json.dumps(body).encode())
                self.send_response_only(status)
                self.send_header("Date", outer.now)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handling)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/rest"

    def asked(self, path: str) -> list[dict[str, str]]:
        """Return the queries of all calls whose path ends so."""
        return [query for called, query in self.calls if called.endswith(path)]

    def answer(self, path: str, query: dict[str, str]) -> Any:
        size, page = int(query.get("results_per_page", 50)), int(query.get("page", 1))
        window = slice((page - 1) * size, page * size)
        since = int(query.get("modified_after_timestamp", 0))
        ids = [int(number) for number in query.get("event_id", "0").split(",")]
        after = int(query.get("after_registration_id", -2))
        if path == "races":
            return {"races": [{"race": race} for race in self.races][window]}
        number, _, rest = path.removeprefix("race/").partition("/")
        if not rest:
            known = {race["race_id"]: race for race in self.races} | self.unlisted
            found = known.get(int(number), 201)
            return {"race": found} if isinstance(found, dict) else error(found)
        if rest == "participants":
            rows = [r for number in ids for r in self.entries.get(number, []) if r.get("last_modified", 0) >= since]
            rows = sorted((r for r in rows if r["registration_id"] > after), key=lambda r: r["registration_id"])
            body: list[dict[str, Any]] = [
                {"event": {"event_id": n, "participants": []}, "participants": []} for n in ids
            ]
            body[-1]["participants"] = rows[:size]
            return body
        if rest == "removed-participants":
            return [
                {
                    "event": {
                        "event_id": number,
                        "participants": [
                            row
                            for row in self.removed.get(number, [])
                            if row["last_modified_ts"] >= since and row["registration_id"] > after
                        ],
                    }
                }
                for number in ids
            ]
        sets = []
        for held in self.sets.get(ids[0], []):
            rows = [row for row in held["results"] if row["modified"] >= since]
            made = held | {"results": rows[window]}
            if self.counts and "include_total_finishers" in query:
                made["num_finishers"] = sum(1 for row in held["results"] if row["place"] is not None)
            sets.append(made)
        return {"individual_results_sets": sets}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def error(code: int) -> dict[str, Any]:
    return {"error": {"error_code": code, "error_msg": f"Message {code}."}}
