"""tap-chronotrack: events, races, entries, brackets, intervals and results of ChronoTrack Live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_chronotrack.auth import NEEDS, missing_settings
from tap_chronotrack.client import ChronoTrackClient
from tap_chronotrack.directory import Directory
from tap_chronotrack.streams import Brackets, Entries, Events, Intervals, Races, Results

LARGEST_PAGE = 1000


class TapChronoTrack(HubTap):
    """Singer tap for ChronoTrack Live (CTLive)."""

    name = "tap-chronotrack"
    provider = "chronotrack"
    stream_types = (Events, Races, Entries, Brackets, Intervals, Results)
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property(
            "auth_method",
            th.StringType,
            default="simple",
            allowed_values=[*NEEDS],
            description="How to sign in: simple (hashed password in the query), basic, oauth2_password or oauth2_web.",
        ),
        th.Property("client_id", th.StringType, required=True, description="Id of the application, from ChronoTrack."),
        th.Property("username", th.StringType, description="The account's e-mail; not needed for oauth2_web."),
        th.Property(
            "password",
            th.StringType,
            secret=True,
            description="The account's password. For simple, 40 hexadecimal digits are taken as its SHA-1.",
        ),
        th.Property(
            "client_secret", th.StringType, secret=True, description="The application's secret, for both oauth2 ways."
        ),
        th.Property(
            "refresh_token",
            th.StringType,
            secret=True,
            description="What the consent in a browser left, for oauth2_web.",
        ),
        th.Property(
            "include_contact",
            th.BooleanType,
            default=True,
            description="Ask for e-mail and telephone numbers of entries.",
        ),
        th.Property(
            "include_birthdate", th.BooleanType, default=True, description="Ask for the birth dates of entries."
        ),
        th.Property(
            "include_test_entries", th.BooleanType, default=False, description="Read entries made for testing too."
        ),
        th.Property(
            "page_size",
            th.IntegerType,
            default=LARGEST_PAGE,
            description="Rows a page; ChronoTrack gives 1000 at most.",
        ),
        th.Property(
            "whole_read_minutes",
            th.NumberType,
            default=15,
            description="Read an event's results whole at least this often until a day after its end.",
        ),
        th.Property(
            "whole_read_minutes_after",
            th.NumberType,
            default=720,
            description="Read an event's results whole at least this often after that, until it is settled.",
        ),
        *common_settings(api_url="https://api.chronotrack.com/api", calls_per_hour=5000),
    ).to_dict()

    @cached_property
    def directory(self) -> Directory:
        """Return the events of the account, read once a run."""
        return Directory(self)

    @property
    def client(self) -> ChronoTrackClient:
        """Return the client by its own type."""
        return cast("ChronoTrackClient", super().client)

    @property
    def page_size(self) -> int:
        """Return how many rows to ask for at once."""
        return self.config["page_size"]

    def new_client(self, **common: Any) -> Client:
        """Return a client that signs in as the settings say."""
        return ChronoTrackClient(self.config, **common)

    def credential(self) -> str:
        """Return what calls are counted by: the account behind the application."""
        return f"{self.config['client_id']} {self.config.get('username') or ''}"

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the chosen way to sign in lacks."""
        if config["auth_method"] not in NEEDS:
            yield f"auth_method must be one of {', '.join(NEEDS)}"
            return
        for name in missing_settings(config):
            yield (
                f"{name} is missing: auth_method {config['auth_method']} needs it "
                f"(environment: {self._env_var_prefix}{name.upper()})"
            )
        if not 1 <= config["page_size"] <= LARGEST_PAGE:
            yield f"page_size must be between 1 and {LARGEST_PAGE}"
        for name in ("whole_read_minutes", "whole_read_minutes_after"):
            if config[name] < 0:
                yield f"{name} must not be negative"
