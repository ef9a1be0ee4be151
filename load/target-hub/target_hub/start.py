"""The beginning of a process that is a loader and nothing else."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import Any

# What others import where it is there, and a loader has no use for: with what follows a quarter of each start.
NEEDLESS = frozenset({"numpy", "pandas"})
# What target-postgres needs for a tunnel through SSH, which few have: loaded when it is asked for something.
SELDOM = "paramiko"


class _Without:
    """Says of some packages, as the import system asks it, that they are not there, and of another that it can wait."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name in NEEDLESS:
            raise ModuleNotFoundError(f"No module named {name!r} in a loader", name=name)
        if name != SELDOM:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def lean() -> None:
    """Do without what is needless. To be called before all other imports, and only by a command's own process."""
    sys.meta_path.insert(0, _Without())
