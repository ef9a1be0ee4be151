"""From levels to a probability: Fellegi and Sunter's weights, learned by expectation maximisation on the data at hand.

`m` is how often two entries of one person have a level, `u` how often two people do. u is counted on random pairs. m and
the number of pairs of one person come from EM over all pairs, of which those without a shared key are taken as pairs of
two people. Both begin at a prior that stands for some hundred pairs, so that five records get sensible weights, data
without any duplicate learn nothing wrong, and a field that is never filled plays no part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from project88.errors import ActionNeeded
from project88.identity import duck
from project88.identity.cleaning import AS_WRITTEN, Reading
from project88.identity.comparing import FIELDS, GENERATION, NAMES, SOUND, Damage, levels

# How many pairs the priors stand for.
PRIOR_SAME, PRIOR_OTHER = 100.0, 2_000.0
# So many people are there at least, of whom these are some: with two records a name is not evidence enough.
UNSEEN = 1_000
RANDOM_PAIRS, MOST_TRAINING_PAIRS = 250_000, 2_000_000
# Of pairs that agree on surname, birth date and place, so many have two first names where it is not twins.
LEAST_UNLIKE, MORE_THAN_TWINS = 200, 0.06
# Of pairs that agree on a rare name and a place, so many have two birth dates where it is not kin.
LEAST_APART, MORE_THAN_KIN = 50, 0.02
# Gender follows from a first name, so its agreement says nothing new and its disagreement is mostly a slip.
GENDER_DISAGREES = -5.0
# Profiles of several entries.
COPIED = "(select p from entries where p is not null group by p having count(*) > 1)"
Array = np.ndarray[Any, Any]


@dataclass
class Parameters:
    """What was learned: per field the share of each level among pairs of one person and of two, and how many pairs of
    one person there are per profile; and how the records were read.
    """

    same: dict[str, list[float]]
    other: dict[str, list[float]]
    matches: float
    rounds: int = 0
    pairs: int = 0
    profiles: int = 0
    damage: Damage = SOUND
    reading: Reading = AS_WRITTEN

    def weight(self, name: str, level: int) -> float:
        """Return the bits that a level adds."""
        return math.log2(self.same[name][level] / self.other[name][level])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can say it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Parameters:
        """Return what `to_dict` told. Raises ActionNeeded where that was said by a linkage with other fields."""
        try:
            found = cls(**{**told, "damage": Damage(**told["damage"]), "reading": Reading(**told["reading"])})
            fits = all(len(found.same[one.name]) == len(found.other[one.name]) == len(one.same) for one in FIELDS)
        except (KeyError, TypeError):
            fits = False
        if not fits:
            raise ActionNeeded("these parameters are another version's; leave them out, and they are learned again")
        return found


def learn(db: duckdb.DuckDBPyConnection, profiles: int, pairs: int) -> Parameters:
    """Estimate the parameters from `rated` and `pairs`."""
    shifts = max(1, min((profiles - 1) // 2, math.ceil(RANDOM_PAIRS / max(profiles, 1))))
    most = min(profiles, math.ceil(RANDOM_PAIRS / shifts))
    names = ", ".join(NAMES)
    # Profiles are numbered by a hash of their content, so neighbours are strangers.
    random = f"(select p as a, ((p + s) % {max(profiles, 1)})::integer as b from rated, range(1, {shifts + 1}) as r(s) where p < {most})"
    drawn = _patterns(db, f"select {names}, count(*) as c from ({levels(random)}) where a <> b group by all")
    every = max(1, math.ceil(pairs / MOST_TRAINING_PAIRS))
    sample = f"(select a, b from pairs where hash(a, b) % {every} = 0)"
    damage = damage_of(db, profiles) if every == 1 else SOUND
    seen = _patterns(
        db, f"select {names}, count(*) as c from ({levels(sample, damage=damage)}) where not vetoed group by all"
    )
    # Copies are one more pair of that profile, however many: who runs every week is one person.
    copies = f"(select p as a, p as b from {COPIED})"
    alike = _patterns(db, f"select {names}, count(*) as c from ({levels(copies)}) where not vetoed group by all")
    seen[1][:] *= every
    levels_seen = np.concatenate([seen[0], alike[0]])
    counts = np.concatenate([seen[1], alike[1]])
    (every_pair,) = duck.row(
        db, "select sum(held * (held - 1) / 2)::double from (select count(*) as held from rated group by scope)"
    )
    found = _maximise(levels_seen, counts, drawn, profiles, every_pair)
    found.damage = damage
    return found


def damage_of(db: duckdb.DuckDBPyConnection, profiles: int) -> Damage:
    """Return which fields of these data are often somebody else's.

    Two records with one surname, birth date and place and two first names are twins, of whom there is one pair in a
    hundred births. Where that is said of several in a hundred pairs, and those show nothing of twins (a brother and a
    sister, a start in the same race, more entries under each of the two names), first names were mixed up.

    Two records with one rare name and place and two birth dates are a parent and a child, or kin. Where many differ by
    more years than lie between those, and as many by fewer, birth dates were mixed up.

    Both take a number of such pairs to say: in few records twins are twins. Real registrations have shown neither.
    """
    digits_known = "a.dob_digits is not null and b.dob_digits is not null"
    # How unlikely it is that two people are called so and live there, in bits over what one in these data must have.
    rare = f"-log2(greatest(a.c_f1 * a.c_l, a.c_full) * coalesce(a.c_city, 1)) - {math.log2(5 * max(profiles, 1)):.3f}"
    db.execute(f"""
        create or replace temp table households as
        select a, b, first_name, last_name, birth, place, gender, rare, years from ({
        levels(
            "pairs",
            f", {rare} as rare, "
            f"case when {digits_known} then abs(a.dob_digits[:4]::int - b.dob_digits[:4]::int) end as years",
        )
    })
        where first_name is not null and last_name >= 2 and place >= 3;
        create or replace temp table known_by as
        select p from (select a as p from households where first_name >= 3 and birth = 6
            union all select b from households where first_name >= 3 and birth = 6
            union all select p from {COPIED}) group by p;
        create or replace temp table unlike as select a, b, gender from households where first_name = 0 and birth = 6
    """)
    unlike, same_day, of_both_genders, under_each_name = duck.row(
        db,
        """
        select (select count(*) from unlike), (select count(*) from households where birth = 6),
            (select count(*) from unlike where gender = 0),
            (select count(*) from unlike where a in (from known_by) and b in (from known_by))
    """,
    )
    (together,) = duck.row(
        db,
        """
        select count(*) from (
            select distinct a, b from unlike join entries as x on x.p = a join entries as y on y.p = b and x.event = y.event
        )
    """,
    )
    dated, apart, too_far, near = duck.row(
        db,
        f"""
        select count(*), count(*) filter (birth < 2), count(*) filter (birth < 2 and years > 50),
            count(*) filter (birth < 2 and years < {GENERATION})
        from households where first_name = 4 and last_name = 4 and place >= 4 and years is not null and rare > 6
    """,
    )
    for table in ("households", "known_by", "unlike"):
        db.execute(f"drop table {table}")
    return Damage(
        first_names=unlike >= LEAST_UNLIKE and unlike >= MORE_THAN_TWINS * same_day
        and max(of_both_genders, under_each_name, together) <= 0.05 * unlike,
        birth_dates=apart >= LEAST_APART and apart >= MORE_THAN_KIN * dated and min(too_far, near) >= 0.08 * apart,
    )  # fmt: skip


def _patterns(db: duckdb.DuckDBPyConnection, query: str) -> tuple[Array, Array]:
    table = db.sql(f"select * from ({query}) order by all").to_arrow_table()
    columns = [table.column(name).fill_null(-1).to_numpy().astype(np.int64) for name in NAMES]
    counts = table.column("c").cast(pa.float64()).to_numpy().copy()
    return np.stack(columns, axis=1) if columns else np.zeros((0, 0), np.int64), counts


def _maximise(
    seen: Array, counts: Array, drawn: tuple[Array, Array], profiles: int, every_pair: float | None
) -> Parameters:
    same = [np.array(one.same) for one in FIELDS]
    other = [np.array(one.other) for one in FIELDS]
    every_pair = max(1.0, every_pair or 0.0)
    matches = 0.1 * profiles + 1.0
    weights = np.zeros(len(counts))
    rounds = 0
    for rounds in range(1, 101):  # noqa: B007
        # The pairs drawn at random hold a few of one person, which in a small file is not nothing.
        chance = 1.0 - _share(drawn[0], same, other, matches, every_pair)
        other = [
            _shares(drawn[0][:, n], drawn[1] * chance, np.array(one.other), PRIOR_OTHER) for n, one in enumerate(FIELDS)
        ]
        weights = _share(seen, same, other, matches, every_pair)
        found = counts * weights
        same = [_shares(seen[:, n], found, np.array(one.same), PRIOR_SAME) for n, one in enumerate(FIELDS)]
        before, matches = matches, float(found.sum()) + 1.0
        if abs(matches - before) < 1e-5 * matches:
            break
    return Parameters(
        {one.name: [float(x) for x in same[n]] for n, one in enumerate(FIELDS)},
        {one.name: [float(x) for x in other[n]] for n, one in enumerate(FIELDS)},
        matches / max(profiles, 1), rounds, int(counts.sum()), profiles,
    )  # fmt: skip


def _shares(column: Array, counts: Array, prior: Array, strength: float) -> Array:
    held = np.array([counts[column == level].sum() for level in range(len(prior))])
    shares = (held + strength * prior / prior.sum()) / (held.sum() + strength)
    return np.maximum(shares, 1e-9)


def _share(seen: Array, same: list[Array], other: list[Array], matches: float, every_pair: float) -> Array:
    """Return how likely each pattern is one person."""
    odds = np.full(len(seen), math.log(matches / every_pair))
    for n in range(len(same)):
        ratio = np.append(np.log(same[n] / other[n]), 0.0)  # the last is for level -1: nothing said
        odds += ratio[seen[:, n]]
    return 1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500)))


def score_sql(found: Parameters) -> str:
    """Return SQL for the bits of a pair; it reads the levels and both profiles' chances."""

    def cases(name: str, special: dict[int, str] | None = None) -> str:
        special = special or {}
        arms = []
        for level in range(len(found.same[name])):
            bits = special.get(level) or f"{found.weight(name, level):.6f}"
            arms.append(f"when {level} then {bits}")
        return f"(case {name} {' '.join(arms)} else 0 end)"

    def rarely(name: str, level: int, chance: str) -> str:
        """Bits of an agreement on a value that one in so many has."""
        return f"log2({found.same[name][level]:.9f} / ({chance}))"

    def commoner(column: str) -> str:
        return f"greatest(a.{column}, b.{column})"

    # The chance that somebody's name is nearly this one goes with how common the name is.
    first = {4: rarely("first_name", 4, commoner("c_f1"))}
    last = {4: rarely("last_name", 4, commoner("c_l"))}
    for level in (2, 3):
        near = found.other["first_name"][level] / 5
        first[level] = rarely("first_name", level, f"greatest({commoner('c_f1')}, {near:.9f})")
        near = found.other["last_name"][level] / 10
        last[level] = rarely("last_name", level, f"greatest({commoner('c_l')}, {near:.9f})")
    both = found.same["first_name"][4] * found.same["last_name"][4]
    by_chance = f"greatest({commoner('c_f1')} * {commoner('c_l')}, {commoner('c_full')})"
    name = f"""(case when first_name = 4 and last_name = 4 then log2({both:.9f} / {by_chance})
        else {cases("first_name", first)} + {cases("last_name", last)} end)"""
    width = "((a.hi - a.lo + b.hi - b.lo + 2) / 365.25)"
    # Two ranges of days meet by chance as often as people of that age are many, and the ranges wide.
    meet = rarely("birth", 4, f"least(coalesce({commoner('c_year')}, 0.05) * {width}, 0.9)")
    parts = [
        name,
        cases("middle_name"),
        cases("birth", {6: rarely("birth", 6, f"coalesce({commoner('c_dob')}, 0.0001)"), 4: meet}),
        cases("place", {
            5: rarely("place", 5, commoner("c_postcode")),
            4: rarely("place", 4, commoner("c_city")),
        }),
        cases("email", {2: rarely("email", 2, commoner("c_email"))}),
        cases("phone", {2: rarely("phone", 2, commoner("c_phone"))}),
        cases("address", {2: rarely("address", 2, commoner("c_address"))}),
        cases("club", {1: rarely("club", 1, f"coalesce({commoner('c_club')}, 0.02)")}),
        cases("member_id", {2: rarely("member_id", 2, commoner("c_member"))}),
        f"(case when gender = 0 then {GENDER_DISAGREES} else 0 end)",
    ]  # fmt: skip
    # The odds that two of so many are one person, before anything is known of them.
    among = "greatest(a.c_among, b.c_among)::double"
    prior = f"least(0.01, ({found.matches:.9f} * {among} + {0.1 * UNSEEN}) * 2 / (({among} + {UNSEEN}) * ({among} + {UNSEEN - 1})))"
    return f"log2({prior} / (1 - {prior})) + " + " + ".join(parts)


def bits_of(probability: float) -> float:
    """Return the bits of a probability."""
    return (
        math.log2(probability / (1 - probability)) if 0 < probability < 1 else math.copysign(999.0, probability - 0.5)
    )
