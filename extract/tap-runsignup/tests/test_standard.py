"""The SDK's standard tests for taps, against the sandbox over HTTP."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_runsignup.tap import TapRunSignUp

# The SDK wants the settings while tests are collected; the sandbox is there only when they run.
SETTINGS: dict[str, Any] = {
    "timing_partner_id": 1,
    "api_key": "set later",
    "api_secret": "set later",
    "budget_dir": tempfile.mkdtemp(prefix="tap-runsignup-"),
}


@pytest.fixture(scope="module", autouse=True)
def _sandbox_settings(sandbox):
    sandbox.reset()
    SETTINGS.update(sandbox.settings(1))


TestStandard = get_tap_test_class(
    TapRunSignUp,
    config=SETTINGS,
    # A season without trouble has neither; their own tests make it.
    suite_config=SuiteConfig(ignore_no_records_for_streams=["rejects", "removals"]),
)
