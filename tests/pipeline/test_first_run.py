"""The first run: all that the providers hold is in raw, published under our names, and each partner sees its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline.harness import KEYS, PARTNERS, Hub

STREAMS = [(provider, partner, stream) for provider in KEYS for partner in PARTNERS for stream in KEYS[provider]]
JOINT = {"runsignup": "900000", "chronotrack": "40000"}
STATUSES = {"DNF": "did_not_finish", "DNS": "did_not_start", "DQ": "disqualified"}
ENTRY_STATUSES = {
    "FIN": "finished",
    "CONF": "confirmed",
    "WD": "withdrawn",
    "DQ": "disqualified",
    "DNF": "did_not_finish",
    "PEND": "pending",
}


@pytest.fixture(scope="module", autouse=True)
def _as_it_was(season: Hub) -> None:
    """Have the sandbox tell of the season as it was when it was loaded."""
    season.sandbox.reset()


@pytest.fixture(scope="module")
def held(season: Hub) -> Any:
    """What the providers hold, by provider, partner and stream."""
    return {one: season.sandbox.holds(*one) for one in STREAMS}


@pytest.fixture(scope="module")
def last_run(season: Hub) -> str:
    """The id of the run that loaded the season."""
    ((run_id,),) = season.ask("select run_id from hub.runs where kind = 'run'")
    return run_id


def _all(held: Any, provider: str, stream: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the published key and the record of a stream's rows, of both partners."""
    for partner in PARTNERS:
        for key, record in held[provider, partner, stream].items():
            yield f"{provider}/{partner}/{key}", record


# --- raw


@pytest.mark.parametrize("partner", PARTNERS, ids=PARTNERS.get)
@pytest.mark.parametrize("provider", KEYS)
def test_raw_holds_what_the_provider_holds(season, provider, partner):
    season.assert_raw_equals_holds([provider], [partner])


def test_the_same_provider_ids_under_two_partners_are_two_records(season, held):
    for provider, stream, relation in (
        ("runsignup", "participants", "unified_participants"),
        ("chronotrack", "entries", "unified_participants"),
        ("runsignup", "results", "unified_results"),
    ):
        shared = set(held[provider, 1, stream]) & set(held[provider, 2, stream])
        published = season.rows(relation, provider)

        assert shared
        for key in shared:
            one, other = published[f"{provider}/1/{key}"], published[f"{provider}/2/{key}"]
            assert (one["timing_partner_id"], other["timing_partner_id"]) == (1, 2)
    for provider, event_id in JOINT.items():
        query = "select timing_partner_id from unified.unified_events where source_provider = %s and event_id = %s"
        assert sorted(season.ask(query, provider, event_id)) == [(1,), (2,)]


# --- nothing vanishes


def test_every_row_is_published_or_accounted_for(season, held):
    found = {
        (provider, partner, stream): counts
        for provider, partner, stream, *counts in season.ask(
            "select source_provider, timing_partner_id, stream, received, candidate, rejected, superseded, unaccounted "
            "from candidate.reconciliation"
        )
    }

    assert set(found) == set(STREAMS)
    for one, (received, candidate, rejected, superseded, unaccounted) in found.items():
        assert received == len(held[one]), one
        assert received == candidate + rejected + superseded, one
        assert (rejected, unaccounted) == (0, 0), one
    # A race without events (Idea, one for each partner) has nothing to publish.
    assert {one: counts[3] for one, counts in found.items() if counts[3]} == {
        ("runsignup", 1, "races"): 1,
        ("runsignup", 2, "races"): 1,
    }
    assert season.ask("select count(*) from hub.quarantine") == [(0,)]


@pytest.mark.parametrize(
    ("provider", "streams", "relation"),
    [
        ("runsignup", ("events",), "unified_events"),
        ("runsignup", ("participants", "removed_participants"), "unified_participants"),
        ("runsignup", ("results",), "unified_results"),
        ("chronotrack", ("events",), "unified_events"),
        ("chronotrack", ("races",), "unified_races"),
        ("chronotrack", ("entries",), "unified_participants"),
        ("chronotrack", ("brackets",), "unified_divisions"),
        ("chronotrack", ("intervals",), "unified_timing_points"),
    ],
)
def test_every_record_has_one_published_row_under_its_own_ids(season, held, provider, streams, relation):
    expected = [key for stream in streams for key, _ in _all(held, provider, stream)]

    assert sorted(season.rows(relation, provider)) == sorted(expected)


