"""One suite for every way into a table; where the stock loader is known to be wrong, the reason is beside it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg2
import pytest

from tests.loading.ways import DAY, INSTANT, WAYS, Way, environment, record, schema, state


@pytest.fixture(params=WAYS)
def way(request, embedded_dsn, tmp_path):
    """A way into an empty database."""
    return Way(request.param, embedded_dsn, tmp_path)


def stock_is_wrong(request, way, reason):
    """Expect a failure of the stock loader; strict, so that a better release is noticed."""
    if way.name == "stock":
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


def test_rows_arrive_typed(way):
    way.load(
        schema(name="string", day=DAY, yes="boolean", much="number", many="integer"),
        record(id=1, name="Ann", day="2026-05-01", yes=True, much=1.25, many=7),
        record(id=2, name=None, day=None, yes=None, much=None, many=None),
    )

    assert way.ask("select * from trial.things order by id") == [
        (1, "Ann", date(2026, 5, 1), True, Decimal("1.25"), 7),
        (2, None, None, None, None, None),
    ]


def test_an_offset_is_kept(request, way):
    stock_is_wrong(request, way, "its columns have no zone, and COPY drops the offset: 12:00+02:00 becomes 12:00")
    way.load(schema(at=INSTANT), record(id=1, at="2026-05-01T12:00:00+02:00"), record(id=2, at="2026-05-01T12:00:00Z"))

    assert [row[0].astimezone(UTC) for row in way.ask("select at from trial.things order by id")] == [
        datetime(2026, 5, 1, 10, tzinfo=UTC),
        datetime(2026, 5, 1, 12, tzinfo=UTC),
    ]


def test_an_instant_in_a_column_without_a_zone_is_stored_as_utc(request, way):
    stock_is_wrong(request, way, "COPY drops the offset")
    way.ask("create schema trial")
    way.ask("create table trial.things (id bigint primary key, at timestamp)")

    way.load(schema(at=INSTANT), record(id=1, at="2026-05-01T12:00:00+02:00"))

    assert way.ask("select at from trial.things") == [(datetime(2026, 5, 1, 10),)]  # noqa: DTZ001 - it has none


def test_empty_text_is_not_null(way):
    way.load(schema(name="string"), record(id=1, name=""), record(id=2, name=None), record(id=3, name="NULL"))

    assert way.ask("select name from trial.things order by id") == [("",), (None,), ("NULL",)]


@pytest.mark.parametrize(
    "text", ["Zoë 走 🏃", 'a "quoted", one', "back\\slash", "two\nlines\r\n", "\t", "\\N", "\\.", "'"]
)
def test_text_comes_as_sent(way, text):
    way.load(schema(name="string", record="object"), record(id=1, name=text, record={"name": text}))

    assert way.ask("select name, record from trial.things") == [(text, {"name": text})]


def test_a_nul_becomes_the_replacement_character(request, way):
    stock_is_wrong(request, way, "Postgres stores no NUL, and the stock loader looks at plain texts only when asked to")
    way.load(
        schema(name="string", record="object"),
        record(id=1, name="a\0b", record={"k\0": ["a\0", "\\u0000"]}),
        record(id=2, name="\\u0000", record={"a": "\0\0"}),
    )

    assert way.ask("select name, record from trial.things order by id") == [
        ("a\ufffdb", {"k\ufffd": ["a\ufffd", "\\u0000"]}),
        ("\\u0000", {"a": "\ufffd\ufffd"}),
    ]


def test_nested_documents_come_as_sent(way):
    deep = {"a": [1, {"b": [None, True, "x"]}], "empty": {}, "list": [], "text": ""}

    way.load(schema(record="object", list="array"), record(id=1, record=deep, list=[deep]), record(id=2, record={}))

    assert way.ask("select record, list from trial.things order by id") == [(deep, [deep]), ({}, None)]


def test_no_digit_of_a_number_is_lost(request, way):
    stock_is_wrong(request, way, "it makes floats of numbers, which hold 17 digits")
    if way.name == "pages":
        pytest.skip("a tap of ours has put such a record aside, or given the number as it can hold it")
    line = json.dumps(record(id=1, much=0, record={"n": 0}))
    line = line.replace('"much": 0', '"much": 12345678901234567890.123456789').replace(
        '"n": 0', '"n": 123456789012345678901234567890'
    )

    way.load_lines([json.dumps(schema(much="number", record="object")), line])

    assert way.ask("select much::text, record ->> 'n' from trial.things") == [
        ("12345678901234567890.123456789", "123456789012345678901234567890")
    ]


def test_numbers_beyond_64_bits_fit(request, way):
    stock_is_wrong(request, way, "it makes floats of numbers, which hold 17 digits")
    large = 2**70 + 1
    way.load(schema(much="number", record="object"), record(id=1, much=large, record={"n": large}))

    assert way.ask("select much, (record ->> 'n')::numeric from trial.things") == [(large, large)]


def test_a_column_of_whole_numbers_grows_when_one_is_too_large(request, way):
    stock_is_wrong(request, way, "a number beyond 64 bits stops the load")
    if way.name == "pages":
        pytest.skip("a tap of ours puts such a record aside")
    large = 2**70 + 1

    way.load(schema(many="integer"), record(id=1, many=1))
    way.load(schema(many="integer"), record(id=1, many=2), record(id=2, many=large))

    assert way.ask("select id, many from trial.things order by id") == [(1, 2), (2, large)]


def test_a_very_long_line_or_page_is_loaded(way):
    text = "long " * 4_000_000

    way.load(schema(name="string"), record(id=1, name=text), *(record(id=n, name="") for n in range(2, 3000)))

    assert way.ask("select length(name) from trial.things where id = 1") == [(len(text),)]
    assert way.ask("select count(*) from trial.things") == [(2999,)]


def test_the_last_of_a_repeated_key_counts(way):
    way.load(schema(name="string"), record(id=1, name="stored"))

    way.load(
        schema(name="string"),
        record(id=1, name="other"), record(id=2, name="a"), record(id=1, name="stored"), record(id=2, name="b"),
    )  # fmt: skip

    assert way.ask("select id, name from trial.things order by id") == [(1, "stored"), (2, "b")]


def test_rows_without_a_key_are_all_kept(way):
    messages = [schema(keys=(), name="string"), record(id=1, name="a"), record(id=1, name="a")]

    way.load(*messages)
    way.load(*messages)

    assert way.ask("select * from trial.things") == [(1, "a")] * 4


def test_a_changed_row_replaces_the_stored_one_and_others_stay(way):
    rows = [record(id=n, name=f"runner {n}") for n in range(100)]
    way.load(schema(name="string"), *rows)

    way.load(schema(name="string"), *rows[:50], record(id=7, name=None), record(id=200, name="new"))

    assert way.ask("select count(*), count(name), max(id) from trial.things") == [(101, 100, 200)]


def _versions(way):
    return way.ask("select ctid::text, xmin::text, xmax::text from trial.things order by 1")


def test_an_unchanged_row_is_neither_written_nor_locked(request, way):
    stock_is_wrong(request, way, "it updates every row it is sent; only the trigger of project88.raw stops that")
    messages = [schema(name="string", record="object", read_at=INSTANT)]
    rows = [{"id": n, "name": f"runner {n}", "record": {"n": n}} for n in range(500)]
    way.load(*messages, *(record(read_at="2026-05-01T06:00:00Z", **row) for row in rows))
    before = _versions(way)

    way.load(*messages, *(record(read_at="2026-05-01T07:00:00Z", **row) for row in rows))

    assert _versions(way) == before
    assert way.ask("select distinct read_at::text from trial.things") == [("2026-05-01 06:00:00+00",)]


def test_a_changed_row_takes_when_it_was_read_along(request, way):
    stock_is_wrong(request, way, "its columns have no zone")
    messages = [schema(name="string", read_at=INSTANT)]
    way.load(*messages, record(id=1, name="a", read_at="2026-05-01T06:00:00Z"))

    way.load(*messages, record(id=1, name="b", read_at="2026-05-01T07:00:00Z"))

    assert way.ask("select name, read_at::text from trial.things") == [("b", "2026-05-01 07:00:00+00")]


def test_a_stream_that_is_always_written_is(way):
    messages = [schema("reads", name="string", read_at=INSTANT)]
    way.load(*messages, record("reads", id=1, name="a", read_at="2026-05-01T06:00:00Z"))

    way.load(*messages, record("reads", id=1, name="a", read_at="2026-05-01T07:00:00Z"))

    assert way.ask("select read_at::text from trial.reads")[0][0].startswith("2026-05-01 07:00:00")


def test_a_new_field_becomes_a_column_also_in_the_middle_of_a_load(way):
    way.load(
        schema(name="string"), record(id=1, name="a"),
        schema(name="string", wave="string"), record(id=2, name="b", wave="A"),
    )  # fmt: skip
    way.load(schema(name="string", wave="string", age="integer"), record(id=1, name="a", wave="B", age=40))

    assert way.ask("select id, name, wave, age from trial.things order by id") == [
        (1, "a", "B", 40),
        (2, "b", "A", None),
    ]


def test_a_field_that_is_sent_no_longer_keeps_its_column(way):
    way.load(schema(name="string", wave="string"), record(id=1, name="a", wave="A"))

    way.load(schema(name="string"), record(id=1, name="b"))

    assert way.ask("select name, wave from trial.things") == [("b", "A")]


def test_columns_that_the_database_fills_are_left_to_it(way):
    way.ask("create schema trial")
    way.ask("create table trial.things (id bigint primary key, name text, stamp bigint default 88)")

    way.load(schema(name="string"), record(id=1, name="a"))

    assert way.ask("select * from trial.things") == [(1, "a", 88)]


@pytest.mark.parametrize("hard", [False, True])
def test_rows_of_an_older_version_are_marked_or_deleted(way, hard):
    way.config = {"add_record_metadata": True, "activate_version": True, "hard_delete": hard}
    first, second = ({"type": "ACTIVATE_VERSION", "stream": "things", "version": number} for number in (1, 2))
    way.load(
        schema(name="string"), record(id=1, name="a") | {"version": 1}, record(id=2, name="b") | {"version": 1}, first
    )

    # Pages carry no version: rows that have one come as lines.
    lines = Way("stock" if way.name == "stock" else "lines", way.dsn, way.folder, way.config)
    lines.load(schema(name="string"), record(id=1, name="a") | {"version": 2}, second)

    expected = [(1, False)] if hard else [(1, False), (2, True)]
    assert way.ask("select id, _sdc_deleted_at is not null from trial.things order by id") == expected


def test_a_state_comes_after_its_rows(way):
    states = way.load(schema(name="string"), record(id=1, name="a"), state({"seen": 1}), record(id=2, name="b"))

    assert states[-1] == {"seen": 1}
    assert way.ask("select count(*) from trial.things") == [(2,)]


def test_a_state_tells_which_transactions_it_stands_for_where_that_is_wanted(way):
    if way.name == "stock":
        pytest.skip("a setting of ours")
    way.config = {"stamp_states": True}
    head, written = schema(name="string"), "select xmin::text::bigint >= %d from trial.things where name = '%s'"

    (at_the_end,) = way.load(head, record(id=1, name="before"), state({"seen": 1}))
    # The row after the state is committed with the one before it: both may be in doubt, but never none.
    *_, in_between = way.load(head, record(id=2, name="before too"), state({"seen": 2}), record(id=3, name="after"))
    (nothing_new,) = way.load(head, state({"seen": 2}))

    assert at_the_end["seen"] == 1
    assert way.ask(written % (at_the_end["loaded_before_xid"], "before")) == [(False,)]
    assert way.ask(written % (in_between["loaded_before_xid"], "after")) == [(True,)]
    assert way.ask(written % (nothing_new["loaded_before_xid"], "after")) == [(False,)]


def test_a_signal_that_comes_while_a_state_is_passed_on_cuts_no_line(request, way):
    if way.name == "stock":
        # It has no way to end early: the signal ends it at once.
        pytest.skip("the stock loader promises nothing of the sort")
    lines = way.lines([schema(), record(id=1), state({"at": "x" * 3_000_000})])
    told = way.folder / "messages.jsonl"
    told.write_text("\n".join(lines) + "\n")
    with told.open() as messages:
        process = subprocess.Popen(
            way.command(), bufsize=0, stdin=messages, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            # As `p88` and Meltano start it.
            env=environment() | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    # Nobody reads: the loader stands in the middle of the first state.
    assert process.stdout.read(1) == b"{"
    time.sleep(1)

    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    states = b"{" + process.communicate(timeout=30)[0]

    assert len(json.loads(states.splitlines()[0])["at"]) == 3_000_000


def test_no_state_is_passed_on_when_its_rows_are_refused(way):
    way.load(schema(name="string"), record(id=1, name="a"))
    way.ask("alter table trial.things add check (name <> 'never')")

    done = way.run([schema(name="string"), record(id=2, name="b"), record(id=3, name="never"), state({"seen": 3})])

    assert done.returncode != 0
    assert '"seen"' not in done.stdout
    assert way.ask("select count(*) from trial.things") == [(1,)]


def test_two_loads_of_the_same_rows_at_once_both_end_well(way):
    rows = [record(id=n, name=f"{n}") for n in range(4000)]
    header = [schema(name="string")]
    way.load(*header)
    (way.folder / "other").mkdir()
    other = Way(way.name, way.dsn, way.folder / "other")
    if way.name == "stock":
        pytest.skip("it inserts what another one has just inserted, and ends with a duplicate key")

    running = [
        subprocess.Popen(
            one.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for one in (way, other)
    ]
    texts = ["\n".join(way.lines([*header, *rows])), "\n".join(other.lines([*header, *reversed(rows)]))]
    for process, text in zip(running, texts, strict=True):
        assert process.stdin is not None
        process.stdin.write(text + "\n")
        process.stdin.flush()
    endings = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0, 0], endings
    assert way.ask("select count(*), count(distinct name) from trial.things") == [(4000, 4000)]


def test_a_lost_connection_ends_with_one_line_and_without_damage(way):
    if way.name == "stock":
        pytest.skip("it ends with a traceback")
    way.load(schema(name="string"), record(id=1, name="a"))
    process = subprocess.Popen(
        way.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(
        "\n".join(way.lines([schema(name="string"), record(id=2, name="b"), state({"seen": 2})])) + "\n"
    )
    process.stdin.flush()
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"seen": 2}
    _end_sessions(way)

    out, told = process.communicate(
        "\n".join(way.lines([schema(name="string"), record(id=3, name="c"), state({"seen": 3})])) + "\n", timeout=60
    )

    assert process.returncode == 1
    assert "Traceback" not in told
    assert "STOPPED target-hub: the connection to the database is lost" in told
    assert out == ""
    assert way.ask("select id from trial.things order by id") == [(1,), (2,)]


def _started(way):
    pipe = subprocess.PIPE
    return subprocess.Popen(way.command(), stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _end_sessions(way):
    connection = psycopg2.connect(way.dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    connection.close()


def test_no_page_file_stays_behind(way):
    way.load(schema(name="string"), *(record(id=n, name="a") for n in range(10)), state({}))

    assert list(way.folder.glob("*.arrow")) == []
