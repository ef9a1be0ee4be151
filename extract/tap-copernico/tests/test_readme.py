"""The README keeps its word."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

from copernico_season import STREAMS
from tap_copernico.tap import TapCopernico

README = Path(__file__).parents[1] / "README.md"
ROOT = Path(__file__).parents[3]


def test_its_commands_show_the_tap_at_work(tmp_path):
    text = README.read_text()
    commands = re.search(r"```sh\n(.*?)```", text, re.DOTALL).group(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # The environment that runs the tests stands in for the checkout's own.
    commands = commands.replace(". .venv/bin/activate\n", f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    commands = commands.replace("8190", port).replace("idle-exit 60", "idle-exit 5")
    commands = re.sub(r"(first|second)\.jsonl|state\.json", lambda found: str(tmp_path / found[0]), commands)

    done = subprocess.run(["bash", "-euc", commands], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    shown = [line for line in text.splitlines() if line.startswith("copernico, partner 1, stream")]
    assert len(shown) == len(STREAMS)
    assert all(line in done.stderr for line in shown)
    kinds = [json.loads(line) for line in (tmp_path / "second.jsonl").read_text().splitlines()]
    assert not [m for m in kinds if m["type"] == "RECORD" and m["stream"] in STREAMS]


def test_it_names_every_setting_and_stream():
    text = README.read_text()
    builtin = {"stream_maps", "stream_map_config", "faker_config", "flattening_enabled", "flattening_max_depth"}
    builtin |= {"flattening_separator", "flattening_max_key_length", "batch_config"}

    assert all(f"`{name}`" in text for name in set(TapCopernico.config_jsonschema["properties"]) - builtin)
    assert all(f"`{name}`" in text for name in (*STREAMS, "reads", "rejects", "removals"))
