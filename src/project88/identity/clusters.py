"""From links to persons: joined by links, then checked for what a pair cannot see, and parted where they contradict.

Two entries of one event are two people; so are a pair that the rules forbid, even when a third links to both. Such a
group is built again from its strongest link down, and a link that would bring a contradiction in is left out. Where
a record fits two people who are not one about equally well, it goes to neither: a wrong history is worse than a short one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from project88.identity.comparing import Damage, levels

# Bits by which a record must fit one person better than the other.
MARGIN = 2.0
# A group as large as this is held together by something that is not a person.
LARGEST = 400
Array = np.ndarray[Any, Any]


def group(left: Array, right: Array, size: int) -> Array:
    """Return the number of the group of each of `size` nodes that edges connect."""
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1])


def settle(db: duckdb.DuckDBPyConnection, profiles: int, damage: Damage) -> None:
    """Make `persons` (n, person: a number) and mark in `links` (a, b, bits) which hold (`is_kept`)."""
    links = db.sql("select a, b, bits from links order by bits desc, a, b").to_arrow_table()
    left, right = (links.column(name).to_numpy() for name in ("a", "b"))
    bits = links.column("bits").to_numpy()
    groups = group(left, right, profiles)
    kept = np.ones(len(left), bool)

    db.register("grouped", pa.table({"p": np.arange(profiles, dtype=np.int32), "g": groups.astype(np.int32)}))
    disputed = _disputed(db, damage)
    if disputed:
        of_link = groups[left]
        _resolve(db, disputed, (left, right, bits), np.flatnonzero(np.isin(of_link, list(disputed))), kept)
        groups = group(left[kept], right[kept], profiles)
        db.unregister("grouped")
        db.register("grouped", pa.table({"p": np.arange(profiles, dtype=np.int32), "g": groups.astype(np.int32)}))
    db.register("judged", pa.table({"a": left, "b": right, "is_kept": kept}))
    db.execute("""
        create or replace table kept as select links.* from links join judged using (a, b) where is_kept;
        create or replace table persons as select p, g from grouped;
    """)
    db.unregister("grouped")
    db.unregister("judged")


def _disputed(db: duckdb.DuckDBPyConnection, damage: Damage) -> set[int]:
    """Return the groups that hold two entries of one event, or a pair that must not be one person."""
    db.execute(f"""
        create or replace temp table sized as
        select g, count(*) as size from grouped group by g having count(*) > 1;
        create or replace temp table clashes as
        select distinct g from (
            select g from members join grouped using (p) semi join sized using (g)
            where event is not null group by g, event
            -- The same bib twice is one entry told twice.
            having count(distinct coalesce(bib, 'row ' || n)) > 1
        );
        create or replace temp table inside as
        select x.p as a, y.p as b, x.g from grouped as x join grouped as y on x.g = y.g and x.p < y.p
        join sized on sized.g = x.g where size between 3 and {LARGEST};
        create or replace temp table opposed as
        select a, b, g from (select a, b, vetoed, middle_name, birth from ({levels("inside", damage=damage)})) join inside using (a, b)
        where vetoed or (middle_name = 0 and coalesce(birth < 5, true));
    """)
    rows = db.execute(f"""
        select g from clashes union select g from opposed union select g from sized where size > {LARGEST}
    """).fetchall()
    return {int(g) for (g,) in rows}


def _resolve(
    db: duckdb.DuckDBPyConnection, disputed: set[int], links: tuple[Array, Array, Array], which: Array, kept: Array
) -> None:
    """Build disputed groups again from their strongest links, leaving out what would contradict; `kept` is changed."""
    left, right, bits = links
    db.register("disputes", pa.table({"g": pa.array(sorted(disputed), pa.int32())}))
    against: dict[int, set[int]] = defaultdict(set)
    for a, b in db.execute("select a, b from opposed semi join disputes using (g) order by a, b").fetchall():
        against[a].add(b)
        against[b].add(a)
    events: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for p, event, entry in db.execute("""
        select p, event, coalesce(bib, 'row ' || n) from members join grouped using (p) semi join disputes using (g)
        where event is not null order by all
    """).fetchall():
        events[p][event].add(entry)
    db.unregister("disputes")

    home: dict[int, int] = {}
    holds: dict[int, set[int]] = {}
    foes: dict[int, set[int]] = {}
    seen: dict[int, dict[int, set[str]]] = {}
    best: dict[int, float] = {}
    near: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for i in which:
        near[int(left[i])].append((float(bits[i]), int(right[i])))
        near[int(right[i])].append((float(bits[i]), int(left[i])))
    for p, friends in near.items():
        home[p], holds[p], foes[p] = p, {p}, set(against.get(p, ()))
        seen[p] = {event: set(entries) for event, entries in events[p].items()} if p in events else {}
        best[p] = max(score for score, _ in friends)

    def clash(one: int, two: int) -> bool:
        if len(holds[one]) > len(holds[two]):
            one, two = two, one
        if not foes[one].isdisjoint(holds[two]) or not foes[two].isdisjoint(holds[one]):
            return True
        return any(len(entries | seen[two][event]) > 1 for event, entries in seen[one].items() if event in seen[two])

    # Nobody's friend: who is linked to two that are opposed, about as well to the one as to the other.
    torn = set()
    for p, friends in near.items():
        strongest = best[p]
        close = [other for score, other in friends if score >= strongest - MARGIN]
        if any(against.get(x) and not against[x].isdisjoint(close) for x in close):
            torn.add(p)
    for i in which:
        a, b = int(left[i]), int(right[i])
        one, two = home[a], home[b]
        if one == two:
            continue
        if a in torn or b in torn or clash(one, two) or len(holds[one]) + len(holds[two]) > LARGEST:
            kept[i] = False
            continue
        if len(holds[one]) < len(holds[two]):
            one, two = two, one
        for p in holds[two]:
            home[p] = one
        holds[one] |= holds.pop(two)
        foes[one] |= foes.pop(two)
        for event, entries in seen.pop(two).items():
            seen[one].setdefault(event, set()).update(entries)
