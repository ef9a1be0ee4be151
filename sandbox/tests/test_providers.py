"""What every provider's part does alike: one suite over the registry, whoever is in it."""

from __future__ import annotations

import copy
import inspect
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.faults import ROWS, Fault, spoil
from sandbox.providers import PROVIDERS
from sandbox.providers.common import CHANGES, Answer, Call, Provider
from sandbox.served import World
from sandbox.tests.reading import RefusedError, reader
from sandbox.world import FIRST_TWO, PARTNERS, SIZES, Season, _later_plans

ROOT = Path(__file__).parents[1]

EACH = pytest.mark.parametrize("name", PROVIDERS)
STREAMS = pytest.mark.parametrize(
    ("name", "stream"), [(name, stream) for name, provider in PROVIDERS.items() for stream in provider.streams]
)


@pytest.fixture(scope="module")
def world() -> World:
    """Return the tiny season as all providers tell of it."""
    return World("tiny", 88, None, None, "all")


@pytest.fixture(scope="module")
def everyone(starting: Any) -> Any:
    return starting("--size", "tiny", "--providers", "all")


@pytest.fixture
def all_of_them(everyone: Any) -> Any:
    """Return the tiny season over HTTP, all providers in it, as it begins."""
    everyone.control("reset", {"size": "tiny", "seed": 88, "providers": "all"})
    return everyone


def held(provider: Provider, partner: int, stream: str) -> list[Any]:
    return [record for record, _ in provider.holds(partner, stream, Call("GET", (), {}, {}))]


def texts(records: list[Any]) -> set[str]:
    """Return records as texts, so that they can be compared in any order; some pages repeat rows."""
    return {json.dumps(record, sort_keys=True) for record in records}


def secrets(client: Any) -> list[str]:
    return [value for one in client.connections for value in one["secrets"].values()]


# -- what a provider is ----------------------------------------------------------------------------


@EACH
def test_a_provider_is_a_package_that_says_what_it_is(name: str) -> None:
    provider = PROVIDERS[name]

    assert provider.name == name
    assert provider.title
    assert len(set(provider.streams)) == len(provider.streams)
    assert inspect.getdoc(provider)
    assert set(provider.changes_known) <= set(CHANGES)
    assert not set(provider.own_changes) & set(CHANGES)


@EACH
def test_every_stream_has_a_spoil_of_fields_that_its_records_have(world: World, name: str) -> None:
    provider = world.providers[name]

    assert set(provider.spoils) == {*provider.streams, ""}
    for stream in provider.streams:
        records = [row for partner in provider.partners() for row in held(provider, partner, stream)]
        spoil = provider.spoils[stream]
        for field in (spoil.key, spoil.typed[0], spoil.enum[0]):
            outer, _, inner = field.partition(".")
            assert any(outer in row and (not inner or inner in row[outer]) for row in records), (stream, field)


@EACH
def test_withdrawals_have_words(name: str) -> None:
    provider = PROVIDERS[name]

    wanted = {"cancel", "refund", "clear", "transfer", "defer"} & set(provider.changes_known)
    assert wanted <= set(provider.words)
    assert set(provider.words) <= set(CHANGES)


def test_no_two_providers_have_a_quirk_an_own_fault_or_an_own_change_of_the_same_name() -> None:
    names = Counter(
        itertools.chain.from_iterable(
            (*provider.quirks_at_first, *provider.own_faults, *provider.own_changes) for provider in PROVIDERS.values()
        )
    )

    assert [name for name, times in names.items() if times > 1] == []


def test_nothing_outside_a_providers_own_package_asks_for_it_by_name() -> None:
    shared = [ROOT / f"{name}.py" for name in ("server", "control", "faults", "state", "traffic", "served")]
    packages = {folder.name: list(folder.glob("*.py")) for folder in (ROOT / "providers").iterdir() if folder.is_dir()}
    names = "|".join((*PROVIDERS, *(provider.__name__ for provider in PROVIDERS.values())))

    for path in [*shared, ROOT / "providers" / "common.py"]:
        assert not re.search(rf"\b({names})\b", path.read_text(encoding="utf-8"), re.IGNORECASE), path.name
    for name, paths in packages.items():
        others = "|".join(other for other in PROVIDERS if other != name)
        for path in paths:
            assert not re.search(rf"import .*\b({others})\b|\.({others})\b", path.read_text(encoding="utf-8")), path


# -- signing in ------------------------------------------------------------------------------------


