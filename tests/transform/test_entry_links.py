"""Entries of one race that two providers know: what joins them, and that little is looked at when little changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from project88 import db
from project88.publish import publish
from project88.transform import Transformer
from tests.pipeline.conftest import *  # noqa: F403 - the hubs with the tiny season
from tests.pipeline.harness import Hub

pytestmark = pytest.mark.slow

Row = tuple[Any, ...]


class Links:
    """A hub of one's own with the season published, and a way to change what a provider sent."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.transformer = Transformer(hub.dsn)
        self.publish()

    def ask(self, statement: str, *values: Any) -> list[Row]:
        """Run a statement and return its rows."""
        with closing(db.connect(self.hub.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def publish(self) -> None:
        """Build and publish, without a gate."""
        self.transformer.build()
        publish(self.hub.dsn, run_id="links", now=datetime.now(UTC))

    def all(self) -> list[Row]:
        """Return the links that would be published."""
        return self.ask("select * from candidate.entry_links order by link_key")

    def pair(self, linked_by: str, number: int = 0) -> tuple[list[str], list[str]]:
        """Return provider, partner and id of both ends of a link."""
        timed, registered = self.ask(
            "select timing_participant_key, registration_participant_key from candidate.entry_links "
            "where linked_by = %s order by link_key offset %s limit 1",
            linked_by,
            number,
        )[0]
        return timed.split("/"), registered.split("/")

    def by_bib_of(self, timed: list[str]) -> list[Row]:
        """Return the registrations that a timer's entry is joined with."""
        return self.ask(
            "select registration_participant_key from candidate.entry_links where timing_participant_key = %s",
            "/".join(timed),
        )

    def change(self, statement: str, *values: Any) -> int:
        """Change raw rows, build by due keys, and return how many entries were due.

        What is built is what a whole build makes; then it is published.
        """
        self.ask(statement, *values)
        assert self.transformer.build().rebuilt == ()
        built, ((due,),) = self.all(), self.ask("select count(*) from due.due_entry_links")
        self.transformer.build(marts=["entry_links"])
        assert built == self.all()
        self.publish()
        return int(due)


@pytest.fixture
def links(loaded: Hub, copies, monkeypatch: pytest.MonkeyPatch) -> Iterator[Links]:
    """A hub of one's own."""
    with copies(loaded) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        yield Links(hub)


ENTRY = "update raw_chronotrack.entries set {} where timing_partner_id = %s and entry_id = %s"
REGISTRATION = "update raw_runsignup.participants set {} where timing_partner_id = %s and registration_id = %s"
TWIN = """
    update raw_chronotrack.entries as twin set
        entry_external_id = '',
        entry_bib = {bib},
        athlete_first_name = one.athlete_first_name,
        athlete_last_name = one.athlete_last_name
    from raw_chronotrack.entries as one
    where
        one.timing_partner_id = %s and one.entry_id = %s and twin.timing_partner_id = one.timing_partner_id
        and twin.entry_id = (
            select min(other.entry_id) from raw_chronotrack.entries as other
            where
                other.timing_partner_id = one.timing_partner_id and other.event_id = one.event_id
                and other.entry_id <> one.entry_id
        )
"""


def test_an_external_id_joins_and_so_do_bib_event_and_name(links: Links) -> None:
    found = dict(links.ask("select linked_by, count(*) from unified.entry_links group by 1"))
    evidence = links.ask("select evidence from unified.entry_links where linked_by = 'external_id' limit 1")[0][0]

    assert set(found) == {"external_id", "bib_event_name"}
    assert found["external_id"] == links.ask(
        "select count(*) from unified.unified_participants where external_id is not null"
    )[0][0]  # fmt: skip
    assert evidence[0].startswith("external id RS-")
    assert links.ask("select count(*) from unified.unified_participants")[0][0] > sum(found.values())


def test_a_bib_that_changes_hands_joins_nobody_by_it(links: Links) -> None:
    timed, registered = links.pair("bib_event_name")

    few = links.change(REGISTRATION.format("last_name = 'Somebody', email = null"), *registered[1:])

    assert links.by_bib_of(timed) == []
    assert few < 10


def test_a_name_alone_joins_nobody(links: Links) -> None:
    timed, registered = links.pair("bib_event_name")

    links.change(REGISTRATION.format("bib_num = '7777'"), *registered[1:])

    assert links.by_bib_of(timed) == []


def test_twins_with_one_bib_are_left_alone_until_one_takes_another(links: Links) -> None:
    timed, registered = links.pair("bib_event_name")

    links.change(TWIN.format(bib="one.entry_bib"), *timed[1:])
    assert links.by_bib_of(timed) == []

    few = links.change(TWIN.format(bib="'T99'"), *timed[1:])
    assert links.by_bib_of(timed) == [("/".join(registered),)]
    assert few < 10


def test_an_entry_whose_external_id_went_is_found_by_its_bib(links: Links) -> None:
    timed, registered = links.pair("external_id")

    links.change(ENTRY.format("entry_external_id = ''"), *timed[1:])

    assert links.by_bib_of(timed) == [("/".join(registered),)]
    assert links.ask(
        "select linked_by from unified.entry_links where link_key = %s", f"{'/'.join(timed)}~{'/'.join(registered)}"
    ) == [("bib_event_name",)]


def test_an_event_that_moves_to_another_day_loses_what_only_bibs_joined(links: Links) -> None:
    timed, registered = links.pair("bib_event_name")
    move = (
        "update raw_chronotrack.events set event_start_time = event_start_time {} interval '7 days' where "
        "timing_partner_id = %s and event_id = (select event_id from raw_chronotrack.entries "
        "where timing_partner_id = %s and entry_id = %s)"
    )

    links.change(move.format("+"), timed[1], *timed[1:])
    assert links.by_bib_of(timed) == []

    links.change(move.format("-"), timed[1], *timed[1:])
    assert links.by_bib_of(timed) == [("/".join(registered),)]


def test_an_event_that_moves_away_takes_a_second_wearer_of_a_bib_along(links: Links) -> None:
    timed, registered = links.pair("bib_event_name")
    (event,) = links.ask(
        "select event_id from raw_chronotrack.entries where timing_partner_id = %s and entry_id = %s", *timed[1:]
    )[0]
    other, stranger = links.ask(
        "select event_id, min(entry_id) from raw_chronotrack.entries "
        "where timing_partner_id = %s and event_id <> %s group by 1 order by 1 limit 1",
        timed[1], event,
    )[0]  # fmt: skip
    links.ask(
        """
        update raw_chronotrack.events as moved set
            event_start_time = here.event_start_time, location_time_zone = here.location_time_zone,
            location_city = here.location_city
        from raw_chronotrack.events as here
        where moved.timing_partner_id = %s and moved.event_id = %s
            and here.timing_partner_id = moved.timing_partner_id and here.event_id = %s
        """,
        timed[1], other, event,
    )  # fmt: skip
    second = """
        update raw_chronotrack.entries as twin set
            entry_external_id = '', entry_bib = one.entry_bib,
            athlete_first_name = one.athlete_first_name, athlete_last_name = one.athlete_last_name
        from raw_chronotrack.entries as one
        where one.timing_partner_id = %s and one.entry_id = %s
            and twin.timing_partner_id = one.timing_partner_id and twin.entry_id = %s
    """

    links.change(second, *timed[1:], stranger)
    assert links.by_bib_of(timed) == []

    links.change(
        "update raw_chronotrack.events set event_start_time = event_start_time + interval '7 days' "
        "where timing_partner_id = %s and event_id = %s",
        timed[1], other,
    )  # fmt: skip
    assert links.by_bib_of(timed) == [("/".join(registered),)]
