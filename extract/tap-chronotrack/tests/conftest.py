"""ChronoTrack, for the fixtures that the tests of all taps share (extract/shared/tap_testing)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tap_chronotrack.tap import TapChronoTrack
from tap_testing.fixtures import Provider, make_tap, quick, run, sandbox, season, target, wire

sys.path.insert(0, str(Path(__file__).parent))

from chronotrack_season import ChronoTrackSeason, ChronoTrackTarget

__all__ = ["make_tap", "quick", "run", "sandbox", "season", "target", "wire"]


@pytest.fixture(scope="session")
def provider() -> Provider:
    return Provider(TapChronoTrack, ChronoTrackSeason, ChronoTrackTarget)
