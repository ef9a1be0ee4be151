"""From what somebody typed to what can be compared: one row per record in the table `records`, in DuckDB.

Everything runs over columns; Python sees each distinct text with letters beyond ASCII once. A value that cannot be
true (an age of 155, a phone of seven nines) becomes null, since null says nothing and a wrong value says something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from project88.identity import duck, names
from project88.identity.columns import COLUMNS

# Texts whose letters are made plain.
LETTERED = (
    "first_name", "middle_name", "last_name", "full_name", "city", "region", "country", "nationality", "club", "address",
)  # fmt: skip
OLDEST, YOUNGEST_AGE, OLDEST_AGE = 112, 1, 109

_STATES = (
    "alabama al,alaska ak,arizona az,arkansas ar,california ca,colorado co,connecticut ct,delaware de,florida fl,georgia ga,"
    "hawaii hi,idaho id,illinois il,indiana in,iowa ia,kansas ks,kentucky ky,louisiana la,maine me,maryland md,massachusetts ma,"
    "michigan mi,minnesota mn,mississippi ms,missouri mo,montana mt,nebraska ne,nevada nv,new hampshire nh,new jersey nj,"
    "new mexico nm,new york ny,north carolina nc,north dakota nd,ohio oh,oklahoma ok,oregon or,pennsylvania pa,rhode island ri,"
    "south carolina sc,south dakota sd,tennessee tn,texas tx,utah ut,vermont vt,virginia va,washington wa,west virginia wv,"
    "wisconsin wi,wyoming wy,district of columbia dc,ontario on,quebec qc,british columbia bc,alberta ab,manitoba mb,"
    "saskatchewan sk,nova scotia ns,new brunswick nb,new south wales nsw,victoria vic,queensland qld,tasmania tas"
)
_COUNTRIES = (
    "us usa united states,us united states of america,us u s a,gb gbr great britain,gb uk united kingdom,gb eng england,"
    "gb sco scotland,gb wal wales,gb nir northern ireland,ca can canada,ie irl ireland,de deu germany,de ger deutschland,"
    "fr fra france,es esp spain,it ita italy,ch che switzerland,ch sui schweiz,at aut austria,nl nld netherlands,nl ned holland,"
    "be bel belgium,dk dnk denmark,dk den danmark,se swe sweden,no nor norway,fi fin finland,is isl iceland,pt prt portugal,"
    "pt por portugal,br bra brazil,mx mex mexico,ar arg argentina,cl chl chile,cl chi chile,co col colombia,au aus australia,"
    "nz nzl new zealand,jp jpn japan,cn chn china,kr kor korea,in ind india,za zaf south africa,za rsa south africa,ke ken kenya,"
    "et eth ethiopia,pl pol poland,cz cze czechia,hu hun hungary,ro rou romania,gr grc greece,gr gre greece,tr tur turkey,"
    "ru rus russia,ua ukr ukraine,il isr israel,ma mar morocco"
)

MACROS = r"""
create or replace temp macro plain(x) as
    nullif(trim(regexp_replace(regexp_replace(lower(x), '[''`\x{2019}]', '', 'g'), '[^a-z]+', ' ', 'g')), '');
create or replace temp macro plain_with_digits(x) as
    nullif(trim(regexp_replace(regexp_replace(lower(x), '[''`\x{2019}]', '', 'g'), '[^a-z0-9]+', ' ', 'g')), '');
-- Juergen and Jurgen, Soerensen and Sorensen.
create or replace temp macro folded(x) as replace(replace(replace(x, 'ae', 'a'), 'oe', 'o'), 'ue', 'u');
-- What is left of a name when spelling by ear is taken away.
create or replace temp macro skeleton(x) as
    x[1] || regexp_replace(replace(replace(replace(x[2:], 'ph', 'f'), 'ck', 'k'), 'c', 'k'), '[aeiouyhw]', '', 'g');
