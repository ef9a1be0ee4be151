"""Values from providers, and what they become."""

from __future__ import annotations

import pytest
from tap_shared.columns import (
    Column,
    Typer,
    schema_of,
    to_date,
    to_epoch,
    to_instant,
    to_integer,
    to_number,
    to_text,
    truth,
)


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (to_text, "Åsa 李", "Åsa 李"),
        (to_text, 12, "12"),
        (to_text, "", ""),
        (to_integer, "007", 7),
        (to_integer, " 12 ", 12),
        (to_integer, "12.0", 12),
        (to_integer, 12.0, 12),
        (to_integer, "-3", -3),
        (to_integer, "", None),
        (to_number, "42195.00", 42195.0),
        (to_number, 3, 3),
        (to_number, "", None),
        (truth(("T",), ("F",)), "T", True),
        (truth(("T",), ("F",)), "F", False),
        (truth(("1", 1), ("0", 0)), "0", False),
        (truth(("T",), ("F",)), "", None),
        (to_epoch, 1757272522, "2025-09-07T19:15:22+00:00"),
        (to_epoch, "1757272522", "2025-09-07T19:15:22+00:00"),
        (to_epoch, "", None),
        (to_instant, "2025-07-01T12:00:00+02:00", "2025-07-01T10:00:00+00:00"),
        (to_instant, "2025-07-01T12:00:00Z", "2025-07-01T12:00:00+00:00"),
        (to_date, "1991-04-02", "1991-04-02"),
        (to_date, "", None),
    ],
)
def test_a_value_becomes_its_type(convert, value, expected):
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (to_text, {}),
        (to_text, True),
        (to_integer, "12a"),
        (to_integer, "1_000"),
        (to_integer, "\uff11\uff12"),
        (to_integer, 1.5),
        (to_integer, True),
        (to_integer, 2**63),
        (to_number, "nan"),
        (to_number, float("inf")),
        (to_number, []),
        (truth(("T",), ("F",)), "yes"),
        (truth(("T",), ("F",)), {}),
        (to_epoch, "yesterday"),
        (to_epoch, 10**20),
        (to_instant, "2025-07-01T12:00:00"),
        (to_instant, "soon"),
        (to_date, "0000-00-00"),
        (to_date, 19910402),
    ],
)
def test_a_value_of_another_type_is_refused(convert, value):
    with pytest.raises((ValueError, TypeError)):
        convert(value)


def test_a_null_parent_makes_null_columns_and_a_wrong_one_a_reject():
    typer = Typer((Column("id", "integer", required=True), Column("city", path="user.address.city")), ("id",))

    page = typer.page([({"id": 1, "user": None}, {}), ({"id": 2, "user": {"address": "here"}}, {})])

    assert [(key, row["city"]) for key, row, _ in page.rows] == [("1", None)]
    assert [(reject.field, reject.record_key) for reject in page.rejects] == [("address", "2")]


def test_keys_and_required_columns_are_never_null_in_the_schema():
    schema = schema_of((Column("id", "integer", required=True), Column("tags", "array")))["properties"]

    assert schema["id"]["type"] == ["integer"]
    # Without items: the loader would make a Postgres array of it.
    assert schema["tags"] == {"type": ["array", "null"]}
    assert schema["timing_partner_id"]["type"] == ["integer"]
