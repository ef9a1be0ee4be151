"""The command tap-haku."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_haku.tap import TapHaku

    TapHaku.cli()


if __name__ == "__main__":
    main()
