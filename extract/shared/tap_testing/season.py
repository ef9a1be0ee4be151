"""The sandbox as a child process, and the hand that changes the season it tells of."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import requests

ROOT = Path(__file__).parents[3]
Record = dict[str, Any]


@contextmanager
def served(provider: str) -> Iterator[str]:
    """Serve the tiny season of one provider; give the sandbox's address."""
    with TemporaryDirectory(prefix="sandbox-") as folder:
        port_file = Path(folder) / "port"
        command = [sys.executable, "-m", "sandbox.server", "--port", "0", "--port-file", str(port_file)]
        command += ["--size", "tiny", "--providers", provider, "--idle-exit", "600"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not (port_file.exists() and port_file.read_text().strip()):
                assert child.poll() is None, "the sandbox did not start"
                assert time.monotonic() < deadline, "the sandbox did not start in time"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port_file.read_text().strip().rpartition(':')[2]}"
        finally:
            child.terminate()
            child.wait(20)


class Season:
    """One provider's season in a running sandbox: what it holds, and what is done to it (sandbox/README.md)."""

    provider: ClassVar[str]

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Return the answer to a call of the sandbox's control."""
        answer = self.http.request(method, f"{self.url}/control/{path}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self, **more: Any) -> None:
        """Begin the season anew, without faults, limits, quirks, and calls of before."""
        self.ask("POST", "reset", **({"size": "tiny", "seed": 88, "bad_rate": 0} | more))

    def account(self, partner: int = 1) -> dict[str, Any]:
        """Return the settings with which a tap reads a timing partner's account, secrets among them."""
        for account in self.ask("GET", "connections"):
            if (account["provider"], account["timing_partner_id"]) == (self.provider, partner):
                settings: dict[str, Any] = account["settings"] | account["secrets"]
                return settings
        raise AssertionError(partner)

    def environment(self, **settings: Any) -> dict[str, str]:
        """Return the variables by which the tap's command takes the account and more settings."""
        prefix = f"TAP_{self.provider.upper()}_"
        return {f"{prefix}{name.upper()}": str(value) for name, value in (self.account() | settings).items()}

    # --- what happens in it ------------------------------------------------------------------------------

    def change(self, kind: str, event_id: str | int, *, partner: int = 1, **more: Any) -> dict[str, Any]:
        """Change something in an event; return which records were touched, and which are new."""
        made: dict[str, Any] = self.ask("POST", "change", **self._change(kind, event_id, partner), **more)
        return made

    def try_change(self, kind: str, event_id: str | int, *, partner: int = 1, **more: Any) -> None:
        """Change something where that can be done: nobody can be brought back who has not gone."""
        body = self._change(kind, event_id, partner) | more
        answer = self.http.post(f"{self.url}/control/change", json=body, timeout=30)
        assert answer.status_code in (200, 400), answer.text

    def _change(self, kind: str, event_id: str | int, partner: int) -> dict[str, Any]:
        return {"kind": kind, "provider": self.provider, "partner": partner, "event_id": str(event_id)}

    def fault(self, kind: str, **more: Any) -> None:
        """Let something go wrong on the way: `times` calls whose address holds `path_contains`."""
        self.ask("POST", "fault", kind=kind, provider=self.provider, **more)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self.ask("DELETE", "fault")

    def faults_left(self) -> int:
        """Return how many of the faults have not been met yet."""
        return sum(fault["times"] or 0 for fault in self.ask("GET", "faults")["faults"])

    def quirks(self, **switched: Any) -> None:
        """Switch surprises of the provider on or off, by their names without the provider's."""
        self.ask("POST", "quirks", **{f"{self.provider}_{name}": value for name, value in switched.items()})

    def advance(self, seconds: float = 0, *, minutes: int = 0, days: int = 0) -> None:
        """Let time pass at the provider."""
        self.ask("POST", "clock", advance_seconds=int(seconds) + 60 * minutes + 86_400 * days)

    # --- what it shows -----------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time at the provider."""
        return datetime.fromisoformat(self.ask("GET", "clock")["now"])

    def holds(self, stream: str, partner: int = 1, **query: Any) -> list[Record]:
        """Return the records that the provider holds."""
        url = f"{self.url}/control/holds/{self.provider}/{partner}/{stream}"
        found: list[Record] = self.http.get(url, params=query or None, timeout=30).json()
        return found

    def calls(self) -> list[str]:
        """Return the addresses of all calls that the provider was sent, the oldest first."""
        own = f"{self.provider} "
        return [line.removeprefix(own) for line in self.ask("GET", "calls")["log"] if line.startswith(own)]

    def most_in_flight(self) -> int:
        """Return how many calls were under way at once."""
        rows = self.ask("GET", "calls")["calls"]
        return max(row["max_in_flight"] for row in rows if row["provider"] == self.provider)

    def forget_calls(self) -> None:
        """Count calls from now on."""
        self.ask("POST", "calls/reset")
