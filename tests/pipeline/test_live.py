"""`p88 live`: what arrives is published without anybody asking, and a stop or a lost server is survived."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.pipeline.harness import Hub, wait_for

NAME = "select first_name from unified.unified_participants where participant_key = %s"


class Live:
    """A `p88 live` under way, and what it has said."""

    def __init__(self, hub: Hub) -> None:
        self.process = hub.start("live", "--every", "600", "--pause", "0.2")
        self.lines: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def said(self, text: str) -> int:
        """Return how often it said something."""
        return sum(text in line for line in self.lines)


@pytest.fixture
def live(season, copies) -> Iterator[tuple[Hub, Live]]:
    with copies(season) as hub:
        staying = Live(hub)
        yield hub, staying
        if staying.process.poll() is None:
            os.killpg(staying.process.pid, signal.SIGKILL)
        staying.process.wait()


def _rename(hub: Hub, name: str) -> str:
    """Change one registration in raw, as a loader would, and return its key."""
    [(key,)] = hub.ask(
        "update raw_runsignup.participants set first_name = %s where (timing_partner_id, registration_id) = ("
        " select timing_partner_id, registration_id from raw_runsignup.participants as p"
        " where not exists (select from raw_runsignup.removed_participants as r"
        "  where r.timing_partner_id = p.timing_partner_id and r.registration_id = p.registration_id)"
        " and exists (select from unified.unified_participants as u"
        "  where u.participant_key = 'runsignup/' || p.timing_partner_id || '/' || p.registration_id)"
        " order by 1, 2 limit 1)"
        " returning 'runsignup/' || timing_partner_id || '/' || registration_id",
        name,
    )
    return key


def test_what_arrives_is_published_by_itself_and_a_signal_ends_it(live):
    hub, staying = live
    key = _rename(hub, "Perpetua")
    assert wait_for(lambda: hub.ask(NAME, key) == [("Perpetua",)], 90), staying.lines

    key = _rename(hub, "Felicity")
    assert wait_for(lambda: hub.ask(NAME, key) == [("Felicity",)], 60), staying.lines
    wait_for(lambda: staying.said("rows published") >= 2, 20)
    assert hub.ask("select count(*) from hub.runs where kind = 'cycle' and status = 'success'")[0][0] >= 2

    staying.process.send_signal(signal.SIGTERM)
    assert staying.process.wait(60) == 0, staying.lines


def test_a_gate_that_stops_is_told_once_and_publishing_goes_on_when_it_is_well(live):
    hub, staying = live
    assert wait_for(lambda: hub.ask("select count(*) from hub.publications")[0][0] > 1 or staying.lines, 90)
    key = _rename(hub, "Before")
    assert wait_for(lambda: hub.ask(NAME, key) == [("Before",)], 60), staying.lines

    hub.ask(
        "insert into raw_chronotrack.removals (timing_partner_id, stream, record_key, scope, noticed_at, read_at)"
        " select timing_partner_id, 'entries', entry_id, event_id, now(), now() from raw_chronotrack.entries"
        " where timing_partner_id = 1 on conflict do nothing"
    )
    assert wait_for(lambda: staying.said("suddenly_empty") or staying.said("count_collapse"), 60), staying.lines
    _rename(hub, "Held")
    time.sleep(4)
    assert hub.ask(NAME, key) == [("Before",)]
    assert staying.said("the gate stopped the publish") == 1, "\n".join(staying.lines)

    hub.ask("update raw_chronotrack.removals set returned_at = now() where stream = 'entries' and returned_at is null")
    assert wait_for(lambda: hub.ask(NAME, key) == [("Held",)], 60), staying.lines


def test_lost_connections_are_taken_up_again(live):
    hub, staying = live
    key = _rename(hub, "First")
    assert wait_for(lambda: hub.ask(NAME, key) == [("First",)], 90), staying.lines

    hub.ask(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    _rename(hub, "Second")
    assert wait_for(lambda: hub.ask(NAME, key) == [("Second",)], 90), staying.lines
