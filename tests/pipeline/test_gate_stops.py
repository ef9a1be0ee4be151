"""A broken batch is stopped, leaves what is published as it was, and can be accepted once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.pipeline.harness import Hub, differences

# Minutes sent as seconds: no finish of the tiny season is below a minute any more.
BREAK = """
    update raw_runsignup.results set clock_time = '0:00:05', chip_time = '0:00:05'
    where timing_partner_id = 1 and chip_time ~ '^[0-9]'
"""
KEEP = "create table public.before_the_break as select * from raw_runsignup.results where timing_partner_id = 1"
MEND = """
    update raw_runsignup.results as r set clock_time = b.clock_time, chip_time = b.chip_time
    from public.before_the_break as b
    where r.timing_partner_id = b.timing_partner_id and r.result_id = b.result_id
"""
ACCEPT = ("gate", "accept", "quarantine_share", "--partner", "harbour", "--provider", "runsignup",
          "--relation", "unified_results", "--reason", "they race on the moon")  # fmt: skip


class Story:
    """What happened, step by step, on one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.before = hub.published()
        self.written = hub.published_at()
        hub.ask(KEEP)
        hub.ask(BREAK)
        self.stopped = hub.p88("publish", check=False)
        self.after_stop, self.written_after_stop = hub.published(), hub.published_at()
        self.held_after_stop = self._held()
        self.refused = hub.p88("gate", "accept", "nothing_unaccounted", *ACCEPT[3:], check=False)
        self.accepting = hub.p88(*ACCEPT)
        self.accepted = hub.p88("publish", check=False)
        self.held = self._held()
        self.visible = hub.ask(
            "select count(*) from unified.unified_results where timing_partner_id = 1 "
            "and source_provider = 'runsignup' and chip_seconds < 60"
        )[0][0]
        hub.ask(MEND)
        self.mended = hub.p88("publish", check=False)
        self.after_mending = hub.published()
        hub.ask(BREAK)
        self.stopped_again = hub.p88("publish", check=False)

    def _held(self) -> int:
        return int(
            self.hub.ask(
                "select count(distinct row_key) from hub.quarantine where resolved_at is null "
                "and relation = 'unified_results' and rule = 'chip_time_is_plausible' and timing_partner_id = 1"
            )[0][0]
        )


@pytest.fixture(scope="module")
def story(loaded: Hub, copies) -> Iterator[Story]:
    """The whole story, told once."""
    with ExitStack() as stack:
        yield Story(stack.enter_context(copies(loaded)))


def test_a_broken_batch_stops_the_publish_and_says_where_and_for_whom(story):
    assert story.stopped.returncode == 1
    told = story.stopped.stderr
    assert "the gate stopped the publish" in told
    assert "quarantine_share" in told
    assert "runsignup" in told
    assert "partner 1" in told
    assert "runsignup/1/" in told, "sample keys"
    assert "p88 gate accept" in told, "the way out"


def test_what_was_published_stays_as_it_was(story):
    assert differences(story.after_stop, story.before) == []
    assert story.written_after_stop == story.written


def test_the_stop_is_on_record(story):
    runs = story.hub.ask("select status, error from hub.runs where status = 'failed' order by started_at limit 1")

    assert runs[0][0] == "failed"
    assert "quarantine_share" in runs[0][1]


def test_what_an_operator_accepts_goes_through_with_the_rows_in_quarantine(story):
    assert story.accepted.returncode == 0, story.accepted.stderr
    assert story.held > 20
    assert story.visible == 0


def test_rows_that_are_nowhere_cannot_be_accepted(story):
    assert story.refused.returncode == 1
    assert "cannot be accepted" in story.refused.stderr


def test_a_corrected_row_comes_back_out_of_quarantine(story):
    assert story.mended.returncode == 0, story.mended.stderr
    assert differences(story.after_mending, story.before) == []


def test_an_acceptance_is_used_once(story):
    assert story.stopped_again.returncode == 1
    assert "quarantine_share" in story.stopped_again.stderr
