"""The sandbox as a background process on loopback: found when it runs, started when it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests
from filelock import FileLock

from project88 import settings
from project88.errors import ActionNeeded

START_PATIENCE_SECONDS = 120.0
IDLE_EXIT_SECONDS = 1800


def _record() -> Path:
    return settings.private_folder("sandbox") / "running"


def running() -> str | None:
    """Return the URL of the sandbox that answers, or None."""
    try:
        url, world, _ = _record().read_text(encoding="utf-8").split("\n")[:3]
        answer = requests.get(f"{url}/control/health", timeout=5)
    except (FileNotFoundError, ValueError, requests.RequestException):
        return None
    return url if answer.ok and world == _world() else None


def _world() -> str:
    return os.environ.get("P88_WORLD", "").strip() or os.environ.get("P88_SIZE", "").strip() or "small"


def start() -> str:
    """Start the sandbox where none of the wanted world runs and return its URL.

    `P88_WORLD` names a folder of result CSVs to serve instead of the fictional season, `P88_SIZE` the season's size.
    Raises ActionNeeded when it does not come up.
    """
    with FileLock(settings.private_folder("sandbox") / "lock", timeout=180):
        if url := running():
            return url
        stop()
        return _start()


def _start() -> str:
    folder = settings.private_folder("sandbox")
    port_file, log = folder / "url", folder / "sandbox.log"
    port_file.unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "sandbox.server", "--port", "0", "--port-file", str(port_file),
        "--idle-exit", str(IDLE_EXIT_SECONDS),
    ]  # fmt: skip
    world = _world()
    if os.environ.get("P88_WORLD", "").strip():
        source = Path(world).expanduser().absolute()
        if not source.is_dir():
            raise ActionNeeded(f"P88_WORLD={world}: there is no such folder; name a folder of result CSVs")
        command += ["--world", str(source)]
    else:
        command += ["--size", world]
    with log.open("w", encoding="utf-8") as out:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env=settings.child_environment(), cwd=settings.CHECKOUT,
        )  # fmt: skip
    until = time.monotonic() + START_PATIENCE_SECONDS
    while time.monotonic() < until:
        if child.poll() is not None:
            lines = log.read_text(encoding="utf-8").strip().splitlines() or ["no output"]
            raise ActionNeeded(f"the sandbox did not start: {lines[-1]}; its log is {log}")
        if port_file.exists() and (url := port_file.read_text(encoding="utf-8").strip()):
            _record().write_text(f"{url}\n{world}\n{child.pid}\n", encoding="utf-8")
            return url
        time.sleep(0.1)
    child.terminate()
    raise ActionNeeded(f"the sandbox did not answer within {START_PATIENCE_SECONDS:.0f} s; its log is {log}")


def stop() -> bool:
    """Stop the sandbox we started, by its own process id; returns whether there was one."""
    try:
        number = int(_record().read_text(encoding="utf-8").split("\n")[2])
        command_line = Path(f"/proc/{number}/cmdline")
        # A number may have been given to another process since.
        if command_line.exists() and b"sandbox.server" not in command_line.read_bytes():
            return False
        os.kill(number, signal.SIGTERM)
    except (FileNotFoundError, ValueError, IndexError, ProcessLookupError):
        return False
    finally:
        _record().unlink(missing_ok=True)
    return True


def connections(url: str) -> list[dict[str, Any]]:
    """Return the timing partners and accounts that the sandbox serves."""
    answer = requests.get(f"{url}/control/connections", timeout=60)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found
