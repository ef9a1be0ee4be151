"""tap-raceroster: events, sub-events, participants and results of Race Roster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_raceroster.auth import NEEDS, missing_settings
from tap_raceroster.client import RaceRosterClient
from tap_raceroster.directory import Directory
from tap_raceroster.streams import Events, Participants, Results, SubEvents

# assumed (raceroster.md, section 3.1).
LARGEST_PAGE = 100
# What clients of the live service do, and the project's own profile.
SINCE = {"observed": "lastModifiedDate", "project": "updated_since"}
SOURCES = ("public", "account", "none")


class TapRaceRoster(HubTap):
    """Singer tap for Race Roster."""

    name = "tap-raceroster"
    provider = "raceroster"
    stream_types = (Events, SubEvents, Participants, Results)
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property(
            "auth_method",
            th.StringType,
            default="timer_login",
            allowed_values=[*NEEDS],
            description="How to sign in: timer_login (client and login of a timer), client_credentials or api_key.",
        ),
        th.Property("client_id", th.StringType, description="Id of the OAuth client, from the account's API settings."),
        th.Property("client_secret", th.StringType, secret=True, description="The secret that belongs to client_id."),
        th.Property("username", th.StringType, description="Login of the timer account, for timer_login."),
        th.Property("password", th.StringType, secret=True, description="Its password."),
        th.Property("api_key", th.StringType, secret=True, description="A static key, for api_key."),
        th.Property(
            "auth_url",
            th.StringType,
            description="Address of the sign-in; beside the API's (…/api/oauth/authorize) when left out.",
        ),
        th.Property(
            "event_ids",
            th.StringType,
            description="Ids of events to read beside those listed, with commas between: what is over is not listed.",
        ),
        th.Property(
            "profile",
            th.StringType,
            default="observed",
            allowed_values=[*SINCE],
            description="observed: /participants by offset and lastModifiedDate, as clients of the live service do; "
            "project: /registrations by page and updated_since.",
        ),
        th.Property(
            "results_source",
            th.StringType,
            default="public",
            allowed_values=[*SOURCES],
            description="Where results come from: public (the results service), account (its API) or none.",
        ),
        th.Property(
            "results_url",
            th.StringType,
            default="https://results.raceroster.com/v2/api",
            description="Address of the results service.",
        ),
        th.Property(
            "overlap_seconds",
            th.IntegerType,
            default=300,
            description="How far behind the provider's clock a bookmark stays.",
        ),
        th.Property(
            "page_size", th.IntegerType, default=LARGEST_PAGE, description="Rows a page; 100 is taken as the most."
        ),
        *common_settings(api_url="https://raceroster.com/api/v1", calls_per_hour=1000),
    ).to_dict()

    @cached_property
    def directory(self) -> Directory:
        """Return the events of the account, read once a run."""
        return Directory(self)

    @property
    def client(self) -> RaceRosterClient:
        """Return the client by its own type."""
        return cast("RaceRosterClient", super().client)

    @property
    def page_size(self) -> int:
        """Return how many rows to ask for at once."""
        return self.config["page_size"]

    @property
    def profile(self) -> str:
        """Return which way of asking for participants the settings choose."""
        return self.config["profile"]

    @property
    def since_parameter(self) -> str:
        """Return the name under which to ask for changes."""
        return SINCE[self.profile]

    @property
    def overlap(self) -> timedelta:
        """Return how far a bookmark stays behind the provider's clock."""
        return timedelta(seconds=self.config["overlap_seconds"])

    @property
    def named_events(self) -> list[str]:
        """Return the events that setting event_ids names."""
        return [one for part in (self.config.get("event_ids") or "").split(",") if (one := part.strip())]

    def new_client(self, **common: Any) -> Client:
        """Return a client that signs in as the settings say."""
        return RaceRosterClient(self.config, **common)

    def credential(self) -> str:
        """Return what calls are counted by."""
        return f"{self.config.get('client_id') or self.config.get('api_key')} {self.config.get('username') or ''}"

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the chosen way to sign in lacks, and what is out of range."""
        for name, known in (("auth_method", NEEDS), ("profile", SINCE), ("results_source", SOURCES)):
            if config[name] not in known:
                yield f"{name} must be one of {', '.join(known)}"
        if config["auth_method"] in NEEDS:
            for name in missing_settings(config):
                yield (
                    f"{name} is missing: auth_method {config['auth_method']} needs it "
                    f"(environment: {self._env_var_prefix}{name.upper()})"
                )
        if not 1 <= config["page_size"] <= LARGEST_PAGE:
            yield f"page_size must be between 1 and {LARGEST_PAGE}"
        if config["overlap_seconds"] < 0:
            yield "overlap_seconds must not be negative"
