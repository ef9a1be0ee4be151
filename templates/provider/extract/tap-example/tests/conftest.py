"""The provider, in order for each test, and a tap to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_example.tap import TapExample
from tap_testing.runs import Run

sys.path.insert(0, str(Path(__file__).parent))

from account import KEY, Provider


@pytest.fixture(scope="session")
def _provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(_provider: Provider) -> Provider:
    _provider.reset()
    return _provider


@pytest.fixture
def run(provider: Provider, tmp_path: Path) -> Callable[..., Run]:
    def run(state: dict[str, Any] | None = None, **settings: Any) -> Run:
        config = {
            "timing_partner_id": 1,
            "api_key": KEY,
            "api_url": provider.url,
            "budget_dir": str(tmp_path / "budget"),
            "backoff_base": 0.001,
        }
        # A copy: a tap changes the state it is given.
        state = json.loads(json.dumps(state)) if state else None
        return Run(TapExample(config=config | settings, state=state))

    return run
