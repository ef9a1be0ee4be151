"""Let's Do This, for the fixtures that the tests of all taps share (extract/shared/tap_testing)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tap_letsdothis.tap import TapLetsDoThis
from tap_testing.fixtures import Provider, make_tap, quick, run, sandbox, season, target

sys.path.insert(0, str(Path(__file__).parent))

from letsdothis_season import LetsDoThisSeason, LetsDoThisTarget

__all__ = ["make_tap", "quick", "run", "sandbox", "season", "target"]


@pytest.fixture(scope="session")
def provider() -> Provider:
    # The runs of one test make more calls than an hour allows.
    return Provider(TapLetsDoThis, LetsDoThisSeason, LetsDoThisTarget, {"calls_per_hour": 100_000})
