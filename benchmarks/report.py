"""Tables on the terminal, and the same in README.md: each benchmark replaces its own section."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

README = Path(__file__).with_name("README.md")


def terminal() -> Console:
    """Return the terminal; wide enough for a table where the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def show(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Print a table and return it as Markdown."""
    table = Table(title=title, title_justify="left", show_edge=False)
    for n, column in enumerate(columns):
        table.add_column(column, justify="left" if n == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print()
    lines = [f"**{title}**", "", f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
    # A stroke would begin another cell.
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines += [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join(lines)


def machine(packages: Sequence[str] = (), postgres: str = "") -> str:
    """Return what the numbers were measured on."""
    model = "unknown processor"
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    found = [f"{name} {_version(name)}" for name in packages]
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {psutil.cpu_count()} cores ({model}), "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory, {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}"
        + (f", PostgreSQL {postgres}" if postgres else "")
        + "".join(f", {one}" for one in found)
        + "."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def replace_section(name: str, body: str, readme: Path = README) -> None:
    """Put a benchmark's text between its markers, at the end of the file where it has none yet."""
    begin, end = f"<!-- {name}: written by the benchmark -->", f"<!-- {name}: end -->"
    text = readme.read_text(encoding="utf-8")
    section = f"{begin}\n{body.strip()}\n{end}"
    if begin in text:
        text = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: section, text, flags=re.DOTALL)
    else:
        text = f"{text.rstrip()}\n\n{section}\n"
    readme.write_text(text, encoding="utf-8")
