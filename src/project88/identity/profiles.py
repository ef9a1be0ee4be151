"""Records that say exactly the same (within one scope) are one profile, compared once; and how common each value is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
COUNTED = {**VALUES, "year": YEAR}
KINDS = {name: kind for kind, name in enumerate(COUNTED)}
_COUNTED = "create or replace temp table counted (kind utinyint, s integer, v varchar, chance float, held_by integer)"
# Counting who has a value takes as long as there are many. Where a scope had so many profiles when it was first counted, what
# so many people had then is not counted again for a few more: the share of a common value hardly changes.
LARGE, COMMON = 10_000, 50
# A first name that so many people bear is one.
KNOWN_FROM = 5
# What stands for all scopes together.
ACROSS = "(-1)"
# The names that the comparison knows them by: those of the levels are the fields'.
RENAMED = {"email": "mail", "phone": "tel", "address": "street", "club": "team", "gender": "sex"}


def take(db: duckdb.DuckDBPyConnection, seed: int, first: int) -> int:
    """Add `records` to `entries` and to `came`, and make `newer`: a row per content that was not there, `p` from `first`.

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
            from contents anti join rated using (h)
        )
        select p, contents.*, short_forms.formal,
            coalesce(short_forms.roots, [f1]) as roots, folded(fa) as ff, folded(l) as lf,
            case when length(middle) > 0 then middle[1] end as middle_initial,
            -- Of one name and no age, those with an e-mail or a phone of their own are people of their own.
            hash(coalesce(short_forms.roots[-1], f1), l, coalesce(({YEAR})::varchar, email, phone, '')) as someone
        from contents join numbered using (h) left join short_forms on w = f1;
        insert into came
        select record_id, known.p, said, event, bib
        from records left join (select h, p from rated semi join contents using (h) union all select h, p from newer) as known
            on not is_nobody and known.h = {content};
        insert into entries from came;
        drop table contents
    """)
    db.unregister("short_forms")
    return int(duck.row(db, "select count(*) from newer")[0])


def rate(db: duckdb.DuckDBPyConnection, scoped: bool, *, again: bool = False) -> None:
    """Add `newer` to `rated`, with the chance that somebody else drawn at random has the same value.

    People are counted, not entries: who runs every week must not make a rare name common. Somebody is a name with a
    year of birth, near enough. The chances are those in the profile's scope; where there are scopes, a second set, named
    `w_…`, is of all of them, and `rated_across` has that one in their place. Earlier profiles keep their chances: of a pair
    the commoner counts, which is the newer one's. `again`: `newer` are profiles that were there.
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
    stages = {"": "scope", "w_": ACROSS} if scoped else {"": "scope"}
    _count_people(db, stages.values(), is_first)
    (_count_all if is_first else _count_of_newer)(db, list(stages.values()))
    for prefix, scope in stages.items():
        _look_up(db, prefix, scope)
    renamed = ", ".join(f"{name} as {RENAMED.get(name, name)}" for name in columns)
    chances = [name for name, *_ in db.execute("describe rating").fetchall() if name not in columns]
    names_of = ", ".join([*(RENAMED.get(name, name) for name in columns), *chances])
    db.execute(f"insert into rated ({names_of}) select {renamed}, {', '.join(chances)} from rating order by p")
    if not is_first and not again:
        _spread_known_names(db, stages)
    db.execute("drop view everybody; drop table rating; drop table newer; drop table peoples; drop table counted")


def _spread_known_names(db: duckdb.DuckDBPyConnection, stages: Mapping[str, str]) -> None:
    """Tell earlier profiles of first names that are known to be names since `newer` came."""
    for prefix, scope in stages.items():
        db.execute(f"""
            create or replace temp table risen as
            select v as f1, s from counted
            join (select {scope} as s, f1 as v, count(*) as came from newer group by all) using (s, v)
            where kind = {KINDS["f1"]} and held_by >= {KNOWN_FROM} and held_by - came < {KNOWN_FROM}
        """)
        if duck.row(db, "select count(*) from risen")[0]:
            db.execute(f"""
                update rated set {prefix}is_known_name = true
                where not {prefix}is_known_name and (f1, {scope}) in (from risen)
            """)
        db.execute("drop table risen")


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
    rate(db, scoped, again=True)
    db.execute(f"""
        update rated set {", ".join(f"{name} = before.{name}" for name in CHANCES)} from before where rated.p = before.p;
        drop table before
    """)