def test_interval_rows_are_folded_into_one_result_per_athlete(season, held):
    expected = {
        f"chronotrack/{partner}/{event}/{entry}"
        for partner in PARTNERS
        for event, entry, _ in (key.split("/") for key in held["chronotrack", partner, "results"])
    }

    assert set(season.rows("unified_results", "chronotrack")) == expected


def test_counts_per_stream_and_run_are_on_record(season, held, last_run):
    found = {
        (provider, partner, stream): counts
        for provider, partner, stream, *counts in season.ask(
            "select provider_name, timing_partner_id, stream, received, sent, rejected, removed, calls_made > 0 "
            "or stream = 'events' from hub.run_streams where run_id = %s",
            last_run,
        )
    }

    assert found == {one: [len(held[one]), len(held[one]), 0, 0, True] for one in STREAMS}


def test_each_connection_has_a_line_in_the_sync_history(season, held, last_run):
    found = {
        (provider, partner): (status, records, error)
        for provider, partner, status, records, error in season.ask(
            "select provider_name, timing_partner_id, status, records_processed, error_message from hub.sync_history "
            "where run_id = %s and completed_at >= started_at",
            last_run,
        )
    }

    assert found == {
        (provider, partner): ("success", sum(len(held[provider, partner, stream]) for stream in KEYS[provider]), None)
        for provider in KEYS
        for partner in PARTNERS
    }


def test_the_run_ends_with_a_table_per_provider_and_stream_and_what_to_try_next(season, held):
    lines = {tuple(line.split()[:2]): line.split()[2:] for line in season.first_run.output.splitlines() if line.strip()}

    for provider, streams in KEYS.items():
        for stream in streams:
            received = sum(len(held[provider, partner, stream]) for partner in PARTNERS)
            assert lines[provider, stream][0] == str(received)
    assert lines["chronotrack", "entries"][1:3] == ["208", "0"]
    assert "First publish: " in season.first_run.output
    assert 'p88 sql "select ' in season.first_run.output


def test_status_tells_what_is_published_and_from_which_connection(season):
    told = json.loads(season.p88("status", "--json").stdout)

    assert {one["relation"]: one["rows"] for one in told["relations"]}["unified_participants"] == 418
    assert {(one["company_name"], one["provider_name"], one["last_sync_status"]) for one in told["connections"]} == {
        (company, provider, "success") for company in ("Harbour Timing", "Summit Timing") for provider in KEYS
    }
    assert told["quarantine"] == []


# --- our names, types and units


def test_names_keep_every_letter(season, held):
    published = season.rows("unified_participants", "runsignup") | season.rows("unified_participants", "chronotrack")
    people = {key: record["user"] for key, record in _all(held, "runsignup", "participants")}
    names = {key: (one["first_name"].strip(), one["last_name"].strip()) for key, one in people.items()}
    for key, record in _all(held, "chronotrack", "entries"):
        names[key] = (record["athlete_first_name"].strip(), record["athlete_last_name"].strip())

    assert {key: (published[key]["first_name"], published[key]["last_name"]) for key in names} == names
    assert {"Łucja", "Grønvold", "Siobhán", "Nguyễn"} <= {name for pair in names.values() for name in pair}


def test_bibs_are_kept_as_printed(season, held):
    entries, results = (season.rows(f"unified_{name}", "chronotrack") for name in ("participants", "results"))

    bibs = {key: record["entry_bib"] or None for key, record in _all(held, "chronotrack", "entries")}
    assert {key: entries[key]["bib_number"] for key in bibs} == bibs
    assert {"0001", "E4", None} <= set(bibs.values())
    for key, record in _all(held, "chronotrack", "results"):
        assert results[key.rpartition("/")[0]]["bib_number"] == (record["results_bib"] or None)


def test_what_is_not_known_is_null_and_never_an_empty_text(season):
    for relation in ("unified_events", "unified_participants", "unified_results"):
        for provider in KEYS:
            for key, row in season.rows(relation, provider).items():
                assert "" not in row.values(), (relation, key)


def test_gender_is_one_code_for_all_providers(season, held):
    published = season.rows("unified_participants", "runsignup") | season.rows("unified_participants", "chronotrack")
    sent = {key: record["user"]["gender"] for key, record in _all(held, "runsignup", "participants")}
    sent |= {key: record["athlete_sex"] for key, record in _all(held, "chronotrack", "entries")}

    assert {key: published[key]["gender"] for key in sent} == sent
    assert "X" in sent.values()


