"""Each fault of the sandbox: survived, or told in one line; nothing is lost and nothing published changes wrongly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.pipeline.harness import PASSING, Hub, Sandbox

# Retries come at once; the pause after a call that took too long outlasts that call.
QUICK = {"backoff_base": 0.02, "max_tries": 4, "calls_per_hour": 100_000}
# A busy machine may take a second for a page: only what is made slow on purpose shall time out.
SMALL_PAGES = QUICK | {"page_size": 7, "request_timeout": 4, "max_tries": 8}

RSU, CT = "runsignup", "chronotrack"
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Trouble:
    """A fault, and where it strikes."""

    kind: str
    provider: str
    path: str
    times: int | None = 1
    partner: int | None = 1
    more: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.path}"

    def begin(self, sandbox: Sandbox) -> None:
        """Switch it on."""
        about = {"partner": self.partner, "times": self.times, "path_contains": self.path}
        sandbox.fault(self.kind, self.provider, **about, **self.more)

    def hits(self, faults: list[dict[str, Any]]) -> int:
        """Return how often it struck."""
        ((hits,),) = ([one["hits"]] for one in faults if all(
            one[name] == value for name, value in (
                ("kind", self.kind), ("provider", self.provider), ("path_contains", self.path),
            )
        ))  # fmt: skip
        return int(hits)


def _of(troubles: list[Trouble]) -> Any:
    return pytest.mark.parametrize("trouble", troubles, ids=str)


# --- what passes, and pages that shift: a first load in small pages

PASSES = [
    Trouble("status_429", RSU, "rest/races", more={"retry_after": 1}),
    Trouble("code_14", RSU, "race/50000/participants", 2),
    Trouble("status_500", RSU, "race/50002/participants", 2),
    Trouble("status_502_html", RSU, "race/50004/participants", 2),
    Trouble("cut_json", RSU, "race/50000/results", 2),
    Trouble("drop_connection", RSU, "race/50008/participants"),
    Trouble("drop_connection", RSU, "race/50010/participants", more={"before_body": True}),
    Trouble("non_json", RSU, "race/50002/results", 2),
    Trouble("slow", RSU, "race/50006/removed", more={"seconds": 5}),
    Trouble("empty_answer", RSU, "race/50016/participants"),
    Trouble("empty_answer", RSU, "race/50004/results"),
    Trouble("limit_reached", RSU, "race/50008/results", 2),
    Trouble("status_429", CT, "event/40000/race", more={"retry_after": 1}),
    Trouble("limit_reached", CT, "event/40002/race", more={"retry_after": 1}),
    Trouble("status_500", CT, "event/40004/entry", 2),
    Trouble("status_502_html", CT, "event/40006/entry", 2),
    Trouble("cut_json", CT, "event/40008/results", 2),
    Trouble("drop_connection", CT, "event/40000/results"),
    Trouble("drop_connection", CT, "event/40010/entry", more={"before_body": True}),
    Trouble("non_json", CT, "event/40010/interval", 2),
    Trouble("slow", CT, "event/40000/bracket", more={"seconds": 5}),
    Trouble("empty_answer", CT, "event/40004/interval"),
    Trouble("expired_token", CT, "event/40003/entry", partner=2),
    Trouble("expired_token", CT, "event/40009/results", partner=2),
]
SHIFTS = [
    Trouble("row_between_pages", RSU, "race/50000/participants", partner=None),
    Trouble("row_between_pages", RSU, "race/50002/results", partner=None),
    Trouble("row_between_pages", CT, "event/40000/entry", partner=None),
    Trouble("row_between_pages", CT, "event/40002/results", 3, partner=None),
    Trouble("row_gone_between_pages", RSU, "race/50002/participants", 2, partner=None),
    Trouble("row_gone_between_pages", RSU, "race/50008/results", partner=None),
    Trouble("row_gone_between_pages", CT, "event/40002/entry", partner=None),
    Trouble("row_gone_between_pages", CT, "event/40008/results", partner=None),
]


@dataclass
class Load:
    """A load into raw, the faults it met, and where raw was unlike what the providers held right after it."""

    done: CompletedProcess[str]
    faults: list[dict[str, Any]]
    unlike: list[str]


def _load(hub: Hub, troubles: list[Trouble], *arguments: str) -> Load:
    for trouble in troubles:
        trouble.begin(hub.sandbox)
    done = hub.p88("sync", *arguments, check=False)
    faults = hub.sandbox.faults()
    hub.sandbox.clear_faults()
    return Load(done, faults, hub.unlike_holds())


@pytest.fixture(scope="module")
def passed(connected: Hub, copies: Any) -> Iterator[tuple[Hub, Load]]:
    """Load the season for the first time while faults come and go."""
    connected.sandbox.reset()
    with copies(connected) as hub:
        hub.configure(**SMALL_PAGES)
        yield hub, _load(hub, PASSES)


@pytest.fixture(scope="module")
def shifted(passed: tuple[Hub, Load]) -> tuple[Load, Load]:
    """Read all again while rows come and go between the pages, and once more in peace."""
    hub, _ = passed
    hub.sandbox.advance(60)
    first = _load(hub, SHIFTS, "--everything")
    hub.sandbox.advance(60)
    return first, _load(hub, [])


@_of(PASSES)
def test_a_fault_that_passes_is_met_and_survived(passed, trouble):
    _, load = passed

    assert trouble.hits(load.faults) == trouble.times
    assert load.done.returncode == 0, load.done.stderr
    assert "✗" not in load.done.stderr


def test_faults_that_pass_lose_nothing(passed):
    assert passed[1].unlike == []


@_of(SHIFTS)
def test_a_row_that_comes_or_goes_between_pages_is_met_and_survived(shifted, trouble):
    assert trouble.hits(shifted[0].faults) == trouble.times
    assert shifted[0].done.returncode == 0, shifted[0].done.stderr


def test_pages_that_shift_lose_no_row(shifted):
    # What a new result changed elsewhere (a race has its first finisher) had been read before.
    assert [line for line in shifted[0].unlike if "lacks" in line] == []


def test_what_went_while_pages_turned_is_gone_with_the_next_run(shifted):
    assert shifted[1].done.returncode == 0
    assert shifted[1].unlike == []


# --- records that are not as they should be, and faults that stay: with what is published

ODD = [
    Trouble("bad_record", RSU, "race/50000/participants"),
    Trouble("no_key", RSU, "race/50008/participants"),
    Trouble("bad_record", RSU, "race/50004/removed"),
    Trouble("bad_record", RSU, "race/50000/results"),
    Trouble("no_key", RSU, "race/50008/results"),
    Trouble("bad_record", CT, "event/40000/entry"),
    Trouble("no_key", CT, "event/40008/entry"),
    Trouble("bad_record", CT, "event/40008/results"),
    Trouble("no_key", CT, "event/40000/results"),
    Trouble("bad_record", CT, "event/40002/race"),
    Trouble("bad_record", CT, "event/40002/interval"),
    Trouble("no_key", CT, "event/40002/bracket"),
]
STREAM_OF = {"removed": "removed_participants", "entry": "entries", "race": "races",
             "interval": "intervals", "bracket": "brackets"}  # fmt: skip
UNKNOWN = [
    Trouble("unknown_enum", RSU, "race/50010/participants"),
    Trouble("unknown_enum", CT, "event/40010/entry"),
]
# Of Summit's connections: each stops a stream of its own.
STAYS = [
    Trouble("missing_field", RSU, "race/50003/participants", None, 2),
    Trouble("non_json", RSU, "removed-participants", None, 2),
    Trouble("expired_token", RSU, "get-results", None, 2),
    Trouble("changed_type", CT, "event/40003/entry", None, 2),
    Trouble("status_500", CT, "/bracket?", None, 2),
    Trouble("limit_reached", CT, "/interval?", None, 2, {"retry_after": 3600}),
]
STOPPED = {
    RSU: {"participants": "field registration_id is missing in every record of an answer",
          "removed_participants": "the answer is not JSON, or was cut off, 4 times",
          "results": "error 6 'Key authentication failed.': check settings api_key, api_secret"},
    CT: {"entries": "field entry_race_age cannot be read in 32 of 32 records of an answer",
         "brackets": "the provider failed (500), 4 times: run again later",
         "intervals": "too many calls (429); it asks to wait 3600 s: run again after that"},
}  # fmt: skip


def _published(hub: Hub) -> Rows:
    """Return all published rows by relation and key, without what differs between any two runs."""
    return {
        f"{relation} {key}": {name: value for name, value in row.items() if name not in PASSING}
        for relation in ("unified_events", "unified_races", "unified_participants", "unified_results",
                         "unified_divisions", "unified_timing_points")
        for provider in (RSU, CT)
        for key, row in hub.rows(relation, provider).items()
    }  # fmt: skip


@dataclass
class Told:
    """A run in which Harbour's providers send odd records and Summit's fail for good, and what it left."""

    done: CompletedProcess[str]
    before: Rows
    after: Rows
    faults: list[dict[str, Any]]
    quarantine: list[tuple[Any, ...]]
    histories: dict[tuple[str, int], tuple[str, str | None]]
    logs: str
    corrected: str


@pytest.fixture(scope="module")
def told(loaded: Hub) -> Told:
    """Change a little that must come through, switch the faults on, and run."""
    sandbox = loaded.sandbox
    loaded.configure(**QUICK)
    sandbox.advance(600)
    sandbox.change("rename_event", RSU, 900044, partner=2, fields={"name": "Renamed"})
    corrected = sandbox.change("correct_result", CT, 40009, partner=2, fields={"results_bib": "B2"})["changed"][0]
    before = _published(loaded)
    for trouble in [*ODD, *UNKNOWN, *STAYS]:
        trouble.begin(sandbox)
    done = loaded.p88("run", "--everything", check=False)
    faults = sandbox.faults()
    sandbox.clear_faults()
    ((run_id,),) = loaded.ask("select run_id from hub.runs order by started_at desc limit 1")
    histories = loaded.ask(
        "select provider_name, timing_partner_id, status, error_message from hub.sync_history where run_id = %s", run_id
    )
    return Told(
        done, before, _published(loaded), faults,
        loaded.ask("select relation, row_key, rule, reason, record from hub.quarantine where resolved_at is null"),
        {(provider, partner): (status, error) for provider, partner, status, error in histories},
        "".join(path.read_text(encoding="utf-8") for path in sorted((loaded.home / "logs").rglob(f"{run_id}/*.log"))),
        corrected,
    )  # fmt: skip


@_of([*ODD, *UNKNOWN, *STAYS])
def test_every_fault_that_the_run_should_meet_was_met(told, trouble):
    assert trouble.hits(told.faults) >= 1


@_of(ODD)
def test_an_odd_record_is_put_aside_with_its_reason(told, trouble):
    stream = STREAM_OF.get(trouble.path.split("/")[-1], trouble.path.split("/")[-1])
    about = [one for one in told.quarantine if one[0] == f"raw_{trouble.provider}.{stream}"]
    kept = [one for one in about if ("reject:" in one[1]) == (trouble.kind == "no_key" or "not a number" in one[3])]

    assert kept
    for _, row_key, rule, reason, record in kept:
        assert row_key.startswith(f"{trouble.provider}/1/")
        assert rule.startswith("refused:")
        assert reason
        assert len(record) > 3


def test_nothing_else_is_put_aside(told):
    assert len(told.quarantine) == len(ODD)


def test_connections_with_odd_records_succeed(told):
    assert told.histories[RSU, 1] == ("success", None)
    assert told.histories[CT, 1] == ("success", None)


def test_exactly_what_changed_is_published_beside_all_that_goes_wrong(told):
    differing = {key for key in told.before | told.after if told.before.get(key) != told.after.get(key)}

    expected = {
        "unified_events runsignup/2/900044",
        "unified_races runsignup/2/900044",
        f"unified_results chronotrack/2/40009/{told.corrected}",
    }
    odd = {key for key in differing - expected if key.startswith("unified_participants")}
    assert differing - odd == expected
    # One for each unknown value.
    assert sorted(key.split("/")[0].split()[1] for key in odd) == [CT, RSU]


def test_an_unknown_value_is_kept_and_told(told):
    sent = {
        (row["source_provider"], row["provider_fields"].get("gender_as_sent"), row["status_as_sent"])
        for key, row in told.after.items()
        if key.startswith("unified_participants") and row != told.before[key]
    }

    assert sent == {(RSU, "Q", None), (CT, None, "LOST")}
    assert "runsignup, partner 1, stream participants: unknown value 'Q' of field gender is kept as sent" in told.logs
    assert "chronotrack, partner 1, stream entries: unknown value 'LOST' of field entry_status is kept" in told.logs
    for key, row in told.after.items():
        if row != told.before[key] and key.startswith("unified_participants"):
            assert (row["gender"], row["status"]) in {(None, "registered"), (row["gender"], "unknown")}


@pytest.mark.parametrize("provider", STOPPED)
def test_a_connection_that_fails_is_told_in_one_line(told, provider):
    lines = [line for line in told.done.stderr.splitlines() if line.startswith(f"p88: summit · {provider}: ")]

    assert told.done.returncode == 1
    (line,) = lines
    first, *others = STOPPED[provider]
    assert f"STOPPED {provider}, partner 2, stream {first}: " in line
    assert STOPPED[provider][first] in line
    assert f"; stopped as well: {', '.join(others)} (log: " in line
    assert told.histories[provider, 2] == ("partial", line.removeprefix("p88: "))
    assert sum(line.startswith("p88: ") for line in told.done.stderr.splitlines()) == len(STOPPED)


@pytest.mark.parametrize(
    ("provider", "stream"), [(provider, stream) for provider, streams in STOPPED.items() for stream in streams]
)
def test_a_stream_that_stops_says_which_and_what_to_do(told, provider, stream):
    line = re.search(rf"STOPPED ({provider}, partner 2, stream {stream}: .*)", told.logs)

    assert line
    assert STOPPED[provider][stream] in line[1]


def test_no_line_of_a_failing_run_holds_a_secret(loaded, told):
    shown = told.done.stdout + told.done.stderr + told.logs + json.dumps(list(told.histories.values()))

    assert [secret for secret in loaded.sandbox.secrets() if secret in shown] == []


def test_the_run_is_on_record_as_partly_failed(loaded, told):
    ((status, error),) = loaded.ask("select status, error from hub.runs order by started_at desc limit 1")

    assert status == "partial"
    assert "summit · runsignup: STOPPED" in error


# --- and after the fault is gone


@pytest.fixture(scope="module")
def healed(loaded: Hub, told: Told) -> CompletedProcess[str]:
    """Run once more, as the schedule would; all is well again."""
    loaded.sandbox.advance(60)
    return loaded.p88("run", "--everything")


def test_after_the_fault_is_gone_raw_equals_what_the_providers_hold(loaded, healed):
    assert loaded.unlike_holds() == []


def test_a_record_that_is_well_again_leaves_the_quarantine(loaded, healed):
    assert loaded.ask("select count(*) from hub.quarantine where resolved_at is null") == [(0,)]
    assert loaded.ask("select count(*) from hub.quarantine where resolved_at is not null") == [(len(ODD),)]


def test_all_that_was_wrong_is_published_right_again(loaded, told, healed):
    now = _published(loaded)

    expected = {key: told.after[key] for key in told.after if told.after[key] != told.before[key]}
    odd = {key for key in expected if key.startswith("unified_participants")}
    assert {key for key in now if now[key] != told.before.get(key)} == set(expected) - odd


# --- answers that are empty for good: right in form, and nobody can tell them from the truth


@dataclass
class Emptied:
    """A run in which Summit's ChronoTrack account shows no entries and no results any more, and one after that."""

    stopped: CompletedProcess[str]
    before: Rows
    after: Rows
    mended: CompletedProcess[str]
    in_the_end: Rows


