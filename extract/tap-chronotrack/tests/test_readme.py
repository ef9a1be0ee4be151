"""The README keeps its word."""

from tap_testing.readme import test_it_names_every_setting_and_stream, test_its_commands_show_the_tap_at_work

__all__ = ["test_it_names_every_setting_and_stream", "test_its_commands_show_the_tap_at_work"]
