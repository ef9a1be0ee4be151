"""The tap: its settings and its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_runsignup.client import RunSignUpClient
from tap_runsignup.directory import Directory
from tap_runsignup.streams import PAGE, Events, Participants, Races, RemovedParticipants, Results


class TapRunSignUp(HubTap):
    """Races, events, participants, removed participants and results of one RunSignUp account."""

    name = "tap-runsignup"
    provider = "runsignup"
    stream_types = (Races, Events, Participants, RemovedParticipants, Results)
    # The vendor asks for no more than this.
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property("api_key", th.StringType, required=True, description="Key of a race, timer, partner or affiliate."),
        th.Property(
            "api_secret", th.StringType, required=True, secret=True, description="The secret that belongs to the key."
        ),
        th.Property(
            "auth_style",
            th.StringType,
            default="key",
            allowed_values=["key", "v2_key"],
            description="How to sign in: `key` (a key pair) or `v2_key` (a version 2 key, its secret in a header).",
        ),
        th.Property(
            "api_reg",
            th.StringType,
            description="Token of the registered caller; every caller needs one from 2027-01-01.",
        ),
        th.Property("api_reg_secret", th.StringType, secret=True, description="The secret that belongs to api_reg."),
        th.Property(
            "overlap_seconds",
            th.IntegerType,
            default=10,
            description="How far behind the provider's clock a bookmark stays; the vendor suggests 10 s.",
        ),
        th.Property(
            "page_size",
            th.IntegerType,
            default=2500,
            description="Rows to ask for at once; the vendor allows 2500 (1000 for races).",
        ),
        *common_settings(api_url="https://api.runsignup.com/rest", calls_per_hour=1000),
    ).to_dict()

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the settings of this provider."""
        if config["auth_style"] not in {"key", "v2_key"}:
            yield "auth_style must be key or v2_key"
        if config["overlap_seconds"] < 0:
            yield "overlap_seconds must not be negative"
        if not 1 <= config["page_size"] <= PAGE:
            yield f"page_size must be from 1 to {PAGE}"
        if bool(config.get("api_reg")) != bool(config.get("api_reg_secret")):
            missing = "api_reg_secret" if config.get("api_reg") else "api_reg"
            yield f"{missing} is missing: api_reg and api_reg_secret go together"

    def new_client(self, **common: Any) -> Client:
        """Return a client for this account."""
        config = self.config
        return RunSignUpClient(
            api_key=config["api_key"],
            api_secret=config["api_secret"],
            auth_style=config["auth_style"],
            api_reg=config.get("api_reg"),
            api_reg_secret=config.get("api_reg_secret"),
            **common,
        )

    def credential(self) -> str:
        """Return the key: the vendor counts calls by it."""
        return self.config["api_key"]

    @cached_property
    def directory(self) -> Directory:
        """Return the races and events of the account, read once a run."""
        return Directory(self)