@pytest.mark.parametrize(
    ("event", "starts_at", "ends_at", "event_date"),
    [
        pytest.param("runsignup/1/900024", "2025-11-02T04:30", "2025-11-02T15:30", "2025-11-02", id="clocks go back"),
        pytest.param("chronotrack/1/40006", "2025-11-02T04:30", "2025-11-02T15:30", "2025-11-02", id="the same, timed"),
        pytest.param("runsignup/1/900032", "2026-09-13T14:30", "2026-09-13T22:30", "2026-09-13", id="Los Angeles"),
        pytest.param("runsignup/1/900040", "2026-11-03T09:30", "2026-11-03T17:30", "2026-11-03", id="London"),
        pytest.param("runsignup/1/900064", "2026-11-18T23:30", "2026-11-19T07:30", "2026-11-18", id="over midnight"),
    ],
)
def test_instants_are_utc_and_the_day_is_the_event_s_own(season, event, starts_at, ends_at, event_date):
    row = season.rows("unified_events", event.split("/")[0])[event]

    assert row["starts_at"] == f"{starts_at}:00+00:00"
    assert row["ends_at"] == f"{ends_at}:00+00:00"
    assert row["event_date"] == event_date


def test_dollar_texts_are_numbers_and_us_dollars_only_where_the_race_is(season, held):
    published, events = (season.rows(f"unified_{name}", "runsignup") for name in ("participants", "events"))

    for key, record in _all(held, "runsignup", "participants"):
        row = published[key]
        assert (row["race_fee"], row["amount_paid"]) == (_dollars(record["race_fee"]), _dollars(record["amount_paid"]))
        assert row["currency"] == ("USD" if events[row["event_key"]]["country"] == "US" else None), key


def _dollars(text: str) -> float:
    return float(text.replace("$", "").replace(",", ""))


def test_race_times_are_kept_as_sent_and_counted_in_seconds(season, held):
    published = season.rows("unified_results", "runsignup") | season.rows("unified_results", "chronotrack")
    times = {
        key: (record["chip_time"], record["clock_time"], record["place"])
        for key, record in _all(held, "runsignup", "results")
        if record["clock_time"] not in STATUSES
    } | {
        key.rpartition("/")[0]: (record["results_time"], record["results_gun_time"], int(record["results_rank"]))
        for key, record in _all(held, "chronotrack", "results")
        if record["results_interval_full"] == "1" and record["results_rank"]
    }

    assert len(times) > 200
    for key, (chip, gun, place) in times.items():
        row = published[key]
        assert (row["results_time"], row["results_gun_time"]) == (chip or None, gun), key
        assert (row["chip_seconds"], row["gun_seconds"]) == (_seconds(chip), _seconds(gun)), key
        assert (row["status"], row["overall_place"]) == ("finished", place), key


def _seconds(text: str) -> float | None:
    if not text:
        return None
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return round(total, 3)


def test_who_did_not_finish_keeps_the_row_and_has_no_place(season, held):
    published = season.rows("unified_results", "runsignup")
    sent = {
        key: STATUSES[record["clock_time"]]
        for key, record in _all(held, "runsignup", "results")
        if record["clock_time"] in STATUSES
    }

    assert {key: published[key]["status"] for key in sent} == sent
    assert set(sent.values()) >= {"did_not_finish", "disqualified"}
    for key in sent:
        assert published[key]["overall_place"] is None
        assert published[key]["gun_seconds"] is None
    for key, row in season.rows("unified_results", "chronotrack").items():
        if row["status"] in {"did_not_finish", "disqualified"}:
            assert row["overall_place"] is None, key
        if row["status"] == "did_not_finish":
            assert row["chip_seconds"] is None, key


def test_removed_and_withdrawn_entries_keep_their_row_with_a_status(season, held):
    published = season.rows("unified_participants", "runsignup") | season.rows("unified_participants", "chronotrack")

    for key, record in _all(held, "runsignup", "removed_participants"):
        row = published[key]
        assert row["is_removed"], key
        assert (row["status_as_sent"], row["status"] in {"registered", "unknown"}) == (record["removed_reason"], False)
        assert row["status_changed_at"] is not None, key
    for key, _ in _all(held, "runsignup", "participants"):
        assert (published[key]["status"], published[key]["is_removed"]) == ("registered", False), key
    entered = {key: ENTRY_STATUSES[record["entry_status"]] for key, record in _all(held, "chronotrack", "entries")}
    assert {key: published[key]["status"] for key in entered} == entered


