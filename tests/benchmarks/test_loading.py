"""The benchmarks' own tools: sections of the README, what work costs, and a loading run that is too small to tell."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from benchmarks import loading, report
from benchmarks.measure import measured, tree, wait
from benchmarks.pages.season import plan

BUSY = "x = bytearray(60_000_000)\nfor n in range(3_000_000): pass"


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("# Benchmarks\n")

    report.replace_section("loading", "old", readme)
    report.replace_section("full", "kept \\1", readme)
    report.replace_section("loading", "new", readme)

    text = readme.read_text()
    assert "old" not in text
    assert text.index("new") < text.index("kept \\1")
    assert text.startswith("# Benchmarks\n")


def test_work_of_children_is_measured_while_they_live_and_after():
    children: list[subprocess.Popen[bytes]] = []

    def work() -> list[psutil.Process]:
        return [process for child in children for process in tree(child.pid)]

    # It lives for a second or two: looked at as often as can be.
    with measured({"work": work}, every=0.02, at_most=1) as cost:
        children.append(subprocess.Popen([sys.executable, "-c", BUSY]))
        ended = wait(children[0])

    assert ended.code == 0
    assert ended.cpu > 0
    assert ended.peak > 60_000_000
    assert cost.peak["work"] > 60_000_000
    assert 0 < cost.cpu["work"] <= ended.cpu * 1.5


@pytest.mark.slow
def test_a_tiny_loading_run_brings_all_rows_by_every_way_that_is_installed(tmp_path: Path):
    console = Console(file=io.StringIO(), width=160)
    names = [way.name for way in (loading.Fast, loading.Tuned, loading.Copy)]

    runs, version = loading.run(console, tmp_path, scale=0.001, small=0.001, runs=1, names=names)
    text = loading.tell(console, runs, version)

    assert {one.task for one in runs if one.way == loading.Tuned.name} == set(loading.TASKS)
    assert {one.way for one in runs} >= {loading.Tuned.name, loading.Copy.name}
    counts = plan(loading.WANTED.scaled(0.001)).counts()
    assert all(one.rows == counts["ct_results"] + counts["rsu_participants"] for one in runs)
    assert loading.FIRST in text
    assert not list(tmp_path.glob("home"))
