"""The SDK's own tests of a tap."""

from __future__ import annotations

from typing import Any

import pytest
from account import KEY
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_example.tap import TapExample

# Filled before the first test: the provider's address is not known while tests are collected.
CONFIG: dict[str, Any] = {"timing_partner_id": 1, "api_key": KEY}

StandardTests = get_tap_test_class(
    TapExample,
    config=CONFIG,
    # Nobody is removed, rejected and back in a first read of a season in order.
    suite_config=SuiteConfig(ignore_no_records_for_streams=["removals", "rejects"]),
    parse_env_config=False,
)


@pytest.fixture(scope="module", autouse=True)
def account(_provider: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    _provider.reset()
    CONFIG.update(api_url=_provider.url, budget_dir=str(tmp_path_factory.mktemp("budget")))


class TestTapExample(StandardTests):  # type: ignore[misc, valid-type]
    """All of them."""
