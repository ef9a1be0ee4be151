"""Records that say exactly the same (within one scope) are one profile, compared once; and how common each value is."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from project88.identity import duck, names

COMPARED = (
    "f1", "fa", "middle", "l", "lt", "suffix", "gender", "dob", "dob_digits", "lo", "hi", "email", "phone", "city", "region",
    "country", "nationality", "postcode", "club", "address", "member",
)  # fmt: skip

# How common a value is before any data are seen: one in so many people has it.
PRIOR_ONE_IN = {
    "f1": 100, "l": 1_000, "dob": 22_000, "city": 100, "postcode": 1_000, "email": 100_000, "phone": 100_000, "club": 100,
    "address": 20_000, "member": 1_000_000, "full": 50_000,
}  # fmt: skip
# As many people as the prior counts for: with ten records it decides, with a hundred thousand the data do. That birthdays
# are spread evenly is known better than a few thousand records can say.
PRIOR_PEOPLE, PRIOR_PEOPLE_BY_DAY = 300, 20_000


# The chance that a pair is one of strangers who agree, per value; `among`: how many profiles it was counted over.
VALUES = {
    **{name: name for name in PRIOR_ONE_IN if name not in ("full", "city")},
    "full": "f1 || ' ' || l",
    "city": "city || coalesce(' ' || region, '')",
}
CHANCES = (*(f"c_{name}" for name in (*VALUES, "year", "among")), "is_known_name")
YEAR = "((lo + hi) / 730.5)::integer"
# Counting who has a value takes as long as there are many. Where a scope had so many profiles when it was first counted, what
# so many people had then is not counted again for a few more: the share of a common value hardly changes.
LARGE, COMMON = 10_000, 50
# What stands for all scopes together.
ACROSS = "(-1)"
# The names that the comparison knows them by: those of the levels are the fields'.
RENAMED = {"email": "mail", "phone": "tel", "address": "street", "club": "team", "gender": "sex"}


def take(db: duckdb.DuckDBPyConnection, seed: int, first: int) -> int:
    """Add `records` to `entries` and make `newer`: a row per content that was not there, `p` from `first`.

    The numbers follow from the contents and the seed. Returns how many are new. Records that stand for nobody, or say no
    name, are entries without a profile.
    """
    listed = ", ".join(COMPARED)
    content = f"hash({listed}, records.scope)"
    db.execute(f"""
        insert into scopes
        select hashed, (row_number() over (order by hashed) + (select count(*) from scopes))::integer - 1
        from (select distinct scope as hashed from records) where hashed not in (select hashed from scopes);
        create or replace temp table contents as
        select {content} as h, any_value(scopes.scope) as scope, {", ".join(f"any_value({name}) as {name}" for name in COMPARED)}
        from records join scopes on hashed = records.scope where not is_nobody group by 1
    """)
    related, roots = names.related(), names.roots()
    table = pa.table(
        {
            "w": list(related),
            "formal": [sorted(of) for of in related.values()],
            "roots": [list(roots[w]) for w in related],
        }
    )
    db.register("short_forms", table)
    db.execute(f"""
        create or replace temp table newer as
        with numbered as (
            select h, (row_number() over (order by hash(h, {seed}), h) + {first})::integer - 1 as p
            from contents where h not in (select h from rated)
        )
        select p, contents.*, short_forms.formal,
            coalesce(short_forms.roots, [f1]) as roots, folded(fa) as ff, folded(l) as lf,
            case when length(middle) > 0 then middle[1] end as middle_initial,
            -- Of one name and no age, those with an e-mail or a phone of their own are people of their own.
            hash(coalesce(short_forms.roots[-1], f1), l, coalesce(({YEAR})::varchar, email, phone, '')) as someone
        from contents join numbered using (h) left join short_forms on w = f1;
        insert into entries
        select record_id, known.p, said, event, bib
        from records left join (select h, p from rated union all select h, p from newer) as known
            on not is_nobody and known.h = {content};
        drop table contents
    """)
    db.unregister("short_forms")
    return int(duck.row(db, "select count(*) from newer")[0])


def rate(db: duckdb.DuckDBPyConnection, scoped: bool) -> None:
    """Add `newer` to `rated`, with the chance that somebody else drawn at random has the same value.

    People are counted, not entries: who runs every week must not make a rare name common. Somebody is a name with a
    year of birth, near enough. The chances are those in the profile's scope; where there are scopes, a second set, named
    `w_…`, is of all of them, and `rated_across` has that one in their place. Earlier profiles keep their chances: of a pair
    the commoner counts, which is the newer one's.
    """
    columns = [name for name, *_ in db.execute("describe newer").fetchall()]
    is_first = not duck.row(db, "select count(*) from rated")[0]
    listed = ", ".join(columns)
    earlier = ", ".join(f"{RENAMED.get(name, name)} as {name}" for name in columns)
    db.execute(f"""
        create or replace temp view everybody as
        select {listed} from newer union all select {earlier} from rated;
        create or replace temp table rating as select * from newer
    """)
    _chances(db, "scope", is_first)
    if scoped:
        _chances(db, ACROSS, is_first)
    renamed = ", ".join(f"{name} as {RENAMED.get(name, name)}" for name in columns)
    chances = [name for name, *_ in db.execute("describe rating").fetchall() if name not in columns]
    names_of = ", ".join([*(RENAMED.get(name, name) for name in columns), *chances])
    db.execute(f"insert into rated ({names_of}) select {renamed}, {', '.join(chances)} from rating order by p")
    for prefix, per in (("", "scope"), ("w_", ACROSS)):
        db.execute(f"""
            update rated set {prefix}is_known_name = true where not {prefix}is_known_name
            and (f1, {per}) in (select f1, {per} from rating where {prefix}is_known_name)
        """) if not is_first and (scoped or not prefix) else None
    db.execute("drop view everybody; drop table rating; drop table newer")


def renew(db: duckdb.DuckDBPyConnection, scoped: bool) -> None:
    """Count again how common the values are that the profiles `near` have; of those `far`, over all scopes."""
    every = [name for name, *_ in db.execute("describe rated").fetchall()]
    ours = {theirs: name for name, theirs in RENAMED.items()}
    content = [name for name in every if name.removeprefix("w_") not in CHANCES]
    listed = ", ".join(f"{name} as {ours[name]}" if name in ours else name for name in content)
    db.execute(f"""
        create or replace temp table newer as select {listed} from rated where p in (select p from far);
        create or replace temp table before as
        select p, {", ".join(CHANCES)} from rated where p in (select p from far) and p not in (select p from near);
        delete from rated where p in (select p from far)
    """)
    rate(db, scoped)
    db.execute(f"""
        update rated set {", ".join(f"{name} = before.{name}" for name in CHANCES)} from before where rated.p = before.p;
        drop table before
    """)


def _chances(db: duckdb.DuckDBPyConnection, scope: str, is_first: bool) -> None:
    """Add the columns of chances to `rating`, counted over those of one `scope`."""
    _count_people(db, scope, is_first)
    values = {**VALUES, "year": YEAR}
    for kind, (name, value) in enumerate(values.items()):
        _count_value(db, kind, name, f"({value})::varchar", scope, is_first)
    prefix = "" if scope == "scope" else "w_"
    joins = " ".join(
        f"left join common_{name} on common_{name}.v = ({value})::varchar and common_{name}.s = rating.{scope}"
        if scope == "scope"
        else f"left join common_{name} on common_{name}.v = ({value})::varchar"
        for name, value in values.items()
    )
    chances = ", ".join(f"common_{name}.chance as {prefix}c_{name}" for name in values)
    db.execute(f"""
        create or replace temp table rating as
        select rating.*, {chances}, among as {prefix}c_among,
            -- A name that people bear, and so nobody's slip of the finger for another.
            coalesce(formal is not null or common_f1.held_by >= 5, false) as {prefix}is_known_name
        from rating {joins} join peoples on peoples.s = {"rating.scope" if scope == "scope" else scope}
    """)
    for name in values:
        db.execute(f"drop table common_{name}")
    db.execute("drop table peoples")


def _count_people(db: duckdb.DuckDBPyConnection, scope: str, is_first: bool) -> None:
    """Make `peoples`: how many people and profiles a scope has. Of a large one people are as many more as profiles are."""
    if is_first:
        db.execute(f"""
            delete from peopled where (s = {ACROSS}) = {str(scope == ACROSS).lower()};
            delete from commons where (s = {ACROSS}) = {str(scope == ACROSS).lower()}
        """)
    db.execute(f"""
        create or replace temp table peoples as
        select s, round(people * now.among::double / peopled.among)::bigint as people, now.among
        from (select {scope} as s, count(*)::integer as among from everybody group by 1) as now join peopled using (s)
        union all
        select {scope} as s, count(distinct someone) as people, count(*)::integer as among
        from everybody where {scope} not in (select s from peopled) group by 1
    """)
    if is_first:
        db.execute(f"insert into peopled select s, people, among from peoples where among >= {LARGE}")


def _count_value(db: duckdb.DuckDBPyConnection, kind: int, name: str, value: str, scope: str, is_first: bool) -> None:
    """Make `common_…`: the chance of each value that `newer` has, per scope, and how many people have it."""
    strength = PRIOR_PEOPLE_BY_DAY if name == "dob" else PRIOR_PEOPLE
    if name == "year":
        chance = f"(count(*) + {PRIOR_PEOPLE / 50}) / (any_value(people) + {strength})"
        known = "lo is not null"
    else:
        # Without the two that are compared: were they one person, they would be no evidence that the value is common.
        # A whole name is as rare as its parts say, unless more bear it.
        floor = 0.0 if name == "full" else 0.5 + strength / PRIOR_ONE_IN[name]
        chance = f"(greatest(count(*) - 2, 0) + {floor}) / (any_value(people) + {strength})"
        known = f"({value}) is not null"
    counted = f"""
        select s, v, ({chance})::float as chance, count(*)::integer as held_by
        from (select distinct {scope} as s, {value} as v, someone from everybody where {known} {{among}})
        join peoples using (s) group by s, v
    """
    if is_first:
        db.execute(f"""
            create or replace temp table common_{name} as {counted.format(among="")};
            insert into commons
            select {kind}, s, v, chance, held_by
            from common_{name} semi join peopled using (s) where held_by >= {COMMON} order by s, v
        """)
        return
    db.execute(f"""
        create or replace temp table of_newer as select distinct {scope} as s, {value} as v from newer where {known};
        create or replace temp table common_{name} as
        select s, v, chance, held_by from commons semi join of_newer using (s, v) where kind = {kind};
        create or replace temp table rare as from of_newer anti join common_{name} using (s, v)
    """)
    if duck.row(db, "select count(*) from rare")[0]:
        among = f"and ({scope}, {value}) in (select s, v from rare)"
        db.execute(f"insert into common_{name} {counted.format(among=among)}")
    db.execute("drop table of_newer; drop table rare")
