"""Rows that are handed over as Arrow files."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from tap_shared.messages import HubWriter
from tap_shared.pages import TOGETHER_ROWS, TOGETHER_TEXT, Pages
from tap_shared.snapshot import Snapshot

SCHEMA = {
    "properties": {
        "id": {"type": ["integer"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "record": {"type": ["object", "null"]},
    }
}
MOMENT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def pages(tmp_path):
    return Pages(tmp_path, HubWriter())


def written(pages, tmp_path):
    """Return the batches of the only file."""
    pages.flush()
    (path,) = tmp_path.iterdir()
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return list(reader)


def page(*ids, at, text="{}"):
    return {"id": list(ids), "at": at, "record": [text] * len(ids)}


def test_small_answers_are_put_together_in_their_order(pages, tmp_path):
    pages.add("things", SCHEMA, page(1, 2, at=["2026-05-01T14:00:00+02:00", None]))
    pages.add("things", SCHEMA, page(3, at=pa.array([MOMENT], pa.timestamp("us", "UTC"))))
    pages.add_rows("things", SCHEMA, [{"id": 4, "at": None, "record": {"a": 1}}])

    (batch,) = written(pages, tmp_path)

    assert batch.to_pylist() == [
        {"id": 1, "at": MOMENT, "record": "{}"},
        {"id": 2, "at": None, "record": "{}"},
        {"id": 3, "at": MOMENT, "record": "{}"},
        {"id": 4, "at": None, "record": '{"a":1}'},
    ]


@pytest.mark.parametrize(("rows", "text"), [(TOGETHER_ROWS // 2, "{}"), (2, '"' + "x" * (TOGETHER_TEXT // 4) + '"')])
def test_no_more_is_kept_than_makes_a_batch(pages, tmp_path, rows, text):
    for _ in range(5):
        pages.add("things", SCHEMA, page(*range(rows), at=[None] * rows, text=text))

    assert [batch.num_rows for batch in written(pages, tmp_path)] == [2 * rows, 2 * rows, rows]


def test_of_rows_that_nothing_is_compared_with_only_the_keys_are_remembered():
    first = Snapshot()
    first.only_keys = True

    assert first.changed_contents(["a", "b"], [b"1", b"2"]) == [0, 1]
    assert first.changed_content("a", b"1")
    state, vanished = first.finish()
    again = Snapshot.from_state(state)
    assert vanished == []
    assert again.changed_content("a", b"1")
    assert again.finish()[1] == ["b"]


def test_of_a_settled_list_nothing_is_remembered_and_what_vanished_is_told():
    first = Snapshot()
    first.changed_contents(["a", "b"], [b"1", b"2"])
    again = Snapshot.from_state(first.finish()[0])
    again.changed_contents(["b"], [b"2"])

    assert again.finish(settled=True) == ("", ["a"])
