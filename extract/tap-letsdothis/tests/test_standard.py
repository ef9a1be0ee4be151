"""The SDK's own tests of a tap, against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_letsdothis.tap import TapLetsDoThis

# Filled before the first test: the sandbox's address is not known while tests are collected.
CONFIG: dict[str, Any] = {"timing_partner_id": 1, "api_key": "set later"}

StandardTests = get_tap_test_class(
    TapLetsDoThis,
    config=CONFIG,
    # Nobody is removed, rejected and back in a first read of a season in order.
    suite_config=SuiteConfig(ignore_no_records_for_streams=["removals", "rejects"]),
    parse_env_config=False,
)


@pytest.fixture(scope="module", autouse=True)
def account(sandbox: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    sandbox.reset()
    CONFIG.update(sandbox.account() | {"budget_dir": str(tmp_path_factory.mktemp("budget"))})


class TestTapLetsDoThis(StandardTests):  # type: ignore[misc, valid-type]
    """All of them."""
