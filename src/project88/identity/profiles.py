"""Records that say exactly the same are one profile, compared once; and how common each value is among people."""

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


def make(db: duckdb.DuckDBPyConnection, seed: int) -> int:
    """Make `profiles` (one row per distinct content, `p` from 0 in an order that follows from the content and the seed) and `members`.

    Returns how many there are. Records that stand for nobody, or say no name, are in neither.
    """
    listed = ", ".join(COMPARED)
    related = names.related()
    roots = names.roots()
    table = pa.table(
        {
            "w": list(related),
            "formal": [sorted(of) for of in related.values()],
            "roots": [list(roots[w]) for w in related],
        }
    )
    db.register("short_forms", table)
    db.execute(f"""
        create or replace table hashed as
        select n, event, bib, hash({listed}) as h from records where not is_nobody;
        create or replace table numbered as
        select h, (row_number() over (order by hash(h, {seed}), h))::integer - 1 as p, copies
        from (select h, count(*)::integer as copies from hashed group by h);
        create or replace table members as
        select hashed.n, numbered.p, hashed.event, hashed.bib from hashed join numbered using (h);
        create or replace table profiles as
        with content as (
            select hash({listed}) as h, {", ".join(f"any_value({name}) as {name}" for name in COMPARED)}
            from records where not is_nobody group by 1
        )
        select numbered.p, numbered.copies, content.* exclude (h), short_forms.formal,
            coalesce(short_forms.roots, [f1]) as roots, folded(fa) as ff, folded(l) as lf,
            case when length(middle) > 0 then middle[1] end as middle_initial,
            hash(coalesce(roots[-1], f1), l, (coalesce(lo + hi, 0) / 730.5)::integer) as someone
        from content join numbered using (h) left join short_forms on w = f1;
        drop table hashed;
        drop table numbered;
    """)
    db.unregister("short_forms")
    row = duck.row(db, "select count(*) from profiles")
    _frequencies(db)
    return int(row[0])


def _frequencies(db: duckdb.DuckDBPyConnection) -> None:
    """Make `rated`: the profiles with the chance that somebody else drawn at random has the same value.

    People are counted, not entries: who runs every week must not make a rare name common. Somebody is a name with a
    year of birth, near enough.
    """
    row = duck.row(db, "select count(distinct someone) from profiles")
    people = int(row[0])
    values = {name: name for name in PRIOR_ONE_IN if name not in ("full", "city")}
    values |= {"full": "f1 || ' ' || l", "city": "city || coalesce(' ' || region, '')"}
    for name, value in values.items():
        strength = PRIOR_PEOPLE_BY_DAY if name == "dob" else PRIOR_PEOPLE
        # Without the two that are compared: were they one person, they would be no evidence that the value is common.
        # A whole name is as rare as its parts say, unless more bear it.
        floor = 0.0 if name == "full" else 0.5 + strength / PRIOR_ONE_IN[name]
        db.execute(f"""
            create or replace table common_{name} as
            select v, ((greatest(count(*) - 2, 0) + {floor}) / {people + strength})::float as chance, count(*)::integer as held_by
            from (select distinct {value} as v, someone from profiles where ({value}) is not null) group by v
        """)
    years = "((lo + hi) / 730.5)::integer"
    db.execute(f"""
        create or replace table common_year as
        select v, ((count(*) + {PRIOR_PEOPLE / 50}) / {people + PRIOR_PEOPLE})::float as chance
        from (select distinct {years} as v, someone from profiles where lo is not null) group by v
    """)
    joins = " ".join(f"left join common_{name} on common_{name}.v = ({value})" for name, value in values.items())
    chances = ", ".join(f"common_{name}.chance as c_{name}" for name in values)
    db.execute(f"""
        create or replace table rated as
        select profiles.* exclude (someone, email, phone, address, club, gender), email as mail, phone as tel, address as street,
            club as team, gender as sex, {chances}, common_year.chance as c_year,
            -- A name that people bear, and so nobody's slip of the finger for another.
            coalesce(formal is not null or common_f1.held_by >= 5, false) as is_known_name
        from profiles {joins} left join common_year on common_year.v = {years}
        order by p
    """)
    for name in (*values, "year"):
        db.execute(f"drop table common_{name}")
    db.execute("drop table profiles")
