"""The world that is served: a state, and the providers over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sandbox.control import Control
from sandbox.providers import PROVIDERS
from sandbox.providers.common import ControlError, Provider
from sandbox.state import State
from sandbox.world import FIRST_TWO, SIZES, Season


class World:
    """A state with the providers over it; `reset` replaces all of it at once."""

    def __init__(
        self,
        size: str,
        seed: int,
        bad_rate: float | None,
        folder: Path | None,
        providers: str | Sequence[str] = FIRST_TWO,
    ) -> None:
        """Lay out the season that these providers tell of, or read a folder of results for those that can."""
        self.size, self.seed, self.bad_rate, self.folder = size, seed, bad_rate, folder
        self.names = named(providers)
        if folder is not None:
            from sandbox.csv_world import CsvWorld

            self.state = State(CsvWorld(folder))
        else:
            self.state = State(Season(SIZES.get(size) or int(size), seed, bad_rate, self.names))
        self.providers: dict[str, Provider] = {
            name: PROVIDERS[name](self.state) for name in self.names if folder is None or PROVIDERS[name].reads_files
        }
        self.control = Control(self.state, self.providers)

    def again(self, size: str, seed: int, bad_rate: float | None, providers: str | Sequence[str]) -> World:
        """Return a world of the same folder, or a season of another size and seed, as it begins."""
        if size not in SIZES and not size.isdigit():
            raise ControlError(f"unknown size {size!r}: {', '.join(SIZES)} or a number of participants")
        return World(size, seed, bad_rate, self.folder, providers)


def named(providers: str | Sequence[str]) -> tuple[str, ...]:
    """Return these providers in the registry's order; 'all' stands for every one, a text has commas between them."""
    providers = providers.split(",") if isinstance(providers, str) else providers
    unknown = [name for name in providers if name not in (*PROVIDERS, "all")]
    if unknown:
        raise ControlError(f"unknown provider {unknown[0]!r}: {', '.join(PROVIDERS)} or all")
    return tuple(name for name in PROVIDERS if name in providers or "all" in providers)
