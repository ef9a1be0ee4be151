"""Serve a season's folder over loopback: `python -m benchmarks.pages.serve FOLDER --port-file FILE`.

A page is a stretch of a file that goes from the kernel's cache to the socket (sendfile); only its heading is made here.
Each connection has a thread, since a tap keeps two. The clock stands still until /control moves it.

    GET  /control               what the season holds, the clock, calls answered, bytes sent
    POST /control {"advance": seconds, "change_every": n, "now": epoch}
                                moves the clock and changes one row in n, by rows of an event
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import socket
import threading
import time
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import orjson

from benchmarks.pages.make import INDEX
from benchmarks.pages.season import CHRONOTRACK, NOW, RUNSIGNUP

MOST_CT, MOST_RSU, MOST_RACES = 1000, 2500, 1000
# What of a row a change touches: a digit of this field is replaced, so that the row keeps its length.
TOUCHED = {
    "entry": b'"location_postal_code":"',
    "results": b'"results_end_chip_time":"',
    "participants": b'"zipcode":"',
    "rsu results": b'"pace":"',
}
MODIFIED = b'"last_modified":'
WRAPPERS = {"race": "event_race", "bracket": "event_bracket", "interval": "event_interval", "entry": "event_entry",
            "results": "event_results"}  # fmt: skip


class ShardFile:
    """One file of rows, and where each row begins."""

    def __init__(self, folder: Path, number: str) -> None:
        """Open it."""
        self.file = (folder / f"{int(number):04d}.rows").open("rb")
        self.fd = self.file.fileno()
        with (folder / f"{int(number):04d}.at").open("rb") as at:
            self.at = memoryview(mmap.mmap(at.fileno(), 0, access=mmap.ACCESS_READ)).cast("Q")


class Piece:
    """Bytes of a file."""

    __slots__ = ("fd", "length", "offset")

    def __init__(self, fd: int, offset: int, length: int) -> None:
        """Take where they are."""
        self.fd, self.offset, self.length = fd, offset, length


class Block:
    """The rows of one stream of one event."""

    def __init__(self, shard: ShardFile, first: int, rows: int, kind: str, event_id: int) -> None:
        """Take where they are."""
        self.shard, self.first, self.rows, self.kind, self.event_id = shard, first, rows, kind, event_id

    def piece(self, start: int, stop: int) -> Piece:
        """Return rows start..stop-1, commas between them and none after."""
        begin, end = self.shard.at[self.first + start], self.shard.at[self.first + stop] - 1
        return Piece(self.shard.fd, begin, end - begin)

    def phase(self, every: int) -> int:
        """Return the first of the rows that a change of one in `every` touches."""
        return self.event_id * 2_654_435_761 % 4_294_967_296 % every

    def changed(self, every: int) -> range:
        """Return the rows that were changed."""
        return range(self.phase(every), self.rows, every) if self.kind in TOUCHED else range(0)


Part = bytes | bytearray | Piece


class Refused(Exception):  # noqa: N818 - an answer, too
    """An answer that is no data."""

    def __init__(self, status: int, body: Any) -> None:
        """Take status and body."""
        super().__init__(status)
        self.status, self.body = status, body


class Season:
    """A season's folder, its clock and its changes."""

    def __init__(self, folder: Path) -> None:
        """Read the index; rows stay on disk."""
        index = orjson.loads((folder / INDEX).read_bytes())
        self.counts: dict[str, int] = index["counts"]
        self.now: int = NOW
        self.round = 0
        self.every = 0
        self.changed_at = 0
        self.calls = 0
        self.sent = 0
        self.accounts = {account["partner"]: account for account in index["accounts"]}
        self.blocks: dict[str, dict[int, dict[str, Block]]] = {CHRONOTRACK: {}, RUNSIGNUP: {}}
        for number, providers in index["shards"].items():
            shard = ShardFile(folder, number)
            for provider, events in providers.items():
                for event_id, streams in events.items():
                    self.blocks[provider][int(event_id)] = {
                        stream: Block(
                            shard, first, rows,
                            "rsu results" if (provider, stream) == (RUNSIGNUP, "results") else stream, int(event_id),
                        )
                        for stream, (first, rows) in streams.items()
                    }  # fmt: skip
        self.ct_events = {p: [e["record"].encode() for e in a[CHRONOTRACK]] for p, a in self.accounts.items()}
        self.ct_by_id = {e["id"]: (p, e) for p, a in self.accounts.items() for e in a[CHRONOTRACK]}
        self.rsu_races = {r["id"]: (p, r) for p, a in self.accounts.items() for r in a[RUNSIGNUP]}
        self.rsu_events = {e["id"]: e for a in self.accounts.values() for r in a[RUNSIGNUP] for e in r["events"]}

    def control(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Move the clock, change rows, and tell how things are."""
        self.now = int(asked.get("now", self.now)) + int(asked.get("advance", 0))
        if "change_every" in asked:
            self.every = int(asked["change_every"])
            self.round, self.changed_at = (self.round + 1, self.now) if self.every else (0, 0)
        return {
            "counts": self.counts,
            "accounts": [
                {"partner": partner, CHRONOTRACK: len(account[CHRONOTRACK]), RUNSIGNUP: len(account[RUNSIGNUP])}
                for partner, account in self.accounts.items()
            ],
            "now": self.now,
            "change_every": self.every,
            "round": self.round,
            "changed_at": self.changed_at,
            "changed": self._changed() if self.every else {},
            "calls": self.calls,
            "bytes": self.sent,
        }

    def _changed(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for events in self.blocks.values():
            for streams in events.values():
                for block in streams.values():
                    if block.kind in TOUCHED:
                        found[block.kind] = found.get(block.kind, 0) + len(block.changed(self.every))
        return found

    def part(self, block: Block, start: int, stop: int) -> Part:
        """Return rows start..stop-1 as they are now."""
        if start >= stop:
            return b""
        piece = block.piece(start, stop)
        if not self.every or block.kind not in TOUCHED:
            return piece
        first = block.phase(self.every)
        first += -(-max(0, start - first) // self.every) * self.every
        if first >= stop:
            return piece
        body = bytearray(os.pread(piece.fd, piece.length, piece.offset))
        at = block.shard.at
        for row in range(first, stop, self.every):
            self._touch(body, at[block.first + row] - piece.offset, at[block.first + row + 1] - piece.offset, block)
        return body

    def _touch(self, body: bytearray, start: int, stop: int, block: Block) -> None:
        begin = body.find(TOUCHED[block.kind], start, stop)
        begin += len(TOUCHED[block.kind])
        end = body.find(b'"', begin, stop)
        for place in range(end - 1, begin - 1, -1):
            if 48 <= body[place] <= 57:
                body[place] = 48 + (body[place] - 48 + self.round) % 10
                break
        if block.kind == "participants":
            begin = body.find(MODIFIED, start, stop) + len(MODIFIED)
            body[begin : begin + 10] = b"%010d" % self.changed_at

    def rows(self, block: Block, numbers: range) -> list[Part]:
        """Return single rows."""
        parts: list[Part] = []
        for n in numbers:
            if parts:
                parts.append(b",")
            parts.append(self.part(block, n, n + 1))
        return parts


class Answers:
    """What both providers answer, as status, headers and parts of a body."""

    def __init__(self, season: Season) -> None:
        """Answer from this season."""
        self.season = season

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, list[str], list[Part]]:
        """Return the answer to a call."""
        path, _, tail = target.partition("?")
        query = dict(pair.partition("=")[::2] for pair in tail.split("&")) if tail else {}
        parts = path.strip("/").split("/")
        try:
            if parts[0] == "control":
                asked = orjson.loads(body) if method == "POST" and body else {}
                return 200, [], [orjson.dumps(self.season.control(asked))]
            self.season.calls += 1
            if parts[0] == CHRONOTRACK and parts[1:2] == ["api"]:
                return self._chronotrack(parts[2:], query)
            if parts[0] == RUNSIGNUP and parts[1:2] == ["rest"]:
                return 200, [], self._runsignup(parts[2:], query)
        except Refused as refused:
            return refused.status, [], [orjson.dumps(refused.body)]
        return 404, [], [b'{"error":{"code":404,"message":"Not found"}}']

    # -- ChronoTrack ---------------------------------------------------------------------------------------------

    def _chronotrack(self, path: list[str], query: dict[str, str]) -> tuple[int, list[str], list[Part]]:
        season = self.season
        partner = _partner(query.get("client_id", ""))
        if partner not in season.ct_events or not (query.get("user_id") and query.get("user_pass")):
            raise Refused(401, {"error": {"code": 401, "message": "Invalid credentials"}})
        size = min(MOST_CT, max(1, int(query.get("size", 50))))
        page = max(1, int(query.get("page", 1)))
        start = (page - 1) * size
        if path == ["event"]:
            rows = season.ct_events[partner]
            return self._page("event", [b",".join(rows[start : start + size])], len(rows), size, page, season.now)
        if path[0] == "event" and len(path) in (2, 3) and path[1].isdigit():
            owner, event = season.ct_by_id.get(int(path[1]), (0, {}))
            if not owner and len(path) == 2:
                raise Refused(404, {"error": {"code": 404, "message": "event not found"}})
            if not owner:
                # A bad id answers 200 without the expected key.
                raise Refused(200, {"message": "no such event"})
            if owner != partner:
                raise Refused(403, {"error": {"code": 403, "message": "No access to this event"}})
            if len(path) == 2:
                return 200, [], [b'{"event":', event["record"].encode(), b"}"]
            if path[2] in WRAPPERS:
                return self._list(event, path[2], query, start, size, page)
        raise Refused(404, {"error": {"code": 404, "message": "Not found"}})

    def _list(
        self, event: dict[str, Any], stream: str, query: dict[str, str], start: int, size: int, page: int
    ) -> tuple[int, list[str], list[Part]]:
        season = self.season
        block = season.blocks[CHRONOTRACK][event["id"]][stream]
        changed = block.changed(season.every) if season.every else range(0)
        latest = max(min(event["end"], NOW), season.changed_at if changed else 0)
        since = query.get("last_modified") if stream == "results" else None
        if since is not None:
            asked = parsedate_to_datetime(unquote_plus(since)).timestamp()
            if asked >= latest:
                return self._page("event_results", [], 0, size, page, latest)
            if asked >= min(event["end"], NOW):
                parts = season.rows(block, changed[start : start + size])
                return self._page("event_results", parts, len(changed), size, page, latest)
        parts = [season.part(block, min(start, block.rows), min(start + size, block.rows))]
        return self._page(WRAPPERS[stream], parts, block.rows, size, page, latest)

    @staticmethod
    def _page(
        key: str, parts: list[Part], total: int, size: int, page: int, latest: int
    ) -> tuple[int, list[str], list[Part]]:
        headers = [
            f"X-Ctlive-Row-Count: {total}",
            f"X-Ctlive-Page-Count: {max(1, -(-total // size))}",
            f"X-Ctlive-Page-Size: {size}",
            f"X-Ctlive-Current-Page: {page}",
            f"Last-Modified: {formatdate(latest, usegmt=True)}",
        ]
        return 200, headers, [b'{"%s":[' % key.encode(), *parts, b"]}"]

    # -- RunSignUp -----------------------------------------------------------------------------------------------

    def _runsignup(self, path: list[str], query: dict[str, str]) -> list[Part]:
        season = self.season
        partner = _partner(query.get("api_key", ""))
        if partner not in season.accounts or not query.get("api_secret"):
            raise Refused(200, {"error": {"error_code": 6, "error_msg": "Key authentication failed."}})
        size = max(1, int(query.get("results_per_page", 50)))
        page = max(1, int(query.get("page", 1)))
        if path == ["races"]:
            races = sorted(season.accounts[partner][RUNSIGNUP], key=lambda race: race["id"])
            if "modified_since" in query:
                day = beginning_of(query["modified_since"])
                races = [race for race in races if race["modified"] >= day]
            size = min(size, MOST_RACES)
            rows = [b'{"race":%s}' % race["record"].encode() for race in races[(page - 1) * size : page * size]]
            return [b'{"races":[', b",".join(rows), b"]}"]
        owner, race = season.rsu_races.get(int(path[1]) if path[1:] and path[1].isdigit() else 0, (0, {}))
        if path[:1] != ["race"] or owner != partner:
            raise Refused(200, {"error": {"error_code": 201, "error_msg": "Race not found."}})
        if len(path) == 2:
            return [b'{"race":', race["record"].encode(), b"}"]
        asked = sorted(int(text) for text in unquote_plus(query.get("event_id", "")).split(",") if text)
        known = {event["id"] for event in race["events"]}
        if not asked or not known.issuperset(asked):
            raise Refused(200, {"error": {"error_code": 301, "error_msg": "Event not found."}})
        since = int(query["modified_after_timestamp"]) if "modified_after_timestamp" in query else None
        size = min(size, MOST_RSU)
        if path[2:] in (["participants"], ["removed-participants"]):
            after = int(query.get("after_registration_id", -1))
            return self._registrations(path[2], asked, size, after, since)
        if path[2:] == ["results", "get-results"]:
            return self._result_sets(asked, size, page, since)
        raise Refused(200, {"error": {"error_code": 1, "error_msg": "Unknown method."}})

    def _stretch(self, block: Block, start: int, most: int, since: int | None) -> tuple[list[Part], int]:
        """Return up to `most` rows from a row on, or those of them that were changed; and how many."""
        season = self.season
        if since is not None and since > NOW - 86_400:
            # Nobody registers here after the season was made: later than that there are only changes.
            changed = block.changed(season.every) if season.every and season.changed_at >= since else range(0)
            changed = range(changed.start + max(0, -(-(start - changed.start) // changed.step)) * changed.step,
                            changed.stop, changed.step)[:most]  # fmt: skip
            return season.rows(block, changed), len(changed)
        stop = min(start + most, block.rows)
        return ([season.part(block, start, stop)], stop - start) if start < stop else ([], 0)

    def _registrations(self, what: str, asked: list[int], size: int, after: int, since: int | None) -> list[Part]:
        season = self.season
        body: list[Part] = []
        left = size
        inside = what == "removed-participants"
        found: list[list[Part]] = []
        for event_id in asked:
            blocks = season.blocks[RUNSIGNUP][event_id]
            # Ids of an event follow each other: the live ones, then those that were removed.
            first = season.rsu_events[event_id]["first"] + (blocks["participants"].rows if inside else 0)
            parts, count = self._stretch(blocks[what], max(0, after + 1 - first), left, since) if left else ([], 0)
            left -= count
            found.append(parts)
        for n, (event_id, parts) in enumerate(zip(asked, found, strict=True)):
            if inside:
                body += [b'{"event":{"event_id":%d,"participants":[' % event_id, *parts, b"]}}"]
            else:
                # All of them hang on the last event, and the inner list is always empty.
                body += [b'{"event":{"event_id":%d,"participants":[]},"participants":[' % event_id]
                if n + 1 == len(asked):
                    rows = [list_ for list_ in found if list_]
                    for m, more in enumerate(rows):
                        body += [b","] * bool(m) + more
                body.append(b"]}")
            body.append(b",")
        body.pop()
        return body if inside and len(asked) == 1 else [b"[", *body, b"]"]

    def _result_sets(self, asked: list[int], size: int, page: int, since: int | None) -> list[Part]:
        season = self.season
        body: list[Part] = []
        for event_id in asked:
            heading = season.rsu_events[event_id]["set"]
            if heading is None:
                continue
            block = season.blocks[RUNSIGNUP][event_id]["results"]
            parts, _ = self._stretch(block, (page - 1) * size, size, since)
            body += [b","] * bool(body) + [orjson.dumps(heading)[:-1] + b',"results":[', *parts, b"]}"]
        return [b'{"individual_results_sets":[', *body, b"]}"]


def _partner(credential: str) -> int:
    """Return whose credential it is: they end in the partner's number."""
    number = credential.rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def beginning_of(text: str) -> int:
    """Return the beginning of a day such as 2026-09-19."""
    return int(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp())


class Server:
    """Accepts connections on loopback."""

    def __init__(self, season: Season) -> None:
        """Listen on a free port."""
        self.season = season
        self.answers = Answers(season)
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = self.socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError, TimeoutError):
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending:
                    got = connection.recv(65_536)
                    if not got:
                        return
                    pending += got
                head, _, pending = pending.partition(b"\r\n\r\n")
                line, *lines = head.decode("latin-1").split("\r\n")
                method, target, _ = line.split(" ")
                length = next((int(x.partition(":")[2]) for x in lines if x.lower().startswith("content-length:")), 0)
                while len(pending) < length:
                    pending += connection.recv(65_536)
                body, pending = pending[:length], pending[length:]
                self._send(connection, *self.answers.answer(method, target, body))

    def _send(self, connection: socket.socket, status: int, headers: list[str], parts: list[Part]) -> None:
        length = sum(part.length if isinstance(part, Piece) else len(part) for part in parts)
        self.season.sent += length
        head = [
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}",
            f"Date: {formatdate(self.season.now, usegmt=True)}",
            "Content-Type: application/json",
            f"Content-Length: {length}",
            *headers,
        ]
        waiting = bytearray(("\r\n".join(head) + "\r\n\r\n").encode())
        for part in parts:
            if isinstance(part, Piece):
                connection.sendall(waiting, socket.MSG_MORE)
                waiting.clear()
                offset, left = part.offset, part.length
                while left:
                    done = os.sendfile(connection.fileno(), part.fd, offset, left)
                    if not done:
                        raise ConnectionError("the file ended early")
                    offset, left = offset + done, left - done
            else:
                waiting += part
        if waiting:
            connection.sendall(waiting)


def main() -> None:
    """Serve a folder until the parent process ends."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port-file", type=Path)
    arguments = parser.parse_args()
    server = Server(Season(arguments.folder))
    if arguments.port_file:
        waiting = arguments.port_file.with_suffix(".new")
        waiting.write_text(server.address)
        waiting.rename(arguments.port_file)
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    print(f"serving {arguments.folder} at {server.address}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


def _end_with(parent: int) -> None:
    """End when the process that started us is gone: a benchmark that is killed leaves nothing behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    main()
