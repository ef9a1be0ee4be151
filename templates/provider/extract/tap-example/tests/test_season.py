"""A season read, changed, and read again."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("page_size", [1, 3, 7, 100])
def test_a_season_is_read_completely_whatever_the_size_of_a_page(run, provider, page_size):
    done = run(page_size=page_size)

    assert done.error is None
    assert [row["event_id"] for row in done.rows("events")] == ["A1", "B2"]
    sent = {row["participant_id"]: row for row in done.rows("participants")}
    assert set(sent) == {str(one["id"]) for rows in provider.participants.values() for one in rows}
    assert sent["3"]["event_id"] == "A1"
    assert sent["3"]["bib"] == "03"
    assert sent["3"]["record"] == provider.participants["A1"][2]
    assert {row["timing_partner_id"] for row in sent.values()} == {1}


def test_an_unchanged_account_sends_nothing_again(run):
    first = run()

    again = run(first.state)

    assert again.error is None
    for stream in ("events", "participants", "removals", "rejects"):
        assert again.rows(stream) == [], stream


def test_only_what_changed_is_sent_and_what_vanished_is_marked_and_may_come_back(run, provider):
    first = run()
    provider.participants["A1"][0]["bib"] = "77"
    gone = provider.participants["A1"].pop(1)

    second = run(first.state)
    provider.participants["A1"].append(gone)
    third = run(second.state)

    assert [(row["participant_id"], row["bib"]) for row in second.rows("participants")] == [("1", "77")]
    assert [(row["stream"], row["record_key"], row["returned_at"]) for row in second.rows("removals")] == [
        ("participants", "2", None)
    ]
    assert [row["participant_id"] for row in third.rows("participants")] == ["2"]
    assert third.rows("removals")[0]["returned_at"] is not None


def test_a_record_that_cannot_be_read_is_put_aside_with_its_reason(run, provider):
    provider.participants["A1"][0]["birth_date"] = "soon"
    provider.events[0]["ends_at"] = "2026-09-12T01:00:00-04:00"

    done = run()

    assert done.error is None
    assert {(row["stream"], row["field"], row["record_key"]) for row in done.rows("rejects")} == {
        ("participants", "birth_date", "1"),
        ("events", "ends_at", "A1"),
    }
    assert len(done.rows("participants")) == 7


def test_an_event_that_vanishes_takes_its_participants_along(run, provider):
    first = run()
    provider.events.pop(1)

    again = run(first.state)

    assert {(row["stream"], row["record_key"]) for row in again.rows("removals")} == {
        ("events", "B2"),
        ("participants", "20"),
    }
