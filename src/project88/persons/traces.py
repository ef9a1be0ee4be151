"""What tells of a person where no row does: texts of logs and reports, keys told as examples, blocks that are free."""

# ruff: noqa: S608 - every name in these statements is our own

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from project88 import settings
from project88.persons.belongings import Found, targets, told_keys

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

TAKEN_AWAY = "(taken away: it named somebody who was forgotten)"
# An id that is shorter says nothing by itself: lines of logs are full of such numbers.
SHORTEST_ID = 6
# Below the local state: what is no text of ours, or is written anew by itself.
NOT_SEARCHED = {"postgres", "persons", "secret.key", "catalogs"}
# Tables of ours in which rows stay, and say less.
REWRITTEN = ("hub.persons", "hub.person_decisions", "hub.gate_results", "hub.runs", "hub.sync_history")


def take_out_of_reports(cursor: Cursor, found: Found) -> None:
    """Take keys out of what the gate and the runs have told."""
    keys = sorted({key for keys in told_keys(found).values() for key in keys})
    cursor.execute(
        """
        update hub.gate_results set sample_keys = array(
            select one from unnest(sample_keys) with ordinality as s (one, place)
            where one <> all(%(keys)s) order by place
        )
        where sample_keys && %(keys)s::text[]
        """,
        {"keys": keys},
    )
    # A word of its own: runsignup/1/12 is no part of runsignup/1/123.
    words = [rf"(^|[^\w/]){re.escape(key)}($|[^\w/])" for key in keys]
    for table, column in (("runs", "error"), ("sync_history", "error_message"), ("gate_results", "message")):
        cursor.execute(
            f"update hub.{table} set {column} = %s where {column} is not null and {column} ~ any(%s)",
            (TAKEN_AWAY, words),
        )


def telling(cursor: Cursor, found: Found) -> list[str]:
    """Return what would tell of a person in a text: keys, longer ids, whole names, addresses and numbers."""
    told = {key for keys in told_keys(found).values() for key in keys}
    told |= {id_ for _, _, _, id_ in found.whose if len(id_) >= SHORTEST_ID}
    cursor.execute(
        """
        select p.email, p.phone, p.phone_as_sent, p.first_name, p.last_name
        from candidate.unified_participants as p where p.participant_key = any(%s)
        union all
        select null, null, null, r.first_name, r.last_name
        from candidate.unified_results as r where r.result_key = any(%s)
        """,
        (sorted(found.entries), sorted(found.results)),
    )
    for *single, first, last in cursor.fetchall():
        names = {f"{first} {last}", f"{last} {first}", f"{last}, {first}"} if first and last else set()
        told |= {one for one in {*single, *names} if one and len(one) >= SHORTEST_ID}
    return sorted(told, key=lambda one: (-len(one), one))


def mask_files(told: Iterable[str]) -> None:
    """Take the gate's reports away, which the next run writes anew, and overwrite what logs tell of a person."""
    home = settings.home()
    shutil.rmtree(home / "docs" / "gate", ignore_errors=True)
    # Of several the longest comes first.
    pattern = re.compile(rf"(?<![\w/])(?:{'|'.join(map(re.escape, told))})(?![\w/])", re.IGNORECASE)
    for file in _texts(home):
        with contextlib.suppress(FileNotFoundError):
            _mask(file, pattern)


def _texts(home: Path) -> Iterator[Path]:
    yield from (one for one in (home / "postgres" / "server.log",) if one.is_file())
    for part in sorted(home.iterdir()):
        if part.name not in NOT_SEARCHED:
            yield from (one for one in ([part] if part.is_file() else part.rglob("*")) if one.is_file())


def _mask(file: Path, pattern: re.Pattern[str]) -> None:
    """Overwrite what is found, byte by byte: whoever has the file open goes on writing at its end."""
    with file.open("rb") as lines:
        at, places = 0, []
        for line in lines:
            text = line.decode(errors="surrogateescape")
            for one in pattern.finditer(text):
                before, there = (part.encode(errors="surrogateescape") for part in (text[: one.start()], one[0]))
                places.append((at + len(before), len(there)))
            at += len(line)
    if places:
        with file.open("r+b") as out:
            for start, length in places:
                out.seek(start)
                out.write(b"*" * length)


def vacuum(connection: Connection, found: Found) -> None:
    """Free what the rows took, and their values out of the indexes and the planner's statistics."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        touched = sorted({one.relation for one in targets(cursor, found)} | set(REWRITTEN))
        cursor.execute("select rolsuper from pg_roles where rolname = current_user")
        if cursor.fetchone() == (True,):
            # Of a table that is empty now, analyze leaves the statistics as they were.
            cursor.execute("delete from pg_statistic where starelid = any(%s::regclass[])", (touched,))
        for relation in touched:
            cursor.execute(f"vacuum (analyze, index_cleanup on, truncate false) {relation}")
