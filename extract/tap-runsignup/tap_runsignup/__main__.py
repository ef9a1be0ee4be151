"""The command tap-runsignup."""

from __future__ import annotations

from tap_shared.start import lean


def main() -> None:
    """Run the tap."""
    lean()
    from tap_runsignup.tap import TapRunSignUp

    TapRunSignUp.cli()


if __name__ == "__main__":
    main()
