"""tap-copernico: races, events, participants and results with splits of Copernico (Timingsense)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from singer_sdk import typing as th
from tap_shared.http import Client
from tap_shared.side import Reads, Rejects, Removals
from tap_shared.stream import HubStream
from tap_shared.tap import HubTap, common_settings

from tap_copernico.client import CopernicoClient
from tap_copernico.directory import Directory
from tap_copernico.streams import Events, Participants, Races, Results

SOURCES = ("presets", "athletes", "leaders", "ranking_files", "target_api")
LARGEST_PAGE = 500


class TapCopernico(HubTap):
    """Singer tap for Copernico."""

    name = "tap-copernico"
    provider = "copernico"
    stream_types = (Races, Events, Participants, Results)
    # The live back end keeps to 10 athletes at once (copernico.md, section 6); we are not alone there.
    calls_at_once = 4

    config_jsonschema = th.PropertiesList(
        th.Property(
            "source",
            th.StringType,
            default="presets",
            allowed_values=[*SOURCES],
            description="Where participants and results come from: presets, athletes (one call each), leaders, "
            "ranking_files, or target_api, which is assumed.",
        ),
        th.Property(
            "api_key",
            th.StringType,
            secret=True,
            description="The organizer's key. Presets need none: then race_ids names the races.",
        ),
        th.Property(
            "race_ids",
            th.StringType,
            description="Slugs of the races to read, with commas between; all that the key lists when left out.",
        ),
        th.Property("login", th.StringType, description="E-mail of the account whose presets are read."),
        th.Property(
            "presets",
            th.StringType,
            default="project88",
            description="Names of the presets to read, with commas between. Several are parts of one, by columns or "
            "filters; rows of one athlete are joined.",
        ),
        th.Property(
            "participant_key",
            th.StringType,
            default="id",
            allowed_values=["id", "dorsal"],
            description="What a row is known by: column id, or the bib in its event for presets without one.",
        ),
        th.Property(
            "race_map",
            th.StringType,
            description='What Copernico does not tell or changed, as JSON by race: {"slug": {"competition_id": …, '
            '"time_zone": …, "events": {"name now": "name to keep"}, "read": ["names of events"]}}.',
        ),
        th.Property(
            "start_split",
            th.StringType,
            default="Salida",
            description="The organiser's name of the start (assumed), where an answer does not say which mat it is.",
        ),
        th.Property(
            "finish_split",
            th.StringType,
            default="Meta",
            description="The organiser's name of the finish, in athletes' answers, leaders and ranking files.",
        ),
        th.Property(
            "leaders_filters",
            th.StringType,
            default="gender:female,gender:male,gender:mixed",
            description="Filters to ask leaders for, with commas between; mixed is assumed.",
        ),
        th.Property(
            "event_details_minutes",
            th.NumberType,
            default=60,
            description="How often length, gun and mats of an event are asked for again, one call each.",
        ),
        th.Property(
            "public_api_url",
            th.StringType,
            default="https://public-api.copernico.cloud/api",
            description="Address of presets and leaders.",
        ),
        th.Property(
            "ranking_files_url",
            th.StringType,
            default="https://rankings-storage.timingsense.cloud/prod/competitions",
            description="Address of the ranking files.",
        ),
        th.Property(
            "target_api_url",
            th.StringType,
            default="https://development.timingsense.cloud",
            description="Address of brrm-api and rankings-api.",
        ),
        th.Property(
            "page_size", th.IntegerType, default=LARGEST_PAGE, description="Rows a page of the target API; at most 500."
        ),
        th.Property(
            "overlap_seconds",
            th.IntegerType,
            default=300,
            description="How far each increment of the target API reaches back.",
        ),
        th.Property(
            "whole_read_minutes",
            th.NumberType,
            default=1440,
            description="How often an event of the target API is read whole, which finds what vanished.",
        ),
        *common_settings(api_url="https://api.copernico.cloud/api", calls_per_hour=3600),
    ).to_dict()

    # The target API's events with when each is over, once its list was read.
    target_events: dict[str, datetime | None] | None = None
    target_failed = False

    @cached_property
    def directory(self) -> Directory:
        """Return the races of the account and what they hold, read once a run."""
        return Directory(self)

    @property
    def client(self) -> CopernicoClient:
        """Return the client by its own type."""
        return cast("CopernicoClient", super().client)

    @property
    def presets(self) -> list[str]:
        """Return the presets to read."""
        return listed(self.config["presets"])

    @property
    def race_ids(self) -> list[str]:
        """Return the races that the settings name."""
        return listed(self.config.get("race_ids") or "")

    @property
    def leaders_filters(self) -> list[str]:
        """Return the filters to ask leaders for."""
        return listed(self.config["leaders_filters"])

    @cached_property
    def race_map(self) -> dict[str, dict[str, Any]]:
        """Return what the settings tell of single races."""
        return json.loads(self.config.get("race_map") or "{}")

    def event_names(self, race_id: str) -> Mapping[str, str]:
        """Return the names to keep by the names now sent, of events that were renamed."""
        return self.race_map.get(race_id, {}).get("events", {})

    def time_zone(self, race_id: str) -> str | None:
        """Return the zone that the settings tell of a race."""
        return self.race_map.get(race_id, {}).get("time_zone")

    def new_client(self, **common: Any) -> Client:
        """Return a client with the key."""
        return CopernicoClient(self.config, **common)

    def credential(self) -> str:
        """Return what calls are counted by."""
        return f"{self.config.get('api_key') or ''} {self.config.get('login') or ''}"

    def discover_streams(self) -> Sequence[HubStream]:
        """Return the streams: the same four, from the target API where that is the source."""
        if self.config.get("source") != "target_api":
            return super().discover_streams()
        from tap_copernico.target import TargetEvents, TargetParticipants, TargetRaces, TargetResults

        self.reads, self.rejects, self.removals = Reads(self), Rejects(self), Removals(self)
        kinds = (TargetRaces, TargetEvents, TargetParticipants, TargetResults)
        return [self.reads, self.rejects, self.removals, *(kind(self) for kind in kinds)]

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what the chosen source lacks."""
        source = config["source"]
        if source not in SOURCES:
            yield f"source must be one of {', '.join(SOURCES)}"
            return
        if config["participant_key"] not in ("id", "dorsal"):
            yield "participant_key must be id or dorsal"
        needs_key = source in ("athletes", "target_api") or not listed(config.get("race_ids") or "")
        if needs_key and not config.get("api_key"):
            yield f"api_key is missing: only races named in race_ids are read without ({self._env_var_prefix}API_KEY)"
        if source in ("presets", "athletes", "leaders") and not config.get("login"):
            yield f"login is missing: presets are kept under it (environment: {self._env_var_prefix}LOGIN)"
        if not listed(config["presets"]):
            yield "presets must name at least one"
        if not 1 <= config["page_size"] <= LARGEST_PAGE:
            yield f"page_size must be between 1 and {LARGEST_PAGE}"
        for name in ("event_details_minutes", "overlap_seconds", "whole_read_minutes"):
            if config[name] < 0:
                yield f"{name} must not be negative"
        yield from map_errors(config.get("race_map") or "{}")


def listed(names: str) -> list[str]:
    """Return names that are written with commas between them."""
    return [name.strip() for name in names.split(",") if name.strip()]


def map_errors(text: str) -> Iterator[str]:
    """Yield what is wrong with setting race_map."""
    try:
        told = json.loads(text)
    except ValueError:
        yield "race_map must be JSON"
        return
    if not isinstance(told, dict) or not all(isinstance(one, dict) for one in told.values()):
        yield "race_map must be an object with an object for each race"
        return
    for race_id, one in told.items():
        if not isinstance(one.get("events", {}), dict) or not isinstance(one.get("read", []), list):
            yield f"race_map: {race_id}: events must be an object and read an array"
        zone = one.get("time_zone")
        try:
            ZoneInfo(zone or "UTC")
        except (ValueError, TypeError, KeyError, OSError):
            yield f"race_map: {race_id}: time_zone must be an IANA name"
