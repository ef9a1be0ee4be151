"""The command tap-copernico."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_copernico.tap import TapCopernico

    TapCopernico.cli()


if __name__ == "__main__":
    main()
