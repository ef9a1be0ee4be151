"""What comes in is often not what was promised."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from project88 import identity
from project88.errors import ActionNeeded
from tests.identity.town import persons_of, strangers

ADA = {"first_name": "Ada", "last_name": "Quillfeather", "birth_date": "1984-03-07", "city": "Beacon"}


def together(linked: Any) -> int:
    return len(set(linked.persons.column("person_id").to_pylist()))


@pytest.mark.parametrize("records", [[], [{"record_id": "1", **ADA}]], ids=["none", "one"])
def test_hardly_any_records(records: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(records, pa.schema([(name, pa.string()) for name in ("record_id", *ADA)]))

    linked = identity.link(table)

    assert linked.persons.num_rows == len(records)
    assert linked.links.num_rows == 0


def test_five_records_are_enough_to_link_two() -> None:
    others = [
        {"first_name": name, "last_name": "Harbottle", "birth_date": f"1990-0{n}-11"}
        for n, name in enumerate(("Ida", "Otto", "Uwe"), 1)
    ]

    linked = identity.link(
        [{"record_id": str(n), **one} for n, one in enumerate([ADA, {**ADA, "first_name": "ADA"}, *others])]
    )

    assert persons_of(linked, ["0", "1", "2", "3", "4"]) == ["0", "0", "2", "3", "4"]


def test_a_record_id_that_is_there_twice_is_named() -> None:
    with pytest.raises(ActionNeeded, match="record_id is not unique: 7"):
        identity.link([{"record_id": 7, **ADA}, {"record_id": 7, **ADA}, {"record_id": 8, **ADA}])


def test_a_record_without_an_id_is_named() -> None:
    with pytest.raises(ActionNeeded, match="row 2 has no record_id"):
        identity.link([{"record_id": "7", **ADA}, {"record_id": None, **ADA}])


def test_without_any_ids_rows_are_counted() -> None:
    linked = identity.link([ADA, ADA])

    assert linked.persons.column("record_id").to_pylist() == ["1", "2"]


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ActionNeeded, match="no column Wohnort in the records"):
        identity.link([{"record_id": "1", **ADA}], names={"city": "Wohnort"})


def test_a_column_of_another_name_is_taken_where_it_is_told() -> None:
    records = [{"nr": str(n), "Wohnort": "Zürich", "Jahrgang": 1984, "wer": "Ada Quillfeather"} for n in range(2)]

    linked = identity.link(
        records, names={"record_id": "nr", "city": "Wohnort", "birth_year": "Jahrgang", "full_name": "wer"}
    )

    assert persons_of(linked, ["0", "1"]) == ["0", "0"]


def test_names_often_used_are_known() -> None:
    records = [
        {"id": str(n), "given_name": "Ada", "surname": "Quillfeather", "dob": "07.03.1984", "suburb": "Beacon"}
        for n in range(2)
    ]

    assert together(identity.link(records)) == 1


def test_no_column_the_linkage_knows() -> None:
    linked = identity.link(pa.table({"record_id": ["1", "2"], "shoe_size": [42, 42]}))

    assert together(linked) == 2


def test_records_that_say_nothing_among_others_are_each_a_person_of_their_own() -> None:
    blank = [
        {"record_id": str(n), "first_name": said, "last_name": "", "birth_date": None}
        for n, said in enumerate(("", " ", "?", "-"))
    ]
    only_a_town = [{"record_id": str(n), "city": "Beacon"} for n in (4, 5)]

    linked = identity.link([*blank, *only_a_town, *strangers(60)])

    assert persons_of(linked, [str(n) for n in range(6)]) == [str(n) for n in range(6)]


def test_bytes_of_mixed_encodings_in_one_column() -> None:
    spelled = ["José".encode(), "José".encode("cp1252"), "JosÃ©".encode(), b"Jose\xff\x81"]
    table = pa.table(
        {
            "record_id": [str(n) for n in range(4)],
            "first_name": pa.array(spelled, pa.binary()),
            "last_name": ["Ibáñez"] * 4,
            "birth_date": ["1990-04-07"] * 4,
        }
    )

    assert persons_of(identity.link(table), ["0", "1", "2"]) == ["0", "0", "0"]


def test_columns_that_hold_nothing() -> None:
    people = strangers(20)
    table = pa.Table.from_pylist(people)
    for name in ("age", "phone", "club", "gender", "postcode", "full_name"):
        table = table.append_column(name, pa.nulls(table.num_rows))

    with_nothing, without = identity.link(table), identity.link(people)

    assert with_nothing.persons.equals(without.persons)


def test_ages_that_nobody_has_say_nothing() -> None:
    records = [
        {"record_id": "0", **ADA, "birth_date": None, "age": 0, "event_date": "2026-05-02"},
        {"record_id": "155", **ADA, "birth_date": "1871-03-05", "age": 155, "event_date": "2026-05-02"},
        {"record_id": "-5", **ADA, "birth_date": "2031-05-01", "age": -5, "event_date": "2026-05-02"},
        {"record_id": "word", **ADA, "birth_date": "unknown", "age": "n/a", "event_date": "soon"},
    ]

    linked = identity.link([{"record_id": "true", **ADA}, *records, *strangers(60)])

    assert set(persons_of(linked, ["0", "155", "-5", "word"])) <= {"true", "-5"}


def test_days_and_months_are_read_as_the_column_writes_them() -> None:
    day_first = [
        {"record_id": str(n), **ADA, "birth_date": born}
        for n, born in enumerate(("25/12/1990", "03/04/1984", "1984-04-03"))
    ]

    linked = identity.link([*day_first, *strangers(60)])

    assert persons_of(linked, ["1", "2"]) == ["1", "1"]


def test_types_of_all_kinds() -> None:
    frame = pd.DataFrame(
        {
            "record_id": [1, 2, 3],
            "first_name": pd.Categorical(["Ada", "Ada", "Otto"]),
            "last_name": ["Quillfeather", "Quillfeather", None],
            "birth_date": pd.to_datetime(["1984-03-07", "1984-03-07", None]),
            "age": [42.0, float("nan"), 7.0],
            "postcode": [12508, "12508", None],
            "is_duplicate": [None, None, None],
        }
    )

    linked = identity.link(frame)

    assert isinstance(linked.persons, pd.DataFrame)
    assert list(linked.persons["person_id"]) == ["1", "1", "3"]


def test_a_million_identical_names_are_nobody_in_particular() -> None:
    count = 1_000_000
    table = pa.table({"record_id": pa.array(range(count)), "full_name": pa.array(["Ada Quillfeather"] * count)})

    assert together(identity.link(table)) == count


def test_many_identical_names_in_one_town_with_an_address_each_make_no_crowd() -> None:
    count = 3_000
    table = pa.table(
        {
            "record_id": [str(n) for n in range(count)],
            "full_name": ["Ada Quillfeather"] * count,
            "city": ["Beacon"] * count,
            # One letter apart, as mistyped ones are.
            "email": [f"runner{n}@example.org" for n in range(count)],
        }
    )

    assert together(identity.link(table)) == count


def test_many_identical_names_with_birth_dates_make_no_crowd() -> None:
    days = pd.date_range("1950-01-01", periods=4_000, freq="5D").strftime("%Y-%m-%d")
    table = pa.table(
        {
            "record_id": [str(n) for n in range(4_000)],
            "full_name": ["Ada Quillfeather"] * 4_000,
            "birth_date": list(days),
        }
    )

    assert together(identity.link(table)) == 4_000


def test_who_runs_every_week_is_one_person() -> None:
    days = pd.date_range("2019-01-05", periods=400, freq="7D")
    ages = [int((day - pd.Timestamp("1984-03-07")).days / 365.2425) for day in days]
    entries = [
        {
            "record_id": f"ada-{day:%F}",
            "full_name": "Ada Quillfeather",
            "age": age,
            "event_date": f"{day:%F}",
            "event": f"{day:%F}",
            "city": "Beacon",
        }
        for day, age in zip(days, ages, strict=True)
    ]

    linked = identity.link([*entries, *strangers(60)])

    assert len(set(persons_of(linked, [one["record_id"] for one in entries]))) == 1


def test_the_order_of_the_records_changes_no_pair() -> None:
    records = strangers(200)

    forward, backward = identity.link(records), identity.link(records[::-1])

    ids = [one["record_id"] for one in records]
    assert persons_of(forward, ids) == persons_of(backward, ids)


def test_the_same_records_give_the_same_answer() -> None:
    records = strangers(200)

    one, two = identity.link(records), identity.link(records)

    assert one.persons.equals(two.persons)
    assert one.links.equals(two.links)