@pytest.fixture(scope="module")
def emptied(loaded: Hub, healed: CompletedProcess[str]) -> Emptied:
    """Have the account look empty for one run."""
    before = _published(loaded)
    for path in ("/entry?", "/results?"):
        loaded.sandbox.fault("empty_answer", CT, partner=2, times=None, path_contains=path)
    loaded.sandbox.advance(60)
    stopped = loaded.p88("run", "--partner", "summit", "--provider", CT, check=False)
    after = _published(loaded)
    loaded.sandbox.clear_faults()
    loaded.sandbox.advance(60)
    mended = loaded.p88("run", "--partner", "summit", "--provider", CT)
    return Emptied(stopped, before, after, mended, _published(loaded))


def test_a_collapse_at_the_provider_stops_the_publish_and_names_rule_partner_and_samples(emptied):
    assert emptied.stopped.returncode == 1
    assert "the gate stopped the publish; what is published stays as it was" in emptied.stopped.stderr
    line = re.search(r"count_collapse on raw_chronotrack\.entries \((.*?)\): .*", emptied.stopped.stderr)
    assert line
    assert line[1] == "chronotrack, partner 2"
    assert re.search(r"for example (chronotrack/2/\d+, ){2}chronotrack/2/\d+$", line[0])


def test_nothing_of_a_collapse_is_published(emptied):
    assert emptied.after == emptied.before


def test_the_run_after_a_collapse_brings_all_back(loaded, emptied):
    assert loaded.unlike_holds([CT], [2]) == []
    assert emptied.in_the_end == emptied.before
