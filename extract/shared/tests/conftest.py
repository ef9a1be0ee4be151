"""A provider to talk to, and a tap that does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_testing.runs import Run

sys.path.insert(0, str(Path(__file__).parent))

from toy import SECRET, Provider, ToyTap


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


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