create or replace temp macro day_number(d) as datediff('day', date '1900-01-01', d)::integer;
create or replace temp macro number_in(x) as try_cast(trim(x) as double);
"""


# What a record says, whoever it is: two of one hash say the same.
SAID = f"hash({', '.join(name for name in COLUMNS if name != 'record_id')})"


@dataclass(frozen=True)
class Reading:
    """What was seen of all records together and decides how each is read: is 03/04 in April, and are there event dates."""

    birth_day_first: bool = False
    event_day_first: bool = False
    has_event_date: bool = False


AS_WRITTEN = Reading()


def clean(
    db: duckdb.DuckDBPyConnection,
    given: pa.Table,
    within: Sequence[str] = (),
    reading: Reading | None = None,
    known: str | None = None,
) -> Reading:
    """Fill `records` from a table with the columns of `columns.COLUMNS`; `n` is the row's place, from 0.

    `scope` is a hash of what is said in the columns `within`: names are oriented among those of one scope. `reading` is
    how earlier records were read, where these are to be read alike; `known` a table of earlier profiles (scope, f1, l).
    Returns how these were read.
    """
    for macro in MACROS.split(";\n"):
        if macro.strip():
            db.execute(macro)
    db.register("given", given)
    blank = ", ".join(f"nullif(trim({name}), '') as {name}" for name in given.column_names if name != "record_id")
    scope = f"hash({', '.join(within)})" if within else "0::ubigint"
    db.execute(f"""
        create or replace temp table raw as
        select (row_number() over ())::bigint - 1 as n, record_id, {scope} as scope, {SAID} as said, {blank} from given
    """)
    db.unregister("given")
    has = {name for name in given.column_names if given.column(name).null_count < given.num_rows}
    reading = reading or Reading(_day_first(db, "birth_date"), _day_first(db, "event_date"), "event_date" in has)
    _plain_letters(db, [name for name in LETTERED if name in has])
    _names(db, known)
    _births(db, reading)
    _rest(db)
    return reading


def _plain_letters(db: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
    """Replace every text with letters beyond ASCII, or entities, by its repaired spelling in ASCII."""
    odd = r"'[^\x00-\x7F]|&#?[a-zA-Z0-9]+;'"
    for column in columns:
        found = db.sql(f"select distinct {column} as v from raw where regexp_matches({column}, {odd})").to_arrow_table()
        if found.num_rows:
            texts = found.column("v").to_pylist()
            db.register("repairs", pa.table({"v": texts, "ascii": [names.repaired(text) for text in texts]}))
            db.execute(f"update raw set {column} = nullif(trim(ascii), '') from repairs where {column} = v")
            db.unregister("repairs")


_TYPED = "hash(scope, first_name, middle_name, last_name, full_name)"


def _words(words: str) -> str:
    return "'^(" + words + ")$'"


def _names(db: duckdb.DuckDBPyConnection, known: str | None) -> None:
    """Make `named`: one row per distinct name as typed in a scope, with its parts and whether it stands for nobody."""
    suffix = "|".join(names.SUFFIXES)
    suffix_of = "case " + " ".join(f"when x = '{word}' then '{ours}'" for word, ours in names.SUFFIXES.items()) + " end"
    db.execute(f"create or replace temp macro suffix_of(x) as {suffix_of}")
    db.execute(
        f"create or replace temp macro untitled(x) as regexp_replace(regexp_replace(x, '^({names.TITLES}) (.+)$', '\\2'), ' ({names.DEGREES})$', '')"
    )
    db.execute(f"create or replace temp macro ending(x) as suffix_of(nullif(regexp_extract(x, ' ({suffix})$', 1), ''))")
    db.execute(f"create or replace temp macro unended(x) as regexp_replace(x, ' ({suffix})$', '')")
    db.execute(rf"""
        create or replace temp table typed as
        select {_TYPED} as h, any_value(scope) as scope, any_value(first_name) as first_name, any_value(middle_name) as middle_name, any_value(last_name) as last_name, any_value(full_name) as full_name
        from raw group by h;
        -- Somebody's whole name in one field, whichever.
        create or replace temp table split as
        with whole as (
            select *,
                case
                    when first_name is null and last_name is null then full_name
                    when full_name is not null and (first_name is null or last_name is null) then full_name
                    when first_name is null and contains(last_name, ' ') then last_name
                    when last_name is null and contains(first_name, ' ') then first_name
                end as w
            from typed
        ),
        words as (
            select *, list_filter(string_split_regex(trim(w), '\s+'), lambda x: x <> '') as tokens,
                plain(split_part(w, ',', 1)) as before, plain(substr(w, strpos(w, ',') + 1)) as after
            from whole
        ),
        cased as (
            select *,
                -- LAST First: some words shout, others do not.
                list_filter(tokens, lambda x: x = upper(x) and regexp_matches(x, '[A-Z].*[A-Z]')) as loud,
                list_filter(tokens, lambda x: regexp_matches(x, '[a-z]')) as quiet,
                string_split(coalesce(unended(untitled(plain(w))), ''), ' ') as said
            from words
        )
        select h, scope, coalesce(w, concat_ws(' ', first_name, middle_name, last_name)) as as_typed,
            case
                when w is null then plain(first_name)
                when contains(w, ',') and before is not null and after is not null and suffix_of(after) is null then after
                when len(loud) > 0 and len(quiet) > 0 and len(loud[1]) > 1
                    then plain(array_to_string(list_filter(tokens, lambda x: not list_contains(loud, x)), ' '))
                when len(said) > 1 then array_to_string(said[:len(said) - 1 - particles], ' ')
            end as first,
            plain(middle_name) as middle,
            case
                when w is null then plain(last_name)
                when contains(w, ',') and before is not null and after is not null and suffix_of(after) is null then before
                when len(loud) > 0 and len(quiet) > 0 and len(loud[1]) > 1 then plain(array_to_string(loud, ' '))
                when len(said) > 1 then array_to_string(said[len(said) - particles:], ' ')
                else nullif(said[1], '')
            end as last,
            ending(plain(w)) as whole_suffix
        from (
            select *, case
                when len(said) > 3 and regexp_matches(said[-2], {_words("|".join(sorted(names.PARTICLES)))})
                    and regexp_matches(said[-3], {_words("|".join(sorted(names.PARTICLES)))}) then 2
                when len(said) > 2 and regexp_matches(said[-2], {_words("|".join(sorted(names.PARTICLES - {"y", "e", "i"})))})
                    then 1
                else 0 end as particles
            from cased
        )
    """)
    db.execute(f"""
        create or replace temp table parted as
        with trimmed as (
            select h, scope, as_typed, unended(untitled(first)) as first, middle, unended(untitled(last)) as last,
                coalesce(whole_suffix, ending(last), ending(first), suffix_of(middle)) as suffix
            from split
        ),
        given as (
            select *, string_split(coalesce(first, ''), ' ') as ft, string_split(coalesce(last, ''), ' ') as lt from trimmed
        ),
        chosen as (
            -- J. Michael goes by Michael.
            select *, case when len(ft) > 1 and length(ft[1]) = 1 and length(ft[2]) > 1 then 2 else 1 end as calling from given
        )
        select h, scope, as_typed, suffix,
            nullif(ft[calling], '') as f1,
            nullif(array_to_string(list_filter(ft, lambda x: length(x) > 1), ''), '') as fa,
            coalesce(
                case when calling = 2 then ft[1] when len(ft) > 1 then ft[2] end,
                case when suffix_of(middle) is null then string_split(middle, ' ')[1] end
            ) as middle,
            nullif(replace(last, ' ', ''), '') as l,
            list_filter(lt, lambda x: length(x) > 1 and not regexp_matches(x, {_words("|".join(sorted(names.PARTICLES)))})) as lt,
            plain(as_typed) is null or coalesce(regexp_matches(as_typed, '[/&+]| and | und | et ')
                or regexp_matches(plain(as_typed), {_words(names.NOBODY_WHOLE)})
                or regexp_matches(coalesce(first, last), '^({names.NOBODY_FIRST})( |$)')
                or regexp_matches(coalesce(last, first), {_words(names.NOBODY_LAST)})
                or regexp_matches(plain(as_typed), '(^| )({names.NOBODY_ANYWHERE})( |$)')
                or (length(replace(coalesce(first, ''), ' ', '')) <= 1 and length(replace(coalesce(last, ''), ' ', '')) <= 1), false)
                as is_nobody
        from chosen
    """)
    _orient(db, known)


def _orient(db: duckdb.DuckDBPyConnection, known: str | None) -> None:
    """Make `named` from `parted`: turn round those names whose words are nearly always used the other way.

    Which words are first names is learned from the data: how often each was a first and a last name. A word that is
    in the list of short forms counts as if it had been seen as a first name often.
    """
    earlier = (
        f"""union all select scope, f1, count(*)::double, 0.0 from {known} where f1 in (select w from words) group by all
            union all select scope, l, 0.0, count(*)::double from {known} where l in (select w from words) group by all"""
        if known
        else ""
    )
    db.register("short_forms", pa.table({"w": list(names.related())}))
    db.execute(f"""
        create or replace temp table words as
        select f1 as w from parted where f1 is not null union select l from parted where l is not null;
        create or replace temp table seen as
        select scope, w, sum(as_first) + 1 + case when w in (select w from short_forms) then 20 else 0 end as as_first,
            sum(as_last) + 1 as as_last
        from (
            select scope, f1 as w, count(*)::double as as_first, 0.0 as as_last from parted where not is_nobody group by all
            union all select scope, l, 0.0, count(*)::double from parted where not is_nobody group by all
            {earlier}
        ) where w is not null group by scope, w;
        create or replace temp table named as
        with weighed as (
            select parted.*,
                (f.as_last / f.as_first) * (l.as_first / l.as_last) as other_way
            from parted left join seen as f on f.w = f1 and f.scope = parted.scope
            left join seen as l on l.w = l and l.scope = parted.scope
        )
        select * exclude (scope, f1, fa, l, lt, other_way),
            case when turned then l else f1 end as f1,
            case when turned then l else fa end as fa,
            case when turned then f1 else l end as l,
            case when turned then [f1] else lt end as lt
        from (select *, coalesce(other_way > 50 and len(lt) <= 1 and length(f1) > 1 and length(l) > 1, false) as turned
              from weighed)
    """)
    db.unregister("short_forms")


def _date_of(column: str, day_first: bool) -> str:
    order = "%d/%m/%Y" if day_first else "%m/%d/%Y"
    other = "%m/%d/%Y" if day_first else "%d/%m/%Y"
    slashed = f"regexp_replace(regexp_extract({column}, '^[0-9]{{1,2}}[/. -][0-9]{{1,2}}[/. -][0-9]{{4}}'), '[. -]', '/', 'g')"
    return f"""coalesce(
        try_strptime(regexp_extract({column}, '^[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}'), '%Y-%m-%d'),
        try_strptime(regexp_extract({column}, '^[0-9]{{4}}/[0-9]{{1,2}}/[0-9]{{1,2}}'), '%Y/%m/%d'),
        case when regexp_matches({column}, '^[0-9]{{8}}$') then try_strptime({column}, '%Y%m%d') end,
        try_strptime({slashed}, '{order}'), try_strptime({slashed}, '{other}')
    )::date"""


def _day_first(db: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Return whether 03/04/1980 is the third of April: as the column's unambiguous dates are written."""
    row = duck.row(
        db,
        rf"""
        select count(*) filter (where a > 12 and b <= 12), count(*) filter (where b > 12 and a <= 12)
        from (select try_cast(regexp_extract({column}, '^([0-9]{{1,2}})[/. -]([0-9]{{1,2}})[/. -][0-9]{{4}}', 1) as integer) as a,
                     try_cast(regexp_extract({column}, '^([0-9]{{1,2}})[/. -]([0-9]{{1,2}})[/. -][0-9]{{4}}', 2) as integer) as b
              from raw where {column} is not null)
    """,
    )
    # Dots are written where the day comes first.
    dotted = duck.row(
        db, f"select bool_or(regexp_matches({column}, '^[0-9]{{1,2}}\\.[0-9]{{1,2}}\\.[0-9]{{4}}')) from raw"
    )
    return bool(row[0] > row[1] or (row[0] == row[1] and dotted and dotted[0]))


