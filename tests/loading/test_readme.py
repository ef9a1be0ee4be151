"""The loader's README keeps its word."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import psycopg2
from target_hub.target import TargetHub
from target_postgres.target import TargetPostgres

ROOT = Path(__file__).parents[2]
README = (ROOT / "load" / "target-hub" / "README.md").read_text(encoding="utf-8")


def test_its_commands_load_the_sandbox(embedded_dsn):
    commands = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert commands is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # The environment that runs the tests stands in for the checkout's own, and its database for the embedded one.
    text = commands[1].replace(". .venv/bin/activate\n", f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    text = text.replace("8189", port).replace("idle-exit 60", "idle-exit 5").replace("$(p88 db url)", embedded_dsn)

    done = subprocess.run(["bash", "-euc", text], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    with psycopg2.connect(embedded_dsn) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from trial.results")
        assert cursor.fetchone() == (156,)
    connection.close()


def test_it_names_every_setting_of_its_own():
    stock: dict = {"properties": {}} | TargetPostgres.config_jsonschema
    # The SDK adds settings by what a target can do; those are not its own.
    TargetHub.append_builtin_config(stock)
    own = set(TargetHub.config_jsonschema["properties"]) - set(stock["properties"])

    assert own
    assert all(f"`{name}`" in README for name in own)
