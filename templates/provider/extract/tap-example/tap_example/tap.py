"""The tap: its settings and its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_example.client import PAGE, ExampleClient
from tap_example.directory import Directory
from tap_example.streams import Events, Participants


class TapExample(HubTap):
    """Events and participants of one Example account."""

    name = "tap-example"
    provider = "example"
    # Read in this order: what others need comes first.
    stream_types = (Events, Participants)
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property("api_key", th.StringType, required=True, secret=True, description="API key of the account."),
        th.Property("page_size", th.IntegerType, default=PAGE, description=f"Rows a page, {PAGE} at most."),
        # TODO: the address and the limit that the provider documents.
        *common_settings(api_url="https://api.example.invalid/v1", calls_per_hour=1000),
    ).to_dict()

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the settings of this provider."""
        if not 1 <= config["page_size"] <= PAGE:
            yield f"page_size must be from 1 to {PAGE}"

    def new_client(self, **common: Any) -> Client:
        """Return a client for this account."""
        return ExampleClient(api_key=self.config["api_key"], **common)

    @property
    def client(self) -> ExampleClient:
        """Return the client by its own type."""
        return cast("ExampleClient", super().client)

    def credential(self) -> str:
        """Return what the provider counts calls by."""
        return self.config["api_key"]

    @cached_property
    def directory(self) -> Directory:
        """Return the events of the account, read once a run."""
        return Directory(self)
