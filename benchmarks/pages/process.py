"""The page server as a child process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from benchmarks.pages.season import CHRONOTRACK
from project88 import settings

PATIENCE_SECONDS = 60.0


class PageServer:
    """A running page server: its address, and what can be asked of it."""

    def __init__(self, address: str, pid: int) -> None:
        """Take where it is."""
        self.address, self.pid = address, pid

    def control(self, **asked: Any) -> dict[str, Any]:
        """Move the clock (`advance`, `now`) or change rows (`change_every`); returns what the season holds."""
        answer = requests.post(f"{self.address}/control", json=asked, timeout=120)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def settings(self, provider: str, partner: int) -> dict[str, Any]:
        """Return a tap's settings for one partner's account."""
        # No limit of calls an hour, or it would be what is measured.
        common = {"timing_partner_id": partner, "calls_per_hour": 0}
        if provider == CHRONOTRACK:
            return common | {
                "api_url": f"{self.address}/chronotrack/api",
                "client_id": f"bench-{partner}",
                "username": f"timing@partner{partner}.example",
                "password": "not-a-secret",
            }
        return common | {
            "api_url": f"{self.address}/runsignup/rest",
            "api_key": f"bench-{partner}",
            "api_secret": "not-a-secret",
        }


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[PageServer]:
    """Serve a season's folder for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="p88-pages-") as place:
        port_file = Path(place) / "url"
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.pages.serve", str(folder), "--port-file", str(port_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=settings.CHECKOUT,
            env=settings.child_environment(),
        )
        try:
            until = time.monotonic() + PATIENCE_SECONDS
            while not port_file.exists():
                if child.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("the page server did not start")
                time.sleep(0.05)
            yield PageServer(port_file.read_text(), child.pid)
        finally:
            child.terminate()
            child.wait(10)
