"""The table that a stream is loaded into: its columns as the database has them, and the statements of a load."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, LiteralString

from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Cursor

# Counts the rows of a batch: where a key comes twice, the last one counts.
NUMBER = "_hub_number"
NO_ZONE = "timestamp without time zone"
# Types without an equality of their own are compared as text.
WITHOUT_EQUALITY = frozenset({"json", "xml", "point", "polygon"})
_numbers = itertools.count(1)
# Keys looked up to tell rows that come again from rows that are new.
SAMPLE = 16


@dataclass(frozen=True)
class Table:
    """One table, the columns that a stream fills, its key and which columns alone are no change."""

    schema: str | None
    name: str
    # Name and type of each column that the stream fills.
    columns: dict[str, str]
    keys: tuple[str, ...]
    reading: frozenset[str] = frozenset()
    staging_name: str = field(default_factory=lambda: f"hub_staging_{next(_numbers)}")

    @property
    def target(self) -> sql.Identifier:
        """Return the table's name in SQL."""
        return sql.Identifier(self.schema, self.name) if self.schema else sql.Identifier(self.name)

    @property
    def staging(self) -> sql.Identifier:
        """Return the name of the temporary table beside it."""
        return sql.Identifier("pg_temp", self.staging_name)

    @property
    def keeps_zones(self) -> bool:
        """Tell whether every column takes what is sent as it is."""
        return NO_ZONE not in self.columns.values()

    def _list(self, prefix: str | None = None, names: Collection[str] | None = None) -> sql.Composed:
        chosen = self.columns if names is None else names
        return sql.SQL(", ").join(sql.Identifier(prefix, n) if prefix else sql.Identifier(n) for n in chosen)

    def make_staging(self) -> sql.Composed:
        """Return the statement that makes the temporary table, empty again after each transaction."""
        # An instant with an offset, into a column without a zone, would lose it: it becomes UTC on the way.
        definitions = [
            sql.SQL("{} {}").format(
                sql.Identifier(name),
                sql.SQL("timestamptz" if kind == NO_ZONE else kind),
            )
            for name, kind in self.columns.items()
        ]
        return sql.SQL("create temporary table if not exists {} ({}, {} bigint) on commit delete rows").format(
            sql.Identifier(self.staging_name), sql.SQL(", ").join(definitions), sql.Identifier(NUMBER)
        )

    def copy(self, names: Sequence[str], *, staging: bool, form: Literal["text", "csv", "binary"]) -> sql.Composed:
        """Return the COPY of the given columns, in their order."""
        return sql.SQL("copy {} ({}) from stdin (format {})").format(
            self.staging if staging else self.target, self._list(names=names), sql.SQL(form)
        )

    def _values(self) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.SQL("b.{0} at time zone 'UTC' as {0}").format(sql.Identifier(name))
            if kind == NO_ZONE
            else sql.SQL("b.{}").format(sql.Identifier(name))
            for name, kind in self.columns.items()
        )

    def merge(self, *, repeated: bool) -> sql.Composed:
        """Return the upsert from the temporary table.

        A row whose facts are all as stored is not even locked: it never comes to the conflict. The condition stands
        there as well, for what another load wrote in between. In order of the key, so that two loads of the same rows
        wait for each other and never both.
        """
        batch = sql.SQL("select {}, b.{} from {} as b").format(self._values(), sql.Identifier(NUMBER), self.staging)
        if not self.keys:
            return sql.SQL("insert into {} ({}) select {} from ({}) as b order by b.{}").format(
                self.target, self._list(), self._list("b"), batch, sql.Identifier(NUMBER)
            )
        if repeated:
            batch = sql.SQL("select distinct on ({}) * from ({}) as b order by {}, b.{} desc").format(
                self._list("b", self.keys), batch, self._list("b", self.keys), sql.Identifier(NUMBER)
            )
        others = [name for name in self.columns if name not in self.keys]
        facts = [name for name in others if name not in self.reading]
        same_key = sql.SQL(" and ").join(sql.SQL("t.{0} = b.{0}").format(sql.Identifier(key)) for key in self.keys)
        same = sql.SQL(" and ").join(self._compared(name, "b", "is not") for name in facts)
        insert = sql.SQL(
            "insert into {target} as t ({columns}) select {values} from ({batch}) as b "
            "where not exists (select from {target} as t where {same_key}{same}) order by {keys} "
            "on conflict ({plain_keys}) do "
        ).format(
            target=self.target,
            columns=self._list(),
            values=self._list("b"),
            batch=batch,
            same_key=same_key,
            same=sql.SQL(" and {}").format(same) if facts else sql.SQL(""),
            keys=self._list("b", self.keys),
            plain_keys=self._list(names=self.keys),
        )
        if not facts:
            return insert + sql.SQL("nothing")
        return insert + sql.SQL("update set {} where {}").format(
            sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others),
            sql.SQL(" or ").join(self._compared(name, "excluded", "is") for name in facts),
        )

    def _compared(self, name: str, other: str, how: LiteralString) -> sql.Composed:
        cast = sql.SQL("::text" if self.columns[name] in WITHOUT_EQUALITY else "")
        ours, theirs = sql.Identifier("t", name), sql.Identifier(other, name)
        return sql.SQL("{}{} {} distinct from {}{}").format(ours, cast, sql.SQL(how), theirs, cast)

    def known(self, cursor: Cursor[Any], sample: Sequence[Sequence[Any]]) -> bool:
        """Tell whether any of a few rows of a batch is in the table already."""
        # As text, with the column's own type beside it: no guess of a parameter's type.
        typed = sql.SQL("({})").format(
            sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.SQL(self.columns[key])) for key in self.keys)
        )
        question = sql.SQL("select exists (select from {} where ({}) in ({}))").format(
            self.target, self._list(names=self.keys), sql.SQL(", ").join([typed] * len(sample))
        )
        found = cursor.execute(question, [str(value) for values in sample for value in values]).fetchone()
        return bool(found and found[0])


def columns_of(cursor: Cursor[Any], schema: str | None, name: str) -> dict[str, str]:
    """Return name and type of each column of a table."""
    cursor.execute(
        """
        select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute as a
        where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
        order by a.attnum
        """,
        [(sql.Identifier(schema, name) if schema else sql.Identifier(name)).as_string(cursor)],
    )
    return dict(cursor.fetchall())
