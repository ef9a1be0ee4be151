"""The whole path on a PostgreSQL 15 over TCP, owned by a user who is no superuser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests.conftest import PASSWORD, Server
from tests.pipeline.conftest import connect_all
from tests.pipeline.harness import PARTNERS, RELATIONS, Hub, differences

OWNER, DATABASE = "p88_owner", "p88_raceday"


@pytest.fixture(scope="module")
def hub(server15: Server, season: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub in a database of a user who may create roles and nothing more, after one run."""
    administrator = psycopg2.connect(server15.dsn("postgres"))
    administrator.autocommit = True
    with administrator.cursor() as cursor:
        cursor.execute(
            sql.SQL("create role {} login createrole password %s").format(sql.Identifier(OWNER)), (PASSWORD,)
        )
        cursor.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
    administrator.close()
    home: Path = tmp_path_factory.mktemp("fifteen") / "home"
    home.mkdir(mode=0o711)
    season.sandbox.reset()
    hub = Hub(server15.dsn(DATABASE, OWNER), home, season.sandbox)
    connect_all(hub)
    hub.p88("run")
    return hub


def test_it_publishes_what_the_embedded_server_publishes(hub, season):
    assert hub.ask("show server_version_num")[0][0].startswith("15")
    assert differences(hub.published(), season.published()) == []


@pytest.mark.parametrize("partner", PARTNERS, ids=PARTNERS.get)
def test_a_partner_sees_only_its_rows_in_every_relation(hub, partner):
    for relation in RELATIONS:
        query = f"select distinct timing_partner_id from {relation}"  # noqa: S608
        seen = hub.p88("sql", "--as", PARTNERS[partner], "--csv", query).stdout.split()[1:]
        # Changed persons, and results without an entry, are not everybody's.
        has_any = (partner,) in hub.ask(query.replace("from ", "from unified."))
        assert seen == [str(partner)] * has_any, relation
        assert has_any or relation in {"person_changes", "results_without_entry"}


def test_a_second_run_publishes_nothing(hub):
    before = hub.published_at()

    done = hub.p88("run")

    assert "nothing changed, nothing published" in done.stderr
    assert hub.published_at() == before
