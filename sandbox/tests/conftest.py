"""A sandbox as a child process, and a client that signs in as its partners do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.world import FIRST_TWO


class Client:
    """Calls the sandbox over HTTP."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        self.session = requests.Session()
        self.connections = self.session.get(f"{url}/control/connections", timeout=10).json()

    def account(self, provider: str, partner: int = 1) -> dict[str, Any]:
        return next(
            {**c["settings"], **c["secrets"]}
            for c in self.connections
            if c["provider"] == provider and c["timing_partner_id"] == partner
        )

    def rsu(self, path: str, partner: int = 1, **query: Any) -> Any:
        account = self.account("runsignup", partner)
        keys = {"api_key": account["api_key"], "api_secret": account["api_secret"], "format": "json"}
        return self.session.get(account["api_url"] + path, params={**keys, **query}, timeout=30).json()

    def rsu_rows(self, what: str, race: int, event: int, partner: int = 1, size: int = 2500, **query: Any) -> list[Any]:
        rows: list[Any] = []
        for page in range(1, 10_000):
            body = self.rsu(f"/race/{race}/{what}", partner, event_id=event, page=page, results_per_page=size, **query)
            if what == "participants":
                got = body[-1]["participants"]
            elif what == "removed-participants":
                got = body["event"]["participants"]
            else:
                got = [row for one in body["individual_results_sets"] for row in one["results"]]
            rows += got
            if len(got) < size:
                return rows
        raise AssertionError("pages without end")

    def ct(self, path: str, partner: int = 1, **query: Any) -> requests.Response:
        account = self.account("chronotrack", partner)
        sign_in = {
            "client_id": account["client_id"],
            "user_id": account["username"],
            "user_pass": hashlib.sha1(account["password"].encode()).hexdigest(),  # noqa: S324
        }
        return self.session.get(account["api_url"] + path, params={**sign_in, **query}, timeout=30)

    def ct_rows(self, path: str, partner: int = 1, size: int = 1000, **query: Any) -> list[Any]:
        rows: list[Any] = []
        page = 1
        while True:
            answer = self.ct(path, partner, size=size, page=page, elide_json="false", **query)
            (got,) = [value for value in answer.json().values() if isinstance(value, list)]
            rows += got
            if page >= int(answer.headers["X-Ctlive-Page-Count"]):
                return rows
            page += 1

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        method = method or ("GET" if body is None else "POST")
        answer = self.session.request(method, f"{self.url}/control/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def change(self, kind: str, provider: str, event_id: Any, **more: Any) -> Any:
        return self.control("change", {"kind": kind, "provider": provider, "event_id": event_id, **more})

    def fault(self, provider: str, kind: str, **more: Any) -> None:
        self.control("fault", {"provider": provider, "kind": kind, **more})

    def holds(self, provider: str, partner: int, stream: str, query: str = "") -> list[Any]:
        found: list[Any] = self.control(f"holds/{provider}/{partner}/{stream}{query}")
        return found


def start(*arguments: str) -> Client:
    """Start a sandbox, of the first two providers unless told, and wait until it is ready."""
    if "--providers" not in arguments:
        arguments = ("--providers", ",".join(FIRST_TWO), *arguments)
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.server", "--port", "0", "--idle-exit", "120", *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("sandbox ready http://127.0.0.1:"), line
    return Client(process, line.split()[-1])


@pytest.fixture(scope="session")
def starting() -> Iterator[Callable[..., Client]]:
    """Start sandboxes that end with the tests."""
    started: list[Client] = []

    def begin(*arguments: str) -> Client:
        started.append(start(*arguments))
        return started[-1]

    yield begin
    for client in started:
        client.process.terminate()
    for client in started:
        client.process.wait(timeout=10)


@pytest.fixture(scope="session")
def tiny_server(starting: Callable[..., Client]) -> Client:
    """Return one sandbox for all tests of the tiny world."""
    return starting("--size", "tiny")


@pytest.fixture
def box(tiny_server: Client) -> Client:
    """Return the tiny world as it begins."""
    tiny_server.control("reset", {"size": "tiny", "seed": 88})
    return tiny_server
