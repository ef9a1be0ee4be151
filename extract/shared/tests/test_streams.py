"""What every stream does: deliver, leave out what did not change, notice what vanished, refuse what is wrong."""

from __future__ import annotations

import json
import logging

import pytest
from singer_sdk.singerlib.catalog import Catalog
from tap_shared.errors import TapFailed
from tap_testing.runs import Run
from toy import says, thing


def test_a_second_read_of_the_same_rows_sends_none(run):
    first = run()

    again = run(first.state)

    assert [row["id"] for row in first.rows("things")] == [1, 2, 3]
    assert again.rows("things") == []


def test_only_the_changed_row_is_sent(run, provider):
    first = run()
    provider.things["1"][1] = thing(2, name="renamed")

    again = run(first.state)

    assert [(row["id"], row["name"]) for row in again.rows("things")] == [(2, "renamed")]


def test_read_everything_sends_all_and_still_notices_removals(run, provider):
    first = run()
    del provider.things["1"][0]

    again = run(first.state, read_everything=True)

    assert [row["id"] for row in again.rows("things")] == [2, 3]
    assert [row["record_key"] for row in again.rows("removals") if row["stream"] == "things"] == ["1"]


def test_a_row_carries_partner_columns_record_and_time(run):
    row = run().rows("things")[0]

    assert row["timing_partner_id"] == 7
    assert (row["place"], row["weight"], row["note"]) == (1, 1.5, None)
    assert row["record"] == thing(1)
    assert row["read_at"].endswith("+00:00")


def test_a_vanished_row_is_a_removal_and_its_return_ends_it(run, provider):
    first = run()
    gone = provider.things["1"].pop(0)
    second = run(first.state)
    provider.things["1"].append(gone)
    third = run(second.state)

    (removal,) = [row for row in second.rows("removals") if row["stream"] == "things"]
    (back,) = [row for row in third.rows("removals") if row["stream"] == "things"]
    assert (removal["record_key"], removal["scope"], removal["returned_at"]) == ("1", "1", None)
    assert back["record_key"] == "1"
    assert back["noticed_at"][:19] == removal["noticed_at"][:19]
    assert back["returned_at"] is not None
    assert [row["id"] for row in third.rows("things")] == [1]


def test_a_rejected_row_of_a_known_key_is_not_a_removal(run, provider):
    first = run()
    provider.things["1"][0] = thing(1, weight="heavy")

    again = run(first.state)

    assert [row["record_key"] for row in again.rows("rejects") if row["stream"] == "things"] == ["1"]
    assert again.rows("removals") == []


@pytest.mark.parametrize(
    ("wrong", "field", "reason", "key"),
    [
        pytest.param(thing(9, weight="heavy"), "weight", "expected a number, got str 'heavy'", "9", id="untypable"),
        pytest.param({"name": "x", "weight": 1, "colour": "red"}, "id", "missing", None, id="no key"),
        pytest.param(thing(9, name=None), "name", "null", "9", id="null where required"),
        pytest.param(thing(9, name=""), "name", "empty", "9", id="empty where required"),
        pytest.param(thing(9, place=2), "place", "of another place than asked for", "9", id="contradiction"),
        pytest.param("what?", "", "expected an object, got str 'what?'", None, id="no record at all"),
        pytest.param(thing(2**70), "id", "a whole number beyond 64 bits", None, id="too big a key"),
    ],
)
def test_a_wrong_record_goes_to_rejects_and_the_rest_go_on(run, provider, wrong, field, reason, key):
    provider.things["1"].append(wrong)

    done = run()

    (reject,) = [row for row in done.rows("rejects") if row["stream"] == "things"]
    assert (reject["field"], reject["reason"], reject["record_key"], reject["scope"]) == (field, reason, key, "1")
    assert reject["record"] == (wrong if isinstance(wrong, dict) else {"value": wrong})
    assert [row["id"] for row in done.rows("things")] == [1, 2, 3]
    assert done.error is None


