"""Which profiles are worth comparing: those that share a key; where too many share one, those that are neighbours there."""

from __future__ import annotations

import duckdb

from project88.identity import duck

# Most profiles under one key. A name alone is a poor key, so fewer of those.
MOST, MOST_BY_NAME = 250, 40
# Pairs that one kind of key may bring, per profile: the smallest groups first. Keeps the work in proportion to the records.
PAIRS_EACH, PAIRS_AT_LEAST = 3, 50_000
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


def find(db: duckdb.DuckDBPyConnection, table: str = "rated", keys: str = "keys") -> None:
    """Make `keys` (hash, profile) of a table of profiles."""
    # A name's spellings: every full form of the first name with every part of the last, either way round; and the
    # middle name where somebody is called by it.
    db.execute(f"""
        create or replace temp table spelled as
        with firsts as (
            select p, lf, lt, unnest(list_distinct(list_transform(list_concat(roots, [fa],
                case when length(middle) > 2 then [middle] else [] end), lambda x: folded(x)))) as f
            from {table} where f1 is not null
        ),
        spellings as (
            select p, f, unnest(list_distinct(list_concat([lf], list_transform(lt, lambda x: folded(x))))) as s from firsts
        )
        select distinct p, least(f, s) || '|' || greatest(f, s) as name from spellings where s is not null
    """)
    named = f"spelled join {table} using (p)"
    parts = [_keys(number, *key, named) for number, key in enumerate(BY_NAME.values())]
    parts += [_keys(number, *key, table) for number, key in enumerate(BY_REST.values(), start=100)]
    db.execute(f"create or replace table {keys} (k ubigint, p integer, kind utinyint)")
    for kind, part in enumerate(parts):
        db.execute(f"insert into {keys} select distinct k, p, {kind} from ({part}) where k is not null")
    db.execute("drop table spelled")


def _keys(number: int, of: str, when: str, source: str) -> str:
    """Return a select of one kind of keys; a null in any part is no key."""
    pieces = _split(of)
    inner = ", ".join(f"{piece} as k{n}" for n, piece in enumerate(pieces))
    known = " and ".join(f"k{n} is not null" for n in range(len(pieces)))
    hashed = ", ".join(f"k{n}" for n in range(len(pieces)))
    return f"select hash({number}, {hashed}) as k, p from (select p, {inner} from {source} where {when}) where {known}"


def _split(of: str) -> list[str]:
    """Return the parts of a key, split at commas outside brackets."""
    parts, depth, last = [], 0, 0
    for at, letter in enumerate(of):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(of[last:at].strip())
            last = at + 1
    return [*parts, of[last:].strip()]


def pair(db: duckdb.DuckDBPyConnection, profiles: int) -> int:
    """Make `pairs` (a, b with a < b) of profiles that share a key, and return how many."""
    alone = list(BY_NAME).index("name")
    db.execute(f"""
        create or replace temp table shared as
        select k, held <= case when kind = {alone} then {MOST_BY_NAME} else {MOST} end
            and so_far <= {PAIRS_EACH * profiles + PAIRS_AT_LEAST} as is_small
        from (
            select k, kind, held,
                sum(held * (held - 1) / 2) over (partition by kind order by held range unbounded preceding) as so_far
            from (select k, any_value(kind) as kind, count(*) as held from keys group by k having count(*) > 1)
        );
        create or replace temp table small as select k, p from keys semi join (from shared where is_small) using (k);
        create or replace temp table large as
        select k, p, row_number() over (partition by k order by lf, f1, lo, city, p) as nth
        from keys semi join (from shared where not is_small) using (k) join rated using (p);
        create or replace table pairs as
        select x.p as a, y.p as b from small as x join small as y on x.k = y.k and x.p < y.p
        union
        select least(x.p, y.p), greatest(x.p, y.p)
        from (select k, p, unnest(range(nth + 1, nth + {NEIGHBOURS + 1})) as nth from large) as x
        join large as y on x.k = y.k and x.nth = y.nth;
        drop table small;
        drop table large;
        drop table shared;
        drop table keys
    """)
    return int(duck.row(db, "select count(*) from pairs")[0])
