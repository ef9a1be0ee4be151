"""Wrong settings: told by name, before any call, without their values."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from singer_sdk.exceptions import ConfigValidationError
from toy import SECRET

TOY = [sys.executable, str(Path(__file__).parent / "toy.py")]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"secret": ""}, "setting secret is missing (environment: TAP_TOY_SECRET)", id="empty"),
        pytest.param({"secret": None}, "setting secret is missing", id="null"),
        pytest.param({"secret": 12345678}, "setting secret must be text", id="another type"),
        pytest.param({"timing_partner_id": 0}, "setting timing_partner_id must be positive", id="not positive"),
        pytest.param({"timing_partner_id": "x"}, "setting timing_partner_id must be a whole number", id="no number"),
        pytest.param({"api_url": "example.org"}, "setting api_url must begin with", id="no address"),
        pytest.param({"calls_per_hour": -1}, "setting calls_per_hour must not be negative", id="no calls"),
        pytest.param({"settle_days": -1}, "setting settle_days must not be negative", id="negative days"),
        pytest.param({"start_date": "soon"}, "setting start_date must be a date", id="no date"),
    ],
)
def test_a_wrong_setting_is_named_before_any_call(make_tap, provider, settings, told):
    with pytest.raises(ConfigValidationError) as caught:
        make_tap(**settings)

    assert any(told in error for error in caught.value.errors)
    assert not any("12345678" in error for error in caught.value.errors)
    assert all(error.startswith("STOPPED toy") for error in caught.value.errors)
    assert provider.calls == []


def test_a_number_may_come_as_text_as_it_does_from_the_environment(make_tap):
    assert make_tap(backoff_base="0.5").config["backoff_base"] == 0.5


def test_the_catalog_is_there_without_settings():
    done = subprocess.run([*TOY, "--discover"], capture_output=True, text=True, check=True)

    streams = {stream["tap_stream_id"]: stream for stream in json.loads(done.stdout)["streams"]}
    assert set(streams) == {"reads", "rejects", "removals", "things", "others"}
    assert streams["things"]["key_properties"] == ["timing_partner_id", "id"]


def test_settings_come_from_the_environment_and_a_bad_one_is_named():
    env = {"TAP_TOY_SECRET": SECRET, "TAP_TOY_TIMING_PARTNER_ID": "seven"}

    done = subprocess.run([*TOY, "--config=ENV"], capture_output=True, text=True, env=env, check=False)

    assert done.returncode == 1
    assert "setting timing_partner_id (TAP_TOY_TIMING_PARTNER_ID) must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
