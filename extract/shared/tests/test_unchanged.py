"""What came again as it was sent last is told from its bytes, before anything is typed."""

from __future__ import annotations

from typing import Any

import pytest
from tap_shared.columns import Column, Typer
from tap_shared.snapshot import Snapshot, as_sent, content_of, given_content
from tap_shared.stream import Tally
from toy import Things, ToyTap


class Watched(Things):
    """Things that remember which of them were looked at closely."""

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        self.looked_at: list[Any] = []

    def check(self, row: Any, record: Any) -> tuple[str, str] | None:
        self.looked_at.append(record["id"])
        return super().check(row, record)


@pytest.fixture
def things() -> Watched:
    return Watched(ToyTap(config={"secret": "s", "timing_partner_id": 7}))


def records(number: int = 20) -> list[dict[str, Any]]:
    return [{"id": at, "name": f"thing {at}", "weight": 1.5, "colour": "red"} for at in range(number)]


def read(stream: Any, rows: list[Any], before: str | None = None) -> tuple[list[Any], Tally, str]:
    snapshot = stream.snapshot(before)
    tally = stream.tally("1")
    given = {"place": 1}
    sent = list(stream.deliver([(row, given) for row in rows], tally, snapshot=snapshot))
    value, _ = snapshot.finish()
    return sent, tally, value


def test_only_the_changed_row_is_typed(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    assert len(things.looked_at) == 20
    things.looked_at.clear()
    rows[7] = rows[7] | {"name": "other"}
    sent, tally, after = read(things, rows, before)
    assert [row["name"] for row in sent] == ["other"]
    assert things.looked_at == [7]
    assert (tally.received, tally.sent) == (20, 1)
    assert read(things, rows, after)[0] == []


def test_a_row_that_went_is_missed_and_one_that_came_is_sent(things: Any) -> None:
    _, _, before = read(things, records(20))
    snapshot, tally = things.snapshot(before), things.tally("1")
    rows = [*records(20)[1:], {"id": 99, "name": "new", "weight": None, "colour": None}]
    sent = list(things.deliver([(row, {"place": 1}) for row in rows], tally, snapshot=snapshot))
    assert [row["id"] for row in sent] == [99]
    assert snapshot.finish()[1] == ["0"]
    assert tally.received == 20


def test_a_field_that_a_few_rows_lost_is_no_new_shape(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    for at in (3, 4):
        rows[at] = {name: value for name, value in rows[at].items() if name != "weight"}
    sent, tally, _ = read(things, rows, before)
    assert [row["id"] for row in sent] == [3, 4]
    assert tally.rejected == 0


def test_a_row_that_became_unusable_is_rejected_and_stays(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    rows[5] = rows[5] | {"name": None}
    snapshot, tally = things.snapshot(before), things.tally("1")
    assert list(things.deliver([(row, {"place": 1}) for row in rows], tally, snapshot=snapshot)) == []
    assert (tally.received, tally.rejected) == (20, 1)
    assert snapshot.finish()[1] == []


def test_the_same_key_twice_in_an_answer_takes_the_long_way(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    rows.append(rows[0] | {"name": "later"})
    sent, tally, after = read(things, rows, before)
    assert [row["name"] for row in sent] == ["later"]
    assert tally.received == 21
    assert len(Snapshot.from_state(after, things.edition)) == 20


def test_what_the_stream_gives_counts_too(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    snapshot, tally = things.snapshot(before), things.tally("1")
    assert len(list(things.deliver([(row, {"place": 2}) for row in rows], tally, snapshot=snapshot))) == 20


def test_everything_is_sent_where_all_is_to_be_read_again(things: Any) -> None:
    rows = records()
    _, _, before = read(things, rows)
    snapshot, tally = things.snapshot(before), things.tally("1")
    snapshot.send_all = True
    assert len(list(things.deliver([(row, {"place": 1}) for row in rows], tally, snapshot=snapshot))) == 20


def test_others_keeps_nothing_of_what_it_returns() -> None:
    snapshot = Snapshot()
    contents = [content_of(as_sent({"id": at}), given_content({})) for at in range(3)]
    snapshot.changed_contents(["0", "1", "2"], contents)
    value, _ = snapshot.finish()
    again = Snapshot.from_state(value)
    assert again.others(["0", "1", "2"], [contents[0], b"{}", contents[2]]) == [1]
    assert again.finish()[1] == ["1"]


@pytest.mark.parametrize("bad", [{"id": None, "name": "x"}, {"name": "x"}, "text"])
def test_keys_are_not_guessed(bad: Any) -> None:
    typer = Typer((Column("id", "integer", required=True), Column("name")), ("id",))
    rows = [{"id": at, "name": "x"} for at in range(10)]
    assert typer.keys_of(rows, [{}] * 10) == [str(at) for at in range(10)]
    assert typer.keys_of([*rows[:9], bad], [{}] * 10) is None
