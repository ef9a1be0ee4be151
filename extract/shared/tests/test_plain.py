"""An answer typed column by column is what it would be record by record."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from tap_shared import lists, together
from tap_shared.clock import as_text
from tap_shared.columns import (
    Column,
    PlainPage,
    ShapeChanged,
    Typer,
    _epoch_text,
    to_date,
    to_epoch,
    to_integer,
    to_text,
    truth,
)
from tap_shared.snapshot import Snapshot


def trimmed(value):
    return to_text(value).strip() or None


COLUMNS = (
    Column("id", "integer", required=True),
    Column("code", required=True, convert=trimmed, many=lists.trimmed, sent=False),
    Column("seen", "instant", required=True, convert=to_epoch, many=together.epochs, sent=False),
    Column("name"),
    Column("city", path="address.city", sent=False),
    Column("zip", path="address.zip", sent=False),
    Column("age", "integer", sent=False),
    Column("fee", "number", sent=False),
    Column("paid", "boolean", convert=truth(("T",), ("F",)), sent=False),
    Column("sex", known=frozenset({"M", "F"}), sent=False),
    Column("at", "instant", sent=False),
    Column("day", "date", sent=False),
    Column("seconds", "instant", convert=to_epoch, many=together.epochs, sent=False),
    Column("born", "date", many=together.days, sent=False),
    Column("more", "object", sent=False),
    Column("list", "array", sent=False),
    Column("event", "integer", given=True),
)
# Mostly what is documented, now and then what is not.
ODD = st.sampled_from([None, "", 0, 1, 1.0, True, "T", "x", -0.0, [], {}, 2**70, " 7 ", "7", "é"])


def _often(usual: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(usual, usual, usual, usual, usual, usual, usual, ODD)


USUAL = {
    "id": st.integers(1, 10**6),
    "code": st.sampled_from([" a", "b ", "c"]),
    "seen": st.sampled_from(["1777629600", "1777629601"]),
    "name": st.text(max_size=3),
    "address": st.fixed_dictionaries({}, optional={"city": st.text(max_size=2), "zip": st.integers(0, 99999)}),
    "age": st.sampled_from([41, "41", "", None, "007"]),
    "fee": st.sampled_from([1, 1.5, "2.50", "", None]),
    "paid": st.sampled_from(["T", "F", "", None, True]),
    "sex": st.sampled_from(["M", "F", "Q", "", None]),
    "at": st.sampled_from(["2026-05-01T12:00:00+02:00", "2026-05-01T12:00:00.5Z", "", None]),
    "day": st.sampled_from(["2026-05-01", "", None]),
    "seconds": st.sampled_from(["1777629600", "1777629600.25", "0", "", None]),
    "born": st.sampled_from(["1984-02-29", "1984-02-29", "0001-01-01", "", None]),
    "more": st.sampled_from([{"a": [1]}, {}, None]),
    "list": st.sampled_from([[1, {"b": None}], [], None]),
}


@st.composite
def answers(draw: st.DrawFn) -> list:
    odd = draw(st.booleans())
    record = st.fixed_dictionaries({}, optional=USUAL) if odd else st.fixed_dictionaries(USUAL)
    if draw(st.integers(0, 3)) == 0:
        record = st.fixed_dictionaries({name: _often(usual) for name, usual in USUAL.items()})
    records = draw(st.lists(record, min_size=8, max_size=14))
    if draw(st.integers(0, 9)) == 0:
        records[draw(st.integers(0, len(records) - 1))] = draw(ODD)
    return records


def plainly(value):
    """Return a value of an Arrow array as the converters write it."""
    if not isinstance(value, pa.Scalar):
        return value
    return as_text(value.as_py()) if value.is_valid else None


@settings(max_examples=400, deadline=None)
@given(answers(), st.booleans())
def test_by_columns_is_as_by_records(records, shared):
    typer = Typer(COLUMNS, ("event", "id"))
    one = {"event": 5}
    given_ = [one if shared else {"event": number} for number in range(len(records))]
    plain = typer.plain(records, given_)
    try:
        page = typer.page(list(zip(records, given_, strict=True)))
    except ShapeChanged:
        assert plain is None
        return
    if plain is None:
        return
    assert isinstance(plain, PlainPage)
    assert not page.rejects
    assert plain.keys == [key for key, _, _ in page.rows]
    assert plain.unknown == page.unknown
    for at, (_, row, _) in enumerate(page.rows):
        mine = {name: plainly(values[at]) for name, values in plain.columns.items()}
        # As JSON: 1 and 1.0 and True are equal, and not the same.
        assert orjson.dumps(mine | {"record": 0}, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            row | {"record": 0}, option=orjson.OPT_SORT_KEYS
        )


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.from_regex(r"[0-9]{1,11}(\.[0-9]{0,7})?", fullmatch=True), st.text("0123456789. -+e\u0661", max_size=6)
    )
)
def test_the_quick_way_to_an_instant_gives_what_the_other_gives(text):
    quick = _epoch_text(text)

    if quick is not None:
        assert quick == datetime.fromtimestamp(float(text), UTC).isoformat()


SECONDS = st.one_of(
    st.from_regex(r"[0-9]{1,11}(\.[0-9]{0,7})?", fullmatch=True), st.sampled_from(["", "0", "1e9", "-1"])
)
DAYS = st.one_of(
    st.dates().map(str), st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True), st.sampled_from(["", "2026-5-1"])
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.none() | SECONDS, min_size=1, max_size=4), st.lists(st.none() | DAYS, min_size=1, max_size=4))
def test_together_is_as_one_by_one(seconds, days):
    instants = together.epochs(seconds)
    born = together.days(days)

    if instants is not None:
        assert [plainly(value) for value in instants] == [None if text is None else to_epoch(text) for text in seconds]
    if born is not None:
        assert born == [None if text is None else to_date(text) for text in days]


WHOLE = st.one_of(
    st.integers(-(2**63) - 1, 2**63), st.sampled_from([2**63 - 1, -(2**63), True, 1.0]),
    st.integers(-99, 10**19).map(str), st.sampled_from(["", " 7", "007", "1_0", "\u0661", "+1", "1.0", "9" * 18, "x"]),
)  # fmt: skip


def _one_by_one(values, convert):
    try:
        return [None if value is None else convert(value) for value in values]
    except ValueError:
        return "refused"


@settings(max_examples=500, deadline=None)
@given(st.lists(st.none() | WHOLE, min_size=1, max_size=3), st.lists(st.none() | st.text("a \t\u2003", max_size=3)))
def test_lists_are_converted_as_one_by_one(numbers, texts):
    whole, blank = lists.integers(numbers), lists.trimmed(texts)

    if whole is not None:
        # As JSON: 1 and True are equal, and not the same.
        assert orjson.dumps(whole) == orjson.dumps(_one_by_one(numbers, to_integer))
    if blank is not None:
        assert blank == _one_by_one(texts, trimmed)


def test_lists_of_the_usual_are_converted_together():
    assert lists.integers([1, None, 2]) == [1, None, 2]
    assert lists.integers(["1", "", "007"]) == [1, None, 7]
    assert lists.trimmed([" a ", " ", "b"]) == ["a", None, "b"]
    assert lists.integers([True]) is lists.integers([1, "1"]) is lists.trimmed(["a", None]) is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.none() | st.integers(-10, 2**34), min_size=1, max_size=4))
def test_numbers_together_are_as_one_by_one(seconds):
    instants = together.epochs(seconds)

    if instants is not None:
        assert [plainly(value) for value in instants] == [None if one is None else to_epoch(one) for one in seconds]


def test_what_is_usual_is_converted_together():
    assert together.epochs([1777629600, None]) is not None
    assert together.epochs([-1]) is None
    assert together.epochs(["1777629600", None, "1777629600.5"]) is not None
    assert together.epochs(["1777629600", 1777629600]) is None
    assert together.days(["2026-05-01", None]) == ["2026-05-01", None]
    assert together.days(["2026-02-30"]) is None


def test_what_ends_before_it_begins_is_found_at_whole_seconds():
    begun = together.epochs(["100.9", "100", "100", None, "100"])
    ended = together.epochs(["100.1", "99.9", None, "1", "100"])

    assert together.backwards(begun, ended) == [1]
    assert together.backwards([None if at is None else as_text(at) for at in begun.to_pylist()], ended) == [1]


def test_a_documented_answer_is_plain():
    record = {
        "id": 1,
        "code": "a",
        "seen": "1777629600",
        "name": "Ann",
        "address": {"city": "Bay", "zip": 1},
        "age": "41",
        "sex": "F",
    }
    typer = Typer(COLUMNS, ("event", "id"))

    plain = typer.plain([record | {"id": number} for number in range(20)], [{"event": 5}] * 20)

    assert plain is not None
    assert plain.keys[3] == "5/3"
    assert plain.columns["zip"] == ["1"] * 20


ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([b"1", b"2"])), max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=3), min_size=1, max_size=4), st.booleans())
def test_rows_compared_together_are_as_compared_one_by_one(reads, send_all):
    together, apart = None, None
    for answers_ in reads:
        first, second = Snapshot.from_state(together), Snapshot.from_state(apart)
        first.send_all = second.send_all = send_all
        for rows in answers_:
            keys, contents = [key for key, _ in rows], [content for _, content in rows]

            found = first.changed_contents(keys, contents)

            assert found == [at for at, key in enumerate(keys) if second.changed_content(key, contents[at])]
        assert first.returned().keys() == second.returned().keys()
        (together, gone), (apart, gone_too) = (s.finish(confirmed_empty=True) for s in (first, second))
        assert gone == gone_too
