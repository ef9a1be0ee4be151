"""What a provider may deliver next, as changes of the raw tables: drawn by hypothesis, applied by SQL.

Rows are chosen by number among those there, new ones are copies under another id: so every draw means something,
whatever came before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from psycopg2 import sql

NEW_IDS = 990_000_000

KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "runsignup": {
        "races": ("race_id",),
        "events": ("event_id",),
        "participants": ("registration_id",),
        "removed_participants": ("registration_id",),
        "results": ("result_id",),
    },
    "chronotrack": {
        "events": ("event_id",),
        "races": ("race_id",),
        "entries": ("entry_id",),
        "brackets": ("bracket_id",),
        "intervals": ("interval_id",),
        "results": ("event_id", "results_entry_id", "results_interval_id"),
    },
}
# Column, then what it may become. Values that the gate holds back and that no staging model can read are among them.
EDITS: dict[tuple[str, str], tuple[tuple[str, tuple[Any, ...]], ...]] = {
    ("runsignup", "races"): (("name", ("Harbour Series", None)), ("timezone", ("America/Denver", "Mars/Base"))),
    ("runsignup", "events"): (
        ("name", ("Night 10K", "Ten")),
        ("start_time", ("2026-05-02T13:00:00Z", None)),
        ("distance", ("10K", "10 miles", "far")),
    ),
    ("runsignup", "participants"): (
        ("last_name", ("O'Brien", "Ñandú", "")),
        ("gender", ("F", "X", "?")),
        ("dob", ("1980-02-29", "2031-01-01", None)),
        ("email", ("same@example.org", None)),
        ("bib_num", ("0012", None)),
        ("amount_paid", ("$12.50", "free")),
        ("last_modified", ("2026-09-19T12:00:00Z", "2030-01-01T00:00:00Z")),
    ),
    ("runsignup", "removed_participants"): (
        ("removed_reason", ("transferred", "deferred", "vanished")),
        ("last_modified", ("2026-09-19T13:00:00Z", "2020-01-01T00:00:00Z")),
    ),
    ("runsignup", "results"): (
        ("chip_time", ("1:02:03", "DNF", "soon", None)),
        ("clock_time", ("1:02:04", "59:12", "")),
        ("place", (1, 0, None)),
        ("age", (34, 155)),
    ),
    ("chronotrack", "events"): (
        ("event_name", ("Summit Run", None)),
        ("location_time_zone", ("America/Los_Angeles", "Nowhere/Land")),
        ("event_start_time", ("2026-06-01T05:30:00Z", None)),
        ("event_is_published", (True, False)),
    ),
    ("chronotrack", "races"): (("race_name", ("Ultra", "5K")), ("race_course_distance", (42195, 5000))),
    ("chronotrack", "entries"): (
        ("athlete_last_name", ("VAN DER BERG", None)),
        ("entry_status", ("DNF", "DQ", "CONF", "HIDING")),
        ("entry_bib", ("7", "")),
        ("athlete_birthdate", ("1970-01-01", "2040-01-01")),
        ("race_id", ("none-such",)),
    ),
    ("chronotrack", "brackets"): (("bracket_name", ("M40-44", None)),),
    ("chronotrack", "intervals"): (("interval_name", ("Full Course", "10K")), ("interval_distance_m", (10000, None))),
    ("chronotrack", "results"): (
        ("results_time", ("00:45:10", "DNF", "--")),
        ("results_rank", (1, 17, None)),
        ("results_interval_full", (True, False)),
        ("results_age", (50, 200)),
    ),
}
STREAMS = tuple((provider, stream) for provider, streams in KEYS.items() for stream in streams)
# Parents may come after their children: a new event under the id that children already name.
PARENTS = {
    ("runsignup", "participants"): ("events", "event_id"),
    ("runsignup", "results"): ("events", "event_id"),
    ("chronotrack", "entries"): ("events", "event_id"),
}


@dataclass(frozen=True)
class Delivery:
    """One change of one raw row."""

    kind: str
    provider: str
    stream: str
    row: int
    column: int = 0
    value: int = 0
    # Committed only after the next cycle has begun and ended.
    late: bool = False


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Draw one delivery."""
    provider, stream = draw(st.sampled_from(STREAMS))
    kind = draw(
        st.sampled_from(("edit", "edit", "edit", "insert", "remove", "give back", "repeat", "orphan", "parent"))
    )
    return Delivery(
        kind, provider, stream, draw(st.integers(0, 400)), draw(st.integers(0, 6)), draw(st.integers(0, 3)),
        draw(st.booleans()) and draw(st.booleans()),
    )  # fmt: skip


