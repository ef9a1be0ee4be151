"""How alike two profiles are, field by field: a level each, null where one of them says nothing.

The higher the level, the more they agree; 0 is plain disagreement. `vetoed` is what no score may overrule.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field that is compared: its name in evidence, its levels' SQL, and what is believed before data are seen."""

    name: str
    agrees_from: int
    # How often two entries of one person, and of two people, have each level. From level 0 up.
    same: tuple[float, ...]
    other: tuple[float, ...]
    sql: str


_SWAPPED = "(a.f1 = b.l and a.l = b.f1)"
# Bill and William; Bill and Will, who are nobody's full form. Not Anna and Hanna, though both may be a Hannah.
_SHORT_FORM = """(list_contains(a.formal, b.f1) or list_contains(b.formal, a.f1)
        or (list_has_any(a.formal, b.formal) and not list_contains(a.formal, a.f1) and not list_contains(b.formal, b.f1)))"""
_NEARLY_SWAPPED = """((a.f1 = b.l and length(a.f1) > 2 and jaro_winkler_similarity(a.l, b.f1) >= 0.86)
        or (a.l = b.f1 and length(a.l) > 2 and jaro_winkler_similarity(a.f1, b.l) >= 0.86))"""
GENERATION = 13

FIRST = f"""case
    when a.f1 is null or b.f1 is null then null
    when a.f1 = b.f1 or a.fa = b.fa or a.ff = b.ff or {_SWAPPED} then 4
    when {_SHORT_FORM} then 3
    when {_NEARLY_SWAPPED} then 3
    when length(a.f1) > 2 and length(b.f1) > 2
        and (starts_with(a.fa, b.f1) or starts_with(b.fa, a.f1)) then 3
    when length(a.f1) = 1 or length(b.f1) = 1 then (a.f1[1] = b.f1[1])::tinyint
    when a.middle = b.f1 or b.middle = a.f1 then 2
    -- Two names that people bear are two names, however alike: Anna is not a slip for Hanna.
    when a.is_known_name and b.is_known_name then 0
    -- Hardly anybody mistypes the first letter, and many twins differ in it: Ella and Bella, Tim and Jim.
    when a.fa[1] <> b.fa[1] and a.fa[:2] <> reverse(b.fa[:2]) then 0
    when jaro_winkler_similarity(a.fa, b.fa) >= 0.86 or (abs(length(a.fa) - length(b.fa)) < 2 and damerau_levenshtein(a.fa, b.fa) <= 1)
        or (length(a.fa) > 4 and length(b.fa) > 4 and abs(length(a.fa) - length(b.fa)) < 3 and damerau_levenshtein(a.fa, b.fa) <= 2) then 2
    else 0 end"""
LAST = f"""case
    when a.l is null or b.l is null then null
    when a.l = b.l or a.lf = b.lf or {_SWAPPED} then 4
    when {_NEARLY_SWAPPED} then 3
    when list_has_any(list_filter(a.lt, lambda x: length(x) > 2), list_filter(b.lt, lambda x: length(x) > 2)) then 3
    when length(a.l) > 3 and length(b.l) > 3 and (starts_with(a.l, b.l) or starts_with(b.l, a.l)) then 2
    when length(a.l) > 2 and length(b.l) > 2 and (jaro_winkler_similarity(a.l, b.l) >= 0.88 or (abs(length(a.l) - length(b.l)) < 2 and damerau_levenshtein(a.l, b.l) <= 1)
        or (length(a.l) > 4 and length(b.l) > 4 and abs(length(a.l) - length(b.l)) < 3 and damerau_levenshtein(a.l, b.l) <= 2)) then 2
    else 0 end"""
MIDDLE = """case
    when a.middle is null or b.middle is null then null
    when a.middle = b.middle then 1
    when (length(a.middle) = 1 or length(b.middle) = 1) and a.middle_initial = b.middle_initial then 1
    when jaro_winkler_similarity(a.middle, b.middle) >= 0.85 then 1
    else 0 end"""
