"""The loader: a Singer target that behaves like target-postgres, and is faster and exact."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg import errors
from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities
from singer_sdk.mapper import SameRecordTransform
from target_postgres.target import TargetPostgres

from target_hub.connector import HubConnector
from target_hub.pages import FORMAT, Page
from target_hub.reader import HubReader
from target_hub.sink import HubSink, as_records, documents_of

if TYPE_CHECKING:
    from types import FrameType

# Bytes of page files after which they are committed. A tap lets a few times as many wait.
BATCH_BYTES = 24 << 20
# A state is not kept waiting for longer than this.
STATE_S = 5.0
# Errors after which the same batch may well succeed: another load wrote the same rows at the same time.
PASSING = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation, errors.LockNotAvailable)
# Errors after which the batch is looked at value by value: a NUL, a number too large for its column.
DOUBTFUL = (errors.CharacterNotInRepertoire, errors.UntranslatableCharacter, errors.NumericValueOutOfRange)
TRIES = 6
# gc's thresholds: records and columns make no cycles.
GARBAGE = (100_000, 20, 20)


class LoadFailed(Exception):  # noqa: N818 - the line for the person
    """Loading cannot go on; the text is the whole story."""


class TargetHub(TargetPostgres):
    """Loads RECORD messages of any tap, and page files of ours."""

    name = "target-hub"
    package_name = "target-hub"
    default_sink_class = HubSink
    message_reader_class = HubReader
    _latest_state: dict[str, Any] | None
    _sinks_to_clear: list[HubSink]
    capabilities: list[CapabilitiesEnum] = [*TargetPostgres.capabilities, PluginCapabilities.BATCH]  # noqa: RUF012
    config_jsonschema = {  # noqa: RUF012 - as the SDK has it
        **TargetPostgres.config_jsonschema,
        "properties": {
            **TargetPostgres.config_jsonschema["properties"],
            **th.PropertiesList(
                th.Property(
                    "reading_columns",
                    th.ArrayType(th.StringType),
                    default=[],
                    description=(
                        "Columns that say when and by what a row was read. A row in which nothing else differs has "
                        "not changed, and is not written."
                    ),
                ),
                th.Property(
                    "always_written",
                    th.ArrayType(th.StringType),
                    default=[],
                    description="Streams in which reading_columns count like any other.",
                ),
                th.Property(
                    "stamp_states",
                    th.BooleanType,
                    default=False,
                    description=(
                        "Add loaded_before_xid to each state: what was loaded before it is in transactions below that "
                        "number, what comes after it in others."
                    ),
                ),
            ).to_dict()["properties"],
        },
    }

    def __init__(self, *args: Any, **more: Any) -> None:
        """Read the settings; the database is not called yet."""
        self.stopping: int | None = None
        # Set while a batch is tried again after its values were refused.
        self.doubtful = False
        self._connection: psycopg.Connection[Any] | None = None
        self._waiting_bytes = 0
        self._rows_since_state = False
        self._committed_at = time.monotonic()
        super().__init__(*args, **more)
        if isinstance(self.message_reader, HubReader):
            self.message_reader.on_pause = self._on_pause
            self.message_reader.is_over = lambda: self.stopping is not None

    # --- messages ----------------------------------------------------------------------------------

    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        # Before: the row may be the one that fills a batch.
        self._rows_since_state = True
        super()._process_record_message(message_dict)
        if self._latest_state is not None and time.monotonic() - self._committed_at > STATE_S:
            self.drain_all()

    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        self._rows_since_state = True
        if message_dict["encoding"].get("format") != FORMAT:
            self.drain_all()
            super()._process_batch_message(message_dict)
            return
        stream = message_dict["stream"]
        self._assert_sink_exists(stream)
        sink = cast("HubSink", self._sinks_active[stream])
        for address in message_dict["manifest"]:
            page = Page.of(address)
            if not self._takes_pages(stream, sink):
                documents = documents_of(self.mapper.stream_maps[stream][0].raw_schema)
                for record in as_records(page.read(), documents):
                    self._process_record_message({"type": "RECORD", "stream": stream, "record": record})
                page.drop()
                continue
            if sink.records:
                # In the order in which they came: the last one of a key counts.
                self.drain_all()
            sink.add_page(page)
            self._waiting_bytes += page.size
        if self._waiting_bytes >= BATCH_BYTES:
            self.drain_all()

    def _takes_pages(self, stream: str, sink: HubSink) -> bool:
        maps = self.mapper.stream_maps[stream]
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and not sink.include_sdc_metadata_properties
        )

    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        self.drain_all()
        super()._process_activate_version_message(message_dict)

    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        super()._process_state_message(message_dict)
        self._rows_since_state = False
        if self._waiting_bytes or not self._has_rows() or time.monotonic() - self._committed_at > STATE_S:
            self.drain_all()

    def _has_rows(self) -> bool:
        return any(sink.current_size for sink in self._sinks())

    def _on_pause(self, waited: float) -> None:
        """Commit what is there when nothing comes: the tap may be waiting for its pages to go away."""
        if self._waiting_bytes or (waited > 1 and time.monotonic() - self._committed_at > STATE_S and self._has_rows()):
            self.drain_all()

    # --- committing --------------------------------------------------------------------------------

    def _sinks(self) -> list[HubSink]:
        return cast("list[HubSink]", [*self._sinks_to_clear, *self._sinks_active.values()])

    def drain_one(self, sink: Any) -> None:
        """Commit all streams: a state may stand for rows of any of them."""
        if sink.current_size:
            self.drain_all()

    def drain_all(self, *, is_endofpipe: bool = False) -> None:
        """Commit what waits, all streams in one transaction, then pass on the state."""
        # What tells of the others comes last, and tables in one order, so that two loads cannot wait for each other.
        always = self.config["always_written"]
        sinks = sorted(
            (sink for sink in self._sinks() if sink.current_size),
            key=lambda sink: (sink.stream_name in always, sink.stream_name),
        )
        stamping = self._latest_state is not None and self.config["stamp_states"]
        # A state does not stand for rows that came after it, and they are committed together.
        stamp = self._next_transaction() if stamping and self._rows_since_state else None
        if sinks:
            self._commit(sinks)
        self._waiting_bytes = 0
        self._committed_at = time.monotonic()
        if is_endofpipe:
            for sink in self._sinks():
                sink.clean_up()
        self._sinks_to_clear = []
        if self._latest_state is not None:
            if stamping:
                self._latest_state |= {"loaded_before_xid": stamp or self._next_transaction()}
            self._write_state_message(self._latest_state)
            self._latest_state = None
        self._reset_max_record_age()

    def _next_transaction(self) -> int | None:
        """Return a number that transactions from now on reach, and earlier ones of ours do not."""
        with self.transaction() as connection:
            row = connection.execute("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
        return row[0] if row else None

    def _commit(self, sinks: list[HubSink]) -> None:
        for left in reversed(range(TRIES)):
            try:
                with self.transaction() as connection:
                    for sink in sinks:
                        sink.load(connection)
                break
            except PASSING:
                if not left:
                    raise
                time.sleep(0.05 * (TRIES - left))
            except DOUBTFUL:
                if self.doubtful:
                    raise
                self.doubtful = True
        self.doubtful = False
        for sink in sinks:
            sink.loaded()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Give the connection, in a transaction that ends with the block."""
        if self._connection is None:
            connector = cast("HubConnector", self.target_connector)
            engine = connector._engine
            args, options = engine.dialect.create_connect_args(engine.url)
            # Beside the pool of SQLAlchemy, which would look after it.
            self._connection = psycopg.connect(*args, **options, autocommit=True)
            # A batch meets a table by its key: a plan that reads the whole table is never the better one for long.
            self._connection.execute(
                "set timezone to 'UTC'; set jit to off; set enable_hashjoin to off; set enable_mergejoin to off"
            )
        with self._connection.transaction():
            yield self._connection

    # --- the end -----------------------------------------------------------------------------------

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End after the message at hand; what was read is committed."""
        self.stopping = signum

    def process_endofpipe(self) -> None:
        """Commit the rest."""
        super().process_endofpipe()
        if self._connection is not None:
            self._connection.close()

    @classmethod
    def invoke(cls, **more: Any) -> None:
        """Run the command; what the database will not do is one line."""
        write_lines_whole()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        try:
            super().invoke(**more)
        except Exception as error:
            if (told := reason(error)) is None:
                raise
            logging.getLogger(cls.name).error("STOPPED %s: %s", cls.name, told)
            sys.exit(1)


def write_lines_whole() -> None:
    """Have standard output write all that it is given.

    Without a buffer (PYTHONUNBUFFERED) a signal that comes while a state is written cuts it short, and nobody is told.
    """
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        sys.stdout = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="\n", closefd=False)  # noqa: SIM115


def reason(error: BaseException) -> str | None:
    """Return one line about an error of the database or the disk, and None about any other."""
    while error.__cause__ is not None and not isinstance(error, (psycopg.Error, OSError)):
        error = error.__cause__
    after = "what was not committed is loaded by the next run"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if isinstance(error, errors.DiskFull) or (isinstance(error, OSError) and error.errno == 28):
        return f"no space left ({lines[0]}): free some and run again; {after}"
    if isinstance(error, psycopg.OperationalError):
        return f"the connection to the database is lost or refused ({lines[0]}): run again once it answers; {after}"
    if isinstance(error, psycopg.Error):
        return f"the database refuses the rows ({lines[0]}); {after}"
    return None
