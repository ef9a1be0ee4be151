"""meltano.yml hands every setting of a tap over, and knows which are secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from project88 import settings
from project88.connections import SECRET_SETTINGS
from project88.raw import PROVIDERS

# The SDK's own, of no use here.
OF_THE_SDK = {
    "stream_maps",
    "stream_map_config",
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
    "batch_config",
}


def _of_the_tap(provider: str) -> dict[str, dict]:
    about = subprocess.run(
        [str(Path(sys.executable).parent / f"tap-{provider}"), "--about", "--format=json"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    return json.loads(about)["settings"]["properties"]


def _of_meltano(provider: str) -> dict[str, dict]:
    project = yaml.safe_load((settings.CHECKOUT / "meltano.yml").read_text(encoding="utf-8"))
    (plugin,) = (one for one in project["plugins"]["extractors"] if one["name"] == f"tap-{provider}")
    return {one["name"]: one for one in plugin["settings"]}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_setting_of_a_tap_is_handed_over(provider):
    own, known = _of_the_tap(provider), _of_meltano(provider)

    assert set(own) - OF_THE_SDK == set(known) - OF_THE_SDK


@pytest.mark.parametrize("provider", PROVIDERS)
def test_secrets_are_known_as_such_everywhere(provider):
    own, known = _of_the_tap(provider), _of_meltano(provider)
    sensitive = {name for name, one in known.items() if one.get("sensitive")}

    assert {name for name, one in own.items() if one.get("secret")} <= sensitive
    assert sensitive <= SECRET_SETTINGS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_setting_is_of_the_kind_that_stops_every_run(provider):
    # Of `decimal` Meltano makes a Decimal that it cannot write into the tap's configuration.
    assert [name for name, one in _of_meltano(provider).items() if one.get("kind") == "decimal"] == []