def test_splits_are_in_order_with_distance_and_seconds(season, held):
    row = season.rows("unified_results", "chronotrack")["chronotrack/1/40000/80000000"]
    sent = held["chronotrack", 1, "results"]["40000/80000000/500000"]

    assert row["splits"] == [
        {
            "name": sent["results_interval_name"],
            "distance_m": 5000.0,
            "chip_seconds": _seconds(sent["results_time"]),
            "gun_seconds": _seconds(sent["results_gun_time"]),
            "time_as_sent": sent["results_time"],
        }
    ]


def test_results_know_whose_they_are(season):
    for provider in KEYS:
        participants = season.rows("unified_participants", provider)
        linked = [row["participant_key"] for row in season.rows("unified_results", provider).values()]

        assert all(key in participants for key in linked if key)
        assert sum(key is not None for key in linked) > len(linked) * 0.9


# --- who sees what

WHAT_IS_THERE = """
    select table_schema || '.' || table_name from information_schema.columns
    where table_schema in ('unified', 'hub') and column_name = 'timing_partner_id'
        and has_column_privilege(quote_ident(table_schema) || '.' || quote_ident(table_name), column_name, 'select')
    order by 1
"""


@pytest.fixture(scope="module")
def seen(season: Hub) -> Any:
    """How many rows of which partner the owner and each reader find in every relation they can read."""
    seen: dict[str, dict[str, dict[str, int]]] = {"owner": {}}
    for reader in ("harbour", "summit", "analyst"):
        names = season.p88("sql", "--csv", "--as", reader, WHAT_IS_THERE).stdout.split()[1:]
        query = " union all ".join(
            f"select '{name}', timing_partner_id, count(*) from {name} group by 2"  # noqa: S608
            for name in names
        )
        seen[reader] = {name: {} for name in names}
        for name, partner, count in list(csv.reader(io.StringIO(
            season.p88("sql", "--csv", "--as", reader, query).stdout)))[1:]:  # fmt: skip
            seen[reader][name][partner] = int(count)
    for name in seen["analyst"]:
        seen["owner"][name] = {
            str(partner): count
            for partner, count in season.ask(f"select timing_partner_id, count(*) from {name} group by 1")  # noqa: S608
        }
    return seen


@pytest.mark.parametrize(("reader", "own"), [("harbour", "1"), ("summit", "2")])
def test_a_partner_sees_its_own_rows_and_no_others_through_every_relation(seen, reader, own):
    # Who is who over partners is told to the analyst alone.
    assert set(seen["analyst"]) - set(seen[reader]) == {"hub.people_across"}
    assert set(seen[reader]) <= set(seen["analyst"])
    for name, found in seen[reader].items():
        everything = seen["owner"][name]
        assert found == {own: everything[own]} if own in everything else not found, name
    assert sum(own in found for found in seen[reader].values()) >= 12


def test_the_analyst_sees_the_rows_of_all_partners(seen):
    assert seen["analyst"] == seen["owner"]
    assert set(seen["analyst"]["unified.unified_participants"]) == {"1", "2"}


def test_the_older_system_s_relations_answer(seen):
    counts = {name.removeprefix("unified."): sum(found.values()) for name, found in seen["analyst"].items()}

    # Without the fourteen that were removed: those relations cannot say it.
    assert counts["runsignup_participants"] == 196
    assert counts["runsignup_events"] == 18
    assert (counts["ct_events"], counts["ct_participants"], counts["ct_results"]) == (12, 208, 160)


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) from raw_runsignup.participants",
        "select count(*) from candidate.unified_participants",
        "select secrets from hub.connections",
        "select record from hub.quarantine",
        "delete from unified.unified_participants",
    ],
)
def test_a_reader_reads_nothing_but_what_is_published_and_writes_nothing(season, query):
    for reader in ("harbour", "analyst"):
        done = season.p88("sql", "--as", reader, query, check=False)

        assert done.returncode == 1
        assert "permission denied" in done.stderr or "read-only" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_query_as_a_partner_who_is_not_there_is_one_line(season):
    done = season.p88("sql", "--as", "nobody", "select 1", check=False)

    assert done.returncode == 1
    assert done.stderr == "p88: there is no timing partner nobody; `p88 partner list` shows them\n"
