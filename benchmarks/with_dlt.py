"""One load by dlt, in the environment that holds it (.venv-bench): `python with_dlt.py WORK.json`.

The work says which provider, from where, which columns, and the way: `dicts` or `arrow`. Calls, paging and fetching
ahead are those of the taps: one session, two calls at once. Rows hold the columns that the taps' rows hold.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import requests

Record = dict[str, Any]
EASTERN = ZoneInfo("America/New_York")
# dlt's name for each kind of a column.
KINDS = {
    "text": "text", "integer": "bigint", "number": "double", "boolean": "bool", "instant": "timestamp",
    "date": "date", "object": "json", "array": "json",
}  # fmt: skip


# -- the provider -------------------------------------------------------------------------------------------------


class Pages:
    """An account's pages in order, the next ones being fetched."""

    def __init__(self, work: Record) -> None:
        """Sign in as the taps do."""
        self.settings: Record = work["settings"]
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self.pool = ThreadPoolExecutor(2)

    def get(self, path: str, **query: Any) -> requests.Response:
        """Return the answer to a call."""
        settings = self.settings
        if "client_id" in settings:
            keys = {"client_id": settings["client_id"], "user_id": settings["username"], "user_pass": "0" * 40}
        else:
            keys = {"api_key": settings["api_key"], "api_secret": settings["api_secret"]}
        answer = self.session.get(
            f"{settings['api_url']}/{path}", params={"format": "json", **keys, **query}, timeout=60
        )
        answer.raise_for_status()
        return answer

    def results(self) -> Iterator[tuple[Record, list[Record]]]:
        """Yield ChronoTrack's results, a page at a time, with what is given to each row."""
        events, page = [], 1
        while True:
            answer = self.get("event", page=page, size=1000)
            events += [event["event_id"] for event in orjson.loads(answer.content)["event"]]
            if page >= int(answer.headers["X-Ctlive-Page-Count"]):
                break
            page += 1

        def fetch(event: str, number: int) -> requests.Response:
            return self.get(f"event/{event}/results", interval="ALL", elide_json="false", page=number, size=1000)

        waiting: deque[tuple[str, int, Any]] = deque()
        coming = iter(events)
        # The pages of an event follow each other; the next event's first page is asked for meanwhile.
        while True:
            while len(waiting) < 2 and (event := next(coming, None)) is not None:
                waiting.append((event, 1, self.pool.submit(fetch, event, 1)))
            if not waiting:
                return
            event, number, future = waiting.popleft()
            answer = future.result()
            if number < int(answer.headers["X-Ctlive-Page-Count"]):
                waiting.appendleft((event, number + 1, self.pool.submit(fetch, event, number + 1)))
            yield {"event_id": event}, orjson.loads(answer.content)["event_results"]

    def participants(self) -> Iterator[tuple[Record, list[Record]]]:
        """Yield RunSignUp's participants, a page at a time, with what is given to each row."""
        races = orjson.loads(self.get("races", events="T", results_per_page=1000).content)["races"]

        def fetch(race: Record, after: int) -> requests.Response:
            ids = ",".join(str(event["event_id"]) for event in race["events"])
            query = {"event_id": ids, "results_per_page": 2500, "sort": "registration_id ASC"}
            flags = {"supports_nb": "T", "include_profile_image_url": "T", "include_fundraisers": "T"}
            return self.get(f"race/{race['race_id']}/participants", **query, **flags, after_registration_id=after)

        waiting: deque[tuple[Record, Any]] = deque()
        coming = iter(races)
        while True:
            while len(waiting) < 2 and (found := next(coming, None)) is not None:
                race = found["race"]
                waiting.append((race, self.pool.submit(fetch, race, -1)))
            if not waiting:
                return
            race, future = waiting.popleft()
            body = orjson.loads(future.result().content)
            rows = [row for event in body for row in event["participants"]]
            if len(rows) >= 2500:
                last = rows[-1]["registration_id"]
                waiting.appendleft((race, self.pool.submit(fetch, race, last)))
            yield {"race_id": race["race_id"]}, rows


# -- dicts --------------------------------------------------------------------------------------------------------


def _epoch(value: Any) -> datetime | None:
    return datetime.fromtimestamp(float(value), UTC) if value else None


@lru_cache(maxsize=16_384)
def _eastern(value: str) -> datetime | None:
    return datetime.strptime(value, "%m/%d/%Y %H:%M").replace(tzinfo=EASTERN).astimezone(UTC) if value else None


def _whole(value: Any) -> int | None:
    return int(value) if value not in ("", None) else None


CONVERT: dict[str, Callable[[Any], Any]] = {
    "integer": _whole,
    "boolean": {"1": True, "0": False, "T": True, "F": False, "": None, None: None}.get,
    "epoch": _epoch,
    "eastern": _eastern,
    "date": lambda value: value or None,
}


