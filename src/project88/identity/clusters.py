"""From links to persons: joined by links, then checked for what a pair cannot see, and parted where they contradict.

Two entries of one event are two people; so are a pair that the rules forbid, even when a third links to both. Such a
group is built again from its strongest link down, and a link that would bring a contradiction in is left out. Where
a record fits two people who are not one about equally well, it goes to neither: a wrong history is worse than a short one.

What is joined are nodes: a profile within its scope, and across scopes a whole group of the first round.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from project88.identity.comparing import Damage, contradiction, levels

# Bits by which a record must fit one person better than the other.
MARGIN = 2.0
# A group as large as this is held together by something that is not a person.
LARGEST = 400
Array = np.ndarray[Any, Any]


def group(left: Array, right: Array, names: Array) -> Array:
    """Return, for each node, the smallest name of those that edges (places in `names`) connect it with."""
    size = len(names)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    count, labels = connected_components(graph, directed=False)
    least = np.full(count, np.iinfo(names.dtype).max, names.dtype)
    np.minimum.at(least, labels, names)
    return np.asarray(least[labels])


def settle(db: duckdb.DuckDBPyConnection, stage: int, damage: Damage) -> None:
    """Find who is one person among the profiles `around` (p, node), all that links connect with any of them.

    Replaces their rows in `persons` (stage, p, component: all that links connect; g: the person; each the smallest
    node of it) and in `cuts`, the links that do not hold.
    """
    nodes = db.sql("select distinct node from around order by node").to_arrow_table().column("node").to_numpy()
    links = db.sql(f"""
        select least(x.node, y.node) as a, greatest(x.node, y.node) as b, max(bits) as bits
        from links join around as x on x.p = links.a join around as y on y.p = links.b
        where stage = {stage} and x.node <> y.node group by 1, 2 order by bits desc, 1, 2
    """).to_arrow_table()
    left, right = (np.searchsorted(nodes, links.column(name).to_numpy()) for name in ("a", "b"))
    bits = links.column("bits").to_numpy()
    components = group(left, right, nodes)
    groups, kept = components, np.ones(len(left), bool)
    _show(db, nodes, components, groups)
    # A group too large to be looked into is first broken down by what is known of it.
    while disputed := _disputed(db, damage, stage):
        which = np.flatnonzero(kept & np.isin(groups[left], list(disputed)))
        before = int(kept.sum())
        _resolve(db, disputed, (nodes[left], nodes[right], bits), which, kept)
        if int(kept.sum()) == before:
            break
        groups = group(left[kept], right[kept], nodes)
        _show(db, nodes, components, groups)
    out = ~kept
    db.register("cut", pa.table({"x": nodes[left[out]], "y": nodes[right[out]]}))
    db.execute(f"""
        delete from persons where stage = {stage} and p in (select p from around);
        insert into persons select {stage}, p, component, g from grouped order by p;
        delete from cuts where stage = {stage} and (a in (select p from around) or b in (select p from around));
        insert into cuts
        select stage, a, b from links join around as x on x.p = a join around as y on y.p = b
        join cut on least(x.node, y.node) = cut.x and greatest(x.node, y.node) = cut.y where stage = {stage};
        drop table grouped
    """)
    db.unregister("cut")


def _show(db: duckdb.DuckDBPyConnection, nodes: Array, components: Array, groups: Array) -> None:
    db.register("labels", pa.table({"node": nodes, "component": components, "g": groups}))
    db.execute(
        "create or replace temp table grouped as select p, node, component, g from around join labels using (node)"
    )
    db.unregister("labels")


def _disputed(db: duckdb.DuckDBPyConnection, damage: Damage, stage: int) -> set[int]:
    """Return the groups that hold two entries of one event, or a pair that must not be one person."""
    extra = f", {contradiction(damage)} as contradicts, a.l as l1, b.l as l2"
    found = levels("inside", extra, damage, stage == 1)
    db.execute(f"""
        create or replace temp table joined as
        select g, count(*) as size from grouped group by g having count(distinct node) > 1;
        create or replace temp table clashes as
        select distinct g from (
            select g from entries join grouped using (p) semi join joined using (g)
            where event is not null group by g, event
            -- The same bib twice is one entry told twice.
            having count(distinct coalesce(bib, 'row ' || record_id)) > 1 and count(distinct node) > 1
        );
        -- Where all are called the same and may be born on one day there is nothing to contradict.
        create or replace temp table varied as
        select g from grouped join rated using (p) semi join (from joined where size between 3 and {LARGEST}) as several using (g)
        group by g having count(distinct f1) <> 1 or count(f1) < count(*) or count(distinct l) <> 1 or count(l) < count(*)
            or count(distinct suffix) > 1 or count(distinct middle) > 1 or max(lo) > min(hi)
            or count(*) filter (lo is null and dob_digits is not null) > 0;
        create or replace temp table inside as
        select x.p as a, y.p as b, x.g, x.node as x, y.node as y
        from grouped as x join grouped as y on x.g = y.g and x.p < y.p and x.node <> y.node semi join varied on varied.g = x.g;
        -- Surnames of which a link within the group says that one became the other. Who tells an age in place of a birth
        -- date cannot be linked to the other name, and is no contradiction: else a new name would part old records.
        create or replace temp table renamed as
        select distinct x.g, v.l as one, w.l as other
        from links join grouped as x on x.p = links.a join grouped as y on y.p = links.b and y.g = x.g
        join rated as v on v.p = x.p join rated as w on w.p = y.p semi join varied on varied.g = x.g
        where stage <= {stage} and v.l <> w.l;
        create or replace temp table opposed as
        select distinct x as a, y as b, inside.g
        from (select a, b, vetoed, middle_name, birth, contradicts, least(l1, l2) as l1, greatest(l1, l2) as l2 from ({found})) as found
        join inside using (a, b)
        left join (select distinct g, least(one, other) as l1, greatest(one, other) as l2 from renamed) as names
            on names.g = inside.g and names.l1 = found.l1 and names.l2 = found.l2
        where contradicts or (middle_name = 0 and coalesce(birth < 5, true))
            or (vetoed and (names.g is null or coalesce(birth < 4, true)));
    """)
    rows = db.execute(f"""
        select g from clashes union select g from opposed union select g from joined where size > {LARGEST}
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
    for node, event, entry in db.execute("""
        select node, event, coalesce(bib, 'row ' || record_id)
        from entries join grouped using (p) semi join disputes using (g) where event is not null order by all
    """).fetchall():
        events[node][event].add(entry)
    size: dict[int, int] = dict(
        db.execute("select node, count(*) from grouped semi join disputes using (g) group by node").fetchall()
    )
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
        if a in torn or b in torn or clash(one, two) or size[one] + size[two] > LARGEST:
            kept[i] = False
            continue
        if len(holds[one]) < len(holds[two]):
            one, two = two, one
        for p in holds[two]:
            home[p] = one
        holds[one] |= holds.pop(two)
        size[one] += size.pop(two)
        foes[one] |= foes.pop(two)
        for event, entries in seen.pop(two).items():
            seen[one].setdefault(event, set()).update(entries)