_GAP = "greatest(a.lo - b.hi, b.lo - a.hi)"
_BOTH_DAYS = "(a.dob_digits is not null and b.dob_digits is not null)"
BIRTH = f"""case
    when a.lo is null and a.dob_digits is null or b.lo is null and b.dob_digits is null then null
    when a.dob = b.dob or a.dob_digits = b.dob_digits then 6
    when {_BOTH_DAYS} and (damerau_levenshtein(a.dob_digits, b.dob_digits) <= 1
        or (a.dob_digits[:4] = b.dob_digits[:4] and a.dob_digits[5:6] = b.dob_digits[7:8] and a.dob_digits[7:8] = b.dob_digits[5:6]))
        then 5
    when a.lo is null or b.lo is null then 1
    when {_GAP} <= 0 then 4
    when not {_BOTH_DAYS} and {_GAP} <= 366 then 3
    when {_BOTH_DAYS} and {_GAP} < {GENERATION} * 365 and damerau_levenshtein(a.dob_digits, b.dob_digits) <= 2 then 2
    when {_GAP} < {GENERATION} * 365 then 1
    else 0 end"""
PLACE = """case
    when a.city is null and a.postcode is null and a.region is null or b.city is null and b.postcode is null and b.region is null
        then null
    when a.postcode = b.postcode and coalesce(a.country = b.country, true)
        and (coalesce(a.city = b.city, true) or jaro_winkler_similarity(a.city, b.city) >= 0.88) then 5
    when a.city = b.city and coalesce(a.region = b.region or a.country = b.country, true) then 4
    when a.postcode = b.postcode and coalesce(a.country = b.country, true) then 3
    when jaro_winkler_similarity(a.city, b.city) >= 0.9 and coalesce(a.region = b.region, true) then 3
    when a.city = b.city then 2
    when a.city is null or b.city is null then case when a.region = b.region then 1 when a.region <> b.region then 0 end
    when a.region = b.region then 1
    else 0 end"""
EMAIL = """case
    when a.mail is null or b.mail is null then null
    when a.mail = b.mail then 2
    when length(split_part(a.mail, '@', 1)) > 6 and split_part(a.mail, '@', 1) = split_part(b.mail, '@', 1) then 1
    when length(a.mail) > 12 and abs(length(a.mail) - length(b.mail)) < 2 and damerau_levenshtein(a.mail, b.mail) <= 1 then 1
    else 0 end"""
PHONE = """case
    when a.tel is null or b.tel is null then null
    when a.tel = b.tel then 2
    when right(a.tel, 7) = right(b.tel, 7) or damerau_levenshtein(a.tel, b.tel) <= 1 then 1
    else 0 end"""
MEMBER = """case
    when a.member is null or b.member is null then null
    when a.member = b.member then 2
    when length(a.member) > 5 and damerau_levenshtein(a.member, b.member) <= 1 then 1
    else 0 end"""
ADDRESS = """case
    when a.street is null or b.street is null then null
    when a.street = b.street then 2
    when jaro_winkler_similarity(a.street, b.street) >= 0.92 then 1
    else 0 end"""
CLUB = """case
    when a.team is null or b.team is null then null
    when a.team = b.team or jaro_winkler_similarity(a.team, b.team) >= 0.95 then 1
    else 0 end"""

FIELDS = (
    Field("first_name", 2, (0.01, 0.01, 0.06, 0.05, 0.87), (0.95, 0.02, 0.01, 0.01, 0.01), FIRST),
    Field("last_name", 2, (0.02, 1e-6, 0.05, 0.03, 0.90), (0.992, 1e-6, 0.005, 0.001, 0.002), LAST),
    Field("middle_name", 1, (0.05, 0.95), (0.93, 0.07), MIDDLE),
    Field(
        "birth", 3,
        (0.002, 0.006, 0.006, 0.02, 0.45, 0.016, 0.50), (0.55, 0.37, 0.01, 0.02, 0.045, 0.001, 0.00005), BIRTH,
    ),
    Field("place", 2, (0.15, 0.05, 0.01, 0.04, 0.30, 0.45), (0.85, 0.12, 0.005, 0.005, 0.015, 0.005), PLACE),
    Field("email", 1, (0.25, 0.03, 0.72), (0.999, 0.0005, 0.00002), EMAIL),
    Field("phone", 1, (0.20, 0.03, 0.77), (0.999, 0.0005, 0.00002), PHONE),
    Field("address", 1, (0.25, 0.10, 0.65), (0.99, 0.009, 0.0001), ADDRESS),
    Field("club", 1, (0.4, 0.6), (0.98, 0.02), CLUB),
    Field("member_id", 1, (0.05, 0.05, 0.90), (0.9999, 0.0001, 0.000001), MEMBER),
)  # fmt: skip
NAMES = [field.name for field in FIELDS]

