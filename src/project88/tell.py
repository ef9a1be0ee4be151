"""Progress on a terminal, plain lines elsewhere; always to stderr, so that answers can be piped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """Several things that go on at once."""

    def __init__(self, console: Console, titles: list[str]) -> None:
        self._console = console
        self._width = max(map(len, titles), default=0)
        self._began: dict[str, float] = {}
        self._progress: Progress | None = None
        self._tasks: dict[str, Any] = {}
        if console.is_terminal:
            self._progress = Progress(
                SpinnerColumn(finished_text="·"), TextColumn("{task.description}"),
                TextColumn("[dim]{task.fields[note]}"),
                TimeElapsedColumn(), console=console, transient=True,
            )  # fmt: skip
            self._progress.start()

    def begin(self, title: str) -> None:
        """Say that one of them begins."""
        self._began[title] = time.monotonic()
        if self._progress:
            self._tasks[title] = self._progress.add_task(title.ljust(self._width), note="starting", total=None)
        else:
            self._console.print(f"  … {title}", highlight=False)

    def update(self, title: str, note: str) -> None:
        """Say what one of them is at."""
        if self._progress:
            self._progress.update(self._tasks[title], note=note)

    def end(self, title: str, note: str, succeeded: bool) -> None:
        """Say how one of them ended."""
        seconds = time.monotonic() - self._began.get(title, time.monotonic())
        if self._progress:
            self._progress.remove_task(self._tasks[title])
        mark = "[green]✓[/]" if succeeded else "[red]✗[/]"
        self._console.print(f"  {mark} {title.ljust(self._width)}  {note}, {seconds:.1f} s", highlight=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress:
            self._progress.stop()


class Teller:
    """Tells a person what goes on."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, soft_wrap=True, quiet=quiet)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, highlight=False)

    @contextlib.contextmanager
    def steps(self, titles: list[str]) -> Iterator[Steps]:
        """Show several things that go on at once."""
        steps = Steps(self.console, titles)
        try:
            yield steps
        finally:
            steps.close()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], float]]:
        """Show one thing that goes on; call what is given with its outcome to get the seconds it took."""
        began = time.monotonic()
        outcome: list[str] = []

        def done(note: str) -> float:
            outcome.append(note)
            return time.monotonic() - began

        waiting = self.console.status(title) if self.console.is_terminal else contextlib.nullcontext()
        with waiting:
            try:
                yield done
            except BaseException:
                self.console.print(f"  [red]✗[/] {title}, {time.monotonic() - began:.1f} s", highlight=False)
                raise
        failed = outcome[:1] == ["STOPPED"]
        mark = "[red]✗[/]" if failed else "[green]✓[/]"
        note = f"  {outcome[0]}" if outcome else ""
        self.console.print(f"  {mark} {title}{note}, {time.monotonic() - began:.1f} s", highlight=False)
