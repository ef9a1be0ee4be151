"""tap-haku: events, categories, participants and registrations of one organisation at Haku."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from singer_sdk import typing as th
from tap_shared.clock import zone
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_haku.auth import NEEDS, missing_settings
from tap_haku.client import HakuClient
from tap_haku.directory import Directory
from tap_haku.streams import Categories, Events, Participants, Registrations

# What the vendor's file is said to allow; how the server takes more is not known (haku.md, section 4).
PAGE = 25


class TapHaku(HubTap):
    """Singer tap for Haku."""

    name = "tap-haku"
    provider = "haku"
    stream_types = (Events, Categories, Participants, Registrations)
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property(
            "auth_method",
            th.StringType,
            default="token",
            allowed_values=[*NEEDS],
            description="How to sign in: token (client id and secret for a token) or api_key (key and secret).",
        ),
        th.Property("client_id", th.StringType, description="Id of the organisation's client, for token."),
        th.Property(
            "client_secret", th.StringType, secret=True, description="The secret that belongs to client_id, for token."
        ),
        th.Property(
            "token_url",
            th.StringType,
            default="https://prod-auth.hakuapp.com/oauth2/token",
            description="Where tokens are asked for, which is another host than the API's.",
        ),
        th.Property("api_key", th.StringType, secret=True, description="The organisation's key, for api_key."),
        th.Property(
            "api_secret", th.StringType, secret=True, description="The secret that belongs to api_key, for api_key."
        ),
        th.Property("organization_id", th.StringType, description="List the events of this organisation only."),
        th.Property(
            "timezone",
            th.StringType,
            default="UTC",
            description="IANA zone in which times are meant that carry none, which is most of them.",
        ),
        th.Property(
            "page_size",
            th.IntegerType,
            default=PAGE,
            description="Rows to ask for at once. Whatever it is, a list is read until a page is empty.",
        ),
        th.Property(
            "overlap_seconds",
            th.IntegerType,
            default=30,
            description="How far behind the provider's clock a bookmark stays.",
        ),
        th.Property(
            "whole_read_hours",
            th.NumberType,
            default=24,
            description="Read an event's list whole at least this often; only that shows what was deleted.",
        ),
        th.Property(
            "calls_for_lists",
            th.IntegerType,
            default=50,
            description="Calls of each hour that are left to the lists: single registrations wait for the next hour "
            "instead of using them up. Never more than half of calls_per_hour.",
        ),
        *common_settings(api_url="https://api.hakuapp.com", calls_per_hour=500),
    ).to_dict()

    @cached_property
    def directory(self) -> Directory:
        """Return the organisation's events, read once a run."""
        return Directory(self)

    @property
    def client(self) -> HakuClient:
        """Return the client by its own type."""
        return cast("HakuClient", super().client)

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of times that carry none."""
        return zone(self.config["timezone"])

    @property
    def overlap(self) -> timedelta:
        """Return how far a bookmark stays behind the provider's clock."""
        return timedelta(seconds=self.config["overlap_seconds"])

    @staticmethod
    def instant_param(instant: datetime) -> str:
        """Return an instant as parameters have it."""
        return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def may_ask_one(self) -> bool:
        """Tell whether the hour has room for a call about a single registration."""
        most = self.config["calls_per_hour"]
        kept = min(self.config["calls_for_lists"], most // 2)
        # 0 is no limit.
        return not most or self.client.budget.used() < most - kept

    def new_client(self, **common: Any) -> Client:
        """Return a client that signs in as the settings say."""
        return HakuClient(self.config, **common)

    def credential(self) -> str:
        """Return what calls are counted by: the organisation's client or key (assumed: haku.md, section 6)."""
        return self.config["client_id" if self.config["auth_method"] == "token" else "api_key"]

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the settings of this provider."""
        if config["auth_method"] not in NEEDS:
            yield f"auth_method must be one of {', '.join(NEEDS)}"
            return
        for name in missing_settings(config):
            yield (
                f"{name} is missing: auth_method {config['auth_method']} needs it "
                f"(environment: {self._env_var_prefix}{name.upper()})"
            )
        if not config["token_url"].startswith(("http://", "https://")):
            yield "token_url must begin with https:// or http://"
        try:
            zone(config["timezone"])
        except ValueError:
            yield "timezone must be an IANA name such as America/New_York"
        if config["page_size"] < 1:
            yield "page_size must be positive"
        for name in ("overlap_seconds", "whole_read_hours", "calls_for_lists"):
            if config[name] < 0:
                yield f"{name} must not be negative"
