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
        _chances(db, "(-1)", is_first)
    renamed = ", ".join(f"{name} as {RENAMED.get(name, name)}" for name in columns)
    chances = [name for name, *_ in db.execute("describe rating").fetchall() if name not in columns]
    names_of = ", ".join([*(RENAMED.get(name, name) for name in columns), *chances])
    db.execute(f"insert into rated ({names_of}) select {renamed}, {', '.join(chances)} from rating order by p")
    for prefix, per in (("", "scope"), ("w_", "(-1)")):
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
    db.execute(f"""
        create or replace temp table peoples as
        select {scope} as s, count(distinct someone) as people, count(*)::integer as among from everybody group by 1
    """)

    def asked(value: str) -> str:
        return "true" if is_first else f"({value}) in (select {value} from newer)"

    for name, value in VALUES.items():
        strength = PRIOR_PEOPLE_BY_DAY if name == "dob" else PRIOR_PEOPLE
        # Without the two that are compared: were they one person, they would be no evidence that the value is common.
        # A whole name is as rare as its parts say, unless more bear it.
        floor = 0.0 if name == "full" else 0.5 + strength / PRIOR_ONE_IN[name]
        db.execute(f"""
            create or replace temp table common_{name} as
            select s, v, ((greatest(count(*) - 2, 0) + {floor}) / (any_value(people) + {strength}))::float as chance,
                count(*)::integer as held_by
            from (select distinct {scope} as s, {value} as v, someone from everybody where ({value}) is not null and {asked(value)})
            join peoples using (s) group by s, v
        """)
    db.execute(f"""
        create or replace temp table common_year as
        select s, v, ((count(*) + {PRIOR_PEOPLE / 50}) / (any_value(people) + {PRIOR_PEOPLE}))::float as chance
        from (select distinct {scope} as s, {YEAR} as v, someone from everybody where lo is not null and {asked(YEAR)})
        join peoples using (s) group by s, v
    """)
    prefix = "" if scope == "scope" else "w_"
    values = {**VALUES, "year": YEAR}
    joins = " ".join(
        f"left join common_{name} on common_{name}.v = ({value}) and common_{name}.s = rating.{scope}"
        if scope == "scope"
        else f"left join common_{name} on common_{name}.v = ({value})"
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
    for name in (*values,):
        db.execute(f"drop table common_{name}")
    db.execute("drop table peoples")
