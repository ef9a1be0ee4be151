"""Which profiles are worth comparing: those that share a key; where too many share one, those that are neighbours there."""

from __future__ import annotations

import duckdb

from project88.identity import duck

# Most profiles under one key. A name alone is a poor key, so fewer of those.
MOST, MOST_BY_NAME = 250, 40
# Pairs that one kind of key may bring, per profile: the smallest groups first. Keeps the work in proportion to the records.
PAIRS_EACH, PAIRS_FEW, PAIRS_AT_LEAST = 3, 20, 50_000
# In a larger group everyone is compared with so many next to them by name and age, so that who runs every week, and
# fills a group alone, is found in one piece.
NEIGHBOURS = 5

# Years touched by the days between which somebody was born.
_YEARS = "unnest(range(lo // 366, hi // 365 + 1))"
_FAR = 366 * 30

# key: (what is put under one key, when there is one). `name` is unnested: a name's spellings that should meet.
BY_NAME = {
    "name and year": (f"name, {_YEARS}", f"lo is not null and hi - lo < {_FAR}"),
    "name and city": ("name, city", "city is not null"),
    "name, city and year": (f"name, city, {_YEARS}", f"city is not null and lo is not null and hi - lo < {_FAR}"),
    "name and postcode": ("name, postcode", "postcode is not null"),
    "name and birthday": ("name, strftime(dob, '%m%d')", "dob is not null"),
    "name and birth date": ("name, dob", "dob is not null"),
    "name, region and gender": ("name, region, sex", "region is not null"),
    "name and club": ("name, team", "team is not null"),
    "name": ("name", "true"),
}
BY_REST = {
    "birth date and two letters": ("dob, unnest([left(f1, 2), left(l, 2)])", "dob is not null"),
    "birth date and four letters": ("dob, unnest([left(f1, 4), left(l, 4)])", "dob is not null"),
    "birth date and city": ("dob, city", "dob is not null and city is not null"),
    "birth date and postcode": ("dob, postcode", "dob is not null and postcode is not null"),
    "email": ("mail", "mail is not null"),
    "email and first name": ("mail, f1", "mail is not null and f1 is not null"),
    "phone": ("tel", "tel is not null"),
    "phone and first name": ("tel, f1", "tel is not null and f1 is not null"),
    "member": ("member", "member is not null"),
    "address": ("street, unnest([left(f1, 1), left(l, 1)])", "street is not null"),
    "city, year and first name": (f"city, left(f1, 3), {_YEARS}", "city is not null and hi - lo < 800"),
    "city, year and last name": (f"city, left(l, 4), {_YEARS}", "city is not null and hi - lo < 800"),
    "city and initials": (
        "city, least(f1[1], l[1]), greatest(f1[1], l[1])",
        "city is not null and l is not null and f1 is not null",
    ),
    "city and first letters": ("city, unnest([left(f1, 4), left(l, 4)])", "city is not null"),
    "region and letters": ("region, left(f1, 3), left(l, 3)", "region is not null"),
    "birth date and region": ("dob, region", "dob is not null"),
    "sound and year": (f"skeleton(f1), skeleton(l), {_YEARS}", "hi - lo < 800"),
    "sound and city": ("skeleton(f1), skeleton(l), city", "city is not null"),
    "sound and postcode": ("skeleton(l), postcode", "postcode is not null"),
}


def find(db: duckdb.DuckDBPyConnection, first: int) -> None:
    """Add the `keys` (hash, profile, kind, scope) of profiles from number `first` on.

    Where there were profiles before, `shared_keys` has those of all profiles that share one with the new.
    """
    # A name's spellings: every full form of the first name with every part of the last, either way round; and the
    # middle name where somebody is called by it.
    newer = f"(from rated where p >= {first})"
    db.execute(f"""
        create or replace temp table spelled as
        with firsts as (
            select p, lf, lt, unnest(list_distinct(list_transform(list_concat(roots, [fa],
                case when length(middle) > 2 then [middle] else [] end), lambda x: folded(x)))) as f
            from {newer} where f1 is not null
        ),
        spellings as (
            select p, f, unnest(list_distinct(list_concat([lf], list_transform(lt, lambda x: folded(x))))) as s from firsts
        )
        select distinct p, least(f, s) || '|' || greatest(f, s) as name from spellings where s is not null
    """)
    named = f"spelled join {newer} using (p)"
    parts = [_keys(number, *key, named) for number, key in enumerate(BY_NAME.values())]
    parts += [_keys(number, *key, newer) for number, key in enumerate(BY_REST.values(), start=100)]
    if first:
        db.execute("create or replace temp table new_keys as from keys limit 0")
    for kind, part in enumerate(parts):
        db.execute(f"""
            insert into {"new_keys" if first else "keys"}
            select distinct k, p, {kind}, scope from ({part}) where k is not null
        """)
    if first:
        # To add a few to many, only groups that one of the few is in are looked at, and these are found once.
        db.execute("""
            insert into keys from new_keys;
            -- Not their kind and scope, which are known elsewhere: each column of millions of keys takes time to read.
            create or replace temp table shared_keys as
            select k, p, kind, rated.scope
            from (select k, p from keys semi join new_keys using (k))
            join (select distinct k, kind from new_keys) using (k) join rated using (p);
            drop table new_keys
        """)
    db.execute("drop table spelled")


