"""A page whose bytes are as they were is not decoded, and nothing is missed by it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from tap_shared.snapshot import Snapshot, known_pages
from toy import ToyTap, says, thing

# A page is a list of (key, value); a value of None is a row that is refused.
Page = list[tuple[str, Any]]


def digest(page: Page) -> bytes:
    return xxhash.xxh3_128_digest(repr(page).encode())


def turn(snapshot: Snapshot, page: Page, *, skipping: bool = True) -> tuple[list[tuple[str, Any]], bool]:
    """Read a page as a stream does; return what is to be sent, and whether the page was skipped."""
    if skipping and snapshot.skippable(digest(page)) is not None:
        snapshot.skip(digest(page))
        return [], True
    snapshot.begin_page()
    sent = []
    for key, value in page:
        if value is None:
            snapshot.keep(key)
        elif snapshot.changed(key, value):
            sent.append((key, value))
    if skipping and page:
        snapshot.end_page(digest(page), len(page))
    return sent, False


def read(
    state: str | None, pages: list[Page], *, whole: bool = True, edition: str = ""
) -> tuple[str, Any, list[str], int]:
    """Return the new state, what was sent, what vanished, and how many pages were skipped."""
    snapshot = Snapshot.from_state(state, edition)
    sent, skipped = [], 0
    for page in pages:
        found, known = turn(snapshot, page)
        sent += found
        skipped += known
    value, vanished = snapshot.finish(whole=whole, confirmed_empty=True)
    return value, sent, vanished, skipped


PAGES: list[Page] = [[("1", "a"), ("2", "b")], [("3", "c")], [("4", "d"), ("5", "e")]]


def test_pages_that_come_again_are_skipped_and_leave_the_state_as_it_was() -> None:
    state, sent, _, skipped = read(None, PAGES)
    assert (len(sent), skipped) == (5, 0)
    assert known_pages(state) == set(map(digest, PAGES))

    assert read(state, PAGES) == (state, [], [], 3)


def test_rows_of_skipped_pages_count_as_met() -> None:
    state = read(None, PAGES)[0]
    snapshot = Snapshot.from_state(state)
    for page in PAGES[:2]:
        assert turn(snapshot, page)[1]

    assert (len(snapshot), snapshot.seen) == (5, 3)
    assert snapshot.unseen() == ["4", "5"]
    assert snapshot.met == {"1", "2", "3"}
    assert snapshot.finish()[1] == ["4", "5"]


def test_a_changed_row_is_found_and_the_other_pages_are_skipped() -> None:
    state = read(None, PAGES)[0]
    pages = [PAGES[0], [("3", "C")], PAGES[2]]

    state, sent, vanished, skipped = read(state, pages)

    assert (sent, vanished, skipped) == ([("3", "C")], [], 2)
    assert read(state, pages)[1:] == ([], [], 3)
    # Back as it was: what the page held then is not what was sent last.
    assert read(state, PAGES)[1:] == ([("3", "c")], [], 2)


def test_a_row_that_moves_to_another_page_is_neither_sent_nor_gone() -> None:
    state = read(None, PAGES)[0]

    state, sent, vanished, skipped = read(state, [[("1", "a")], [("3", "c"), ("2", "b")], PAGES[2]])

    assert (sent, vanished, skipped) == ([], [], 1)


def test_pages_may_come_in_another_order() -> None:
    state = read(None, PAGES)[0]

    assert read(state, PAGES[::-1])[1:] == ([], [], 3)


def test_a_page_with_a_refused_row_is_read_again() -> None:
    pages: list[Page] = [[("1", "a"), ("2", None)], [("3", "c")]]
    state = read(None, pages)[0]

    assert known_pages(state) == {digest(pages[1])}
    assert read(state, pages)[3] == 1


def test_pages_that_share_a_row_are_read_again() -> None:
    pages: list[Page] = [[("1", "a"), ("2", "b")], [("2", "B")], [("3", "c")]]
    state, _, _, _ = read(None, pages)

    assert known_pages(state) == {digest(pages[2])}
    # As ever: what differs from what was sent last is sent.
    assert read(state, pages)[1] == [("2", "b"), ("2", "B")]


def test_a_row_that_shows_up_on_a_second_page_has_both_read() -> None:
    state = read(None, PAGES)[0]

    state, sent, _, skipped = read(state, [[("1", "A"), ("9", "z")], *PAGES])

    assert (sent, skipped) == ([("1", "A"), ("9", "z"), ("1", "a")], 2)


def test_a_row_that_is_the_same_on_two_pages_counts_once() -> None:
    state = read(None, PAGES)[0]

    state, sent, _, skipped = read(state, [[("1", "a"), ("9", "z")], *PAGES])

    assert (sent, skipped) == ([("9", "z")], 2)
    assert known_pages(state) == {digest(PAGES[1]), digest(PAGES[2])}
    assert len(Snapshot.from_state(state)) == 6


def test_a_row_that_is_refused_on_one_page_and_taken_on_another_is_not_mistaken() -> None:
    pages: list[Page] = [[("1", "a")], [("2", None), ("1", "b")]]
    state = read(None, pages)[0]

    assert known_pages(state) == frozenset()


def test_a_page_is_forgotten_when_a_read_of_changes_touches_one_of_its_rows() -> None:
    state = read(None, PAGES)[0]
    state = read(state, [[("3", "C")]], whole=False)[0]

    assert known_pages(state) == {digest(PAGES[0]), digest(PAGES[2])}
    assert read(state, PAGES)[1:] == ([("3", "c")], [], 2)


def test_a_read_of_changes_that_finds_none_forgets_nothing() -> None:
    state = read(None, PAGES)[0]

    assert read(state, [], whole=False)[0] == state
    assert known_pages(read(state, [[("9", "z")]], whole=False)[0]) == known_pages(state)


def test_a_page_is_forgotten_when_one_of_its_rows_is_in_doubt() -> None:
    snapshot = Snapshot.from_state(read(None, PAGES)[0])
    snapshot.doubt("3")
    state, _ = snapshot.finish(whole=False)

    assert known_pages(state) == {digest(PAGES[0]), digest(PAGES[2])}
    assert read(state, PAGES)[1:] == ([("3", "c")], [], 2)


def test_nothing_is_skipped_where_all_is_to_be_sent_again() -> None:
    snapshot = Snapshot.from_state(read(None, PAGES)[0])
    snapshot.send_all = True

    assert [turn(snapshot, page)[1] for page in PAGES] == [False] * 3


def test_a_read_that_begins_once_more_may_skip_again() -> None:
    snapshot = Snapshot.from_state(read(None, PAGES)[0])
    for _ in range(2):
        snapshot.restart()
        assert [turn(snapshot, page)[1] for page in PAGES] == [True] * 3
        assert snapshot.seen == 5


def test_a_second_pass_does_not_skip_what_the_first_one_sent_otherwise() -> None:
    snapshot = Snapshot.from_state(read(None, PAGES)[0])
    for page in (PAGES[0], [("3", "C")], PAGES[2]):
        turn(snapshot, page)
    snapshot.restart()

    assert [turn(snapshot, page) for page in PAGES] == [([], True), ([("3", "c")], False), ([], True)]


@pytest.mark.parametrize("damage", [lambda s: s[:30], lambda s: "s2:***", lambda s: "s2:", lambda s: s[:12] + "A" * 40])
def test_a_damaged_state_knows_no_page(damage: Any, caplog: Any) -> None:
    state = damage(read(None, PAGES)[0])

    assert known_pages(state) == frozenset()
    assert len(read(state, PAGES)[1]) == 5
    assert len(caplog.records) == 1


def test_a_page_costs_the_state_little() -> None:
    rows = [(f"{at:06d}", at) for at in range(2000)]
    one, two = Snapshot(), Snapshot()
    for key, value in rows:
        one.changed(key, value)
    for at in range(0, 2000, 500):
        turn(two, rows[at : at + 500])

    assert len(two.finish()[0]) - len(one.finish()[0]) < 4 * 60


KEYS = st.sampled_from(["1", "2", "3", "10", "a/b"])
A_PAGE = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 1))), max_size=3)
# What becomes of a read: all of it, its changes only, killed before its state, other columns; or the list flickers
# between how it was and how it is while it is read.
HOW = st.sampled_from(["whole", "whole", "changes", "flicker", "killed", "columns"])
EDIT = st.one_of(
    st.tuples(st.sampled_from(["put", "add", "drop"]), st.integers(0, 3), A_PAGE),
    st.tuples(st.just("undo"), st.just(0), st.just([])),
)


def edited(worlds: list[list[Page]], edit: tuple[str, int, Page]) -> list[Page]:
    """Return the list after one change; `worlds` are what it was until now."""
    what, at, page = edit
    if what == "undo":
        return list(worlds[max(-2, -len(worlds))])
    world = list(worlds[-1])
    world[at : at + (what != "add")] = [] if what == "drop" else [page]
    return world


@settings(max_examples=400, deadline=None)
@given(world=st.lists(A_PAGE, max_size=4), steps=st.lists(st.tuples(HOW, st.lists(EDIT, max_size=1)), max_size=7))
def test_skipping_pages_sends_and_misses_what_reading_them_does(world: list[Page], steps: list[Any]) -> None:
    states: list[str | None] = [None, None]
    doubtful: list[set[str]] = [set(), set()]
    edition, worlds = "", [world]
    for how, edits in [("whole", []), *steps]:
        before = worlds[-1]
        worlds += [edited(worlds, edit) for edit in edits]
        edition += "+" * (how == "columns")
        passes = [worlds[-1], before, worlds[-1]] if how == "flicker" else [worlds[-1]]
        outcomes = []
        for which, skipping in enumerate((True, False)):
            snapshot = Snapshot.from_state(states[which], edition)
            for key in doubtful[which]:
                snapshot.doubt(key)
            sent: list[tuple[str, Any]] = []
            for pages in passes:
                snapshot.restart()
                for page in pages:
                    known = xxhash.xxh3_128_digest(repr((edition, page)).encode())
                    if skipping and snapshot.skippable(known) is not None:
                        snapshot.skip(known)
                    else:
                        sent += turn_apart(snapshot, page, known if skipping else None)
            met = sent, snapshot.seen, snapshot.unseen()
            if how == "killed":
                doubtful[which] |= {key for key, _ in sent}
                outcomes.append(met)
                continue
            states[which], vanished = snapshot.finish(whole=how != "changes", confirmed_empty=True)
            doubtful[which] = set()
            outcomes.append((*met, vanished, set(snapshot.returned())))
        assert outcomes[0] == outcomes[1]


def turn_apart(snapshot: Snapshot, page: Page, known: bytes | None) -> list[tuple[str, Any]]:
    """Read a page in the way that streams take for many rows at once, the refused ones first."""
    snapshot.begin_page()
    for key, value in page:
        if value is None:
            snapshot.keep(key)
    rows = [(key, value) for key, value in page if value is not None]
    keys, contents = [key for key, _ in rows], [json.dumps(value).encode() for _, value in rows]
    if len(set(keys)) == len(keys) and rows:
        others = snapshot.others(keys, contents)
        if 2 * len(others) < len(rows):
            rows, keys, contents = ([values[at] for at in others] for values in (rows, keys, contents))
    sent = [rows[at] for at in snapshot.changed_contents(keys, contents)]
    if known is not None and page:
        snapshot.end_page(known, len(page))
    return sent


# --- a stream ----------------------------------------------------------------------------------------


@pytest.fixture
def known(provider: Any, tmp_path: Any, capsys: Any) -> Any:
    """Run the toy; return its state and, of the stream things, the count of known pages and the tally's rest."""

    def run(state: Any = None, **settings: Any) -> Any:
        config = {"secret": "s3cr3t/of+the=toy", "timing_partner_id": 7, "api_url": provider.url}
        config |= {"budget_dir": str(tmp_path / "budget"), "backoff_base": 0.001}
        tap = ToyTap(config=config | settings, state=json.loads(json.dumps(state)) if state else None)
        tap.sync_all()
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        state = [line["value"] for line in lines if line["type"] == "STATE"][-1]
        rows = [line["record"]["id"] for line in lines if line["type"] == "RECORD" and line["stream"] == "things"]
        return state, rows, tap.streams["things"].totals

    return run


