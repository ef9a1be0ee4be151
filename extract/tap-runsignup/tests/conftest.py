"""RunSignUp, for the fixtures that the tests of all taps share (extract/shared/tap_testing)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tap_runsignup.tap import TapRunSignUp
from tap_testing.fixtures import Provider, make_tap, quick, run, sandbox, season, target
from tap_testing.runs import Run

sys.path.insert(0, str(Path(__file__).parent))

from account import Account
from runsignup_season import RunSignUpSeason, RunSignUpTarget

__all__ = ["make_tap", "quick", "run", "sandbox", "season", "target"]


@pytest.fixture(scope="session")
def provider() -> Provider:
    # The runs of one test make more calls than an hour allows.
    return Provider(TapRunSignUp, RunSignUpSeason, RunSignUpTarget, {"calls_per_hour": 100_000})


@pytest.fixture
def account() -> Iterator[Account]:
    """An account small enough to write down in a test."""
    account = Account()
    yield account
    account.close()


@pytest.fixture
def read(account: Account, quick: dict[str, Any]) -> Callable[..., Run]:
    """Run the tap on the account of this test."""

    def read(state: dict[str, Any] | None = None, **settings: Any) -> Run:
        config = {"timing_partner_id": 1, "api_url": account.url, "api_key": "a-key", "api_secret": "a-secret"}
        return Run(TapRunSignUp(config=config | quick | settings, state=state))

    return read
