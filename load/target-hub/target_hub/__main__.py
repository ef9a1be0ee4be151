"""The command target-hub."""

from __future__ import annotations

from target_hub.start import lean


def main() -> None:
    """Run the loader."""
    lean()
    from target_hub.target import TargetHub

    TargetHub.cli()


if __name__ == "__main__":
    main()