def apply(cursor: Any, one: Delivery) -> None:
    """Make the change in the cursor's transaction; does nothing where there is no such row."""
    if one.kind == "edit":
        _edit(cursor, one)
    elif one.kind == "insert":
        _copy(cursor, one, {})
    elif one.kind == "orphan":
        if (one.provider, one.stream) in PARENTS:
            _copy(cursor, one, {PARENTS[one.provider, one.stream][1]: str(NEW_IDS + one.value)})
    elif one.kind == "parent":
        _copy(cursor, Delivery("insert", one.provider, "events", one.row, value=one.value), {}, new=one.value)
    elif one.kind == "repeat":
        keys = _keys(cursor, one)
        if keys:
            cursor.execute(sql.SQL("update {} set read_at = now() where {}").format(_table(one), _where(one)), keys)
    else:
        _removal(cursor, one)


def _table(one: Delivery) -> sql.Identifier:
    return sql.Identifier(f"raw_{one.provider}", one.stream)


def _names(one: Delivery) -> tuple[str, ...]:
    return ("timing_partner_id", *KEYS[one.provider][one.stream])


def _where(one: Delivery) -> sql.Composed:
    return sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in _names(one))


def _keys(cursor: Any, one: Delivery) -> tuple[Any, ...] | None:
    """Return the key of the row that the number chooses."""
    names = sql.SQL(", ").join(map(sql.Identifier, _names(one)))
    cursor.execute(sql.SQL("select count(*) from {}").format(_table(one)))
    [(rows,)] = cursor.fetchall()
    if not rows:
        return None
    cursor.execute(
        sql.SQL("select {} from {} order by {} offset %s limit 1").format(names, _table(one), names), (one.row % rows,)
    )
    return tuple(cursor.fetchone())


def _edit(cursor: Any, one: Delivery) -> None:
    keys = _keys(cursor, one)
    if keys is None:
        return
    choices = EDITS[one.provider, one.stream]
    column, values = choices[one.column % len(choices)]
    cursor.execute(
        sql.SQL("update {} set {} = %s, read_at = now() where {}").format(
            _table(one), sql.Identifier(column), _where(one)
        ),
        (values[one.value % len(values)], *keys),
    )


def _copy(cursor: Any, one: Delivery, changed: dict[str, str], new: int | None = None) -> None:
    keys = _keys(cursor, one)
    if keys is None:
        return
    cursor.execute(
        """
        select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped
        and attname not in ('inserted_xid', 'changed_xid', 'changed_at')
        """,
        (f"raw_{one.provider}.{one.stream}",),
    )
    columns = [row[0] for row in cursor.fetchall()]
    last = _names(one)[-1]
    values = {"read_at": "now", **changed}
    if last not in values:
        values[last] = str(NEW_IDS + (one.row * 10 + one.column if new is None else new))
    elif last != "event_id":
        values[last] = str(NEW_IDS + one.row)
    cursor.execute(
        sql.SQL(
            "insert into {table} ({columns}) select {values} from {table} where {where} on conflict do nothing"
        ).format(
            table=_table(one),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            values=sql.SQL(", ").join(
                # Untyped: an id is text at one provider and a number at the other.
                sql.Literal(values[column]) if column in values else sql.Identifier(column)
                for column in columns
            ),
            where=_where(one),
        ),
        keys,
    )


def _removal(cursor: Any, one: Delivery) -> None:
    keys = _keys(cursor, one)
    if keys is None:
        return
    returned = "now()" if one.kind == "give back" else "null"
    cursor.execute(
        sql.SQL(
            """
            insert into {} (timing_partner_id, stream, record_key, scope, noticed_at, returned_at, read_at)
            values (%s, %s, %s, '', now(), {returned}, now())
            on conflict (timing_partner_id, stream, record_key)
            do update set returned_at = excluded.returned_at, read_at = excluded.read_at
            """
        ).format(sql.Identifier(f"raw_{one.provider}", "removals"), returned=sql.SQL(returned)),
        (keys[0], one.stream, "/".join(map(str, keys[1:]))),
    )
