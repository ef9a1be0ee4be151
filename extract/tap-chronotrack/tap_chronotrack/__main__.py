"""The command tap-chronotrack."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_chronotrack.tap import TapChronoTrack

    TapChronoTrack.cli()


if __name__ == "__main__":
    main()
