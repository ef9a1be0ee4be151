"""How long reading takes at full size, behind row-level security: 200 random draws of each read.

    .venv/bin/python -m benchmarks.reading --make           a season of its own in the hub of P88_HOME, then measured
    .venv/bin/python -m benchmarks.reading --dsn DSN        a hub that is there already (that of `make bench-full`)

The reads are `reading/*.sql`, the plans they get lie beside them. Each draw runs once, as the role of the timing
partner whose rows it is about, through psycopg as any client would: parameters apart from the text, statements
prepared by the driver after some runs, all rows fetched. Other draws before have warmed the caches.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from rich.console import Console

from benchmarks.reading_season import Size, make
from benchmarks.report import machine, replace_section, show, terminal
from project88 import db
from project88.tenancy import Roles, roles

QUERIES = Path(__file__).with_name("reading")
ANALYST = None
PAGE = 100

Row = dict[str, Any]
Draw = tuple[int, dict[str, Any]]
"""A timing partner, and the parameters of a read of its rows."""


# what is read


@dataclass(frozen=True)
class Sample:
    """What draws are made of: random rows, as often as users meet them."""

    entries: list[Row]
    results: list[Row]
    events: list[Row]
    largest_entries: list[Row]
    largest_results: list[Row]
    small_race_results: list[Row]
    chance: random.Random

    def entry(self) -> Row:
        """Return an entry: large events are met more often, and one read in ten is about the largest, on race day."""
        return self.chance.choice(self.largest_entries if self.chance.random() < 0.1 else self.entries)

    def result(self) -> Row:
        """Return a result that has a place, in the same way."""
        return self.chance.choice(self.largest_results if self.chance.random() < 0.1 else self.results)


@dataclass(frozen=True)
class Read:
    """One way of reading: its query, what it may take in 95 of 100 draws, and how it is drawn."""

    name: str
    query: str
    what: str
    draw: Callable[[Sample], Draw]
    limit_ms: float | None = None
    explained: bool = True

    @property
    def text(self) -> str:
        """The query, parameters named as psycopg does."""
        return (QUERIES / f"{self.query}.sql").read_text(encoding="utf-8")


def _start_list(sample: Sample) -> Draw:
    entry = sample.entry()
    is_first = sample.chance.random() < 0.5
    return entry["timing_partner_id"], {
        "event_key": entry["event_key"],
        "after_name": "" if is_first else entry["name_key"],
        "after_id": 0 if is_first else entry["id"],
        "rows": PAGE,
    }


def _whole_start_list(sample: Sample) -> Draw:
    event = sample.chance.choice(sample.events)
    return event["timing_partner_id"], {
        "event_key": event["event_key"], "after_name": "", "after_id": 0, "rows": None,
    }  # fmt: skip


def _results_page(sample: Sample) -> Draw:
    result = sample.result()
    return result["timing_partner_id"], {
        "event_key": result["event_key"],
        "after_place": (result["overall_place"] - 1) // PAGE * PAGE,
        "after_id": 0,
        "rows": PAGE,
    }


def _results_page_of_race(sample: Sample) -> Draw:
    # One in ten is the hard case: a small race among tens of thousands of the same event.
    hard = sample.small_race_results and sample.chance.random() < 0.1
    result = sample.chance.choice(sample.small_race_results) if hard else sample.result()
    return result["timing_partner_id"], {
        "event_key": result["event_key"],
        "race_key": result["race_key"],
        "after_place": (result["overall_place"] - 1) // PAGE * PAGE,
        "after_id": 0,
        "rows": PAGE,
    }


def _bib_in_event(sample: Sample) -> Draw:
    entry = sample.entry()
    return entry["timing_partner_id"], {"event_key": entry["event_key"], "bib_number": entry["bib_number"]}


def _bib_this_week(sample: Sample) -> Draw:
    entry = sample.entry()
    return entry["timing_partner_id"], {
        "bib_number": entry["bib_number"],
        "since": entry["event_date"] - timedelta(days=3),
        "until": entry["event_date"] + timedelta(days=3),
        "rows": PAGE,
    }


def _bib_ever(sample: Sample) -> Draw:
    entry = sample.entry()
    return entry["timing_partner_id"], {
        "bib_number": entry["bib_number"], "since": "-infinity", "until": "infinity", "rows": PAGE,
    }  # fmt: skip


def _history(sample: Sample) -> Draw:
    entry = sample.entry()
    return entry["timing_partner_id"], {"global_participant_id": entry["global_participant_id"]}


def _last_name(sample: Sample) -> Draw:
    entry = sample.entry()
    return entry["timing_partner_id"], {
        "beginning": entry["last_name"][: sample.chance.randint(2, 6)], "after_name": "", "after_id": 0, "rows": PAGE,
    }  # fmt: skip


def _event_list(sample: Sample) -> Draw:
    event = sample.chance.choice(sample.events)
    is_first = sample.chance.random() < 0.5
    return event["timing_partner_id"], {
        "before_date": "infinity" if is_first else event["event_date"],
        "before_key": "" if is_first else event["event_key"],
        "rows": PAGE,
    }


def _whole_event_list(sample: Sample) -> Draw:
    event = sample.chance.choice(sample.events)
    return event["timing_partner_id"], {"before_date": "infinity", "before_key": "", "rows": None}


READS = (
    Read("start list", "start_list", "100 entries by name, half of them from somewhere in the list", _start_list, 20),
    Read("start list, whole", "start_list", "all entries of any event, by name", _whole_start_list, 20, False),
    Read("results page", "results_page", "100 by place, from anywhere in the event", _results_page, 10),
    Read(
        "results page of a race", "results_page_of_race", "100 by place of one race of the event",
        _results_page_of_race, 10,
    ),
    Read("bib in an event", "bib_in_event", "entry and result", _bib_in_event, 5),
    Read("bib with a partner", "bib_in_partner", "in the events of a week", _bib_this_week, 5),
    Read("bib with a partner, ever", "bib_in_partner", "the latest 100 in all its events", _bib_ever, None, False),
    Read("a person's history", "history", "all entries and results", _history, 10),
    Read("search by last name", "last_name", "100 by name, after 2 to 6 letters", _last_name, 30),
    Read("event list", "event_list", "100 events, latest first, half from somewhere in the list", _event_list, 10),
    Read("event list, whole", "event_list", "all events of a partner", _whole_event_list, None, False),
)  # fmt: skip
"""What is measured. Without a limit: nothing was asked for; it tells what a page saves."""


# measuring


@dataclass
class Measured:
    """Milliseconds of a read's draws, and how many rows each gave."""

    read: Read
    milliseconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)

    def within(self, share: float) -> float:
        """Return how many milliseconds that share of the draws took at most."""
        return sorted(self.milliseconds)[math.ceil(len(self.milliseconds) * share) - 1]


