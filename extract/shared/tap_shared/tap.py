"""The base of every tap: settings, sign-in, and a run in which one stream's end is not the others'."""

from __future__ import annotations

import copy
import gc
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.streams import Stream

from tap_shared.ahead import Ahead
from tap_shared.budget import Budget
from tap_shared.clock import from_text, utc_now
from tap_shared.errors import CredentialsRefused, Stopped, StreamStopped, TapError, TapFailed
from tap_shared.http import Client, Limits
from tap_shared.messages import HubWriter, SeldomStateWriter, write_lines_whole
from tap_shared.redaction import redact
from tap_shared.side import Reads, Rejects, Removals
from tap_shared.stream import HubStream

if TYPE_CHECKING:
    from tap_shared.pages import Pages

# gc's thresholds: a few pages' worth of objects between two looks at the youngest.
GARBAGE = (100_000, 20, 20)


def common_settings(*, api_url: str, calls_per_hour: int) -> list[th.Property]:
    """Return the settings that every tap has."""
    return [
        th.Property(
            "timing_partner_id",
            th.IntegerType,
            required=True,
            description="Whose account this is: part of every key, as ids repeat across accounts.",
        ),
        th.Property("api_url", th.StringType, default=api_url, description="Address of the API."),
        th.Property(
            "calls_per_hour",
            th.IntegerType,
            default=calls_per_hour,
            description="Calls an hour that this credential may make, over all processes of this machine; 0: no limit.",
        ),
        th.Property(
            "budget_dir",
            th.StringType,
            description="Folder of the counter that processes share; a private folder of this user when left out.",
        ),
        th.Property(
            "budget_max_wait",
            th.NumberType,
            default=60,
            description="Seconds to wait for the hour's calls to free up before the run ends and says when to go on.",
        ),
        th.Property("run_id", th.StringType, description="Copied onto the streams reads, rejects and removals."),
        th.Property(
            "settle_days",
            th.IntegerType,
            default=30,
            description="An event that ended longer ago, and was read completely after that, is not read again.",
        ),
        th.Property(
            "read_everything",
            th.BooleanType,
            default=False,
            description="Read all of it again, whatever the bookmarks say; removals are still noticed.",
        ),
        th.Property(
            "pages_dir",
            th.StringType,
            description="Folder for rows on their way to target-hub, best in memory: they go there as Arrow files. "
            "Left out, each row is a RECORD message, for any target.",
        ),
        th.Property(
            "doubtful_rows",
            th.StringType,
            description="JSON file with the ids of rows, by stream, that are stored and that the state does not stand "
            "for: a run was killed between the two. They are sent again, or told as removed.",
        ),
        th.Property(
            "start_date",
            th.DateTimeType,
            description="Leave out what belongs to events that ended before this.",
        ),
        th.Property(
            "request_timeout", th.NumberType, default=60, description="Seconds to wait for an answer to begin or go on."
        ),
        th.Property("max_tries", th.IntegerType, default=6, description="Tries of one call before its stream stops."),
        th.Property(
            "backoff_base",
            th.NumberType,
            default=1,
            description="Seconds of the longest first pause between tries; doubles with each.",
        ),
    ]


