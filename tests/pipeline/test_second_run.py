"""What a second run costs and publishes: nothing where nothing changed, and otherwise exactly what changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from subprocess import CompletedProcess
from typing import Any

import pytest

from project88.published import BOOKKEEPING
from tests.pipeline.harness import KEYS, PASSING, Hub

RELATIONS = ("unified_events", "unified_races", "unified_participants", "unified_results")
Rows = dict[str, dict[str, Any]]

# Harbour's events: of both partners under the same ids, finishing today, lately over, ahead.
EVENTS = {
    "runsignup": {"joint": 900000, "half": 900008, "ten": 900009, "lately": 900032, "ahead": 900040},
    "chronotrack": {"joint": 40000, "half": 40002, "ten": 40002, "lately": 40008, "ahead": 40010},
}
# Over for more than a month and read after that: nothing of theirs can change any more.
SETTLED = (r"900016|900020|900024|900028", r"event/4000[4567]\b")


def _rows(hub: Hub) -> dict[str, Rows]:
    """Return all published rows by relation and key."""
    return {name: hub.rows(name, "runsignup") | hub.rows(name, "chronotrack") for name in RELATIONS}


def _held(hub: Hub) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (provider, stream): hub.sandbox.holds(provider, 1, stream) for provider in KEYS for stream in KEYS[provider]
    }


# --- no change


@dataclass
class Unchanged:
    """A second run, a minute later, with no change at the providers."""

    done: CompletedProcess[str]
    before: dict[str, Any]
    stamps: dict[str, Any]
    calls: dict[str, Any]


def _raw_stamps(hub: Hub) -> dict[str, Any]:
    """Return the number of rows of each raw table and its last change."""
    return {
        f"raw_{provider}.{stream}": hub.ask(f"select count(*), max(changed_xid) from raw_{provider}.{stream}")  # noqa: S608
        for provider, streams in KEYS.items()
        for stream in (*streams, "removals", "rejects")
    }


@pytest.fixture(scope="module")
def unchanged(loaded: Hub) -> Unchanged:
    """Run again."""
    before, stamps = loaded.published_at(), _raw_stamps(loaded)
    loaded.sandbox.advance(60)
    loaded.sandbox.post("calls/reset")
    return Unchanged(loaded.p88("run"), before, stamps, loaded.sandbox.calls())


def test_a_run_without_changes_publishes_nothing_and_says_so(loaded, unchanged):
    assert loaded.published_at() == unchanged.before
    assert "Incremental: nothing changed, nothing published" in unchanged.done.stderr
    assert loaded.ask("select inserted, updated, deleted from hub.publications where relation = '*' "
                      "order by publication_id desc limit 1") == [(0, 0, 0)]  # fmt: skip


def test_a_run_without_changes_writes_no_row_into_raw(loaded, unchanged):
    assert _raw_stamps(loaded) == unchanged.stamps


def test_a_run_without_changes_makes_only_the_calls_it_needs(loaded, unchanged):
    first = loaded.first_run.calls
    log = [re.sub(r"page=1&|\*+", "", line) for line in unchanged.calls["log"]]

    assert unchanged.calls["total"] < 0.75 * first["total"]
    assert [line for line in log for pattern in SETTLED if re.search(pattern, line)] == []
    # No race of the future has results to ask for.
    assert [
        line for line in log if re.search(r"results\?", line) and re.search(r"90004\d|90005\d|90006\d|4001[01]", line)
    ] == []
    # Nothing is asked twice; both partners ask for the joint race.
    addresses = [re.sub(r"(rsu_)?api_(key|secret)=&?", "", line) for line in log if "/token" not in line]
    assert all(addresses.count(one) <= 2 for one in addresses)
    assert any(re.search(pattern, line) for line in first["log"] for pattern in SETTLED)


def test_registrations_are_asked_for_by_their_changes_and_distances_of_one_race_together(unchanged):
    log = [line for line in unchanged.calls["log"] if "participants?" in line]

    assert all("modified_after_timestamp=" in line for line in log)
    assert sum("event_id=900008%2C900009" in line for line in log) == 2


def test_calls_made_and_saved_are_on_record(loaded, unchanged):
    ((made, saved),) = loaded.ask(
        "select sum(calls_made), sum(calls_saved) from hub.run_streams "
        "where run_id = (select run_id from hub.runs order by started_at desc limit 1)"
    )
    tokens = sum("oauth2/token" in line for line in unchanged.calls["log"])

    assert made == unchanged.calls["total"] - tokens
    assert saved > 40


# --- one change of each kind


@dataclass
class Changed:
    """A run after one change of each kind at each provider, and what was there before and after."""

    done: CompletedProcess[str]
    before: dict[str, Rows]
    after: dict[str, Rows]
    held_before: dict[tuple[str, str], dict[str, Any]]
    held_after: dict[tuple[str, str], dict[str, Any]]
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    new: dict[tuple[str, str], str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def changed(loaded: Hub, unchanged: Unchanged) -> Changed:
    """Change one of each, and run."""
    sandbox = loaded.sandbox
    made = Changed(unchanged.done, _rows(loaded), {}, _held(loaded), {})

    def change(provider: str, kind: str, event: str, **more: Any) -> None:
        done = sandbox.change(kind, provider, EVENTS[provider][event], **more)
        # Bibs are given to those who are gone as well: not the first one, then.
        made.ids[provider, kind] = str(done["changed"][-1 if kind == "assign_bibs" else 0])
        made.new[provider, kind] = str(done["new"][0]) if done["new"] else ""

    sandbox.advance(600)
    for provider in EVENTS:
        for kind in ("cancel", "refund", "defer", "delete"):
            change(provider, kind, "ahead")
        change(provider, "assign_bibs", "ahead")
        change(provider, "add_entry", "ahead")
        change(provider, "rename_event", "ahead", fields={"name": "Bonfire, später"})
        change(provider, "move_event", "lately", fields={"seconds": 900, "days": 0})
        change(provider, "transfer", "half")
        change(provider, "post_results", "ten", count=3)
        # In this order, so that each takes another runner.
        change(provider, "correct_result", "lately")
        change(provider, "delete_result", "lately")
        change(provider, "disqualify", "lately")
    change("runsignup", "clear", "ahead")
    change("runsignup", "edit_entry", "joint", fields={"race_fee": "$1,250.00", "last_name": "Åström-李", "city": ""})
    change("chronotrack", "edit_entry", "joint", fields={"entry_bib": "007", "athlete_last_name": "Åström-李"})
    # Removed before the season; it comes back.
    back = min(loaded.sandbox.holds("runsignup", 1, "removed_participants"))
    change("runsignup", "restore", "joint", id=int(back))
    sandbox.advance(60)
    made.held_after = _held(loaded)
    made.done = loaded.p88("run")
    made.after = _rows(loaded)
    return made


def _differing(before: Rows, after: Rows, besides: set[str] = PASSING) -> dict[str, set[str]]:
    """Return the keys that are new or differ, and in which columns."""
    return {
        key: names
        for key, row in after.items()
        if (names := {name for name in row if name not in besides and row[name] != before.get(key, {}).get(name)})
    }


def _differing_at(changed: Changed, provider: str, stream: str) -> set[str]:
    """Return the ids whose record came, changed or went at the provider."""
    before, after = changed.held_before[provider, stream], changed.held_after[provider, stream]
    return {key for key in before.keys() | after.keys() if _told(before.get(key)) != _told(after.get(key))}


def _told(record: dict[str, Any] | None) -> dict[str, Any] | None:
    # A result that is changed moves its registration's last_modified and nothing else there.
    return record and {name: value for name, value in record.items() if name != "last_modified"}


def test_exactly_the_changed_results_are_published_anew(changed):
    expected = {f"runsignup/1/{key}" for key in _differing_at(changed, "runsignup", "results")}
    expected |= {f"chronotrack/1/{key.rpartition('/')[0]}" for key in _differing_at(changed, "chronotrack", "results")}

    assert set(_differing(changed.before["unified_results"], changed.after["unified_results"])) == expected


def test_exactly_the_changed_entries_are_published_anew(changed):
    expected = {f"chronotrack/1/{key}" for key in _differing_at(changed, "chronotrack", "entries")}
    for stream in ("participants", "removed_participants"):
        expected |= {f"runsignup/1/{key}" for key in _differing_at(changed, "runsignup", stream)}

    found = _differing(changed.before["unified_participants"], changed.after["unified_participants"])

    assert set(found) == expected


def test_exactly_the_changed_events_are_published_anew(changed):
    found = _differing(changed.before["unified_events"], changed.after["unified_events"])

    assert found == {
        "runsignup/1/900040": {"event_name"},
        "runsignup/1/900032": {"starts_at", "ends_at"},
        "chronotrack/1/40010": {"event_name", "occasion_name"},
        "chronotrack/1/40008": {"starts_at", "ends_at"},
    }


def test_every_written_row_tells_when_and_no_other_does(loaded, changed):
    ((at,),) = loaded.ask("select max(published_at) from hub.publications")
    for relation in RELATIONS:
        # Compared as instants: JSON leaves out a fraction's last zeros.
        stamped = {
            key for key, row in changed.after[relation].items() if datetime.fromisoformat(row["published_at"]) == at
        }

        written = _differing(changed.before[relation], changed.after[relation], {"fetched_date", *BOOKKEEPING})
        assert stamped == set(written), relation


def test_no_row_is_ever_taken_back(changed):
    for relation in RELATIONS:
        assert changed.before[relation].keys() <= changed.after[relation].keys()


@pytest.mark.parametrize(
    ("provider", "kind", "status"),
    [
        ("runsignup", "cancel", "removed"),
        ("runsignup", "refund", "removed"),
        ("runsignup", "clear", "cancelled"),
        ("runsignup", "defer", "deferred"),
        ("runsignup", "delete", "removed"),
        ("runsignup", "transfer", "transferred"),
        ("chronotrack", "cancel", "withdrawn"),
        ("chronotrack", "refund", "withdrawn"),
        ("chronotrack", "defer", "withdrawn"),
        ("chronotrack", "delete", "removed"),
        ("chronotrack", "transfer", "transferred"),
        ("chronotrack", "disqualify", "disqualified"),
    ],
)
def test_an_entry_that_is_taken_back_keeps_its_row_with_a_status_and_its_time(changed, provider, kind, status):
    key = f"{provider}/1/{changed.ids[provider, kind]}"
    before, row = (when["unified_participants"][key] for when in (changed.before, changed.after))

    assert row["status"] == status
    assert row["is_removed"] == (kind != "disqualify")
    assert before["status"] != status
    assert row["status_changed_at"] > before["status_changed_at"]
    assert (row["first_name"], row["last_name"], row["bib_number"]) == tuple(
        before[name] for name in ("first_name", "last_name", "bib_number")
    )


@pytest.mark.parametrize("provider", EVENTS)
def test_a_transferred_entry_goes_on_as_a_new_one(changed, provider):
    old = changed.after["unified_participants"][f"{provider}/1/{changed.ids[provider, 'transfer']}"]
    new = changed.after["unified_participants"][f"{provider}/1/{changed.new[provider, 'transfer']}"]

    assert new["status"] in {"registered", "confirmed"}
    assert (new["first_name"], new["last_name"]) == (old["first_name"], old["last_name"])
    assert new["race_id"] != old["race_id"]
    if provider == "runsignup":
        assert str(old["provider_fields"]["new_registration_id"]) == new["participant_id"]


@pytest.mark.parametrize("provider", EVENTS)
def test_a_new_entry_is_published(changed, provider):
    key = f"{provider}/1/{changed.new[provider, 'add_entry']}"

    assert key not in changed.before["unified_participants"]
    assert not changed.after["unified_participants"][key]["is_removed"]


def test_an_edited_entry_shows_what_was_edited(changed):
    row = changed.after["unified_participants"][f"runsignup/1/{changed.ids['runsignup', 'edit_entry']}"]
    entry = changed.after["unified_participants"][f"chronotrack/1/{changed.ids['chronotrack', 'edit_entry']}"]

    assert (row["last_name"], row["race_fee"], row["city"]) == ("Åström-李", 1250.0, None)
    assert (entry["last_name"], entry["bib_number"]) == ("Åström-李", "007")


def test_one_partner_s_change_leaves_the_same_ids_of_the_other_alone(changed):
    for relation in RELATIONS:
        found = _differing(changed.before[relation], changed.after[relation])
        assert all(key.split("/")[1] == "1" for key in found)


def test_a_registration_that_was_removed_long_ago_and_comes_back_is_registered(changed):
    key = f"runsignup/1/{changed.ids['runsignup', 'restore']}"
    before, row = (when["unified_participants"][key] for when in (changed.before, changed.after))

    assert (before["is_removed"], row["is_removed"], row["status"]) == (True, False, "registered")


@pytest.mark.parametrize("provider", EVENTS)
def test_assigned_bibs_are_published(changed, provider):
    key = f"{provider}/1/{changed.ids[provider, 'assign_bibs']}"

    assert changed.before["unified_participants"][key]["bib_number"] is None
    assert changed.after["unified_participants"][key]["bib_number"]


@pytest.mark.parametrize(
    ("provider", "kind", "expected"),
    [
        ("runsignup", "post_results", {"status": "finished", "is_removed": False}),
        ("chronotrack", "post_results", {"status": "finished", "is_removed": False}),
        ("runsignup", "delete_result", {"status": "removed", "is_removed": True}),
        ("chronotrack", "delete_result", {"status": "removed", "is_removed": True}),
        ("chronotrack", "disqualify", {"status": "disqualified", "overall_place": None, "is_removed": False}),
    ],
)
def test_a_result_shows_what_happened_to_it(changed, provider, kind, expected):
    number = changed.ids[provider, kind]
    key = f"runsignup/1/{number}"
    if provider == "chronotrack":
        (key,) = {key for key in changed.after["unified_results"] if key.endswith(f"/{number}")}
    row = changed.after["unified_results"][key]

    assert {name: row[name] for name in expected} == expected


def test_a_disqualified_runner_of_runsignup_has_no_place(changed):
    registration = changed.ids["runsignup", "disqualify"]
    ((key, row),) = (
        (key, row)
        for key, row in changed.after["unified_results"].items()
        if key.startswith("runsignup/1/") and row["participant_id"] == registration
    )

    assert changed.before["unified_results"][key]["status"] == "finished"
    assert (row["status"], row["overall_place"], row["results_gun_time"]) == ("disqualified", None, "DQ")


def test_a_corrected_result_has_the_new_time(changed):
    key = f"runsignup/1/{changed.ids['runsignup', 'correct_result']}"
    before, row = (when["unified_results"][key] for when in (changed.before, changed.after))

    assert row["gun_seconds"] == pytest.approx(before["gun_seconds"] + 7.3, abs=1)
    assert row["results_gun_time"] != before["results_gun_time"]


def test_raw_equals_what_the_providers_hold_after_the_changes(loaded, changed):
    # That the restored one left the list of the removed shows when that list is next read whole.
    loaded.assert_raw_equals_holds(besides=[changed.ids["runsignup", "restore"]])
    assert loaded.ask("select sum(unaccounted) from candidate.reconciliation") == [(0,)]


# --- a day later


@pytest.fixture(scope="module")
def day_later(loaded: Hub, changed: Changed) -> str:
    """Let one vanish without a trace, let a day pass, and run for that account; returns the vanished one."""
    done = loaded.sandbox.change("delete", "runsignup", EVENTS["runsignup"]["ahead"], fields={"trace": False})
    loaded.sandbox.advance(90_000)
    loaded.p88("run", "--partner", "harbour", "--provider", "runsignup")
    return str(done["changed"][0])


def test_what_no_increment_shows_is_found_within_a_day(loaded, changed, day_later):
    row = loaded.rows("unified_participants", "runsignup")[f"runsignup/1/{day_later}"]

    assert (row["status"], row["is_removed"]) == ("removed", True)
    loaded.assert_raw_equals_holds(["runsignup"], [1])


def test_a_run_for_one_connection_leaves_the_others_alone(loaded, changed, day_later):
    now = _rows(loaded)
    for relation in RELATIONS:
        found = _differing(changed.after[relation], now[relation])
        assert all(key.startswith("runsignup/1/") for key in found), found
