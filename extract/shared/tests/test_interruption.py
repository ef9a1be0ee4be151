"""Ctrl-C, SIGTERM and a loader that dies: what was committed is in the state, lines are whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tap_shared.bookmarks import Bookmarks
from tap_shared.errors import Stopped
from tap_shared.messages import HubWriter, SeldomStateWriter
from toy import SECRET, thing

TOY = [sys.executable, str(Path(__file__).parent / "toy.py"), "--config=ENV"]


def environment(provider, tmp_path):
    return {
        "TAP_TOY_SECRET": SECRET,
        "TAP_TOY_TIMING_PARTNER_ID": "7",
        "TAP_TOY_API_URL": provider.url,
        "TAP_TOY_BUDGET_DIR": str(tmp_path / "budget"),
    }


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_tap_leaves_what_is_done_and_the_next_run_goes_on(provider, tmp_path, run, signum):
    answer = provider.answer
    waiting, released = threading.Event(), threading.Event()

    def hang_at_the_second_place(path, query, headers):
        if path.endswith("/2"):
            waiting.set()
            released.wait(20)
        return answer(path, query, headers)

    provider.answer = hang_at_the_second_place
    process = subprocess.Popen(
        TOY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(provider, tmp_path)
    )
    assert waiting.wait(20)
    time.sleep(0.3)

    process.send_signal(signum)
    out, err = process.communicate(timeout=10)
    released.set()
    provider.answer = answer

    assert process.returncode == 128 + signum
    assert "the next run goes on from the state that was written" in err
    assert "Traceback" not in err
    messages = [json.loads(line) for line in out.splitlines()]
    state = messages[-1]["value"]
    assert [entry["context"] for entry in state["bookmarks"]["things"]["partitions"]] == [{"place": 1}]
    rest = run(state)
    assert [row["id"] for row in rest.rows("things")] == [3]


def test_a_signal_that_comes_while_a_state_is_written_cuts_no_line(provider, tmp_path):
    long = {"bookmarks": {"things": {"partitions": [{"context": {"place": 9}, "snapshot": "x" * 3_000_000}]}}}
    state = tmp_path / "state.json"
    state.write_text(json.dumps(long))
    process = subprocess.Popen(
        [*TOY, f"--state={state}"], bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        # As `p88` and Meltano start it.
        env=environment(provider, tmp_path) | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    # Nobody reads: the tap stands in the middle of its first long line.
    assert process.stdout.read(1) == b"{"
    time.sleep(2)

    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    lines = b"{" + process.communicate(timeout=20)[0]

    messages = [json.loads(line) for line in lines.splitlines()]
    assert len(messages[-1]["value"]["bookmarks"]["things"]["partitions"][0]["snapshot"]) == 3_000_000


def test_rows_that_no_state_stands_for_are_sent_again_or_told_as_removed(provider, tmp_path, run):
    before = run()
    one, two = provider.things["1"]
    # A run that was killed when its rows were stored, and its state was not.
    provider.things["1"] = [one | {"name": "for a moment"}, two, thing(9)]
    killed = run(before.state)
    provider.things["1"] = [one, two]
    doubtful = tmp_path / "doubtful.json"
    ids = [{"id": row["id"], "place": row["place"]} for row in killed.rows("things")]
    doubtful.write_text(json.dumps({"things": ids}))

    after = run(before.state, doubtful_rows=str(doubtful))
    settled = run(after.state)

    assert [row["id"] for row in killed.rows("things")] == [1, 9]
    assert [(row["id"], row["name"]) for row in after.rows("things")] == [(1, "thing 1")]
    assert [row["record_key"] for row in after.rows("removals") if row["stream"] == "things"] == ["9"]
    assert settled.rows("things") == settled.rows("removals") == []


def test_a_removal_that_no_state_stands_for_is_taken_back(provider, tmp_path, run):
    before = run()
    one, two = provider.things["1"]
    provider.things["1"] = [one]
    (removal,) = [row for row in run(before.state).rows("removals") if row["stream"] == "things"]
    provider.things["1"] = [one, two]
    doubtful = tmp_path / "doubtful.json"
    doubtful.write_text(json.dumps({"things": [{"id": 2, "place": 1, "noticed_at": removal["noticed_at"]}]}))

    after = run(before.state, doubtful_rows=str(doubtful))

    assert [row["id"] for row in after.rows("things")] == [2]
    assert [row["record_key"] for row in after.rows("removals") if row["returned_at"]] == ["2"]


def test_a_dead_loader_is_one_line_and_an_error(provider, tmp_path):
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        TOY, stdout=write, stderr=subprocess.PIPE, text=True, env=environment(provider, tmp_path), check=False
    )
    os.close(write)

    assert done.returncode == 1
    assert "the loader ended before the tap" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_waits_for_the_end_of_a_line(monkeypatch):
    writer = HubWriter()
    lines: list[str] = []

    class Out:
        def write(self, text: str) -> None:
            writer.stop(signal.SIGTERM)
            lines.append(text)

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stdout", Out())

    with pytest.raises(Stopped):
        writer.write_record("things", {"id": 1}, "2025-05-05T10:00:00+00:00")

    assert json.loads(lines[0])["record"] == {"id": 1}


def test_state_is_written_seldom_and_on_demand(capsys):
    now = [100.0]
    states = SeldomStateWriter(HubWriter(), every_s=5, monotonic=lambda: now[0])

    for second in range(12):
        now[0] = 100.0 + second
        states.write_state({"at": second})
    states.write_state({"at": "end"}, now=True)

    written = [json.loads(line)["value"]["at"] for line in capsys.readouterr().out.splitlines()]
    assert written == [0, 5, 10, "end"]


def test_bookmarks_replace_an_entry_as_a_whole():
    state: dict = {"bookmarks": {"things": {"partitions": [{"context": {"a": 1, "b": 2}, "old": 1}]}}}
    bookmarks = Bookmarks(state, "things")

    bookmarks.put({"b": 2, "a": 1}, new=2, none=None)
    bookmarks.put({"a": 3, "b": 4}, x=1)
    bookmarks.set(whole_at="then", gone=None)

    assert state["bookmarks"]["things"] == {
        "partitions": [{"context": {"b": 2, "a": 1}, "new": 2}, {"context": {"a": 3, "b": 4}, "x": 1}],
        "whole_at": "then",
    }
    bookmarks.drop({"a": 1, "b": 2})
    assert bookmarks.get({"a": 1, "b": 2}) == {}
    assert bookmarks.get({"a": 3, "b": 4})["x"] == 1