def _births(db: duckdb.DuckDBPyConnection, reading: Reading) -> None:
    """Make `births`: the days between which each was born, from a birth date, else an age, a band or a year.

    Somebody of 34 on 1 May 2026 was born between 2 May 1991 and 1 May 1992. Without any event date in the data the ages
    are taken for those of one unknown season, and a year is allowed either way.
    """
    born = _date_of("birth_date", reading.birth_day_first)
    held = _date_of("event_date", reading.event_day_first)
    slack = 0 if reading.has_event_date else 1
    unknown_day = "null" if reading.has_event_date else "date '2020-07-01'"
    this_year = datetime.now(UTC).year
    band = r"'([0-9]{1,3}) *(?:-|\x{2013}|to|_) *([0-9]{1,3})'"
    db.execute(rf"""
        create or replace temp table births as
        with read as (
            select n, regexp_replace(birth_date, '\.0$', '') as birth_date, {held} as held_on,
                number_in(age) as age, age_band, number_in(coalesce(birth_year, case when regexp_matches(birth_date, '^[0-9]{{4}}$') then birth_date end)) as birth_year
            from raw
            where coalesce(birth_date, age, age_band, birth_year) is not null
        ),
        dated as (
            select *, {born} as born, coalesce(held_on, {unknown_day}) as on_day from read
        ),
        judged as (
            select *,
                case when born > date '1900-01-01' and born <= current_date
                    and (held_on is null or (born < held_on and born > held_on - to_years({OLDEST}))) then born end as dob,
                case when age >= {YOUNGEST_AGE} and age <= {OLDEST_AGE} then floor(age)::integer end as years,
                try_cast(nullif(regexp_extract(age_band, {band}, 1), '') as integer) as from_age,
                try_cast(nullif(regexp_extract(age_band, {band}, 2), '') as integer) as to_age,
                try_cast(nullif(regexp_extract(age_band, '([0-9]{{1,3}}) *(?:\+|and over|and up|or over|& *over)', 1), '') as integer) as open_from,
                case when birth_year > 1900 and birth_year <= {this_year} then birth_year::integer end as in_year
            from dated
        ),
        ranged as (
            select *,
                case when years is not null then years
                     when from_age <= to_age and to_age <= {OLDEST_AGE} then from_age
                     when open_from between 10 and 99 then open_from end as low_age,
                case when years is not null then years
                     when from_age <= to_age and to_age <= {OLDEST_AGE} then to_age
                     when open_from between 10 and 99 then least(open_from + 25, {OLDEST_AGE}) end as high_age
            from judged
        )
        select n, dob,
            coalesce(strftime(dob, '%Y%m%d'), case when regexp_matches(birth_date, '^(19|20)[0-9]{{6}}$') then birth_date end) as digits,
            day_number(coalesce(dob,
                case when in_year is not null then make_date(in_year, 1, 1) end,
                (on_day - to_years(high_age + 1 + {slack}) + interval 1 day)::date)) as lo,
            day_number(coalesce(dob,
                case when in_year is not null then make_date(in_year, 12, 31) end,
                (on_day - to_years(low_age - {slack}))::date)) as hi
        from ranged
    """)