def take_sample(dsn: str, seed: int = 88, wanted: int = 4000) -> Sample:
    """Draw entries, results and events, as the owner, who sees all."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:

        def rows(statement: str, **parameters: Any) -> list[Row]:
            return connection.execute(statement, parameters).fetchall()

        def share(relation: str) -> float:
            found = rows(f"select greatest(count(*), 1) as n from unified.{relation}")
            return min(100.0, 100.0 * wanted / found[0]["n"])

        entry = """
            select
                p.id, p.timing_partner_id, p.event_key, p.name_key, p.last_name, p.bib_number, p.global_participant_id,
                e.event_date
            from unified.unified_participants as p {sample}
            inner join unified.unified_events as e on p.event_key = e.event_key
            where
                p.bib_number is not null and p.last_name is not null and e.event_date is not null
                and p.global_participant_id is not null
        """
        result = """
            select timing_partner_id, event_key, race_key, overall_place
            from unified.unified_results {sample}
            where overall_place is not null
        """
        # repeatable: the same draws, whoever measures, on the same data.
        some = "tablesample bernoulli (%(share)s) repeatable (88)"
        largest = rows(
            "select event_key from unified.unified_results where overall_place is not null "
            "group by 1 order by count(*) desc, 1 limit 1"
        )[0]["event_key"]
        smallest_race = rows(
            "select race_key from unified.unified_results where event_key = %(event)s and overall_place is not null "
            "group by 1 order by count(*), 1 limit 1",
            event=largest,
        )[0]["race_key"]
        here = " and {alias}event_key = %(event)s order by random() limit 400"
        connection.execute("select setseed(0.88)")
        return Sample(
            entries=rows(entry.format(sample=some), share=share("unified_participants")),
            results=rows(result.format(sample=some), share=share("unified_results")),
            events=rows(
                "select timing_partner_id, event_key, event_date from unified.unified_events "
                "where event_date is not null order by event_key"
            ),
            largest_entries=rows(entry.format(sample="") + here.format(alias="p."), event=largest),
            largest_results=rows(result.format(sample="") + here.format(alias=""), event=largest),
            small_race_results=rows(
                result.format(sample="") + " and event_key = %(event)s and race_key = %(race)s limit 400",
                event=largest,
                race=smallest_race,
            ),
            chance=random.Random(seed),  # noqa: S311 - repeatable, not secret
        )


class Readers:
    """A connection for each reading role, kept open as an application's pool keeps it."""

    def __init__(self, dsn: str, names: Roles) -> None:
        self._dsn, self._names = dsn, names
        self._open: dict[str, psycopg.Connection] = {}

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._open.values():
            connection.close()

    @property
    def all(self) -> list[int | None]:
        """Every partner, and the analyst."""
        return [*self._names.partners, ANALYST]

    def of(self, timing_partner_id: int | None) -> psycopg.Connection:
        """Return the connection of a partner's role, or the analyst's."""
        role = self._names.analyst if timing_partner_id is ANALYST else self._names.partners[timing_partner_id]
        if role not in self._open:
            connection = psycopg.connect(self._dsn, autocommit=True)
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            connection.execute("set search_path = unified")
            self._open[role] = connection
        return self._open[role]

    def read(self, reader: int | None, text: str, parameters: Row) -> list[tuple[Any, ...]]:
        """Return all rows of a read."""
        return self.of(reader).execute(text, parameters).fetchall()


