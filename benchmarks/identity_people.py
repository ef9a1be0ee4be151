"""Invented people who enter races over sixteen seasons, as many as are asked for, and who each entry really is.

Half of them enter once, some a hundred times; most with one timing partner, some with several. Seven in ten entries come
from a registration (birth date, address, mostly e-mail and phone), the others from a timer (name, age, town). People
go by short forms, mistype, move, marry, change their e-mail; families share a surname, a home and often an address for
mail; there are twins, and children named after a parent. Surnames and towns are put together from syllables and are as
unevenly common as real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from project88.identity import names as known

SEASONS = range(2011, 2027)
PARTNERS, ENTRIES_PER_EVENT = 13, 175
_STARTS = (
    "Al Bar Ber Bran Cal Car Col Cor Dal Den Dor El Fal Far Fen Gar Gil Gran Hal Har Hol Hun Kel Ken Kor Lan Lin "
    "Mal Mar Mor Nor Ol Pal Par Pen Ran Ros Sal Sto Tal Tor Ul Van Wal Wil Yar Zim"
)
_MIDDLES = (
    "a an ar as ber den der di do e el en er fi ga go i in is ka ke la le li lo ma mi mo na ne o on or ra ri ro sa "
    "ta te to u va vi"
)
_ENDS = (
    "bach berg bury by cott dale den dorf ek er ez field ford grave ham heim hurst ini ino ins ley lin low man mann "
    "mer mont more ney ova ow port quist ridge sen shaw sky smith son stad stein ston thal ton tor vale ville wall "
    "ward way well wick wood worth"
)
_STATES = (
    "AL AZ CA CO CT DE FL GA ID IL IN IA KS KY LA ME MD MA MI MN MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD "
    "TN TX UT VT VA WA WI WV"
)
_STREETS = (
    "Maple Ave,Mill Lane,Harbour Rd,Oak St,Church St,High St,Park Ave,Station Rd,Hill Rd,River Dr,Lake Rd,Main St"
)
Array = np.ndarray[Any, Any]


def _words(luck: np.random.Generator, count: int) -> list[str]:
    every = [a + b + c for a in _STARTS.split() for b in ("", *_MIDDLES.split()) for c in _ENDS.split()]
    return [every[n] for n in luck.permutation(len(every))[:count]]


def _uneven(luck: np.random.Generator, count: int, among: int, flat: int) -> Array:
    """Return `count` numbers below `among`, small ones more often."""
    weights = 1.0 / (np.arange(among) + flat)
    return np.searchsorted(np.cumsum(weights) / weights.sum(), luck.random(count)).clip(0, among - 1)


def _mistyped(luck: np.random.Generator, texts: list[Any], share: float) -> list[Any]:
    for n in np.flatnonzero(luck.random(len(texts)) < share):
        text = texts[n]
        if text and len(text) > 4:
            at = int(luck.integers(1, len(text) - 2))
            letter = "aeinorst"[int(luck.integers(8))]
            kind = int(luck.integers(4))
            texts[n] = (
                text[:at] + text[at + 1] + text[at] + text[at + 2 :] if kind == 0
                else text[:at] + text[at + 1 :] if kind == 1
                else text[:at] + letter + text[at:] if kind == 2
                else text[:at] + letter + text[at + 1 :]
            )  # fmt: skip
    return texts


@dataclass
class People:
    """What there is to say of each person, before and after the year in which things changed; and what names stand for."""

    firsts: list[str]
    short: list[str]
    lasts: list[str]
    towns: list[str]
    state_of: Array
    sex: Array
    first: Array
    born: Array
    last: tuple[Array, Array]
    home: tuple[Array, Array]
    code: tuple[Array, Array]
    street: tuple[Array, Array]
    mail: tuple[Array, Array]
    phone: Array
    changes: Array
    is_junior: Array


def _people(luck: np.random.Generator, people: int) -> People:
    related = known.related()
    shorts: dict[str, list[str]] = {}
    for short, of in sorted(related.items()):
        for formal in sorted(of):
            if formal != short:
                shorts.setdefault(formal, []).append(short)
    firsts = [name for name in sorted(related) if len(name) > 2]
    firsts = [firsts[n].title() for n in luck.permutation(len(firsts))]
    sex = luck.random(people) < 0.5
    half = len(firsts) // 2
    first = _uneven(luck, people, half, 10) + np.where(sex, 0, half)
    lasts = _words(luck, 60_000)
    last = _uneven(luck, people, len(lasts), 20)
    new_last = np.where(sex & (luck.random(people) < 0.06), _uneven(luck, people, len(lasts), 20), last)
    born = (np.datetime64("1940-01-01") + (365.25 * 72 * luck.beta(2.6, 2.0, people)).astype(int)).astype(
        "datetime64[D]"
    )
    towns = list(dict.fromkeys(_words(luck, 3_000)))
    state_of = luck.integers(0, len(_STATES.split()), len(towns))
    home = _uneven(luck, people, len(towns), 30)
    new_home = np.where(luck.random(people) < 0.25, _uneven(luck, people, len(towns), 30), home)
    code, new_code = luck.integers(0, 12, people), luck.integers(0, 12, people)
    street, new_street = luck.integers(0, 12 * 400, people), luck.integers(0, 12 * 400, people)
    phone, mail = luck.integers(2_000_000_000, 9_999_999_999, people), np.arange(people)
    changes, is_junior = luck.integers(2012, 2026, people), np.zeros(people, bool)

    # families: the second of two neighbours has much from the first
    kin = np.flatnonzero(luck.random(people - 1) < 0.15) + 1
    kin = kin[np.diff(kin, prepend=-1) > 1]
    first_of = kin - 1
    for column in (last, home, new_home, code, new_code, street, new_street):
        column[kin] = column[first_of]
    shares = luck.random(len(kin))
    mail[kin[shares < 0.4]], phone[kin[shares < 0.5]] = mail[first_of[shares < 0.4]], phone[first_of[shares < 0.5]]
    kind = luck.random(len(kin))
    child, twin, junior = kin[kind < 0.4], kin[(kind >= 0.4) & (kind < 0.43)], kin[(kind >= 0.43) & (kind < 0.45)]
    born[child] = born[child - 1] + luck.integers(22 * 365, 38 * 365, len(child))
    born[twin] = born[twin - 1]
    born[junior] = born[junior - 1] + luck.integers(22 * 365, 38 * 365, len(junior))
    first[junior], sex[junior] = first[junior - 1], sex[junior - 1]
    is_junior[junior[luck.random(len(junior)) < 0.5]] = True
    born = np.minimum(born, np.datetime64("2018-01-01"))
    new_mail = np.where(luck.random(people) < 0.2, mail + people, mail)
    return People(
        firsts, [shorts.get(name.lower(), [""])[0].title() for name in firsts], lasts, towns, state_of, sex, first, born,
        (last, new_last), (home, new_home), (code, new_code), (street, new_street), (mail, new_mail), phone, changes, is_junior,
    )  # fmt: skip


def _starts(luck: np.random.Generator, of: People, count: int) -> tuple[Array, Array, Array, Array, Array]:
    """Return who enters which event, its partner and day, and whether it takes registrations: a row per entry."""
    people, home = len(of.born), of.home[0]
    partner_of_town = np.searchsorted(
        np.cumsum(1 / np.arange(2, PARTNERS + 2)) / (1 / np.arange(2, PARTNERS + 2)).sum(), luck.random(len(of.towns))
    )
    often = 1 + luck.poisson(luck.lognormal(-0.65, 1.3, people))
    who = np.repeat(np.arange(people), often)
    begins = luck.integers(2006, 2027, people).clip(2011)
    year = (begins[who] + luck.integers(0, 12, len(who)) * luck.integers(0, 2, len(who))).clip(2011, 2026)
    partner = np.where(luck.random(len(who)) < 0.85, partner_of_town[home[who]], luck.integers(0, PARTNERS, len(who)))
    events = max(PARTNERS * len(SEASONS), len(who) // ENTRIES_PER_EVENT)
    slots = PARTNERS * len(SEASONS)
    event_slot = np.concatenate(
        [
            np.arange(slots),
            _uneven(luck, max(events - slots, 0), PARTNERS, 2) * len(SEASONS)
            + luck.integers(0, len(SEASONS), max(events - slots, 0)),
        ]
    )
    event_slot.sort()
    weight = np.cumsum(luck.lognormal(0, 1.3, len(event_slot)))
    slot = partner * len(SEASONS) + (year - 2011)
    low = np.concatenate([[0.0], weight])[np.searchsorted(event_slot, slot, "left")]
    high = weight[np.searchsorted(event_slot, slot, "right") - 1]
    event = np.searchsorted(weight, low + luck.random(len(who)) * (high - low)).clip(0, len(weight) - 1)
    once = np.unique(who.astype(np.int64) * len(event_slot) + event, return_index=True)[1]
    luck.shuffle(once)
    held = np.array([f"{2011 + s % len(SEASONS)}-01-01" for s in event_slot], "datetime64[D]") + luck.integers(
        60, 330, len(event_slot)
    )
    once = once[(held[event[once]] - of.born[who[once]]).astype(int) > 6 * 365][:count]
    event = event[once]
    is_registered = luck.random(len(event_slot)) < 0.7
    return who[once], event, event_slot[event] // len(SEASONS), held[event], is_registered[event]


def entries(count: int, seed: int = 88) -> tuple[pa.Table, Array]:
    """Return `count` entries (fewer where they are few) in the linkage's columns, and the number of the person behind each."""
    luck = np.random.default_rng(seed)
    people = int(count / 1.9) + 2
    of = _people(luck, people)
    who, event, partner, day, is_registered = _starts(luck, of, count)
    rows = len(who)

    late = day.astype("datetime64[Y]").astype(int) + 1970 >= of.changes[who]
    last, home, code, street, mail = (
        np.where(late, after[who], before[who]) for before, after in (of.last, of.home, of.code, of.street, of.mail)
    )
    first_names = np.array(of.firsts)[of.first[who]].tolist()
    for n in np.flatnonzero(luck.random(rows) < 0.06):
        first_names[n] = of.short[of.first[who[n]]] or first_names[n]
    last_names = np.array(of.lasts)[last].tolist()
    for n in np.flatnonzero(of.is_junior[who]):
        last_names[n] += " Jr"
    first_names, last_names = _mistyped(luck, first_names, 0.007), _mistyped(luck, last_names, 0.01)
    cities = _mistyped(luck, np.array(of.towns)[home].tolist(), 0.005)
    for n in np.flatnonzero(luck.random(rows) < 0.002):
        first_names[n], last_names[n] = last_names[n], first_names[n]
    is_nobody = luck.random(rows) < 0.003
    for n in np.flatnonzero(is_nobody):
        first_names[n], last_names[n] = ("Anonymous", "Runner") if n % 2 else ("Relay", "Team")
    loud = pa.array(~is_registered & (luck.random(rows) < 0.3))
    dates = of.born[who] + np.where(luck.random(rows) < 0.004, luck.integers(-9, 9, rows), 0)
    dates = np.minimum(dates, day - 400)
    age = ((day - of.born[who]).astype(int) / 365.2425).astype(int)

    def said(values: Any, when: Array) -> pa.Array:
        return pc.if_else(
            pa.array(when), pa.array(values) if not isinstance(values, pa.Array | pa.ChunkedArray) else values, None
        )

    def text(values: Array) -> pa.Array:
        return pc.cast(pa.array(values), pa.string())

    def shouted(values: list[str]) -> pa.Array:
        plain = pa.array(values)
        return pc.if_else(loud, pc.utf8_upper(plain), plain)

    mails = pc.binary_join_element_wise(pa.array(["runner"] * rows), text(mail), pa.array(["@example.org"] * rows), "")
    streets = pc.binary_join_element_wise(
        text(street // 12 + 1), pa.array(np.array(_STREETS.split(","))[street % 12]), " "
    )
    order = np.lexsort((np.arange(rows), event))
    place = np.empty(rows, np.int64)
    place[order] = np.arange(rows) - np.searchsorted(event[order], event[order], "left") + 1
    table = pa.table({
        "record_id": pc.binary_join_element_wise(text(partner + 1), text(np.arange(rows)), "/"),
        "first_name": shouted(first_names), "last_name": shouted(last_names),
        "birth_date": said(pc.strftime(pa.array(dates), format="%Y-%m-%d"), is_registered & (luck.random(rows) < 0.97)),
        "age": text(age), "event_date": pc.strftime(pa.array(day), format="%Y-%m-%d"),
        "gender": said(np.where(of.sex[who], "F", "M"), luck.random(rows) < 0.98),
        "email": said(mails, is_registered & (luck.random(rows) < 0.8)),
        "phone": said(text(of.phone[who]), is_registered & (luck.random(rows) < 0.6)),
        "address": said(streets, is_registered & (luck.random(rows) < 0.8)),
        "city": said(cities, luck.random(rows) < 0.96), "region": pa.array(np.array(_STATES.split())[of.state_of[home]]),
        "postcode": said(text(10_000 + home * 12 + code), is_registered),
        "bib": text(place), "event": text(event), "timing_partner": text(partner + 1),
    })  # fmt: skip
    truth = np.where(is_nobody, people + np.arange(rows), who)
    return table, truth
