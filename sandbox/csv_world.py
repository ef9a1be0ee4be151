"""A folder of result CSVs as a timing partner's seasons."""

from __future__ import annotations

from pathlib import Path

from sandbox.world import Season


class CsvWorld(Season):
    """Seasons read from files."""

    def __init__(self, folder: Path) -> None:
        """Read a folder."""
        raise ValueError(f"{folder}: not yet")
