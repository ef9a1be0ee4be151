"""What every stream does: deliver, leave out what did not change, notice what vanished."""

from __future__ import annotations


def test_a_second_read_of_the_same_rows_sends_none(run):
    first = run()

    again = run(first.state)

    assert [row["id"] for row in first.rows("things")] == [1, 2, 3]
    assert again.rows("things") == []
