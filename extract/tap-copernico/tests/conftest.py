"""Copernico, for the fixtures that the tests of all taps share (extract/shared/tap_testing)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tap_copernico.tap import TapCopernico
from tap_testing.fixtures import Provider, make_tap, quick, run, sandbox, season, target

sys.path.insert(0, str(Path(__file__).parent))

from copernico_season import CopernicoSeason, CopernicoTarget

__all__ = ["make_tap", "quick", "run", "sandbox", "season", "target"]


@pytest.fixture(scope="session")
def provider() -> Provider:
    return Provider(TapCopernico, CopernicoSeason, CopernicoTarget)
