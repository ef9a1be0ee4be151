"""The README's commands work as written, and its tables are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tap_letsdothis.tap import TapLetsDoThis

ROOT = Path(__file__).parents[3]
README = (ROOT / "extract/tap-letsdothis/README.md").read_text()


def test_the_commands_work_without_an_account(tmp_path):
    (commands,) = re.findall(r"```sh\n(.*?)```", README, re.S)
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

    shown = re.findall(r"```text\n(.*?)```", README, re.S)[0].splitlines()
    assert done.stdout.splitlines()[-2:] == shown[-2:], done.stderr
    for line in shown[:2]:
        assert line.removeprefix("… ") in done.stderr


def test_every_setting_is_in_the_table():
    properties = TapLetsDoThis.config_jsonschema["properties"]
    ours = [name for name in properties if not name.startswith(("stream_map", "flattening", "faker"))]

    for name in ours:
        assert f"| `{name}` |" in README
        assert properties[name]["description"]


def test_every_stream_is_in_the_table():
    for stream in TapLetsDoThis(config={}, validate_config=False).streams.values():
        keys = ", ".join(f"`{key}`" for key in stream.primary_keys if key != "timing_partner_id")
        assert f"| `{stream.name}` | {keys} |" in README