def _look_up(db: duckdb.DuckDBPyConnection, prefix: str, scope: str) -> None:
    """Add the columns of chances to `rating`, as they were counted over those of one `scope`."""
    of_profile = scope if scope == ACROSS else f"rating.{scope}"
    joins = " ".join(
        f"left join (from counted where kind = {kind}) as {name}_ on {name}_.v = ({COUNTED[name]})::varchar and {name}_.s = {of_profile}"
        for name, kind in KINDS.items()
    )
    chances = ", ".join(f"{name}_.chance as {prefix}c_{name}" for name in KINDS)
    db.execute(f"""
        create or replace temp table rating as
        select rating.*, {chances}, among as {prefix}c_among,
            -- A name that people bear, and so nobody's slip of the finger for another.
            coalesce(formal is not null or f1_.held_by >= {KNOWN_FROM}, false) as {prefix}is_known_name
        from rating {joins} join peoples on peoples.s = {of_profile}
    """)


def _count_people(db: duckdb.DuckDBPyConnection, scopes: Collection[str], is_first: bool) -> None:
    """Make `peoples`: how many people and profiles a scope has. Of a large one people are as many more as profiles are."""
    if is_first:
        db.execute("delete from peopled; delete from commons")
    few = " union all ".join(
        f"select {scope} as s, count(distinct someone) as people from everybody "
        f"where {scope} not in (select s from peopled) group by 1"
        for scope in scopes
    )
    db.execute(f"""
        create or replace temp table held as select scope as s, count(*)::integer as among from everybody group by 1;
        {f"insert into held select {ACROSS}, sum(among) from held;" if ACROSS in scopes else ""}
        create or replace temp table peoples as
        select s, round(people * held.among::double / peopled.among)::bigint as people, held.among
        from held join peopled using (s)
        union all
        select s, people, among from ({few}) join held using (s);
        drop table held
    """)
    if is_first:
        db.execute(f"insert into peopled select s, people, among from peoples where among >= {LARGE}")


def _count_all(db: duckdb.DuckDBPyConnection, scopes: Sequence[str]) -> None:
    """Make `counted` of the first profiles: the chance of each value per scope (kind, s, v, chance, held_by)."""
    db.execute(_COUNTED)
    for name, kind in KINDS.items():
        for scope in scopes:
            db.execute(f"insert into counted {_chance_of(name, _told(name, scope, 'everybody'))}")
        db.execute(f"""
            insert into commons
            select kind, s, v, chance, held_by
            from counted semi join peopled using (s) where kind = {kind} and held_by >= {COMMON} order by s, v
        """)


def _count_of_newer(db: duckdb.DuckDBPyConnection, scopes: Sequence[str]) -> None:
    """Make `counted` of the values that `newer` has."""
    every = " union all ".join(
        f"select {kind} as kind, s, v::varchar as v from ({_told(name, scope, 'newer')})"
        for name, kind in KINDS.items()
        for scope in scopes
    )
    db.execute(f"""
        {_COUNTED};
        create or replace temp table of_newer as select distinct kind::utinyint as kind, s, v from ({every});
        insert into counted from commons semi join of_newer using (kind, s, v);
        create or replace temp table rare as from of_newer anti join counted using (kind, s, v)
    """)
    rare = {kind for (kind,) in db.execute("select distinct kind from rare").fetchall()}
    for name, kind in KINDS.items():
        if kind in rare:
            # One look at everybody for all scopes, at values as they are kept: to write each day as text takes longer.
            kept = {"dob": "date", "year": "integer"}.get(name, "varchar")
            who = f"""
                select rare.s, rare.v, someone from ({_told(name, "scope", "everybody")}) as told
                join (select s, v, v::{kept} as kept from rare where kind = {kind}) as rare
                    on rare.kept = told.v and rare.s in (told.s, {ACROSS})
            """
            db.execute(f"insert into counted {_chance_of(name, who)}")
    db.execute("drop table of_newer; drop table rare")


def _told(name: str, scope: str, of: str) -> str:
    """Return a select of who says what: s, v and someone."""
    known = "lo is not null" if name == "year" else f"({COUNTED[name]}) is not null"
    return f"select {scope} as s, {COUNTED[name]} as v, someone from {of} where {known}"


def _chance_of(name: str, who: str) -> str:
    """Return a select of the rows of `counted` that follow from who says what."""
    strength = PRIOR_PEOPLE_BY_DAY if name == "dob" else PRIOR_PEOPLE
    if name == "year":
        chance = f"(count(*) + {PRIOR_PEOPLE / 50}) / (any_value(people) + {strength})"
    else:
        # Without the two that are compared: were they one person, they would be no evidence that the value is common.
        # A whole name is as rare as its parts say, unless more bear it.
        floor = 0.0 if name == "full" else 0.5 + strength / PRIOR_ONE_IN[name]
        chance = f"(greatest(count(*) - 2, 0) + {floor}) / (any_value(people) + {strength})"
    return f"""
        select {KINDS[name]}, s, v::varchar, ({chance})::float, count(*)::integer
        from (select distinct s, v, someone from ({who})) join peoples using (s) group by s, v
    """
