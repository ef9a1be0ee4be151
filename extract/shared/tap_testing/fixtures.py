"""Fixtures for a tap's `conftest.py` to take: a fresh season for each test, a tap to run, a target to load."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tap_shared.tap import HubTap

from tap_testing.runs import Run, Target
from tap_testing.season import Season, served
from tap_testing.wire import Wire


@dataclass(frozen=True)
class Provider:
    """Whom the fixtures are about; a tap's conftest gives it by a fixture `provider` of the whole session."""

    tap: type[HubTap]
    season: type[Season]
    target: type[Target]
    # What its tests set for every run beside what all do.
    settings: Mapping[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="session")
def sandbox(provider: Provider) -> Iterator[Season]:
    """The sandbox in whatever state the tests before have left it: take `season` where that matters."""
    with served(provider.season.provider) as url:
        yield provider.season(url)


@pytest.fixture
def season(sandbox: Season) -> Season:
    """The season as it begins."""
    sandbox.reset()
    return sandbox


@pytest.fixture
def quick(provider: Provider, tmp_path: Path) -> dict[str, Any]:
    """Settings of every run: calls are counted for this test alone, and no pause is worth waiting for."""
    common = {"budget_dir": str(tmp_path / "budget"), "backoff_base": 0.001, "request_timeout": 10}
    return common | dict(provider.settings)


@pytest.fixture
def make_tap(provider: Provider, season: Season, quick: dict[str, Any]) -> Callable[..., HubTap]:
    """Make a tap of a timing partner's account: `make_tap(state, partner=1, **settings)`."""

    def make(state: dict[str, Any] | None = None, partner: int = 1, **settings: Any) -> HubTap:
        # A copy: a tap changes the state it is given.
        return provider.tap(config=season.account(partner) | quick | settings, state=copy.deepcopy(state))

    return make


@pytest.fixture
def run(make_tap: Callable[..., HubTap]) -> Callable[..., Run]:
    """Run such a tap."""
    return lambda state=None, **settings: Run(make_tap(state, **settings))


@pytest.fixture
def target(provider: Provider) -> Target:
    """A target that has seen no run yet."""
    return provider.target()


@pytest.fixture
def wire(season: Season) -> Iterator[Wire]:
    """A wire to the season without rules yet: `run(api_url=wire.api_url)`."""
    wire = Wire(season.account()["api_url"])
    yield wire
    wire.close()