def test_an_answer_that_is_as_it_was_is_not_decoded(known: Any, provider: Any) -> None:
    state, rows, totals = known()
    assert (rows, totals.known_pages) == ([1, 2, 3], 0)

    again, rows, totals = known(state)
    assert (rows, totals.known_pages, totals.received, totals.removed) == ([], 2, 3, 0)
    assert again == state

    provider.things["1"] = [thing(1), thing(2, name="other")]
    state, rows, totals = known(again)
    assert (rows, totals.known_pages, totals.received) == ([2], 1, 3)
    provider.things["1"] = [thing(1)]
    _, rows, totals = known(state)
    assert (rows, totals.known_pages, totals.removed) == ([], 1, 1)


def test_everything_is_decoded_and_sent_where_that_is_asked_for(known: Any) -> None:
    state, _, _ = known()

    state, rows, totals = known(state, read_everything=True)

    assert (rows, totals.known_pages) == ([1, 2, 3], 0)
    assert known(state)[2].known_pages == 2


def test_other_columns_make_no_page_known(known: Any, monkeypatch: Any) -> None:
    from tap_shared.columns import Column
    from toy import Things

    state, _, _ = known()
    monkeypatch.setattr(Things, "columns", (*Things.columns, Column("more", sent=False)))

    _, rows, totals = known(state)

    assert (rows, totals.known_pages) == ([1, 2, 3], 0)


def test_an_answer_with_a_refused_record_is_told_again_each_time(known: Any, provider: Any) -> None:
    provider.things["1"] = [thing(1), thing(2, name=None)]
    state, _, _ = known()

    _, rows, totals = known(state)

    assert (rows, totals.known_pages, totals.rejected) == ([], 1, 1)


def test_only_a_good_answer_is_known(known: Any, provider: Any) -> None:
    state, _, _ = known()
    body = json.dumps(provider.things["1"]).encode()
    provider.queue += [says(500, body), says(429, body)]

    _, rows, totals = known(state)

    assert (rows, totals.received, totals.known_pages) == ([], 3, 2)
    assert totals.calls == 4
