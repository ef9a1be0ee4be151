"""The tap: its settings and its streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.tap import HubTap, common_settings

from tap_letsdothis.client import CURSORS, PAGE, LetsDoThisClient
from tap_letsdothis.directory import Directory, events_written
from tap_letsdothis.streams import Applications, Events, Occurrences, Participants, Races


class TapLetsDoThis(HubTap):
    """Events, their occurrences and races, participants and applications of one Let's Do This organiser."""

    name = "tap-letsdothis"
    provider = "letsdothis"
    stream_types = (Events, Occurrences, Races, Participants, Applications)
    calls_at_once = 2

    config_jsonschema = th.PropertiesList(
        th.Property(
            "api_key", th.StringType, required=True, secret=True, description="API key of the organiser's account."
        ),
        th.Property(
            "event_ids",
            th.StringType,
            description="Ids of the events to read, with commas between, for an account that does not list its events.",
        ),
        th.Property(
            "events_json",
            th.StringType,
            description="The events themselves, as a JSON array of what the API would answer: for an account without "
            "any call for events. No call is made for them then.",
        ),
        th.Property(
            "overlap_seconds",
            th.IntegerType,
            default=60,
            description="How far before the bookmark changes are asked for: what shares its instant is left out else.",
        ),
        th.Property(
            "whole_read_hours",
            th.NumberType,
            default=24,
            description="How often lists are read whole, so that what vanished from them is noticed.",
        ),
        th.Property(
            "cursor",
            th.StringType,
            default="auto",
            allowed_values=[*CURSORS],
            description="What goes on to the next page: next (the answer's own cursor), last_row (the last row's id), "
            "or auto: the former until rows are missing.",
        ),
        th.Property("page_size", th.IntegerType, default=PAGE, description="Rows a page, 500 at most."),
        *common_settings(api_url="https://api.letsdothis.com/v0", calls_per_hour=1000),
    ).to_dict()

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the settings of this provider."""
        if config["cursor"] not in CURSORS:
            yield f"cursor must be one of {', '.join(CURSORS)}"
        # With one row a page, a server whose pages begin with the cursor's own row would never get on.
        if not 2 <= config["page_size"] <= PAGE:
            yield f"page_size must be from 2 to {PAGE}"
        for name in ("overlap_seconds", "whole_read_hours"):
            if config[name] < 0:
                yield f"{name} must not be negative"
        if config.get("event_ids") and config.get("events_json"):
            yield "event_ids and events_json exclude each other: leave one out"
        try:
            events_written(config.get("events_json"))
        except ValueError:
            yield "events_json must be a JSON array of events"

    def new_client(self, **common: Any) -> Client:
        """Return a client for this account."""
        return LetsDoThisClient(api_key=self.config["api_key"], **common)

    @property
    def client(self) -> LetsDoThisClient:
        """Return the client by its own type."""
        return cast("LetsDoThisClient", super().client)

    def credential(self) -> str:
        """Return the key: calls are counted by it (assumed)."""
        return self.config["api_key"]

    @cached_property
    def directory(self) -> Directory:
        """Return the events of the account, read once a run."""
        return Directory(self)