def _keys(number: int, of: str, when: str, source: str) -> str:
    """Return a select of one kind of keys; a null in any part is no key."""
    pieces = _split(of)
    inner = ", ".join(f"{piece} as k{n}" for n, piece in enumerate(pieces))
    known = " and ".join(f"k{n} is not null" for n in range(len(pieces)))
    hashed = ", ".join(f"k{n}" for n in range(len(pieces)))
    return f"select hash({number}, {hashed}) as k, p, scope from (select p, scope, {inner} from {source} where {when}) where {known}"


def _split(of: str) -> list[str]:
    """Return the parts of a key, split at commas outside brackets."""
    parts, depth, last = [], 0, 0
    for at, letter in enumerate(of):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(of[last:at].strip())
            last = at + 1
    return [*parts, of[last:].strip()]


def pair(db: duckdb.DuckDBPyConnection, first: int, across: bool) -> int:
    """Make `pairs` (a, b with a < b) of profiles that share a key, b from number `first` on, after `find`; return how many.

    Pairs of one scope, or, `across`, those of two. How large a group may be is found with the first profiles and kept.
    """
    alone = list(BY_NAME).index("name")
    stage, scope, apart = (1, "(-1)", "x.scope <> y.scope") if across else (0, "scope", "x.scope = y.scope")
    db.execute(f"""
        create or replace temp view touched as
        select k, {scope} as s, p, kind, scope from {"shared_keys" if first else "keys"};
        create or replace temp table shared as
        select k, s, any_value(kind) as kind, count(*)::integer as held from touched group by k, s having count(*) > 1
    """)
    if not first:
        db.execute(f"""
            insert into limits
            select {stage}, kind, s, coalesce(max(held) filter (so_far <= most), 0)
            from (
                select kind, s, held, sum(pairs) over (partition by kind, s order by held) as so_far
                from (select kind, s, held, sum(held::bigint * (held - 1) / 2) as pairs from shared group by all)
            ) join (
                select {scope} as s, {PAIRS_EACH} * count(*) + least({PAIRS_AT_LEAST}, {PAIRS_FEW} * count(*)) as most
                from rated group by 1
            ) using (s)
            group by kind, s
        """)
    db.execute(f"""
        create or replace temp table sized as
        select k, s, held <= coalesce(most, held) and held <= case when kind = {alone} then {MOST_BY_NAME} else {MOST} end as is_small
        from shared left join (select kind, s, most from limits where stage = {stage}) using (kind, s);
        create or replace temp table small as
        select k, s, p, scope from touched semi join (from sized where is_small) using (k, s);
        create or replace temp table large as
        select k, s, p, scope from touched semi join (from sized where not is_small) using (k, s);
        create or replace temp table standing as
        select p, row_number() over (order by lf, f1, lo, city, p)::integer as place from rated semi join large using (p);
        create or replace temp table rows as
        select k, s, p, scope, row_number() over (partition by k, s order by place) as nth from large join standing using (p);
        create or replace temp table pairs as
        select x.p as a, y.p as b from small as x join small as y on x.k = y.k and {apart} and x.p < y.p where y.p >= {first}
        union
        select least(x.p, y.p), greatest(x.p, y.p)
        from (select k, s, p, scope, unnest(range(nth + 1, nth + {NEIGHBOURS + 1})) as nth from rows) as x
        join rows as y on x.k = y.k and x.s = y.s and x.nth = y.nth and {apart} where greatest(x.p, y.p) >= {first};
        drop view touched
    """)
    for table in ("shared", "sized", "small", "large", "standing", "rows"):
        db.execute(f"drop table {table}")
    return int(duck.row(db, "select count(*) from pairs")[0])
