"""Rows that are stored and that no state stands for: what a run leaves that was killed between the two.

A tap that begins with an older state does not know them. Such a row, were it gone at the provider by now, would never
be missed; were it again as the state knows it, it would never be sent. So the tap is told of them, and takes each as
known and changed. The loader says with each state which transactions it stands for (`stamp_states`), and each raw row
when it was changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psycopg2 import sql

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from project88.connections import HubConnection

SIDE_STREAMS = frozenset({"reads", "rejects", "removals"})
Rows = dict[str, list[dict[str, Any]]]


def write(connection: Connection, of: HubConnection, catalog: dict[str, Any], folder: Path) -> Path | None:
    """Write the doubtful rows of a connection to a file for its tap; return the file, None where there are none."""
    with connection.cursor() as cursor:
        found = _of_connection(cursor, of, catalog)
    if not found:
        return None
    path = folder / "doubtful.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def _of_connection(cursor: Cursor, of: HubConnection, catalog: dict[str, Any]) -> Rows:
    cursor.execute(
        """
        select created_at, (
            select count(*) from hub.connections as o
            where o.timing_partner_id = c.timing_partner_id and o.provider_name = c.provider_name
        ) from hub.connections as c where connection_id = %s
        """,
        (of.connection_id,),
    )
    row = cursor.fetchone()
    # Rows do not tell which of several accounts of a partner they came from, and the tap would miss another's.
    if row is None or row[1] > 1:
        return {}
    cursor.execute(
        """
        select kept #>> '{singer_state,loaded_before_xid}'
        from hub.connection_state, lateral (values (completed), (partial)) as both_kinds (kept)
        where right(state_id, length(%(end)s)) = %(end)s and strpos(state_id, %(plugins)s) > 0 and kept ? 'singer_state'
        """,
        {"end": f":{of.state_suffix}", "plugins": f"tap-{of.provider}-to-target-"},
    )
    stamps = [stamp for (stamp,) in cursor.fetchall()]
    if None in stamps:
        # By another loader, or before there were stamps: which rows it stands for is not known.
        return {}
    since = min(map(int, stamps), default=0)
    return rows(cursor, of.provider, of.timing_partner_id, catalog, since, row[0])


def rows(
    cursor: Cursor, provider: str, timing_partner_id: int, catalog: dict[str, Any], since: int, created_at: Any = None
) -> Rows:
    """Return the ids of a partner's rows that were written by transaction `since` or later, by stream.

    A row whose removal was written then comes with `noticed_at`. Nothing from before `created_at` counts: it may be an
    earlier account's.
    """
    partner = {"partner": timing_partner_id, "since": since, "created_at": created_at}
    late = sql.SQL(
        "{0}.timing_partner_id = %(partner)s and {0}.changed_xid >= %(since)s"
        " and (%(created_at)s::timestamptz is null or {0}.changed_at >= %(created_at)s)"
    )
    of_rows, of_removals = (late.format(sql.Identifier(alias)) for alias in ("t", "m"))
    removals = sql.Identifier(f"raw_{provider}", "removals")
    cursor.execute(sql.SQL("select distinct m.stream from {} as m where {}").format(removals, of_removals), partner)
    removed_from = {name for (name,) in cursor.fetchall()}
    found: Rows = {}
    for stream in catalog["streams"]:
        name, keys = stream["tap_stream_id"], [key for key in stream["key_properties"] if key != "timing_partner_id"]
        if name in SIDE_STREAMS:
            continue
        ids = [column for column, kind in stream["schema"]["properties"].items() if _is_id(column, kind, keys)]
        columns = sql.SQL(", ").join(sql.Identifier("t", column) for column in ids)
        table = sql.Identifier(f"raw_{provider}", name)
        cursor.execute(sql.SQL("select {} from {} as t where {}").format(columns, table, of_rows), partner)
        listed = [dict(zip(ids, row, strict=True)) for row in cursor.fetchall()]
        if name in removed_from:
            record_key = sql.SQL(" || '/' || ").join(sql.SQL("t.{}::text").format(sql.Identifier(key)) for key in keys)
            cursor.execute(
                sql.SQL(
                    "select {}, m.noticed_at from {} as t inner join {} as m on m.record_key = {}"
                    " where m.stream = %(stream)s and t.timing_partner_id = m.timing_partner_id and {}"
                ).format(columns, table, removals, record_key, of_removals),
                partner | {"stream": name},
            )
            listed += [
                dict(zip(ids, row, strict=False)) | {"noticed_at": row[-1].isoformat()} for row in cursor.fetchall()
            ]
        if listed:
            found[name] = listed
    return found


def _is_id(column: str, kind: dict[str, Any], keys: list[str]) -> bool:
    """Tell whether a column is part of a row's key, or says what the row belongs to."""
    return column in keys or (
        column.endswith("_id") and column != "timing_partner_id" and bool({"string", "integer"} & set(kind["type"]))
    )
