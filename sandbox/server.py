"""The sandbox over HTTP: providers' APIs, faults, limits and the control endpoints. Loopback only."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread
import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

from sandbox.control import Control, ControlError, truth
from sandbox.faults import BETWEEN, ROWS, Fault, Faults, spoil
from sandbox.providers import chronotrack as ct
from sandbox.providers import runsignup as rsu
from sandbox.providers.chronotrack import ChronoTrack
from sandbox.providers.common import Answer, Call, Record
from sandbox.providers.runsignup import RunSignup
from sandbox.state import CHRONOTRACK, RUNSIGNUP, State
from sandbox.world import PARTNERS, SIZES, START, Season

SECRET = re.compile(
    r"(?i)((?:api_secret|api_key|user_pass|password|client_secret|refresh_token|rsu_api_reg|client_id|user_id)=)[^&]*"
)
HOUR = 3600


class Limits:
    """Calls in the running hour (real time) and calls in flight, per credential."""

    def __init__(self) -> None:
        """Start generous: the taps keep the providers' own limits themselves."""
        self.calls_per_hour = {RUNSIGNUP: 100_000, CHRONOTRACK: 100_000}
        self.in_flight = {RUNSIGNUP: 2, CHRONOTRACK: 0}
        self.status = {RUNSIGNUP: 200, CHRONOTRACK: 429}
        self.retry_after: float | None = 1.0
        self.hour_began: dict[tuple[str, str], float] = {}
        self.hour_calls: dict[tuple[str, str], int] = {}

    def settings(self) -> Record:
        """Return the limits as control shows them."""
        return {
            name: {
                "calls_per_hour": self.calls_per_hour[name],
                "in_flight": self.in_flight[name],
                "status": self.status[name],
            }
            for name in (RUNSIGNUP, CHRONOTRACK)
        } | {"retry_after": self.retry_after}

    def change(self, asked: Record) -> None:
        """Set limits; setting one forgets the calls made so far in the hour."""
        name = asked.get("provider")
        if name not in (RUNSIGNUP, CHRONOTRACK):
            raise ControlError(f"unknown provider {name!r}: runsignup or chronotrack")
        for key, table in (
            ("calls_per_hour", self.calls_per_hour),
            ("in_flight", self.in_flight),
            ("status", self.status),
        ):
            if key in asked:
                table[name] = int(asked[key])
        if "retry_after" in asked:
            self.retry_after = asked["retry_after"]
        self.hour_calls = {k: v for k, v in self.hour_calls.items() if k[0] != name}

    def over_hour(self, who: tuple[str, str]) -> bool:
        """Count a call and return whether it is one too many."""
        now = time.monotonic()
        if now - self.hour_began.get(who, -HOUR) >= HOUR:
            self.hour_began[who], self.hour_calls[who] = now, 0
        self.hour_calls[who] = self.hour_calls.get(who, 0) + 1
        return self.hour_calls[who] > self.calls_per_hour[who[0]]


class Calls:
    """What was called, by whom."""

    def __init__(self) -> None:
        """Start counting."""
        self.table: dict[tuple[str, str], Record] = {}
        self.log: deque[str] = deque(maxlen=1000)

    def count(self, provider: str, credential: str, partner: int | None, template: str, address: str) -> Record:
        """Count one call and return its row."""
        row = self.table.setdefault(
            (provider, credential),
            {
                "provider": provider,
                "timing_partner_id": partner,
                "credential": credential,
                "calls": 0,
                "refused": 0,
                "faults": 0,
                "in_flight": 0,
                "max_in_flight": 0,
                "paths": {},
            },
        )
        row["calls"] += 1
        row["paths"][template] = row["paths"].get(template, 0) + 1
        self.log.append(f"{provider} " + SECRET.sub(r"\1***", address))
        return row


