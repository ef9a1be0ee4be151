"""One stream on its way into its table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import orjson
import pyarrow as pa
from psycopg import errors, sql
from sqlalchemy.types import Numeric
from target_postgres.sinks import PostgresSink

from target_hub import binary, pages
from target_hub.connector import LARGEST, HubConnector
from target_hub.table import NUMBER, Table, columns_of

if TYPE_CHECKING:
    from psycopg import Connection

    from target_hub.target import TargetHub

# After rows turned out to be there, so many batches are compared before copying straight in is tried again.
STRAIGHT_AGAIN = 10
WHOLE = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": LARGEST}


class HubSink(PostgresSink):
    """Makes the table as target-postgres does, and loads it by COPY and one guarded upsert."""

    connector_class = HubConnector

    def __init__(self, target: TargetHub, *args: Any, **more: Any) -> None:
        """Begin with nothing to load."""
        super().__init__(target, *args, **more)
        self._hub = target
        self.pages: list[pages.Page] = []
        self._table: Table | None = None
        self._compare = 0

    # --- what is waiting ---------------------------------------------------------------------------

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the records that wait to be loaded."""
        return (self._pending_batch or {}).get("records", [])

    def add_page(self, page: pages.Page) -> None:
        """Keep a page until the next commit."""
        self.pages.append(page)
        self.tally_record_read(page.rows)
        self.record_counter_metric.increment(page.rows)

    def loaded(self) -> None:
        """Forget what is committed."""
        for page in self.pages:
            page.drop()
        self.pages.clear()
        self.start_drain()
        self.mark_drained()

    # --- loading -----------------------------------------------------------------------------------

    def process_batch(self, context: dict[str, Any]) -> None:
        """Load the records of a batch file of another tap, in a transaction of its own."""
        with self._hub.transaction() as connection:
            self._load_records(connection, context["records"])

    def load(self, connection: Connection[Any]) -> None:
        """Bring in what waits; the caller commits."""
        if self.records:
            self._load_records(connection, self.records)
        if self.pages:
            self._load_pages(connection)

    def table(self, connection: Connection[Any]) -> Table:
        """Return the table as it is in the database."""
        if self._table is None:
            with connection.cursor() as cursor:
                found = columns_of(cursor, self.schema_name, self.table_name)
            reading = () if self.stream_name in self.config["always_written"] else self.config["reading_columns"]
            self._table = Table(
                self.schema_name,
                self.table_name,
                {name: found[name] for name in self.schema["properties"]},
                tuple(self.key_properties),
                frozenset(reading),
            )
        return self._table

    def _load_pages(self, connection: Connection[Any]) -> None:
        table = self.table(connection)
        tables = [page.read() for page in self.pages]
        repeated = bool(table.keys) and pages.is_repeated(tables, table.keys)
        kinds = {**table.columns, NUMBER: "bigint"}

        def copy_all(*, staging: bool) -> None:
            number = 0
            for content in tables:
                rows = self._in_form(content)
                if repeated and staging:
                    rows, number = pages.numbered(rows, number, NUMBER), number + rows.num_rows
                typed = binary.prepared(rows, kinds)
                pieces = pages.as_csv(rows) if typed is None else binary.as_binary(typed, kinds)
                statement = table.copy(rows.column_names, staging=staging, form="csv" if typed is None else "binary")
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for piece in pieces:
                        copy.write(piece)

        self._bring_in(connection, table, copy_all, pages.sample(tables, table.keys) if table.keys else [], repeated)

    def _in_form(self, content: pa.Table) -> pa.Table:
        return pages.storable(content, self._documents()) if self._hub.doubtful else content

    def _documents(self) -> list[str]:
        assert self._table is not None
        return [name for name, kind in self._table.columns.items() if kind in {"json", "jsonb"}]

    def _load_records(self, connection: Connection[Any], records: Sequence[dict[str, Any]]) -> None:
        table = self.table(connection)
        if table.keys:
            # The last one counts.
            records = list({tuple(record[key] for key in table.keys): record for record in records}.values())
        if self._hub.doubtful:
            self._widen(connection, table, records)
            table = self.table(connection)
        columns = self.column_representation(self.schema)
        # Of numbers it would make floats, which hold 17 digits.
        processors = [
            None if isinstance(column.type, Numeric) else column.type.bind_processor(self.connector._engine.dialect)
            for column in columns
        ]
        names = [column.name for column in columns]

        def rows() -> Iterator[list[Any]]:
            for record in records:
                values = [clean(record.get(name)) for name in names]
                yield [
                    value if process is None else process(value)
                    for value, process in zip(values, processors, strict=True)
                ]

        def copy_all(*, staging: bool) -> None:
            with connection.cursor() as cursor, cursor.copy(table.copy(names, staging=staging, form="text")) as copy:
                for row in rows():
                    copy.write_row(row)

        # A look at the table costs as much as a few rows.
        some = records[:: max(len(records) // 16, 1)] if len(records) > STRAIGHT_AGAIN else []
        known = [tuple(record[key] for key in table.keys) for record in some]
        self._bring_in(connection, table, copy_all, known if table.keys else [], repeated=False)

    def _bring_in(
        self,
        connection: Connection[Any],
        table: Table,
        copy_all: Any,
        some_keys: Sequence[Sequence[Any]],
        repeated: bool,
    ) -> None:
        """Copy rows straight into the table where none of them seems to be there, else compare them with it."""
        with connection.cursor() as cursor:
            straight = table.keeps_zones and not repeated and (not table.keys or bool(some_keys))
            if straight and table.keys:
                self._compare = max(self._compare - 1, 0)
                straight = self._compare == 0 and not table.known(cursor, some_keys)
            if straight:
                try:
                    with connection.transaction():
                        copy_all(staging=False)
                except errors.UniqueViolation:
                    self._compare = STRAIGHT_AGAIN
                else:
                    return
            cursor.execute(table.make_staging())
            copy_all(staging=True)
            cursor.execute(table.merge(repeated=repeated))

    def _widen(self, connection: Connection[Any], table: Table, records: Sequence[Mapping[str, Any]]) -> None:
        """Make columns numeric that hold whole numbers too large for their type."""
        narrow = {name: WHOLE[kind] for name, kind in table.columns.items() if kind in WHOLE}
        wide = [
            name
            for name, largest in narrow.items()
            if any(type(r.get(name)) is int and not -largest <= cast("int", r[name]) <= largest for r in records)
        ]
        for name in wide:
            self.logger.warning("column %s holds a number beyond %s: it becomes numeric", name, table.columns[name])
            connection.execute(
                sql.SQL("alter table {} alter column {} type numeric").format(table.target, sql.Identifier(name))
            )
        if wide:
            self._table = None


def clean(value: Any, *, inside: bool = False) -> Any:
    """Return a value that Postgres can store: without NUL, half surrogate pairs, and NaN inside a document."""
    if type(value) is str:
        if "\0" in value:
            value = value.replace("\0", "\ufffd")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if type(value) is dict:
        return {clean(key): clean(item, inside=True) for key, item in value.items()}
    if type(value) is list:
        return [clean(item, inside=True) for item in value]
    if inside and type(value) is float and not math.isfinite(value):
        return None
    return value


def documents_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the columns of a stream that hold JSON."""
    found = set()
    for name, kind in schema["properties"].items():
        kinds = kind.get("type", ())
        if {"object", "array"} & ({kinds} if isinstance(kinds, str) else set(kinds)):
            found.add(name)
    return found


def as_records(table: pa.Table, documents: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a page as a tap would have sent them one by one."""
    for batch in table.to_batches(max_chunksize=1000):
        for row in batch.to_pylist():
            for name in documents & row.keys():
                row[name] = None if row[name] is None else orjson.loads(row[name])
            for name, value in row.items():
                if hasattr(value, "isoformat"):
                    row[name] = value.isoformat()
            yield row