def dicts(work: Record, pages: Iterator[tuple[Record, list[Record]]]) -> Iterator[list[Record]]:
    """Yield rows as dicts, typed."""
    plan = [(c["name"], c["path"], CONVERT.get(c["convert"])) for c in work["columns"] if not c["given"]]
    for given, records in pages:
        read_at = datetime.now(UTC)
        rows = []
        for record in records:
            row = {"timing_partner_id": work["partner"], "read_at": read_at, **given}
            for name, path, convert in plan:
                value: Any = record
                for key in path:
                    value = value.get(key) if value is not None else None
                row[name] = convert(value) if convert is not None else value
            row["record"] = record
            rows.append(row)
        yield rows


# -- Arrow --------------------------------------------------------------------------------------------------------


def arrow(work: Record, pages: Iterator[tuple[Record, list[Record]]]) -> Iterator[Any]:
    """Yield an Arrow table a page, columns typed by Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def typed(values: list[Any], convert: str) -> Any:  # noqa: PLR0911 - a case each
        if convert == "integer" and values and not isinstance(next((v for v in values if v is not None), 0), str):
            return pa.array(values, pa.int64())
        if convert == "epoch" and values and not isinstance(next((v for v in values if v is not None), 0), str):
            return pc.multiply(pa.array(values, pa.int64()), 1_000_000).cast(pa.timestamp("us", "UTC"))
        # What comes as a number is text in the taps' rows, too.
        texts = values if all(type(v) is str or v is None for v in values) else [
            v if v is None or type(v) is str else str(v) for v in values
        ]  # fmt: skip
        text = pa.array(texts, pa.string())
        if convert == "text":
            return text
        text = pc.if_else(pc.equal(text, ""), None, text)
        if convert == "integer":
            return text.cast(pa.int64())
        if convert == "epoch":
            seconds = pc.multiply(text.cast(pa.float64()), 1e6)
            return pc.round(seconds).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
        if convert == "eastern":
            wall = pc.strptime(text, format="%m/%d/%Y %H:%M", unit="us")
            return pc.assume_timezone(wall, "America/New_York").cast(pa.timestamp("us", "UTC"))
        if convert == "boolean":
            return pc.or_(pc.equal(text, "1"), pc.equal(text, "T"))
        if convert == "date":
            return text.cast(pa.date32())
        raise ValueError(convert)

    def walk(records: list[Record], path: list[str]) -> list[Any]:
        for key in path[:-1]:
            records = [record.get(key) or {} for record in records]
        last = path[-1]
        return [record.get(last) for record in records]

    for given, records in pages:
        if not records:
            continue
        count = len(records)
        columns: dict[str, Any] = {
            "timing_partner_id": pa.repeat(pa.scalar(work["partner"], pa.int64()), count),
            "read_at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count),
        }
        for name, value in given.items():
            columns[name] = pa.repeat(pa.scalar(value), count)
        for column in work["columns"]:
            if not column["given"]:
                columns[column["name"]] = typed(walk(records, column["path"]), column["convert"])
        columns["record"] = pa.array([orjson.dumps(record) for record in records], pa.binary()).cast(pa.string())
        yield pa.table(columns)


# -- loading ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Load what the work file says."""
    work: Record = json.loads(Path(sys.argv[1]).read_text())
    # Two cores: two processes normalise. Files are cut so that normalising and loading have something to share out.
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "NORMALIZE__WORKERS": "2",
        "DATA_WRITER__FILE_MAX_ITEMS": "100000",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "20000",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        # Each file would otherwise add columns of its own for bookkeeping: Arrow rows get the load's id only.
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    } | work["environment"]
    import dlt

    pages = Pages(work)
    read = pages.results() if work["stream"] == "results" else pages.participants()
    rows = 0

    def counted() -> Iterator[Any]:
        nonlocal rows
        for page in (arrow if work["way"] == "arrow" else dicts)(work, read):
            rows += len(page)
            yield page

    columns = {c["name"]: {"name": c["name"], "data_type": KINDS[c["type"]], "nullable": True} for c in work["columns"]}
    columns |= {name: {"name": name, "data_type": kind, "nullable": True} for name, kind in
                {"timing_partner_id": "bigint", "read_at": "timestamp", "record": "json"}.items()}  # fmt: skip
    for name in work["key"]:
        columns[name]["nullable"] = False
    resource = dlt.resource(
        counted,
        name=work["stream"],
        primary_key=work["key"],
        write_disposition={"disposition": "merge", "strategy": work["strategy"]},
        columns=columns,
        max_table_nesting=0,
        file_format=work["file_format"],
    )
    pipeline = dlt.pipeline(
        f"bench_{work['provider']}",
        pipelines_dir=work["folder"],
        destination=dlt.destinations.postgres(credentials=work["dsn"]),
        dataset_name=work["dataset"],
    )
    pipeline.run(resource())
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
