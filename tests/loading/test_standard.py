"""The standard tests of the Meltano SDK for targets, on a database of their own."""

from __future__ import annotations

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.runners import TargetTestRunner
from target_hub.target import TargetHub

Standard = get_target_test_class(TargetHub, config={})


class TestTargetHub(Standard):  # type: ignore[misc, valid-type]
    """What the SDK asks of every target."""

    @pytest.fixture
    def runner(self, embedded_dsn_of_module):
        """A runner of the loader, with metadata columns as they are by default."""
        url = embedded_dsn_of_module.replace("postgresql://", "postgresql+psycopg://", 1)
        config = {"sqlalchemy_url": url, "default_target_schema": "trial"}
        return TargetTestRunner(TargetHub, config=config, parse_env_config=False)
