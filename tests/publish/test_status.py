"""The questions an operator asks: what is published, when, from which connection, what is in quarantine."""

from __future__ import annotations

from project88 import db
from project88.db.schema import ensure_hub
from project88.publish import publish
from project88.status import last_publication, published_relations, quarantine, status
from tests.publish.candidates import LATER, NOW, execute, make_season


def test_an_empty_hub_has_answers_too(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    ensure_hub(connection)

    found = status(connection)

    assert (found.publication, found.connections, found.quarantine, found.runs) == (None, [], [], [])
    assert {one.rows for one in found.relations} == {0}
    connection.close()


def test_what_is_published_when_and_from_which_connection(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=2, runners=3)
    publish(embedded_dsn, run_id="run-1", now=NOW)
    execute(connection, "delete from candidate.unified_results where timing_partner_id = 2")
    publish(embedded_dsn, run_id="run-2", now=LATER)

    found = status(connection)

    assert found.publication is not None
    assert (found.publication.run_id, found.publication.published_at, found.publication.deleted) == ("run-2", LATER, 6)
    relations = {one.relation: (one.rows, one.changed_at) for one in found.relations}
    assert relations["unified_results"] == (6, LATER)
    assert relations["unified_participants"] == (12, NOW)
    assert [
        (one.company_name, one.provider_name, one.account, one.events, one.participants, one.results)
        for one in found.connections
    ] == [
        ("Partner 1", "chronotrack", "account-1", 1, 3, 3),
        ("Partner 1", "runsignup", "account-1", 1, 3, 3),
        ("Partner 2", "chronotrack", "account-2", 1, 3, 0),
        ("Partner 2", "runsignup", "account-2", 1, 3, 0),
    ]
    assert {(one.last_sync_at, one.last_sync_status) for one in found.connections} == {(NOW, "success")}
    assert {one.last_fetched_at for one in found.connections} == {NOW}
    connection.close()


def test_a_publish_that_changed_nothing_shows(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    make_season(connection, partners=1, runners=1)
    publish(embedded_dsn, run_id="run-1", now=NOW)
    publish(embedded_dsn, run_id="run-2", now=LATER)

    latest = last_publication(connection)

    assert latest is not None
    assert (latest.run_id, latest.published_at, latest.inserted, latest.total) == ("run-2", LATER, 0, 16)
    assert {one.changed_at for one in published_relations(connection)} == {NOW}
    connection.close()


def test_quarantine_is_told_by_rule_with_samples_and_without_what_was_resolved(embedded_dsn: str) -> None:
    connection = db.connect(embedded_dsn)
    ensure_hub(connection)
    for number in range(7):
        execute(
            connection,
            "insert into hub.quarantine (timing_partner_id, source_provider, stage, relation, row_key, rule, reason, "
            "resolved_at) values (1, 'runsignup', 'candidate', 'unified_participants', %s, 'age', 'too old', %s)",
            f"runsignup/1/{number}",
            NOW if number == 0 else None,
        )

    (group,) = quarantine(connection)

    assert (group.rule, group.rows, group.reason, len(group.sample_keys)) == ("age", 6, "too old", 5)
    assert group.sample_keys[0] == "runsignup/1/1"
    connection.close()