def names_of(dsn: str) -> Roles:
    """Return the names of the database's reading roles."""
    connection = db.connect(dsn)
    try:
        return roles(connection)
    finally:
        connection.close()


def parameters_of(draw: Draw) -> Row:
    """Return a draw's parameters: the partner is always one, so that the analyst's plan is the partner's."""
    return {"timing_partner_id": draw[0], **draw[1]}


def measure(readers: Readers, read: Read, sample: Sample, draws: int, *, as_analyst: bool = False) -> Measured:
    """Run a read that many times, after a quarter as many others that warm the caches, and once as every reader.

    A connection's first read costs it some milliseconds to learn of tables and policies, which a pool pays once.
    """
    text, measured = read.text, Measured(read)
    for reader in readers.all:
        readers.read(reader, text, parameters_of(read.draw(sample)))
    for number in range(-(draws // 4), draws):
        draw = read.draw(sample)
        reader, parameters = ANALYST if as_analyst else draw[0], parameters_of(draw)
        began = time.perf_counter()
        rows = readers.read(reader, text, parameters)
        took = 1000 * (time.perf_counter() - began)
        if number >= 0:
            measured.milliseconds.append(took)
            measured.rows.append(len(rows))
    return measured


# plans


def explain(readers: Readers, reader: int | None, text: str, parameters: Row, *, generic: bool = False) -> str:
    """Return the plan of a read; generic: the one that a prepared statement has for any parameters."""
    connection = readers.of(reader)
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", text)
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        mode = "force_generic_plan" if generic else "force_custom_plan"
        cursor.execute(f"set local plan_cache_mode = {mode}")
        cursor.execute(f"prepare reading as {numbered}")
        try:
            holders = sql.SQL(", ").join(sql.Placeholder(name) for name in names)
            options = "costs off, analyze, buffers off, timing off, summary off"
            cursor.execute(
                sql.SQL("explain (" + options + ") execute reading ({})").format(holders),
                {name: parameters[name] for name in names},
            )
            # The last character there is has no shape.
            return "\n".join(row[0] for row in cursor.fetchall()).replace(chr(1114111), "<U+10FFFF>")
        finally:
            cursor.execute("deallocate reading")


def write_plans(readers: Readers, sample: Sample) -> None:
    """Keep each read's plans beside its query."""
    for read in READS:
        if not read.explained:
            continue
        draw = read.draw(sample)
        parameters = parameters_of(draw)
        parts = []
        seen: dict[str, str] = {}
        for title, reader, generic in (
            ("A timing partner", draw[0], False),
            ("A timing partner, prepared for any parameters", draw[0], True),
            ("The analyst", ANALYST, False),
        ):
            plan = explain(readers, reader, read.text, parameters, generic=generic)
            same = next((other for other, known in seen.items() if known == plan), None)
            parts.append(f"-- {title}\n{plan}\n" if same is None else f"-- {title}: as above, {same.lower()}\n")
            seen.setdefault(title, plan)
        shown = ", ".join(f"{name} = {value}" for name, value in parameters.items())
        (QUERIES / f"{read.query}.explain.txt").write_text(
            f"-- {read.name}: {shown}\n\n" + "\n".join(parts), encoding="utf-8"
        )


# telling


def latencies(console: Console, measured: Iterable[Measured], analysts: Iterable[Measured], draws: int) -> str:
    """Print what was measured, and return it as Markdown."""
    rows = []
    for partner, analyst in zip(measured, analysts, strict=True):
        read = partner.read
        rows.append(
            (
                f"{read.name}: {read.what}",
                f"{statistics.median(partner.rows):,.0f}, {max(partner.rows):,}",
                f"{read.limit_ms:.0f} ms" if read.limit_ms else "",
                f"{statistics.median(partner.milliseconds):.1f} ms",
                f"{partner.within(0.95):.1f} ms",
                f"{max(partner.milliseconds):.1f} ms",
                f"{analyst.within(0.95):.1f} ms",
            )
        )
    columns = ("read", "rows: median, most", "needed", "p50", "p95", "slowest", "analyst's p95")
    return show(console, f"{draws} draws each, as the partner's role", columns, rows)


def sizes(console: Console, dsn: str) -> str:
    """Print how much the published relations and their indexes take, and return it as Markdown."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            """
            select c.relname, to_char(c.reltuples, 'FM999,999,999'), pg_size_pretty(pg_table_size(c.oid))
            from pg_class as c
            where c.relnamespace = 'unified'::regnamespace and c.relkind = 'r' and c.reltuples > 0
            union all
            select i.relname, '', pg_size_pretty(pg_relation_size(i.oid))
            from pg_index as x
            inner join pg_class as i on x.indexrelid = i.oid
            where i.relnamespace = 'unified'::regnamespace and i.reltuples > 100000
            order by 1
            """
        ).fetchall()
    return show(console, "Published relations and their large indexes", ("name", "rows", "size"), found)


def main(arguments: list[str] | None = None) -> int:
    """Make a season where asked to, measure, print, and write to the README where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--dsn", help="a hub that holds a season; else the one of P88_HOME")
    parser.add_argument("--make", action="store_true", help="fill the hub, which must be empty, with a season first")
    parser.add_argument("--scale", type=float, default=1.0, help="of the season that is made")
    parser.add_argument("--results", type=int, default=Size.results, help="how many results are made at full size")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=88)
    parser.add_argument("--write", action="store_true", help="write README.md and the plans, as they are committed")
    given = parser.parse_args(arguments)

    dsn = given.dsn or db.database_url()
    if given.make:
        make(dsn, Size(results=given.results).times(given.scale), lambda line: print(line, file=sys.stderr))
    sample = take_sample(dsn, given.seed)
    with Readers(dsn, names_of(dsn)) as readers:
        measured = [measure(readers, read, sample, given.draws) for read in READS]
        analysts = [measure(readers, read, sample, given.draws, as_analyst=True) for read in READS]
        if given.write:
            write_plans(readers, sample)
        version = readers.of(ANALYST).info.parameter_status("server_version")
    console = terminal()
    tables = [latencies(console, measured, analysts, given.draws), sizes(console, dsn)]
    if given.write:
        replace_section("reading", "\n\n".join([machine(("psycopg",), str(version)), *tables]))
    late = [m for m in measured if m.read.limit_ms and m.within(0.95) > m.read.limit_ms]
    for missed in late:
        print(f"{missed.read.name}: p95 is over {missed.read.limit_ms:.0f} ms", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
