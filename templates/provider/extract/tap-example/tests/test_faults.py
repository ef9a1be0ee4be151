"""What goes wrong on the way is waited out or told in one line."""

from __future__ import annotations

import pytest
from account import KEY

PASSING = [(429, b""), (500, b""), (502, b"<html>"), (200, b'{"data": [{"id"'), (200, b"maintenance")]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault[0]} {fault[1][:10]!r}")
def test_what_passes_is_waited_out_and_nothing_is_lost(run, provider, fault):
    provider.faults += [fault, fault]

    done = run()

    assert done.error is None
    assert len(done.rows("participants")) == 8


def test_a_refused_key_is_told_with_the_setting_and_without_the_key(run, provider):
    done = run(api_key=f"not {KEY}")

    assert "check setting api_key" in done.error
    assert KEY not in done.error
    assert len(provider.calls) == 1


def test_another_shape_stops_the_stream_and_nothing_is_removed(run, provider):
    first = run()
    provider.faults.append((200, b'{"rows": []}'))

    again = run(first.state)

    assert "stream events" in again.error
    assert "update the tap" in again.error
    assert again.rows("removals") == []
