"""Tests that a tap's README keeps its word, for its `test_readme.py` to take."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tap_testing.fixtures import Provider
from tap_testing.runs import SIDE_STREAMS
from tap_testing.season import ROOT

# Settings that the SDK gives every tap.
BUILT_IN = {"stream_maps", "stream_map_config", "faker_config", "flattening_enabled", "flattening_max_depth"}
BUILT_IN |= {"flattening_separator", "flattening_max_key_length", "batch_config"}


def _readme(provider: Provider) -> str:
    return (ROOT / "extract" / provider.tap.name / "README.md").read_text()


# --- a log is shown, and a second run that sends nothing -------------------------------------------------


def test_its_commands_show_the_tap_at_work(provider: Provider, tmp_path: Path) -> None:
    readme = _readme(provider)
    commands = readme.partition("```sh\n")[2].partition("```")[0]
    shown_port = commands.partition("--port ")[2].split()[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # The environment that runs the tests stands in for the checkout's own.
    commands = commands.replace(". .venv/bin/activate\n", f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    commands = commands.replace(shown_port, port).replace("idle-exit 60", "idle-exit 5")
    commands = re.sub(r"(first|second)\.jsonl|state\.json", lambda found: str(tmp_path / found[0]), commands)

    done = subprocess.run(["bash", "-euc", commands], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    streams = provider.target.keys
    start = f"{provider.tap.provider}, partner 1, stream"
    shown = [line for line in readme.splitlines() if line.startswith(start)]
    assert len(shown) == len(streams)
    assert all(line in done.stderr for line in shown)
    kinds = [json.loads(line) for line in (tmp_path / "second.jsonl").read_text().splitlines()]
    assert not [m for m in kinds if m["type"] == "RECORD" and m["stream"] in streams]


def test_it_names_every_setting_and_stream(provider: Provider) -> None:
    readme = _readme(provider)
    settings = set(provider.tap.config_jsonschema["properties"]) - BUILT_IN

    assert all(f"`{name}`" in readme for name in settings)
    assert all(f"`{name}`" in readme for name in (*provider.target.keys, *SIDE_STREAMS))


# --- the ends of two logs are shown, and how many rows each run sent -------------------------------------


def test_the_commands_work_without_an_account(provider: Provider, tmp_path: Path) -> None:
    readme = _readme(provider)
    (commands,) = re.findall(r"```sh\n(.*?)```", readme, re.S)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}

    done = subprocess.run(
        ["bash", "-c", f"trap 'kill $!' EXIT\n{commands}"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    shown = re.findall(r"```text\n(.*?)```", readme, re.S)[0].splitlines()
    assert done.stdout.splitlines()[-2:] == shown[-2:], done.stderr
    for line in shown[:2]:
        assert line.removeprefix("… ") in done.stderr


def test_every_setting_is_in_the_table(provider: Provider) -> None:
    readme = _readme(provider)
    properties = provider.tap.config_jsonschema["properties"]
    ours = [name for name in properties if not name.startswith(("stream_map", "flattening", "faker"))]

    for name in ours:
        assert f"| `{name}` |" in readme
        assert properties[name]["description"]


def test_every_stream_is_in_the_table(provider: Provider) -> None:
    readme = _readme(provider)
    for stream in provider.tap(config={}, validate_config=False).streams.values():
        keys = ", ".join(f"`{key}`" for key in stream.primary_keys if key != "timing_partner_id")
        assert f"| `{stream.name}` | {keys} |" in readme