GENDER = "case when a.sex <> b.sex then 0 when a.sex = b.sex then 1 end"

# What no score overrules. A contact that agrees is no help across a generation: parent and child share it.
_CONTACT = "coalesce(email = 2, false) or coalesce(phone = 2, false) or coalesce(member_id >= 1, false) or coalesce(address = 2, false)"
# Twins share all but the first name, so another first name is another person; a parent and a child of one name share
# all but the birth date. `{names_damaged}` and `{births_damaged}` are true only for data that show that their first
# names, their birth dates, are often somebody else's (see `scoring.Damage`). A licence number is one person's.
_VETOED = f"""(
    suffix_differs
    or not coalesce(member_id = 2 and (first_name >= 2 or birth >= 5 or {{names_damaged}} and place >= 4), false) and (
        first_name = 0 and not ({{names_damaged}}
            and coalesce(birth >= 5 and place >= 3 and gender is distinct from 0, false))
        or birth <= 2 and not ({{births_damaged}} and coalesce(first_name >= 2 and last_name >= 2 and place >= 3, false)) and (
            birth = 0
            or birth = 1 and not ({_CONTACT})
            or birth = 2 and not ({_CONTACT} or coalesce(place >= 4, false)))
        or birth = 3 and not ({_CONTACT} or coalesce(place >= 3, false) or coalesce(club = 1, false))
        or birth = 5 and born_apart >= {GENERATION} * 365 and not ({_CONTACT} or coalesce(place >= 2, false))
        or middle_name = 0 and coalesce(birth < 5, true) and not ({_CONTACT})
        or {{surname}}
        or last_name is null and not (birth >= 5 and first_name >= 2) is true
        or (first_name is null or first_name = 1) and coalesce(birth < 5, true) and not (first_name = 1 and ({_CONTACT}))
    )
)"""
# Another surname needs the very birth date.
_SURNAME = "last_name = 0 and coalesce(birth < 6, true)"
# A name alone links nobody.
CORROBORATED = f"(birth >= 3 or place >= 2 or club = 1 or {_CONTACT})"


@dataclass(frozen=True)
class Damage:
    """Which fields of the data at hand are often somebody else's; none, in data that people typed."""

    first_names: bool = False
    birth_dates: bool = False


SOUND = Damage()


def levels(pairs: str, extra: str = "", damage: Damage = SOUND, across: bool = False) -> str:
    """Return a select of the levels of `pairs` (a, b): the fields' names, gender, vetoed, and `extra` columns.

    `across`: with the chances of values over all scopes. Levels are made once and kept: DuckDB would otherwise put their
    SQL wherever their names stand, and compare each field a dozen times.
    """
    rated = "rated_across" if across else "rated"
    made = ", ".join(f"({field.sql})::tinyint as {field.name}" for field in FIELDS)
    both = f"join {rated} as a on a.p = one join {rated} as b on b.p = other" if extra else ""
    return f"""
        with compared as materialized (
            select a.p as one, b.p as other, {made}, ({GENDER})::tinyint as gender,
                (a.suffix <> b.suffix) is true as suffix_differs, abs(a.lo - b.lo) as born_apart
            from {pairs} as pairs join rated as a on a.p = pairs.a join rated as b on b.p = pairs.b
        )
        select one as a, other as b, {", ".join(NAMES)}, gender,
            coalesce({_vetoed(damage, _SURNAME)}, false) as vetoed, coalesce({CORROBORATED}, false) as corroborated {extra}
        from compared {both}
    """


def contradiction(damage: Damage = SOUND) -> str:
    """Return the expression, over what `levels` compares, that is true of what rules a pair out whoever else is of their group.

    Not that their surnames differ: a third record can show that one became the other.
    """
    return f"coalesce({_vetoed(damage, 'false')}, false)"


def _vetoed(damage: Damage, surname: str) -> str:
    return _VETOED.format(
        names_damaged=str(damage.first_names).lower(), births_damaged=str(damage.birth_dates).lower(), surname=surname
    )