class World:
    """A state with the providers over it; `reset` replaces all of it at once."""

    def __init__(self, size: str, seed: int, bad_rate: float | None, folder: Path | None) -> None:
        """Lay out the season, or read a folder of results."""
        self.size, self.seed, self.bad_rate, self.folder = size, seed, bad_rate, folder
        self.runsignup: RunSignup | None = None
        if folder is not None:
            from sandbox.csv_world import CsvWorld

            self.state = State(CsvWorld(folder))
        else:
            participants = SIZES.get(size) or int(size)
            self.state = State(Season(participants, seed, bad_rate))
            self.runsignup = RunSignup(self.state)
        self.chronotrack = ChronoTrack(self.state)
        self.control = Control(self.state, self.runsignup, self.chronotrack)

    def provider(self, name: str) -> RunSignup | ChronoTrack | None:
        """Return a provider by name."""
        return self.runsignup if name == RUNSIGNUP else self.chronotrack if name == CHRONOTRACK else None


class Sandbox:
    """The ASGI application."""

    def __init__(self, world: World) -> None:
        """Serve this world."""
        self.world = world
        self.lock = threading.Lock()
        self.faults = Faults()
        self.limits = Limits()
        self.calls = Calls()
        self.url = ""
        self.last_call = time.monotonic()

    # -- HTTP --------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self.last_call = time.monotonic()
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query_text = scope["query_string"].decode("latin-1")
        path = [part for part in scope["path"].split("/") if part]
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        query = dict(parse_qsl(query_text, keep_blank_values=True))
        call = Call(
            scope["method"], tuple(p.lower() for p in path), query, headers, body, slash=scope["path"].endswith("/")
        )
        head = call.path[0] if call.path else ""
        if head == "control":
            await self._control(call, path, send)
        elif head in (RUNSIGNUP, CHRONOTRACK):
            address = "/".join(path[1:]) + (f"?{query_text}" if query_text else "")
            await self._provider(head, call, address, receive, send)
        else:
            await self._json(
                send, {"error": "see /control/health; providers are /runsignup/rest and /chronotrack/api"}, 404
            )

    def _date(self) -> tuple[bytes, bytes]:
        # Every answer tells the sandbox's own time: bookmarks are taken from the provider's clock.
        return b"date", formatdate(self.world.state.now, usegmt=True).encode()

    async def _send(self, send: Send, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> None:
        raw = [
            self._date(),
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            *((k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _json(self, send: Send, body: Any, status: int = 200) -> None:
        data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        await self._send(send, status, "application/json", data, {})

    # -- providers ---------------------------------------------------------------------------------

    async def _provider(self, name: str, call: Call, address: str, receive: Receive, send: Send) -> None:
        provider = self.world.provider(name)
        call.path = call.path[1:]
        if call.path[:1] in (("rest",), ("api",)):
            call.path = call.path[1:]
        if provider is None:
            await self._json(send, rsu.error(6))
            return
        credential, partner = provider.credential(call), provider.partner_of(call)
        template = "/".join("{id}" if part.isdigit() else part for part in call.path)
        row = self.calls.count(name, credential, partner, template, address)
        row["in_flight"] += 1
        row["max_in_flight"] = max(row["max_in_flight"], row["in_flight"])
        released = False
        try:
            answer, fault = await self._answered(name, provider, call, address, row)
            # Released before the last byte goes out: a client that has its answer may call again at once.
            row["in_flight"] -= 1
            released = True
            body = answer.raw if answer.raw is not None else b""
            if fault is not None and fault.kind == "drop_connection":
                await self._drop(send, receive, answer, body, fault)
                return
            await self._send(send, answer.status, answer.content_type or "application/json", body, answer.headers)
        finally:
            if not released:
                row["in_flight"] -= 1

    async def _answered(  # noqa: PLR0911
        self, name: str, provider: RunSignup | ChronoTrack, call: Call, address: str, row: Record
    ) -> tuple[Answer, Fault | None]:
        limit = self.limits.in_flight[name]
        if (limit and row["in_flight"] > limit) or self.limits.over_hour((name, row["credential"])):
            row["refused"] += 1
            return self._throttled(name, self.limits.status[name], self.limits.retry_after), None
        fault = self.faults.take(name, call, row["timing_partner_id"], address)
        if fault is None:
            return await anyio.to_thread.run_sync(self._made, name, provider, call, None), None
        row["faults"] += 1
        match fault.kind:
            case "status_429":
                return self._throttled(name, 429, fault.retry_after), fault
            case "code_14":
                return self._throttled(name, 200, fault.retry_after), fault
            case "limit_reached":
                status = 200 if name == RUNSIGNUP else 429
                return self._throttled(name, status, fault.retry_after), fault
            case "status_500":
                return plain(500, "text/plain", b"Internal Server Error"), fault
            case "status_502_html":
                page = b"<html><head><title>502 Bad Gateway</title></head><body><center>cloud</center></body></html>"
                return plain(502, "text/html", page), fault
            case "non_json":
                page = b"<!DOCTYPE html><html><body>We are down for maintenance.</body></html>"
                return plain(200, "text/html", page), fault
            case "expired_token":
                return self._expired(name, provider, call), fault
            case "slow":
                await asyncio.sleep(fault.seconds)
        return await anyio.to_thread.run_sync(self._made, name, provider, call, fault), fault

    def _throttled(self, name: str, status: int, retry_after: float | None) -> Answer:
        body = rsu.error(14) if name == RUNSIGNUP else ct.error(429, "Too many requests")
        answer = plain(status, "application/json", orjson.dumps(body))
        if status == 429 and retry_after is not None:
            answer.headers["Retry-After"] = f"{retry_after:g}"
        return answer

    def _expired(self, name: str, provider: RunSignup | ChronoTrack, call: Call) -> Answer:
        if isinstance(provider, ChronoTrack):
            provider.forget_token(call)
            return plain(401, "application/json", orjson.dumps(ct.error(401, "The access token expired")))
        return plain(200, "application/json", orjson.dumps(rsu.error(6)))

    def _made(self, name: str, provider: RunSignup | ChronoTrack, call: Call, fault: Fault | None) -> Answer:
        with self.lock:
            if fault is not None and fault.kind in BETWEEN:
                self._between_pages(name, provider, call, fault)
            answer = provider.answer(call)
            if fault is not None and fault.kind in ROWS:
                if fault.kind == "empty_answer":
                    provider.empty(answer)
                elif isinstance(answer.body, dict) and name == RUNSIGNUP and "error" in answer.body:
                    pass
                else:
                    if fault.kind in ("bad_record", "changed_type", "missing_field", "no_key", "unknown_enum"):
                        spoil(fault, name, answer)
                    if answer.raw is not None and answer.content_type.startswith("application/json"):
                        answer.raw = None
            if answer.raw is None:
                answer.raw = orjson.dumps(answer.body)
        if fault is not None and fault.kind == "cut_json":
            answer.raw = answer.raw[: len(answer.raw) // 2]
        return answer

    def _between_pages(self, name: str, provider: RunSignup | ChronoTrack, call: Call, fault: Fault) -> None:
        event_id = provider.event_asked(call)
        if event_id is None:
            return
        results = call.path[-1].endswith("results")
        if fault.kind == "row_between_pages":
            kind = "post_results" if results else "add_entry"
        else:
            kind = "delete_result" if results else "cancel" if name == RUNSIGNUP else "delete"
        asked = {"kind": kind, "provider": name, "event_id": event_id, "count": 1}
        self.world.control.change(asked)

    async def _drop(self, send: Send, receive: Receive, answer: Answer, body: bytes, fault: Fault) -> None:
        if not fault.before_body:
            raw = [
                self._date(),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            await send({"type": "http.response.body", "body": body[: len(body) // 3], "more_body": True})
            await asyncio.sleep(0.02)
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
        await asyncio.sleep(0.05)

    # -- control -----------------------------------------------------------------------------------

    async def _control(self, call: Call, path: list[str], send: Send) -> None:
        if call.path[1:2] == ("holds",) or call.path[1:2] == ("truth",):
            await self._stream(call, send)
            return
        try:
            given: Record = orjson.loads(call.body) if call.body else {}
            if not isinstance(given, dict):
                raise ControlError("the body must be a JSON object")
            with self.lock:
                answer = self._controlled(call, given)
        except (ControlError, ValueError, TypeError, KeyError) as problem:
            await self._json(send, {"error": str(problem)}, 400)
            return
        await self._json(send, answer, 200 if answer is not None else 404)

    def _controlled(self, call: Call, given: Record) -> Any:  # noqa: PLR0911, PLR0912
        match call.method, call.path[1:]:
            case "GET", ("health",):
                return self.health()
            case "GET", ("connections",):
                return self.connections()
            case _, ("clock",):
                return self._clock(call.method, given)
            case "POST", ("reset",):
                return self._reset(given)
            case "POST", ("change",):
                return self.world.control.change(given)
            case _, ("fault",) | ("faults",):
                if call.method == "POST":
                    self.faults.add(given)
                elif call.method == "DELETE":
                    self.faults.active.clear()
                return {"faults": self.faults.listed()}
            case _, ("limits",):
                if call.method == "POST":
                    self.limits.change(given)
                return self.limits.settings()
            case _, ("quirks",):
                if call.method == "POST":
                    self.world.chronotrack.set_quirks(given)
                return self.world.chronotrack.quirks()
            case "GET", ("calls",):
                rows = [row for _, row in sorted(self.calls.table.items())]
                return {"total": sum(row["calls"] for row in rows), "calls": rows, "log": list(self.calls.log)}
            case "POST", ("calls", "reset"):
                running = {k: v["in_flight"] for k, v in self.calls.table.items()}
                self.calls.log.clear()
                for key, row in self.calls.table.items():
                    row.update(calls=0, refused=0, faults=0, max_in_flight=running[key], paths={})
                return {"total": 0, "calls": [], "log": []}
        return None

    def health(self) -> Record:
        """Return what is being served."""
        world = self.world
        return {
            "status": "ok",
            "url": self.url,
            "world": str(world.folder) if world.folder else "season",
            "size": world.size,
            "seed": world.seed,
            "now": iso(world.state.now),
            "starts_at": iso(START),
        }

    def connections(self) -> list[Record]:
        """Return every account with the settings a tap needs to read it."""
        found = []
        for partner, (title, slug) in PARTNERS.items():
            around = {"timing_partner_id": partner, "partner": title, "slug": slug}
            if self.world.runsignup is not None:
                keys = rsu.credentials(partner)
                found.append(
                    around
                    | {
                        "provider": RUNSIGNUP,
                        "settings": {
                            "timing_partner_id": partner,
                            "api_url": f"{self.url}/runsignup/rest",
                            "auth_style": "key" if partner == 1 else "v2_key",
                            "api_key": keys["api_key"],
                            "api_reg": rsu.API_REG,
                        },
                        "secrets": {"api_secret": keys["api_secret"], "api_reg_secret": rsu.API_REG_SECRET},
                    }
                )
            if self.world.runsignup is None and partner != 1:
                continue
            account = ct.credentials(partner)
            found.append(
                around
                | {
                    "provider": CHRONOTRACK,
                    "settings": {
                        "timing_partner_id": partner,
                        "api_url": f"{self.url}/chronotrack/api",
                        "auth_method": "simple" if partner == 1 else "oauth2_password",
                        "client_id": account["client_id"],
                        "username": account["username"],
                    },
                    "secrets": {k: account[k] for k in ("password", "client_secret", "refresh_token")},
                }
            )
        return found

    def _clock(self, method: str, given: Record) -> Record:
        state = self.world.state
        if method == "POST":
            if "now" in given:
                moment = datetime.fromisoformat(str(given["now"]))
                state.now = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
            state.now += int(given.get("advance_seconds", 0))
        return {"now": iso(state.now), "epoch": state.now}

    def _reset(self, given: Record) -> Record:
        world = self.world
        size = str(given.get("size", world.size))
        if size not in SIZES and not size.isdigit():
            raise ControlError(f"unknown size {size!r}: {', '.join(SIZES)} or a number of participants")
        bad_rate = given.get("bad_rate", world.bad_rate)
        self.world = World(size, int(given.get("seed", world.seed)), bad_rate, world.folder)
        self.faults, self.limits = Faults(), Limits()
        self.calls.table.clear()
        self.calls.log.clear()
        return self.health()

    async def _stream(self, call: Call, send: Send) -> None:
        try:
            chunks = self._holds(call) if call.path[1] == "holds" else self._truth(call)
        except ControlError as problem:
            await self._json(send, {"error": str(problem)}, 404)
            return
        headers = [self._date(), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for chunk in joined(chunks, self.lock):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _holds(self, call: Call) -> Iterator[Record]:
        parts = call.path[2:]
        if len(parts) != 3 or not parts[1].isdigit():
            raise ControlError("ask for /control/holds/{provider}/{partner_id}/{stream}")
        provider = self.world.provider(parts[0])
        if provider is None or int(parts[1]) not in PARTNERS or parts[2] not in provider.streams:
            raise ControlError(f"nothing is held under {'/'.join(parts)}")
        pairs = provider.holds(int(parts[1]), parts[2], call)
        if call.flag("context"):
            return ({"record": record, **around} for record, around in pairs)
        return (record for record, _ in pairs)

    def _truth(self, call: Call) -> Iterator[Record]:
        for provider in (RUNSIGNUP, CHRONOTRACK):
            for partner in PARTNERS:
                if call.query.get("provider", provider) == provider and call.query.get("partner", str(partner)) == str(
                    partner
                ):
                    yield from truth(self.world.control, provider, partner)


async def joined(records: Iterator[Record], lock: threading.Lock) -> AsyncIterator[bytes]:
    """Yield a JSON array in pieces, so that millions of records need no memory."""

    def piece() -> bytes | None:
        with lock:
            some = list(itertools.islice(records, 1000))
        return b",".join(orjson.dumps(record) for record in some) if some else None

    first = True
    yield b"["
    while True:
        found = await anyio.to_thread.run_sync(piece)
        if found is None:
            break
        yield found if first else b"," + found
        first = False
    yield b"]"


def plain(status: int, content_type: str, body: bytes) -> Answer:
    """Return an answer that no provider made."""
    return Answer(None, status=status, raw=body, content_type=content_type)


def iso(at: int) -> str:
    """Return an instant as ISO text in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


class Server(uvicorn.Server):
    """A server that says where it listens and stops when nobody calls any more."""

    def __init__(self, app: Sandbox, config: uvicorn.Config, port_file: Path | None, idle_exit: float) -> None:
        """Serve `app`; an `idle_exit` of 0 means never."""
        super().__init__(config)
        self.app, self.port_file, self.idle_exit = app, port_file, idle_exit

    async def startup(self, sockets: Any = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets)
        if not self.servers:
            return
        port = self.servers[0].sockets[0].getsockname()[1]
        self.app.url = f"http://127.0.0.1:{port}"
        if self.port_file is not None:
            partial = self.port_file.with_name(self.port_file.name + ".new")
            partial.write_text(self.app.url + "\n", encoding="utf-8")
            partial.replace(self.port_file)
        print(f"sandbox ready {self.app.url}", flush=True)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop."""
        idle = time.monotonic() - self.app.last_call
        return await super().on_tick(counter) or bool(self.idle_exit and idle > self.idle_exit)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="sandbox", description="The providers' APIs over one fictional season.")
    made.add_argument("--port", type=int, default=0, help="0 takes a free one")
    made.add_argument("--size", default="small", help="tiny, small, medium or a number of participants")
    made.add_argument("--seed", type=int, default=88)
    made.add_argument("--bad-rate", type=float, default=None, help="part of the records a gate should stop")
    made.add_argument("--world", type=Path, default=None, help="a folder of result CSVs instead of the season")
    made.add_argument("--port-file", type=Path, default=None, help="write the address there when ready")
    made.add_argument("--idle-exit", type=float, default=1800.0, help="stop after so many seconds without a call")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Start the sandbox and serve until told to stop."""
    made = parser()
    given = made.parse_args(arguments)
    if given.size not in SIZES and not given.size.isdigit():
        made.error(f"--size {given.size}: {', '.join(SIZES)} or a number of participants")
    if given.world is not None and not given.world.is_dir():
        made.error(f"--world {given.world}: no such folder")
    try:
        world = World(given.size, given.seed, given.bad_rate, given.world)
    except ValueError as problem:
        made.error(str(problem))
    app = Sandbox(world)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=given.port,
        log_level="error",
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    server = Server(app, config, given.port_file, given.idle_exit)
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0 if server.started else 1


if __name__ == "__main__":
    raise SystemExit(main())
