"""The beginning of a process that is a tap and nothing else."""

from __future__ import annotations

import sys
from typing import Any

# What others import where it is there, and a tap has no use for: a sixth of each start, or more.
NEEDLESS = frozenset({"numpy", "pandas"})


class _Without:
    """Says of some packages, as the import system asks it, that they are not there."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name in NEEDLESS:
            raise ModuleNotFoundError(f"No module named {name!r} in a tap", name=name)


def lean() -> None:
    """Do without what is needless. To be called before all other imports, and only by a command's own process."""
    sys.meta_path.insert(0, _Without())
