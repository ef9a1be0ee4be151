"""The SDK's own tests of a tap, against the sandbox: from presets, and from the assumed target API."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_copernico.tap import TapCopernico

# Filled before the first test: the sandbox's address is not known while tests are collected.
CONFIG: dict[str, Any] = {"timing_partner_id": 1, "api_key": "none", "login": "somebody"}
TARGET: dict[str, Any] = {"timing_partner_id": 1, "api_key": "none", "source": "target_api"}
# Nobody is removed, rejected and back in a first read of a season in order. The target API has no races.
QUIET = ["removals", "rejects"]

FromPresets = get_tap_test_class(
    TapCopernico,
    config=CONFIG,
    suite_config=SuiteConfig(ignore_no_records_for_streams=QUIET),
    parse_env_config=False,
)
FromTarget = get_tap_test_class(
    TapCopernico,
    config=TARGET,
    suite_config=SuiteConfig(ignore_no_records_for_streams=[*QUIET, "races"]),
    parse_env_config=False,
)


@pytest.fixture(scope="module", autouse=True)
def account(sandbox: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    sandbox.reset()
    sandbox.quirks(target_api=True)
    shared = sandbox.account() | {"budget_dir": str(tmp_path_factory.mktemp("budget"))}
    CONFIG.update(shared)
    TARGET.update(shared)


class TestTapCopernico(FromPresets):  # type: ignore[misc, valid-type]
    """All of them."""


class TestTapCopernicoTarget(FromTarget):  # type: ignore[misc, valid-type]
    """All of them."""