@EACH
def test_every_partner_has_a_connection_of_its_own(all_of_them: Any, name: str) -> None:
    found = [one for one in all_of_them.control("connections") if one["provider"] == name]

    assert [one["timing_partner_id"] for one in found] == list(PARTNERS)
    for one in found:
        assert set(one) == {"timing_partner_id", "partner", "slug", "provider", "settings", "secrets"}
        assert one["settings"]["timing_partner_id"] == one["timing_partner_id"]
        assert one["settings"]["api_url"].startswith(f"{all_of_them.url}/{name}")
        assert one["secrets"]
        assert all(isinstance(value, str) and value for value in one["secrets"].values())
        assert not set(one["secrets"].values()) & {str(value) for value in one["settings"].values()}
    first, second = (set(one["secrets"].values()) for one in found)
    assert first != second


@EACH
def test_a_stranger_is_refused_and_reads_no_entries(world: World, name: str) -> None:
    provider = world.providers[name]

    stranger = Call("GET", ("nowhere",), {}, {})

    assert provider.credential(stranger) == "anonymous"
    assert provider.partner_of(stranger) is None
    assert isinstance(PROVIDERS[name].refused(), Answer)
    assert PROVIDERS[name].refused().rows == []
    assert provider.answer(stranger).rows == []


@EACH
@pytest.mark.parametrize("partner", PARTNERS)
def test_a_wrong_secret_opens_nothing(all_of_them: Any, name: str, partner: int) -> None:
    wrong = copy.copy(all_of_them)
    wrong.connections = [
        {**one, "secrets": dict.fromkeys(one["secrets"], "a guess")} for one in all_of_them.connections
    ]

    with pytest.raises(RefusedError):
        reader(name)(wrong, partner, PROVIDERS[name].streams[0], 100)


@EACH
def test_a_provider_that_is_not_served_refuses_every_credential(starting: Any, name: str) -> None:
    other = next(each for each in PROVIDERS if each != name)
    client = starting("--size", "tiny", "--providers", other)

    answer = client.session.get(f"{client.url}/{name}/anything", timeout=5)

    refused = PROVIDERS[name].refused()
    assert (answer.status_code, answer.json()) == (refused.status, refused.body)
    assert {one["provider"] for one in client.connections} == {other}
    assert requests.post(
        f"{client.url}/control/change", json={"kind": "cancel", "provider": name, "event_id": 1}, timeout=5
    ).json() == {"error": f"this sandbox was started without {name}: see --providers"}


# -- records ---------------------------------------------------------------------------------------


@STREAMS
def test_a_stream_holds_records_of_both_partners_each_with_its_key(world: World, name: str, stream: str) -> None:
    provider = world.providers[name]

    for partner in provider.partners():
        records = held(provider, partner, stream)
        assert records
        assert all(provider.spoils[stream].key in record for record in records)


@STREAMS
@pytest.mark.parametrize("size", [3, 1000])
def test_pages_of_any_size_give_what_the_provider_holds(all_of_them: Any, name: str, stream: str, size: int) -> None:
    for partner in PARTNERS:
        rows = reader(name)(all_of_them, partner, stream, size)

        assert texts(rows) == texts(all_of_them.holds(name, partner, stream))


@STREAMS
def test_an_empty_answer_has_its_shape_and_no_rows(all_of_them: Any, name: str, stream: str) -> None:
    all_of_them.fault(name, "empty_answer", times=None)

    assert reader(name)(all_of_them, 1, stream, 1000) == []


@STREAMS
def test_what_is_held_does_not_depend_on_who_asked_before(world: World, name: str, stream: str) -> None:
    again = World("tiny", 88, None, None, "all").providers[name]

    assert held(world.providers[name], 2, stream) == held(again, 2, stream)


@EACH
def test_entries_are_found_again_by_their_id(world: World, name: str) -> None:
    provider = world.providers[name]

    for partner in provider.partners():
        seen = set()
        for distance in provider.distances(partner):
            for index in provider.entries_known(partner, distance):
                key = provider.entry_key(distance, index)
                found = provider.locate(key)
                assert found is not None
                assert (found[0].uid, found[1]) == (distance.uid, index)
                assert key not in seen
                seen.add(key)
        assert {one["id"] for one in provider.people(partner)} == seen
    assert provider.locate("no such id") is None


@EACH
def test_a_change_names_an_event_by_the_id_that_people_have(world: World, name: str) -> None:
    provider = world.providers[name]

    for partner in provider.partners():
        for distance in provider.distances(partner):
            asked = {"event_id": provider.event_key(distance)}
            assert distance.uid in {found.uid for found in provider.distances_asked(asked)}
    assert provider.distances_asked({"event_id": "no such event"}) == []
    assert provider.distances_asked({}) == []


