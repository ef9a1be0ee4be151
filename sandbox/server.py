"""The sandbox over HTTP: providers' APIs, faults, limits and the control endpoints. Loopback only."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import threading
import time
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

from sandbox.faults import BETWEEN, ROWS, Fault, Faults, spoil
from sandbox.providers import PROVIDERS
from sandbox.providers.common import Answer, Call, ControlError, Provider, Record
from sandbox.served import World
from sandbox.traffic import Calls, Limits
from sandbox.world import PARTNERS, SIZES, START

# What comes from in front of a provider, the same for all.
PAGES = {
    "status_500": (500, "text/plain", b"Internal Server Error"),
    "status_502_html": (
        502,
        "text/html",
        b"<html><head><title>502 Bad Gateway</title></head><body><center>cloud</center></body></html>",
    ),
    "non_json": (200, "text/html", b"<!DOCTYPE html><html><body>We are down for maintenance.</body></html>"),
}


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
            scope["method"],
            tuple(p.lower() for p in path),
            query,
            headers,
            body,
            slash=scope["path"].endswith("/"),
            written=tuple(path),
        )
        head = call.path[0] if call.path else ""
        if head == "control":
            await self._control(call, path, send)
        elif head in PROVIDERS:
            address = "/".join(path[1:]) + (f"?{query_text}" if query_text else "")
            await self._provider(head, call, address, receive, send)
        else:
            roots = " and ".join(f"/{name}/{each.base}".rstrip("/") for name, each in self.world.providers.items())
            await self._json(send, {"error": f"see /control/health; providers are {roots}"}, 404)

    def _date(self) -> tuple[bytes, bytes]:
        # Every answer tells the sandbox's own time: bookmarks are taken from the provider's clock.
        return b"date", formatdate(self.world.state.now, usegmt=True).encode()

    async def _send(self, send: Send, answer: Answer) -> None:
        body = answer.raw if answer.raw is not None else orjson.dumps(answer.body)
        raw = [
            self._date(),
            (b"content-type", (answer.content_type or "application/json").encode()),
            (b"content-length", str(len(body)).encode()),
            *((k.lower().encode(), v.encode("latin-1")) for k, v in answer.headers.items()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _json(self, send: Send, body: Any, status: int = 200) -> None:
        data = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
        await self._send(send, plain(status, "application/json", data))

    # -- providers ---------------------------------------------------------------------------------

    async def _provider(self, name: str, call: Call, address: str, receive: Receive, send: Send) -> None:
        call.cut(name)
        call.cut(PROVIDERS[name].base)
        provider = self.world.providers.get(name)
        if provider is None:
            # Nobody has an account at a provider that this world does not have.
            await self._send(send, PROVIDERS[name].refused())
            return
        credential, partner = provider.credential(call), provider.partner_of(call)
        row = self.calls.count(name, credential, partner, provider.route(call), address)
        row["in_flight"] += 1
        row["max_in_flight"] = max(row["max_in_flight"], row["in_flight"])
        released = False
        try:
            answer, fault = await self._answered(provider, call, address, row)
            # Released before the last byte goes out: a client that has its answer may call again at once.
            row["in_flight"] -= 1
            released = True
            if fault is not None and fault.kind == "drop_connection":
                await self._drop(send, receive, answer, fault)
                return
            await self._send(send, answer)
        finally:
            if not released:
                row["in_flight"] -= 1

    async def _answered(self, provider: Provider, call: Call, address: str, row: Record) -> tuple[Answer, Fault | None]:
        limit = self.limits.now[provider.name]
        if limit["in_flight"] and row["in_flight"] > limit["in_flight"]:
            row["refused"] += 1
            return throttled(provider, call, limit["status"], self.limits.retry_after), None
        call.quota = self.limits.count((provider.name, row["credential"]))
        if call.quota.left < 0:
            row["refused"] += 1
            return throttled(provider, call, limit["status"], self.limits.retry_after), None
        fault = self.faults.take(provider, call, row["timing_partner_id"], address)
        if fault is not None:
            row["faults"] += 1
            instead = replaced(fault, provider, call)
            if instead is not None:
                return instead, fault
            if fault.kind == "slow":
                await asyncio.sleep(fault.seconds)
        return await anyio.to_thread.run_sync(self._made, provider, call, fault), fault

    def _made(self, provider: Provider, call: Call, fault: Fault | None) -> Answer:
        kind = fault.kind if fault is not None else ""
        with self.lock:
            if kind in BETWEEN:
                self._between_pages(provider, call, kind)
            answer = provider.own_fault(kind, call) if kind in provider.own_faults else provider.answer(call)
            if fault is not None and kind == "empty_answer":
                provider.empty(answer)
            elif fault is not None and kind in ROWS:
                spoil(fault, provider, answer)
                if answer.content_type.startswith("application/json"):
                    answer.raw = None
            if answer.raw is None:
                answer.raw = orjson.dumps(answer.body)
        if kind == "cut_json":
            answer.raw = answer.raw[: len(answer.raw) // 2]
        return answer

    def _between_pages(self, provider: Provider, call: Call, kind: str) -> None:
        event_id = provider.event_asked(call)
        if event_id is None:
            return
        changes = ("post_results", "delete_result") if provider.asks_results(call) else ("add_entry", "delete")
        change = changes[kind == "row_gone_between_pages"]
        self.world.control.change({"kind": change, "provider": provider.name, "event_id": event_id, "count": 1})

    async def _drop(self, send: Send, receive: Receive, answer: Answer, fault: Fault) -> None:
        body = answer.raw or b""
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
                return self.limits.settings(self.world.providers)
            case _, ("quirks",):
                return self._quirks(call.method, given)
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
            "providers": list(world.providers),
            "size": world.size,
            "seed": world.seed,
            "now": iso(world.state.now),
            "starts_at": iso(START),
        }

    def connections(self) -> list[Record]:
        """Return every account with the settings a tap needs to read it."""
        return [
            {"timing_partner_id": partner, "partner": title, "slug": slug} | self._connection(provider, partner)
            for partner, (title, slug) in PARTNERS.items()
            for provider in self.world.providers.values()
            if partner in provider.partners()
        ]

    def _connection(self, provider: Provider, partner: int) -> Record:
        settings, secrets = provider.connection(partner, f"{self.url}/{provider.name}")
        settings = {"timing_partner_id": partner} | settings
        return {"provider": provider.name, "settings": settings, "secrets": secrets}

    def _quirks(self, method: str, given: Record) -> Record:
        if method == "POST":
            unknown = set(given) - set(self._quirks("GET", {}))
            if unknown:
                raise ControlError(f"unknown quirk {min(unknown)!r}: {', '.join(self._quirks('GET', {}))}")
            for provider in self.world.providers.values():
                provider.set_quirks(given)
        return {name: value for each in self.world.providers.values() for name, value in each.quirks.items()}

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
        self.world = world.again(
            str(given.get("size", world.size)),
            int(given.get("seed", world.seed)),
            given.get("bad_rate", world.bad_rate),
            given.get("providers", world.names),
        )
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
        provider = self.world.providers.get(parts[0])
        if provider is None or int(parts[1]) not in PARTNERS or parts[2] not in provider.streams:
            raise ControlError(f"nothing is held under {'/'.join(parts)}")
        pairs = provider.holds(int(parts[1]), parts[2], call)
        if call.flag("context"):
            return ({"record": record, **around} for record, around in pairs)
        return (record for record, _ in pairs)

    def _truth(self, call: Call) -> Iterator[Record]:
        for name, provider in self.world.providers.items():
            for partner in PARTNERS:
                asked = call.query.get("provider", name), call.query.get("partner", str(partner))
                if asked == (name, str(partner)):
                    yield from provider.people(partner)


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


def throttled(provider: Provider, call: Call, status: int, retry_after: float | None) -> Answer:
    """Return what a call too many meets; a 429 says when to come back."""
    answer = provider.throttled(call, status)
    if status == 429 and retry_after is not None:
        answer.headers["Retry-After"] = f"{retry_after:g}"
    return answer


def replaced(fault: Fault, provider: Provider, call: Call) -> Answer | None:
    """Return what a call meets instead of its answer; None where the fault lets it be answered."""
    match fault.kind:
        case "status_429":
            return throttled(provider, call, 429, fault.retry_after)
        case "limit_reached":
            return throttled(provider, call, provider.limit.status, fault.retry_after)
        case "expired_token":
            return provider.expired(call)
    return plain(*PAGES[fault.kind]) if fault.kind in PAGES else None


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
    made.add_argument(
        "--providers",
        default="all",
        help=f"who tells of the season: all (the default), or some of {','.join(PROVIDERS)}",
    )
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
        world = World(given.size, given.seed, given.bad_rate, given.world, given.providers)
    except (ValueError, ControlError) as problem:
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
