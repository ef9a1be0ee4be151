"""The command tap-example."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_example.tap import TapExample

    TapExample.cli()


if __name__ == "__main__":
    main()