# -- changes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, provider in PROVIDERS.items() for kind in (*CHANGES, *provider.own_changes)],
)
def test_a_change_that_a_provider_knows_shows_at_it_and_nowhere_else(name: str, kind: str) -> None:
    world = World("tiny", 88, None, None, "all")
    provider = world.providers[name]
    # Two distances, so that a transfer has somewhere to go; scored, so that there is a result to change, or not all
    # of them, so that there is one to post.
    partner, distance = next(
        (partner, distance)
        for partner in provider.partners()
        for distance in provider.distances(partner)
        if len(world.state.source.occasion(distance.uid // 4).distances) > 1
        and (
            "post_results" not in provider.changes_known
            or (distance.scored < distance.finishers if kind == "post_results" else distance.scored > 0)
        )
    )
    if kind == "restore":
        world.control.change({"kind": "delete", "provider": name, "event_id": provider.event_key(distance)})
    asked = {"kind": kind, "provider": name, "event_id": provider.event_key(distance), "partner": partner}
    if kind == "edit_entry":
        asked["fields"] = provider.bib_patch(4711)
    before = {(each.name, s): held(each, partner, s) for each in world.providers.values() for s in each.streams}

    if kind not in (*provider.changes_known, *provider.own_changes):
        with pytest.raises(Exception, match=f"{name} knows no {kind}"):
            world.control.change(asked)
        return
    world.state.now += 60
    done = world.control.change(asked)

    after = {(each.name, s): held(each, partner, s) for each in world.providers.values() for s in each.streams}
    differs = {key for key in before if before[key] != after[key]}
    assert {who for who, _ in differs} == {name} or (kind == "assign_bibs" and not done["changed"])
    assert done["changed"] or kind == "assign_bibs"


@EACH
def test_a_removal_and_an_entry_between_two_pages_are_changes_that_the_provider_knows(name: str) -> None:
    assert {"add_entry", "delete"} <= set(PROVIDERS[name].changes_known)


# -- limits, faults, quirks ------------------------------------------------------------------------


@EACH
def test_the_hourly_limit_is_the_providers_own_words(all_of_them: Any, name: str) -> None:
    all_of_them.control("limits", {"provider": name, "calls_per_hour": 1, "status": 429, "retry_after": 7})
    url = f"{all_of_them.url}/{name}/anything"

    all_of_them.session.get(url, timeout=5)
    refused = all_of_them.session.get(url, timeout=5)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert (
        refused.json()
        == World("tiny", 88, None, None, "all").providers[name].throttled(Call("GET", (), {}, {}), 429).body
    )
    (row,) = all_of_them.control("calls")["calls"]
    assert (row["calls"], row["refused"]) == (2, 1)


@EACH
def test_limits_start_as_the_provider_has_them_and_are_shown(all_of_them: Any, name: str) -> None:
    limit = PROVIDERS[name].limit

    assert all_of_them.control("limits")[name] == {
        "calls_per_hour": limit.calls_per_hour,
        "in_flight": limit.in_flight,
        "status": limit.status,
    }


@EACH
@pytest.mark.parametrize(("kind", "status"), [("status_500", 500), ("status_502_html", 502), ("non_json", 200)])
def test_faults_in_front_of_a_provider_are_the_same_for_all(
    all_of_them: Any, name: str, kind: str, status: int
) -> None:
    all_of_them.fault(name, kind)

    answer = all_of_them.session.get(f"{all_of_them.url}/{name}/anything", timeout=5)

    assert answer.status_code == status
    assert not answer.headers["Content-Type"].startswith("application/json")


@EACH
def test_an_expired_sign_in_and_a_limit_reached_leave_no_rows(all_of_them: Any, name: str) -> None:
    for kind in ("expired_token", "limit_reached", *PROVIDERS[name].own_faults):
        all_of_them.fault(name, kind)
        answer = all_of_them.session.get(f"{all_of_them.url}/{name}/anything", timeout=5)
        assert answer.json()
    assert all(fault["hits"] == 1 for fault in all_of_them.control("fault")["faults"])


@STREAMS
@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind != "empty_answer"])
def test_a_fault_of_rows_changes_a_record_of_every_stream(world: World, name: str, stream: str, kind: str) -> None:
    provider = world.providers[name]
    partner = provider.partners()[0]
    rows, untouched = held(provider, partner, stream)[:5], held(provider, partner, stream)[:5]
    answer = Answer(rows, rows=rows, stream=stream)

    spoil(Fault(name, kind), provider, answer)

    assert rows != untouched


