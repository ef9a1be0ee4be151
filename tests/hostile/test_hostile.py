"""Changes, faults and restarts in any order: afterwards raw holds what the provider holds.

Drawn by hypothesis, for each provider; `make test` takes few sequences, P88_HOSTILE=300 as many as it says:

    P88_HOSTILE=300 .venv/bin/pytest tests/hostile -s
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from project88.raw import PROVIDERS
from sandbox.faults import BETWEEN, ROWS
from sandbox.providers import PROVIDERS as PROVIDERS_SERVED
from sandbox.providers.common import RESULT_CHANGES
from sandbox.served import World
from sandbox.world import START
from tests.conftest import fresh_database
from tests.hostile.world import PARTNER, Account, quiet
from tests.pipeline.harness import CHECKOUT, Sandbox, wait_for

SEQUENCES = int(os.environ.get("P88_HOSTILE", "4"))
# Making a failing sequence shorter takes hundreds of sequences more: P88_SHRINK=1 asks for it.
PHASES = (Phase.explicit, Phase.generate, *((Phase.shrink,) if os.environ.get("P88_SHRINK") else ()))
# Not `slow`: it costs a real second, and tells nothing that the others do not.
FAULTS = ("status_429", "status_500", "status_502_html", "cut_json", "expired_token", "non_json", "drop_connection",
          *BETWEEN, *ROWS)  # fmt: skip
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    kind: str
    which: int = 0
    where: int = 0
    count: int = 1
    part: float = 1.0
    as_pages: bool = False


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw one step; runs come often, half of them are cut short."""
    kind = draw(st.sampled_from(("change", "change", "change", "fault", "time", "run", "run")))
    if kind == "run":
        part = draw(st.one_of(st.just(1.0), st.floats(0, 1)))
        return Step(kind, part=part, as_pages=draw(st.booleans()))
    return Step(kind, draw(st.integers(0, 30)), draw(st.integers(0, 30)), draw(st.integers(1, 3)))


@pytest.fixture(scope="module", params=PROVIDERS)
def account(request: Any, embedded_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A provider's account in a sandbox of its own, and its raw tables."""
    provider = request.param
    address = tmp_path_factory.mktemp("sandbox") / "url"
    server = subprocess.Popen(
        [
            sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny", "--providers", provider,
            "--port-file", str(address),
        ],
        cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = wait_for(lambda: address.exists() and address.read_text().strip(), 60)
        assert url, "the sandbox did not start"
        with fresh_database(embedded_server) as dsn, quiet():
            made = Account(provider, Sandbox(url), dsn, tmp_path_factory.mktemp(provider))
            made.make_tables()
            yield made
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def events_of(provider: str) -> dict[Any, bool]:
    """Return what the provider calls the events of the tiny season, as control wants them, and whether each began."""
    served = World("tiny", 88, None, None, provider).providers[provider]
    return {served.event_key(distance): distance.start <= START for distance in served.distances(PARTNER)}


def take(account: Account, step: Step, events: dict[Any, bool], seen: Counter[str]) -> None:
    """Do one step."""
    sandbox, provider = account.sandbox, account.provider
    if step.kind == "change":
        served = PROVIDERS_SERVED[provider]
        kinds = (*served.changes_known, *served.own_changes)
        event, began = list(events.items())[step.where % len(events)]
        asked: dict[str, Any] = {
            "kind": kinds[step.which % len(kinds)], "provider": provider, "partner": PARTNER, "event_id": event,
            "count": step.count,
        }  # fmt: skip
        if asked["kind"] in RESULT_CHANGES and not began:
            # Nobody finishes weeks before the start, and no tap looks.
            return
        if asked["kind"] == "edit_entry":
            asked["fields"] = {"hostile": step.where}
        answer = requests.post(f"{sandbox.url}/control/change", json=asked, timeout=60)
        # Some changes mean nothing for some events: an event without entries has none to cancel.
        assert answer.status_code in {200, 400}, answer.text
        seen["changes"] += answer.ok
    elif step.kind == "fault":
        kind = FAULTS[step.which % len(FAULTS)]
        sandbox.fault(kind, provider, times=step.count, retry_after=0 if kind == "status_429" else None)
        seen["faults"] += 1
    elif step.kind == "time":
        sandbox.advance((MINUTE, HOUR, 8 * HOUR, DAY + HOUR)[step.which % 4])
    else:
        account.run(part=step.part, as_pages=step.as_pages)
        seen["runs cut short" if step.part < 1 else "runs"] += 1


# Hundreds take longer than a test may otherwise.
@pytest.mark.timeout(7200)
def test_whatever_happens_raw_holds_what_the_provider_holds(account: Account) -> None:
    events = events_of(account.provider)
    seen: Counter[str] = Counter()

    @settings(
        max_examples=SEQUENCES, deadline=None, derandomize=SEQUENCES < 10, database=None,
        suppress_health_check=list(HealthCheck), phases=PHASES,
    )  # fmt: skip
    @given(st.lists(steps(), min_size=3, max_size=10))
    def sequence(drawn: list[Step]) -> None:
        account.sandbox.post("reset", size="tiny", seed=88)
        account.sandbox.clear_faults()
        account.forget()
        for step in drawn:
            take(account, step, events, seen)
        seen["faults met"] += sum(fault["hits"] for fault in account.sandbox.faults())
        account.sandbox.clear_faults()
        # What increments do not show, the whole read of the next day finds; what was doubtful, the one after it.
        unlike: list[str] = []
        for _ in range(2):
            account.sandbox.advance(DAY + HOUR)
            stopped = account.run()
            note(f"stopped: {stopped}")
            assert not stopped
            if not (unlike := account.unlike_holds()):
                break
        note("\n".join(unlike[:20]))
        assert not unlike
        seen["sequences"] += 1

    sequence()
    print(f"{account.provider}: {', '.join(f'{number} {what}' for what, number in sorted(seen.items()))}")


def test_what_a_killed_run_stored_and_no_state_stands_for_is_put_right(account: Account) -> None:
    account.sandbox.post("reset", size="tiny", seed=88)
    account.forget()
    assert not account.run()
    before = account.state
    event = next(event for event, began in events_of(account.provider).items() if began)
    about = {"provider": account.provider, "partner": PARTNER, "event_id": event}
    # They come, are stored, and the state of that run is lost; then they go without a trace.
    new = account.sandbox.post("change", kind="add_entry", count=2, **about)["new"]
    account.sandbox.advance(DAY + HOUR)
    account.run()
    entries = account.rows(account.tap().streams["entries" if account.provider == "chronotrack" else "participants"])
    assert all(any(str(one) in key for key in entries) for one in new)
    account.state = before
    account.sandbox.post("change", kind="delete", ids=new, fields={"trace": False}, **about)

    for _ in range(2):
        account.sandbox.advance(DAY + HOUR)
        account.run()

    assert account.unlike_holds() == []
