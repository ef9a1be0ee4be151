"""The command tap-raceroster."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_raceroster.tap import TapRaceRoster

    TapRaceRoster.cli()


if __name__ == "__main__":
    main()