def _rest(db: duckdb.DuckDBPyConnection) -> None:
    """Make `records`: names, births, contacts, places and the event of each record."""
    states = pa.table(
        {
            "long": [one.rpartition(" ")[0] for one in _STATES.split(",")],
            "short": [one.rpartition(" ")[2] for one in _STATES.split(",")],
        }
    )
    spellings = {}
    for line in _COUNTRIES.split(","):
        code, three, *words = line.split()
        for spelling in (code, three, " ".join(words)):
            spellings[spelling] = code
    countries = pa.table({"spelled": list(spellings), "code": list(spellings.values())})
    db.register("states", states)
    db.register("countries", countries)
    db.execute(rf"""
        create or replace temp table records as
        with contact as (
            select n,
                lower(email) as whole_email,
                regexp_replace(phone, '[^0-9]', '', 'g') as digits,
                plain_with_digits(postcode) as post,
                plain(regexp_replace(split_part(city, ',', 1), '[0-9]', '', 'g')) as town,
                plain_with_digits(region) as area, plain(country) as land, plain(nationality) as nation,
                lower(gender) as said_gender,
                raw.* exclude (n, email, phone, city, region, country, postcode, gender)
            from raw
        )
        select contact.n, contact.record_id, contact.scope, contact.said, named.is_nobody,
            named.f1, coalesce(named.fa, named.f1) as fa, named.middle, named.l, named.lt, named.suffix,
            case when regexp_matches(said_gender, '^(f|w|female|woman|women|femme|mujer|frau|femenino|feminin|weiblich|girl)$') then 'f'
                 when regexp_matches(said_gender, '^(m|h|male|man|men|homme|hombre|mann|masculino|masculin|boy|maennlich|mannlich)$') then 'm'
                 end as gender,
            births.dob, births.digits as dob_digits, births.lo, births.hi,
            case when regexp_matches(whole_email, '^[^@\s]+@[^@\s]+\.[^@\s]+$')
                    and not regexp_matches(plain(split_part(whole_email, '@', 1)), {_words(names.NOBODY_EMAIL)})
                then case when regexp_matches(whole_email, '@(gmail|googlemail)\.com$')
                    then replace(split_part(split_part(whole_email, '@', 1), '+', 1), '.', '') || '@gmail.com'
                    else whole_email end end as email,
            -- The last ten digits: without the country's code or the 0 before an area.
            case when length(contact.digits) between 7 and 15 and length(replace(contact.digits, contact.digits[-1], '')) > 1
                    and not contains('01234567890123', contact.digits)
                then right(ltrim(contact.digits, '0'), 10) end as phone,
            regexp_replace(regexp_replace(regexp_replace(town, '^saint ', 'st '), '^mount ', 'mt '), '^fort ', 'ft ') as city,
            coalesce(states.short, replace(area, ' ', '')) as region,
            coalesce(lands.code, land) as country,
            coalesce(nations.code, nation) as nationality,
            -- The first five of a ZIP+4, and the zero that a spreadsheet took.
            case when coalesce(lands.code, land, 'us') = 'us' and regexp_matches(post, '^[0-9]{{5}} ?[0-9]{{4}}$') then left(post, 5)
                 when lands.code = 'us' and regexp_matches(post, '^[0-9]{{4}}$') then '0' || post
                 when length(replace(post, ' ', '')) > 2 then replace(post, ' ', '') end as postcode,
            nullif(regexp_replace(plain_with_digits(club), ' (rc|ac|tc|running club|athletic club|track club)$', ''), 'none') as club,
            plain_with_digits(address) as address,
            case when length(replace(plain_with_digits(member_id), ' ', '')) > 3 then replace(plain_with_digits(member_id), ' ', '') end
                as member,
            case when event is not null and not coalesce(regexp_matches(lower(is_duplicate), '^(t|true|y|yes|1|x)$'), false)
                then hash(event, provider, timing_partner) end as event,
            nullif(ltrim(lower(bib), '0 '), '') as bib
        from contact
        join named on named.h = {_TYPED}
        left join births on births.n = contact.n
        left join states on states.long = area
        left join countries as lands on lands.spelled = land
        left join countries as nations on nations.spelled = nation
    """)
    for name in ("states", "countries"):
        db.unregister(name)
    for name in ("typed", "split", "parted", "named", "births", "words", "seen", "raw"):
        db.execute(f"drop table {name}")