@EACH
def test_quirks_are_switched_shown_and_taken_back_by_a_reset(all_of_them: Any, name: str) -> None:
    first = dict(PROVIDERS[name].quirks_at_first)
    assert {key: all_of_them.control("quirks")[key] for key in first} == first

    turned = {key: (not value) if isinstance(value, bool) else value * 2 for key, value in first.items()}
    assert {key: value for key, value in all_of_them.control("quirks", turned).items() if key in first} == turned
    all_of_them.control("reset", {})

    assert {key: all_of_them.control("quirks")[key] for key in first} == first


def test_a_quirk_that_nobody_has_is_refused(all_of_them: Any) -> None:
    answer = requests.post(f"{all_of_them.url}/control/quirks", json={"gravity": 2}, timeout=5)

    assert (answer.status_code, answer.json()["error"].split(":")[0]) == (400, "unknown quirk 'gravity'")


# -- who is there ----------------------------------------------------------------------------------


def test_a_season_of_the_first_two_is_the_same_whoever_else_could_be_there() -> None:
    two, six = Season(SIZES["small"]), Season(SIZES["small"], providers=(*FIRST_TWO, "copernico", "raceroster"))

    for partner in PARTNERS:
        uids = two.uids(partner)
        assert six.uids(partner)[: len(uids)] == uids
        assert [two.occasion(uid) for uid in uids] == [six.occasion(uid) for uid in uids]


@pytest.mark.parametrize("participants", [400, 8_000, 2_400_000])
def test_the_later_occasions_are_there_for_a_provider_that_lists_them_under_ids_that_no_size_moves(
    participants: int,
) -> None:
    asked = ("raceroster", "haku", "letsdothis", "copernico")
    for name in asked:
        season = Season(participants, providers=(name,))
        for partner in PARTNERS:
            later = [uid for uid in season.uids(partner) if uid > 12_000]
            expected = [12_002 + 2 * n + partner - 1 for n, plan in enumerate(_later_plans(partner)) if name in plan.on]
            assert later == expected
            assert all(season.serves(partner, uid) and season.race_uid(uid) == uid for uid in later)
            assert all(season.editions(uid) == [uid] for uid in later)
            assert all(d.uid == season.distance(d.uid).uid for uid in later for d in season.occasion(uid).distances)  # type: ignore[union-attr]


def test_the_later_occasions_have_every_pair_of_registration_and_timing_and_all_phases() -> None:
    season = Season(400, providers=("raceroster", "haku", "letsdothis", "copernico"))

    for partner in PARTNERS:
        found = [season.occasion(uid) for uid in season.uids(partner) if uid > 12_000]
        assert [(sorted(o.on), o.phase, o.venue[3]) for o in found] == [
            (["copernico", "raceroster"], "past", "US"),
            (["chronotrack", "raceroster"], "past", "US"),
            (["raceroster"], "future", "US"),
            (["copernico", "haku"], "live", "US"),
            (["chronotrack", "haku"], "past", "US"),
            (["copernico", "letsdothis"], "past", "GB"),
            (["letsdothis"], "future", "GB"),
            (["copernico", "runsignup"], "past", "US"),
        ]
        live = found[3].distances
        assert all(0 < distance.scored < distance.finishers for distance in live)


def test_people_of_the_later_occasions_ran_elsewhere_too() -> None:
    season = Season(400, providers=("raceroster", "haku", "letsdothis", "copernico"))

    def people(later: bool) -> set[int]:
        return {
            season.person_of(distance, index)
            for uid in season.uids(1)
            if (uid > 12_000) is later
            for distance in season.occasion(uid).distances
            for index in range(distance.entered)
        }

    assert len(people(True) & people(False)) > len(people(True)) / 5


@pytest.mark.parametrize(
    ("option", "said"), [("acme", "unknown provider 'acme'"), ("runsignup,", "unknown provider ''")]
)
def test_a_provider_that_nobody_can_play_is_refused_at_the_start(option: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.server", "--providers", option],
        cwd=ROOT.parent,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]


def test_no_secret_of_any_provider_is_logged(all_of_them: Any) -> None:
    for secret in secrets(all_of_them):
        for name, provider in PROVIDERS.items():
            for parameter in provider.secret_parameters:
                all_of_them.session.get(f"{all_of_them.url}/{name}/x", params={parameter: secret}, timeout=5)

    log = all_of_them.control("calls")["log"]
    assert log
    assert not any(secret in line for line in log for secret in secrets(all_of_them))
