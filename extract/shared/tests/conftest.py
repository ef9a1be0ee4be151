"""A provider to talk to, and what a tap wrote."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from toy import SECRET, Provider, ToyTap


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


class Run:
    """What one run of a tap wrote, and how it ended."""

    def __init__(self, tap: Any) -> None:
        out = io.StringIO()
        self.error: Exception | None = None
        with redirect_stdout(out):
            try:
                tap.sync_all()
            except Exception as error:
                self.error = error
        self.messages = [json.loads(line) for line in out.getvalue().splitlines()]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def state(self) -> dict[str, Any]:
        return [message["value"] for message in self.messages if message["type"] == "STATE"][-1]


@pytest.fixture
def make_tap(provider: Provider, tmp_path: Path) -> Callable[..., ToyTap]:
    def make(state: dict[str, Any] | None = None, **settings: Any) -> ToyTap:
        config = {
            "timing_partner_id": 7,
            "secret": SECRET,
            "api_url": provider.url,
            "budget_dir": str(tmp_path / "budget"),
            "backoff_base": 0.001,
            "request_timeout": 2,
        }
        return ToyTap(config=config | settings, state=state)

    return make


@pytest.fixture
def run(make_tap: Callable[..., ToyTap]) -> Callable[..., Run]:
    return lambda state=None, **settings: Run(make_tap(state, **settings))
