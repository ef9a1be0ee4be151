"""The README's commands work as written, and its tables are complete."""

from tap_testing.readme import (
    test_every_setting_is_in_the_table,
    test_every_stream_is_in_the_table,
    test_the_commands_work_without_an_account,
)

__all__ = [
    "test_every_setting_is_in_the_table",
    "test_every_stream_is_in_the_table",
    "test_the_commands_work_without_an_account",
]
