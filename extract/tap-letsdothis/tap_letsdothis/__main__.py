"""The command tap-letsdothis."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_letsdothis.tap import TapLetsDoThis

    TapLetsDoThis.cli()


if __name__ == "__main__":
    main()