class HubTap(Tap):
    """A tap whose rows carry the timing partner, and whose streams fail alone."""

    # The provider as it is called in error lines.
    provider: ClassVar[str] = ""
    # In the order in which they are read.
    stream_types: ClassVar[tuple[type[HubStream], ...]] = ()
    calls_at_once: ClassVar[int] = 2
    # BATCH and ACTIVATE_VERSION are left out: both would let state overtake records, or hide rows
    # that were not read again because they cannot have changed.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer_class = HubWriter
    clock: Callable[[], datetime] = staticmethod(utc_now)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Read and check the settings; nothing is called yet."""
        self.failures: list[str] = []
        self.run_is_over = False
        self._isolating = False
        self._client: Client | None = None
        self._ahead: Ahead | None = None
        # Where rows are handed over as files; None where each is a message.
        self.pages: Pages | None = None
        super().__init__(*args, **kwargs)
        if isinstance(self.message_writer, HubWriter):
            self._state_writer = states = SeldomStateWriter(self.message_writer)
            if self.config.get("pages_dir"):
                from tap_shared.pages import Pages

                self.pages = Pages(Path(self.config["pages_dir"]), self.message_writer)
                states.before = self.pages.flush
        redact.conceal(str(self.config.get(name) or "") for name in self.secret_settings())
        redact.guard_logging()
        if self.config.get("doubtful_rows"):
            # Once the state is there.
            for name, rows in json.loads(Path(self.config["doubtful_rows"]).read_bytes()).items():
                cast("HubStream", self.streams[name]).take_doubtful(rows)

    # --- what a provider defines -------------------------------------------------------------------

    def new_client(self, **common: Any) -> Client:
        """Return the provider's client; override it."""
        raise NotImplementedError

    def credential(self) -> str:
        """Return what the provider counts calls by; it is hashed before it is used as a name."""
        raise NotImplementedError

    def settings_errors(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the settings beyond their types, each beginning with a setting's name."""
        yield from ()

    def load_state(self, state: dict[str, Any]) -> None:
        """Take a copy of the state: the caller's must not change while the tap runs."""
        super().load_state(copy.deepcopy(state))

    # --- settings ----------------------------------------------------------------------------------

    @classmethod
    def secret_settings(cls) -> list[str]:
        """Return the names of the settings that are secrets."""
        return [name for name, kind in cls.config_jsonschema["properties"].items() if kind.get("secret")]

    @property
    def timing_partner_id(self) -> int:
        """Return whose account is read."""
        return self.config["timing_partner_id"]

    @property
    def run_id(self) -> str | None:
        """Return the run's name, where it has one."""
        return self.config.get("run_id") or None

    @property
    def read_everything(self) -> bool:
        """Tell whether bookmarks and settledness are to be ignored."""
        return bool(self.config.get("read_everything"))

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """Return the settings of the environment, or name the one that is no number."""
        schema = cls.config_jsonschema
        cls.append_builtin_config(schema)
        errors = []
        for name, kind in schema["properties"].items():
            variable = f"{cls._env_var_prefix}{name.upper()}"
            text = os.environ.get(variable)
            if text is not None and "integer" in kind.get("type", ()) and not text.strip().lstrip("-").isdecimal():
                errors.append(f"setting {name} ({variable}) must be a whole number")
        if errors:
            told = [f"STOPPED {cls.provider}: {error}" for error in errors]
            raise ConfigValidationError("Config validation failed", errors=told, schema={})
        return parse_environment_config(schema, cls._env_var_prefix)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings; errors name the setting and never show its value."""
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = []
        for name, kind in schema["properties"].items():
            if self._config.get(name) is None:
                # Meltano hands over unset settings as null.
                self._config.pop(name, None)
                if "default" in kind:
                    self._config[name] = kind["default"]
            value = self._config.get(name)
            types = kind.get("type", ())
            if isinstance(value, str) and "number" in types:
                try:
                    self._config[name] = value = float(value)
                except ValueError:
                    errors.append(f"setting {name} must be a number")
                    continue
            variable = f"{self._env_var_prefix}{name.upper()}"
            if name in schema.get("required", ()) and (value is None or value == ""):
                errors.append(f"setting {name} is missing (environment: {variable})")
            elif value is not None and not _fits(value, types):
                errors.append(f"setting {name} must be {_called(types)}")
        if not errors:
            errors += [f"setting {told}" for told in self._common_errors()]
            errors += [f"setting {told}" for told in self.settings_errors(self._config)]
        if errors and raise_errors:
            partner = self._config.get("timing_partner_id", "unknown")
            told = [f"STOPPED {self.provider}, partner {partner}: {error}" for error in errors]
            raise ConfigValidationError("Config validation failed", errors=told, schema={})
        return errors

    def _common_errors(self) -> Iterator[str]:
        config = self._config
        if config["timing_partner_id"] <= 0:
            yield "timing_partner_id must be positive"
        if not str(config.get("api_url") or "").startswith(("http://", "https://")):
            yield "api_url must begin with https:// or http://"
        for name in ("max_tries", "request_timeout"):
            if config[name] <= 0:
                yield f"{name} must be positive"
        for name in ("calls_per_hour", "settle_days", "backoff_base", "budget_max_wait"):
            if config[name] < 0:
                yield f"{name} must not be negative"
        if config.get("start_date"):
            try:
                from_text(config["start_date"])
            except ValueError:
                yield "start_date must be a date such as 2025-01-31"

    # --- the run -----------------------------------------------------------------------------------

    def discover_streams(self) -> Sequence[HubStream]:
        """Return the streams: the three side streams, then the provider's."""
        self.reads, self.rejects, self.removals = Reads(self), Rejects(self), Removals(self)
        return [self.reads, self.rejects, self.removals, *(kind(self) for kind in self.stream_types)]

    @property
    def streams(self) -> dict[str, Stream]:
        """Return the streams in the order in which they are read: the side streams' schemas come first."""
        if self._streams is None:
            found = super().streams
            order = ["reads", "rejects", "removals", *(kind.name for kind in self.stream_types)]
            self._streams = {name: found[name] for name in order}
        return self._streams

    @property
    def client(self) -> Client:
        """Return the provider's client, made at the first need."""
        if self._client is None:
            config = self.config
            self._client = self.new_client(
                api_url=config["api_url"],
                timing_partner_id=self.timing_partner_id,
                budget=Budget(
                    f"{self.provider} {config['api_url']} {self.credential()}",
                    config["calls_per_hour"],
                    in_flight=self.calls_at_once,
                    folder=config.get("budget_dir") or None,
                    max_wait=config["budget_max_wait"],
                ),
                limits=Limits(config["request_timeout"], config["max_tries"], config["backoff_base"]),
                clock=self.clock,
                user_agent=f"project88hub {self.name}",
            )
        return self._client

    @property
    def ahead(self) -> Ahead:
        """Return the threads for calls, made at the first need."""
        if self._ahead is None:
            self._ahead = Ahead(self.calls_at_once)
        return self._ahead

    def where(self, stream: str = "") -> str:
        """Return who and what a line is about."""
        told = f"{self.provider}, partner {self.timing_partner_id}"
        return f"{told}, stream {stream}" if stream else told

    def now(self) -> datetime:
        """Return the provider's clock where it told it, else ours."""
        known = self._client.provider_now if self._client else None
        return known or self.clock()

    def is_over(self, ends_at: datetime | None) -> bool:
        """Tell whether an event ended so long ago that it no longer changes; False where the end is unknown."""
        return ends_at is not None and self.now() - ends_at > timedelta(days=self.config["settle_days"])

    def is_wanted(self, ends_at: datetime | None) -> bool:
        """Tell whether setting start_date lets an event in."""
        start = self.config.get("start_date")
        return not start or ends_at is None or ends_at >= from_text(start)

    def fail(self, stream: HubStream, error: Exception) -> bool:
        """Log one line about a stream that stopped; False when the error is to be raised instead."""
        if isinstance(error, TapError):
            stream.totals.calls += error.calls
            line = redact(str(error))
        else:
            told = redact(f"{type(error).__name__}: {error}").replace("\n", " ")
            line = f"{self.where(stream.name)}: unexpected {told}: this is a fault of the tap, please report it"
        if isinstance(error, StreamStopped):
            # What never worked will not work for the next stream either.
            refused = isinstance(error, CredentialsRefused) and not self.client.accepted
            self.run_is_over = self.run_is_over or refused or error.ends_the_run
        if not self._isolating:
            return False
        self.failures.append(line)
        # The word is what the application looks for in the log of a run.
        self.logger.error("STOPPED %s", line)
        return True

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK; how a run ends is ours
        """Read all selected streams; raise TapFailed at the end when some stopped."""
        self._isolating = True
        try:
            super().sync_all()
        finally:
            self._isolating = False
            self.close()
            # Always at the end, and also after Ctrl-C: what is committed is durable once written.
            if not isinstance(sys.exception(), BrokenPipeError):
                self._write_last_state()
        if self.failures:
            others = f" (and {len(self.failures) - 1} more, see above)" if len(self.failures) > 1 else ""
            raise TapFailed(f"{len(self.failures)} of {len(self.streams)} streams stopped: {self.failures[0]}{others}")

    def _write_last_state(self) -> None:
        if isinstance(self._state_writer, SeldomStateWriter):
            self._state_writer.write_state(self.state, now=True)
        else:
            self._state_writer.write_state(self.state)

    def close(self) -> None:
        """Let go of connections and threads."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _handle_termination(self, signum: int, frame: Any) -> None:
        """Stop at a line's end; `sync_all` then writes the state."""
        writer = self.message_writer
        if isinstance(writer, HubWriter):
            writer.stop(signum)
        else:
            raise Stopped(signum)

    # --- the command -------------------------------------------------------------------------------

    @classmethod
    def invoke(cls, **kwargs: Any) -> None:
        """Run the command; whatever goes wrong is one line."""
        write_lines_whole()
        # Records make many objects and no cycles among them: looking for those at Python's usual rate takes a third of
        # a tap's time.
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        try:
            super().invoke(**kwargs)
        except TapError as error:
            cls.logger.error("%s", redact(str(error)))
            sys.exit(1)
        except BrokenPipeError:
            cls.logger.error("the loader ended before the tap: see its own messages")
            # Or Python would try to flush into the closed pipe once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except Stopped as stopped:
            cls.logger.warning("stopped; the next run goes on from the state that was written")
            logging.shutdown()
            sys.stdout.flush()
            # Not sys.exit: it would wait for calls that are still in flight.
            os._exit(128 + stopped.signum)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Read one record of each stream; a failure is one line."""
        try:
            super().cb_test(ctx, param, value)
        except TapError as error:
            cls.logger.error("%s", redact(str(error)))
            ctx.exit(1)


def _fits(value: Any, types: Iterable[str]) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "object": (dict,),
        "array": (list, tuple),
    }
    if isinstance(value, bool):
        return "boolean" in types
    return any(isinstance(value, kinds.get(kind, ())) for kind in types)


def _called(types: Iterable[str]) -> str:
    names = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}
    return " or ".join(names.get(kind, kind) for kind in types if kind != "null")
