"""A season of published rows to read, at any size, made by SQL: no provider, tap or dbt takes part."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from project88 import db, published
from project88.db.schema import ensure_hub
from project88.legacy import ensure_legacy_views
from project88.tenancy import ensure_tenancy
from sandbox import names

SEASON = Path(__file__).with_name("reading") / "season" / "season.sql"


@dataclass(frozen=True)
class Size:
    """How much a made season holds."""

    partners: int = 13
    events: int = 13_819
    runsignup_events: int = 937
    participants: int = 2_420_628
    runsignup_participants: int = 38_362
    largest: int = 60_000
    results: int = 2_400_000

    def times(self, scale: float) -> Size:
        """Return a season of that share of everything but partners."""
        return Size(self.partners, *(max(1, round(n * scale)) for n in astuple(self)[1:]))


SURNAMES = (
    "Smith", "Johnson", "Williams", "Brown", "Jones", "Garcia", "Miller", "Davis", "Rodriguez", "Martinez",
    "Hernandez", "Lopez", "Lee", "Smithers", "Smith-Jones", "O'Brien", "Müller",
    *names.LAST,
)  # fmt: skip
FEMALE, MALE = ([first for first, _ in names.FEMALE], [first for first, _ in names.MALE])
SYLLABLES = ("ba", "ber", "bro", "car", "da", "del", "fa", "gar", "ha", "hol", "ja", "kin", "la", "mer", "nor", "sha")
NAME_SLOTS = 100_000


def name_slots(chance: random.Random) -> Iterator[tuple[int, str, str, str]]:
    """Yield names as often as they are met: a third has one of the known names, by rank; a long tail has the rest."""
    ranks = [1 / (1 + rank) ** 0.8 for rank in range(len(SURNAMES))]
    for slot in range(1, NAME_SLOTS + 1):
        if chance.random() < 0.33:
            last = chance.choices(SURNAMES, ranks)[0]
        else:
            last = "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))).capitalize()
        gender, given = ("F", FEMALE) if chance.random() < 0.5 else ("M", MALE)
        yield slot, given[int(len(given) * chance.random() ** 2)], gender, last


def prepare(dsn: str) -> None:
    """Make the hub, the published relations, the older system's views and the roles of the partners there are."""
    connection = db.connect(dsn)
    ensure_hub(connection)
    with connection:
        published.ensure_published(connection)
        ensure_legacy_views(connection)
        ensure_tenancy(connection)
    connection.close()


def make(dsn: str, size: Size, tell: Callable[[str], object] = lambda line: None) -> None:
    """Fill an empty hub with a season; indexes are made afterwards, and what each takes is told."""
    prepare(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        if connection.execute("select exists (select from unified.unified_events)").fetchone() == (True,):
            raise SystemExit("there are published rows already: --make needs a hub of its own (another P88_HOME)")
        connection.execute("set synchronous_commit = off")
        with _timed(tell, "rows"), connection.transaction():
            indexes = _index_definitions(connection)
            for name in indexes:
                connection.execute(sql.SQL("drop index {}").format(sql.Identifier("unified", name)))
            connection.execute(
                "create temporary table name_slots (slot integer, first_name text, gender text, last_name text)"
            )
            with connection.cursor().copy("copy name_slots from stdin") as copy:
                for row in name_slots(random.Random(88)):  # noqa: S311 - repeatable, not secret
                    copy.write_row(row)
            for statement in _statements(SEASON.read_text(encoding="utf-8")):
                # psycopg takes % for its own only where there are parameters.
                with psycopg.ClientCursor(connection) as cursor:
                    cursor.execute(statement, asdict(size))
        for name, definition in indexes.items():
            with _timed(tell, name):
                connection.execute(definition)
        with _timed(tell, "vacuum and statistics"):
            for relation in published.RELATIONS:
                connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier("unified", relation)))
    # Again: the partners are there now.
    prepare(dsn)


def _index_definitions(connection: psycopg.Connection) -> dict[str, str]:
    """Return the statements of the indexes that are no key, by name."""
    found = connection.execute(
        """
        select c.relname, pg_get_indexdef(i.indexrelid)
        from pg_index as i
        inner join pg_class as c on i.indexrelid = c.oid
        where c.relnamespace = 'unified'::regnamespace and not i.indisprimary
        order by 1
        """
    )
    return dict(found.fetchall())


def _statements(text: str) -> list[str]:
    return [statement for statement in re.split(r";\s*\n", text) if statement.strip()]


@contextmanager
def _timed(tell: Callable[[str], object], what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    tell(f"{what}: {time.perf_counter() - began:.1f} s")