def test_the_same_wrong_record_is_the_same_reject_in_every_run(run, provider):
    provider.things["1"].append(thing(9, weight="heavy"))

    first = run()
    again = run(first.state)

    ids = [{row["reject_id"] for row in done.rows("rejects") if row["stream"] == "things"} for done in (first, again)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 1


def test_reads_count_what_came_and_what_became_of_it(run, provider):
    provider.things["1"].append(thing(9, weight="heavy"))

    reads = {(row["stream"], row["scope"]): row for row in run(run_id="r1").rows("reads")}

    read = reads["things", "1"]
    assert (read["rows_received"], read["rows_sent"], read["rows_rejected"], read["rows_removed"]) == (3, 2, 1, 0)
    assert (read["mode"], read["calls_made"], read["rows_at_provider"], read["run_id"]) == ("whole", 1, 3, "r1")
    assert read["provider_clock"] == "2025-05-05T10:00:00+00:00"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param(
            [{"id": 1, "name": "a", "weight": 1}, {"id": 2, "name": "b", "weight": 1}],
            "field colour is missing in every record",
            id="a documented field vanished",
        ),
        pytest.param(
            [{"id": 1, "name": "a", "weight": 1}],
            "field colour is missing in every record",
            id="vanished from an answer of one",
        ),
        pytest.param(
            [{"name": "a", "weight": 1, "colour": "red"}, {"name": "b", "weight": 1, "colour": "red"}],
            "field id is missing in every record",
            id="the key vanished",
        ),
        pytest.param(
            [thing(1, weight={}), thing(2, weight={}), thing(3), thing(4)],
            "field weight cannot be read in 2 of 4 records",
            id="a type changed",
        ),
    ],
)
def test_a_new_shape_stops_the_stream_and_not_the_others(run, provider, caplog, rows, told):
    first = run()
    provider.queue.append(says(200, json.dumps(rows).encode()))

    done = run(first.state, run_id="second")

    assert isinstance(done.failure, TapFailed)
    assert told in done.error
    assert "toy, partner 7, stream things" in done.error
    assert "1 of 5 streams stopped" in done.error
    # Nothing of that answer was taken, the bookmark stays, the other stream was read.
    assert done.rows("things") == []
    assert done.rows("rejects") == []
    before, after = (state["bookmarks"]["things"]["partitions"][0] for state in (first.state, done.state))
    assert before == after
    assert {row["scope"] for row in done.rows("reads") if row["stream"] == "others"} == {"1", "2"}
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("STOPPED")]
    assert told in line


def test_three_wrong_of_three_are_rejects_since_so_few_say_little(run, provider):
    provider.things["1"] = [thing(number, weight="heavy") for number in (1, 2, 3)]

    done = run()

    assert done.error is None
    assert len([row for row in done.rows("rejects") if row["stream"] == "things"]) == 3


def test_a_new_field_is_kept_in_the_record(run, provider):
    provider.things["1"] = [thing(1, invented="yes")]

    assert run().rows("things")[0]["record"]["invented"] == "yes"


def test_an_unknown_value_is_kept_and_told_once(run, provider, caplog):
    provider.things["1"] = [thing(1, colour="mauve"), thing(2, colour="mauve")]

    with caplog.at_level(logging.WARNING):
        done = run()

    assert [row["colour"] for row in done.rows("things")] == ["mauve", "mauve", "red"]
    told = [record.getMessage() for record in caplog.records if "mauve" in record.getMessage()]
    assert [line for line in told if "stream things" in line] == [
        "toy, partner 7, stream things: unknown value 'mauve' of field colour is kept as sent"
    ]


def test_schemas_come_first_and_once(run):
    messages = run().messages

    for stream in ("reads", "rejects", "removals", "things", "others"):
        kinds = [message["type"] for message in messages if message.get("stream") == stream]
        assert kinds[0] == "SCHEMA"
        assert kinds.count("SCHEMA") == 1


def test_a_bookmark_is_never_in_the_state_before_its_records(make_tap, provider):
    # With no pause between states there is one after each partition.
    tap = make_tap()
    tap._state_writer._every_s = 0
    provider.things = {place: [thing(int(place) * 10 + number) for number in range(4)] for place in ("1", "2")}
    written: set[tuple[str, int]] = set()

    for message in Run(tap).messages:
        if message["type"] == "RECORD" and message["stream"] in ("things", "others"):
            written.add((message["stream"], message["record"]["id"]))
        if message["type"] == "STATE":
            for stream in ("things", "others"):
                for entry in message["value"]["bookmarks"].get(stream, {}).get("partitions", []):
                    place = entry["context"]["place"]
                    assert {(stream, place * 10 + number) for number in range(4)} <= written


def test_the_state_always_comes_at_the_end(run):
    assert run().messages[-1]["type"] == "STATE"


def test_what_the_catalog_leaves_out_is_left_out(make_tap):
    tap = make_tap()
    catalog = Catalog.from_dict(tap.catalog_dict)
    catalog["things"].metadata[("properties", "record")].selected = False
    catalog["rejects"].metadata.root.selected = False
    catalog["others"].metadata.root.selected = False
    chosen = type(tap)(config=dict(tap.config), catalog=catalog)

    done = Run(chosen)

    assert [row["name"] for row in done.rows("things")] == ["thing 1", "thing 2", "thing 3"]
    assert not any("record" in row for row in done.rows("things"))
    assert {message["stream"] for message in done.messages if message["type"] == "SCHEMA"} == {
        "reads",
        "removals",
        "things",
    }


def test_stream_maps_still_work(run):
    done = run(stream_maps={"things": {"shout": "name.upper()"}, "others": None})

    assert done.rows("things")[0]["shout"] == "THING 1"


def test_a_fault_of_the_tap_is_reported_as_such(run, provider):
    provider.queue.append(says(200, b'{"things": 5}'))

    done = run()

    # The toy takes the keys of an object for records: rejects, no crash.
    assert done.error is None
    provider.queue.append(says(200, b"5"))
    assert "unexpected TypeError" in run().error
