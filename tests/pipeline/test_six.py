"""All six providers together: from their APIs to one published truth, for two timing partners."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from project88.raw import PROVIDERS
from tests.conftest import fresh_database
from tests.hostile.world import Account, quiet
from tests.pipeline.conftest import connect_all
from tests.pipeline.harness import CHECKOUT, PARTNERS, Hub, Sandbox, wait_for
from tests.pipeline.test_forget import Somebody, described, in_tables

TIMED = ("runsignup", "raceroster", "chronotrack", "copernico")
"""Providers that have results; the others register only."""


@pytest.fixture(scope="module")
def six(embedded_server, tmp_path_factory) -> Iterator[Hub]:
    """A hub through which the tiny season of all six has gone once."""
    address = tmp_path_factory.mktemp("sandbox") / "url"
    server = subprocess.Popen(
        [sys.executable, "-m", "sandbox.server", "--port", "0", "--size", "tiny", "--port-file", str(address)],
        cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = wait_for(lambda: address.exists() and address.read_text().strip(), 60)
        assert url, "the sandbox did not start"
        home = tmp_path_factory.mktemp("six") / "home"
        home.mkdir(mode=0o711)
        with fresh_database(embedded_server) as dsn:
            hub = Hub(dsn, home, Sandbox(url))
            connect_all(hub)
            hub.first_run.output = hub.p88("run", timeout=600).stdout
            yield hub
    finally:
        server.terminate()
        server.wait(20)


def counts(hub: Hub, relation: str) -> dict[tuple[str, int], int]:
    """Return the published rows of each provider and partner."""
    rows = hub.ask(f"select source_provider, timing_partner_id, count(*) from unified.{relation} group by 1, 2")  # noqa: S608
    return {(provider, partner): number for provider, partner, number in rows}


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_raw_holds_what_each_provider_holds(six: Hub, tmp_path, provider: str, partner: int) -> None:
    with quiet():
        account = replace(Account(provider, six.sandbox, six.dsn, tmp_path), partner=partner)
        assert account.unlike_holds() == []


def test_each_provider_is_published_for_each_partner(six: Hub) -> None:
    everywhere = {(provider, partner) for provider in PROVIDERS for partner in PARTNERS}

    assert counts(six, "unified_events").keys() == everywhere
    assert counts(six, "unified_races").keys() == everywhere
    assert counts(six, "unified_participants").keys() == everywhere
    assert counts(six, "unified_results").keys() == {(one, partner) for one in TIMED for partner in PARTNERS}


def test_every_row_received_is_accounted_for(six: Hub) -> None:
    lost = six.ask(
        "select source_provider, stream, timing_partner_id, unaccounted from candidate.reconciliation"
        " where unaccounted <> 0"
    )

    assert lost == []
    providers = {row[0] for row in six.ask("select distinct source_provider from candidate.reconciliation")}
    assert providers == set(PROVIDERS)


def test_one_vocabulary_holds_all_six(six: Hub) -> None:
    ((vocabulary,),) = six.ask(
        "select format('%%I.%%I', schemaname, tablename) from pg_tables where tablename = 'status_vocabulary'"
    )
    genders = {row[0] for row in six.ask("select distinct gender from unified.unified_participants")}
    countries = [row[0] for row in six.ask("select distinct country from unified.unified_participants")]
    phones = [row[0] for row in six.ask("select distinct phone from unified.unified_participants where phone <> ''")]
    words = {row[0] for row in six.ask(f"select status from {vocabulary}")}  # noqa: S608
    statuses = {row[0] for row in six.ask("select distinct status from unified.unified_participants")}

    assert genders <= {"F", "M", "X", "U", None}
    assert all(country is None or re.fullmatch("[A-Z]{2}", country) for country in countries)
    assert phones and all(re.fullmatch(r"\+[1-9]\d{6,14}", phone) for phone in phones)
    assert statuses <= words | {None}


def test_a_partner_sees_its_own_rows_of_all_six(six: Hub) -> None:
    shown = six.p88(
        "sql", "--as", "harbour", "--csv",
        "select distinct timing_partner_id, source_provider from unified_participants order by 2",
    ).stdout.split()[1:]  # fmt: skip

    assert shown == [f"1,{provider}" for provider in sorted(PROVIDERS)]


def test_a_second_run_publishes_nothing(six: Hub) -> None:
    before = six.published_at()

    output = six.p88("run", timeout=600).stderr

    assert "Incremental: nothing changed, nothing published" in output
    assert six.published_at() == before


def test_who_registered_at_one_and_was_timed_at_another_is_linked(six: Hub) -> None:
    pairs = {
        (registered, timed)
        for registered, timed in six.ask(
            """
            select distinct r.source_provider, t.source_provider
            from unified.entry_links as l
            inner join unified.unified_participants as r on l.registration_participant_key = r.participant_key
            inner join unified.unified_participants as t on l.timing_participant_key = t.participant_key
            """
        )
    }

    # As the season has it: sandbox/README.md.
    assert pairs >= {
        ("runsignup", "chronotrack"), ("raceroster", "chronotrack"), ("haku", "chronotrack"),
        ("raceroster", "copernico"), ("haku", "copernico"), ("letsdothis", "copernico"), ("runsignup", "copernico"),
    }  # fmt: skip


def somebody_at(hub: Hub, provider: str) -> Somebody:
    """Return a person of partner 1 with an entry at a provider, whose name, address and number nobody else has.

    Nobody else of partner 2 either: it is one of two who asked.
    """
    ((person, keys),) = hub.ask(
        """
        with everybody as (
            select
                p.global_participant_id as person, p.timing_partner_id, p.source_provider, p.participant_key,
                p.email, p.phone, lower(p.first_name || ' ' || p.last_name) as name
            from candidate.unified_participants as p
        )
        select one.person, array_agg(distinct one.participant_key) from everybody as one
        where one.person is not null and one.timing_partner_id = 1
        group by one.person
        having bool_or(one.source_provider = %s) and not exists (
            select from everybody as other
            where
                other.person is distinct from one.person
                and (
                    other.email = any(array_agg(one.email)) or other.phone = any(array_agg(one.phone))
                    or other.name = any(array_agg(one.name))
                )
        )
        -- Somebody of several providers is the harder case.
        order by count(distinct one.source_provider) desc, one.person limit 1
        """,
        provider,
    )
    return described(hub, Somebody(person, keys))


def test_whoever_is_forgotten_comes_back_from_none_of_the_six(six: Hub) -> None:
    everybody: dict[str, Somebody] = {}
    for provider in PROVIDERS:
        one = everybody[provider] = somebody_at(six, provider)
        assert any(key.startswith(f"{provider}/") for key in one.keys)
        # A bare number may stand for something else at another provider.
        one.words = one.unlike_others | {*one.keys, *one.results}
        assert f"raw_{provider}" in {table.partition(".")[0] for table in in_tables(six, one)}
        six.p88("person", "forget", one.person, "--partner", "harbour", "--yes")
        assert in_tables(six, one) == {}, provider
    gone = six.published_at()

    # All of it is sent again.
    six.p88("run", "--partner", "harbour", "--everything", timeout=600)

    assert {provider: in_tables(six, one) for provider, one in everybody.items()} == {key: {} for key in PROVIDERS}
    assert six.published_at() == gone
