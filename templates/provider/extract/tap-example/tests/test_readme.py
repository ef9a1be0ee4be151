"""The README keeps its word."""

from __future__ import annotations

from pathlib import Path

from tap_example.tap import TapExample

README = Path(__file__).parents[1] / "README.md"


def test_it_names_every_setting_and_stream():
    text = README.read_text(encoding="utf-8")
    builtin = {"stream_maps", "stream_map_config", "faker_config", "flattening_enabled", "flattening_max_depth"}
    builtin |= {"flattening_separator", "flattening_max_key_length", "batch_config"}

    assert all(f"`{name}`" in text for name in set(TapExample.config_jsonschema["properties"]) - builtin)
    assert all(f"`{name}`" in text for name in ("events", "participants", "reads", "rejects", "removals"))
