"""Haku, for the fixtures that the tests of all taps share (extract/shared/tap_testing)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tap_haku.tap import TapHaku
from tap_testing.fixtures import Provider, make_tap, quick, run, sandbox, season, target, wire

sys.path.insert(0, str(Path(__file__).parent))

from haku_season import HakuSeason, HakuTarget

__all__ = ["make_tap", "quick", "run", "sandbox", "season", "target", "wire"]


@pytest.fixture(scope="session")
def provider() -> Provider:
    return Provider(TapHaku, HakuSeason, HakuTarget)
