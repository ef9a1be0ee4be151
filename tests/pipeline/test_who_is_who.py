"""Who is who, as a step of the cycle: from the sandbox's season to what partners and staff read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from project88 import db
from project88.cycle import Cycle, CycleReport
from project88.errors import ActionNeeded
from project88.persons import records, store
from project88.persons.linkage import Linkage
from project88.published import RELATIONS
from project88.tenancy import acting_as
from tests.pipeline.harness import Hub
from tests.pipeline.test_gate_stops import BREAK, KEEP, MEND

RESTORED = ", ".join(f"athlete_{name} = record ->> 'athlete_{name}'" for name in ("first_name", "last_name", "email"))
NAME = "athlete_first_name = 'Quillon', athlete_last_name = 'Featherstonehaugh', athlete_email = 'q@example.org'"


@pytest.fixture
def mine(loaded: Hub, copies, monkeypatch) -> Iterator[Hub]:
    """A hub of one's own with the season published, whose local state this process uses."""
    with copies(loaded) as hub:
        monkeypatch.setenv("P88_HOME", str(hub.home))
        yield hub


def cycle(hub: Hub, run_id: str = "r", **more: Any) -> CycleReport:
    """Bring what is published up to date."""
    return Cycle(hub.dsn).run(run_id, now=datetime.now(UTC), **more)


def persons(hub: Hub) -> dict[str, str]:
    """Return the published person of each entry."""
    return dict(hub.ask("select participant_key, global_participant_id from unified.unified_participants"))


def of_several(hub: Hub) -> tuple[str, list[str]]:
    """Return a person of partner 1 with several entries at ChronoTrack and elsewhere, and its entries."""
    [(person, keys)] = hub.ask(
        """
        select global_participant_id, array_agg(participant_key order by participant_key)
        from unified.unified_participants where timing_partner_id = 1
        group by 1
        having count(*) > 2 and count(*) filter (where source_provider = 'chronotrack') between 1 and count(*) - 2
        order by 1 limit 1
        """
    )
    return person, keys


def rename(hub: Hub, key: str, change: str = NAME) -> None:
    """Let the timer say something else of an entry."""
    _, partner, entry = key.split("/")
    hub.ask(
        f"update raw_chronotrack.entries set {change}"  # noqa: S608
        " where timing_partner_id = %s and entry_id = %s",
        partner, entry,
    )  # fmt: skip


def test_every_entry_and_every_result_is_somebodys_and_says_how_surely(loaded):
    nobody = "global_participant_id is null or person_confidence is null or person_confidence not between 0 and 1"
    assert loaded.ask(f"select * from unified.unified_participants where {nobody}") == []  # noqa: S608
    assert loaded.ask(f"select * from unified.result_persons where {nobody}") == []  # noqa: S608
    assert loaded.ask(
        "select (select count(*) from unified.result_persons) = (select count(*) from unified.unified_results)"
    ) == [(True,)]


def test_the_sandboxs_people_are_found_and_hardly_ever_two_taken_for_one(loaded):
    truth = {
        f"{one['provider']}/{one['timing_partner_id']}/{one['id']}": one["person_id"]
        for one in loaded.sandbox.get("truth")
    }
    found = {key: person for key, person in persons(loaded).items() if key in truth}
    pairs = [
        (found[one] == found[two], truth[one] == truth[two])
        for one, two in combinations(sorted(found), 2)
        if one.split("/")[1] == two.split("/")[1]
    ]
    counted = Counter(pairs)

    assert counted[True, True] > 100
    assert counted[True, True] / (counted[True, True] + counted[True, False]) >= 0.998
    assert counted[True, True] / (counted[True, True] + counted[False, True]) >= 0.95


def test_two_partners_have_no_person_in_common_and_only_staff_see_who_raced_with_both(loaded):
    assert loaded.ask(
        "select global_participant_id from unified.unified_participants group by 1"
        " having count(distinct timing_partner_id) > 1"
    ) == []  # fmt: skip
    both = "select count(*) from (select people_id from hub.people_across group by 1 having count(*) > 1) as b"
    with closing(db.connect(loaded.dsn)) as connection, connection.cursor() as cursor:
        with acting_as(connection, None):
            cursor.execute(both)
            assert cursor.fetchone() != (0,)
        for partner in (1, 2):
            with acting_as(connection, partner), pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(both)
            connection.rollback()
        for table in ("persons", "person_records", "person_aliases", "person_decisions", "person_changes"):
            with acting_as(connection, 1), pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"select * from hub.{table}")  # noqa: S608
            connection.rollback()


def as_read_by(hub: Hub, partner: int) -> dict[str, list[str]]:
    """Return what a partner's role reads of all that is published, with numbers of rows and times of writing."""
    found = {}
    with closing(db.connect(hub.dsn)) as connection, acting_as(connection, partner), connection.cursor() as cursor:
        for relation in (*RELATIONS, "result_persons"):
            cursor.execute(f"select to_jsonb(t)::text from unified.{relation} as t order by 1")  # noqa: S608
            found[relation] = [row for (row,) in cursor.fetchall()]
    return found


def test_who_races_with_another_partner_too_changes_nothing_that_a_partner_reads(mine):
    [(person, first, last, email, born, sex)] = mine.ask(
        """
        select global_participant_id, min(first_name), min(last_name), min(email), min(birth_date), min(gender)
        from unified.unified_participants where timing_partner_id = 1 and not is_removed
        group by 1
        having count(*) > 1 and count(distinct first_name) = 1 and count(distinct email) = 1 and count(birth_date) > 0
        order by 1 limit 1
        """
    )
    [(key, was)] = mine.ask(
        """
        select min(participant_key), global_participant_id
        from unified.unified_participants where timing_partner_id = 2 and not is_removed
        group by 2 having count(*) = 1 and min(source_provider) = 'chronotrack'
        order by 1 limit 1
        """
    )
    before = {partner: as_read_by(mine, partner) for partner in (1, 2)}

    rename(
        mine, key,
        f"athlete_first_name = '{first}', athlete_last_name = '{last}', athlete_email = '{email}',"
        f" athlete_birthdate = '{born}', athlete_sex = '{sex}'",
    )  # fmt: skip
    cycle(mine)

    after = {partner: as_read_by(mine, partner) for partner in (1, 2)}
    here = persons(mine)[key]
    assert mine.ask(
        "select count(distinct people_id), count(*) from hub.people_across where global_participant_id in (%s, %s)",
        person, here,
    ) == [(1, 2)]  # fmt: skip
    # Not an id, a confidence, a number or a time of writing is another, and the other partner has an id of its own.
    assert after[1] == before[1]
    assert person not in "".join(row for rows in after[2].values() for row in rows)
    assert here not in "".join(row for rows in after[1].values() for row in rows)
    # What became of the entry follows from the partner's own entries, and is counted among its own changes.
    told = [json.loads(row) for row in after[2]["person_changes"]]
    assert [one["change_number"] for one in told] == list(range(1, len(told) + 1))
    assert {one["global_participant_id"] for one in told} <= {was, *persons(mine).values()}
    [tracked] = [
        json.loads(row) for row in after[2]["participant_tracking"] if json.loads(row)["global_participant_id"] == here
    ]
    own = mine.ask(
        "select count(distinct event_key), array_agg(distinct source_provider order by source_provider)"
        " from unified.unified_participants"
        " where timing_partner_id = 2 and global_participant_id = %s and not is_removed",
        here,
    )
    assert [(tracked["events_participated"], tracked["providers_used"])] == own


def test_an_entry_that_is_somebody_else_now_changes_its_person_and_no_other(mine):
    person, keys = of_several(mine)
    before = persons(mine)
    key = next(key for key in keys if key.startswith("chronotrack/"))
    rename(mine, key)

    cycle(mine)

    after = persons(mine)
    assert {one for one in before if before[one] != after[one]} == {key}
    assert mine.ask(
        "select change_type, global_participant_id, other_global_participant_id, records, is_decided"
        " from unified.person_changes"
    ) == [("split", person, after[key], 1, False)]  # fmt: skip
    tracking = "select events_participated, best_known_name from unified.participant_tracking"
    assert mine.ask(f"{tracking} where global_participant_id = %s", after[key]) == [(1, "Quillon Featherstonehaugh")]
    assert cycle(mine, "again").publication.changed == 0


def test_what_links_nobody_anew_links_nobody_anew(mine):
    _, keys = of_several(mine)
    rename(mine, next(key for key in keys if key.startswith("chronotrack/")), "wave_name = 'Later'")
    before = mine.ask("select r.*, r.xmin from hub.person_records as r order by 1")

    cycle(mine)

    assert mine.ask("select r.*, r.xmin from hub.person_records as r order by 1") == before


def test_a_decision_is_published_with_the_next_cycle_and_survives_a_rebuild(mine):
    person, keys = of_several(mine)
    with closing(db.connect(mine.dsn)) as connection:
        store.decide_about(
            connection, "split", [person], keys[:1], by="ada", reason="father and son", now=datetime.now(UTC)
        )

    cycle(mine)
    decided = persons(mine)
    cycle(mine, "whole", rebuild=True)

    assert decided[keys[0]] != decided[keys[1]]
    assert {decided[key] for key in keys[1:]} == {person}
    assert persons(mine) == decided
    assert mine.ask("select change_type, is_decided from unified.person_changes") == [("split", True)]


def test_a_rebuild_and_a_linkage_that_lost_its_memory_keep_every_id(mine):
    before = mine.published()
    shutil.rmtree(mine.home / "persons")

    assert cycle(mine, "whole", rebuild=True).publication.changed == 0
    _, keys = of_several(mine)
    key = next(key for key in keys if key.startswith("chronotrack/"))
    rename(mine, key)
    cycle(mine, "remade")
    rename(mine, key, RESTORED)
    cycle(mine, "back")

    after = mine.published()
    assert {one: after[one] for one in after if one != "person_changes"} == {
        one: before[one] for one in before if one != "person_changes"
    }
    assert mine.ask("select change_type from unified.person_changes order by change_number") == [
        ("split",),
        ("merged",),
    ]


def test_killed_between_the_linkage_and_the_registry_both_agree_after_the_next_cycle(mine):
    """The linkage took the change in, and nobody wrote down what it said."""
    person, keys = of_several(mine)
    key = next(key for key in keys if key.startswith("chronotrack/"))
    rename(mine, key)
    with closing(db.connect(mine.dsn)) as connection, connection, connection.cursor() as cursor:
        everything = records.read(cursor, records.everything())
        cursor.execute("select state from hub.person_linkage")
        [(state,)] = cursor.fetchall()
    one = everything.filter([each == key for each in everything.column("record_id").to_pylist()])
    changed = one.set_column(one.column_names.index("last_name"), "last_name", [["Featherstonehaugh"]]).set_column(
        one.column_names.index("first_name"), "first_name", [["Quillon"]]
    )
    Linkage(mine.home / "persons").look(changed, [], lambda: everything, state)

    cycle(mine)

    assert persons(mine)[key] != person
    assert {persons(mine)[other] for other in keys if other != key} == {person}
    assert mine.ask("select count(*) from hub.person_due") == [(0,)]


def test_killed_between_the_registry_and_the_candidates_both_agree_after_the_next_cycle(mine):
    """A decision is just that: the registry knows, and the candidates have not been told."""
    [(person,)] = mine.ask(
        "select global_participant_id from unified.unified_participants"
        " group by 1 having count(*) > 1 and min(person_confidence) < 1 order by 1 limit 1"
    )
    with closing(db.connect(mine.dsn)) as connection:
        store.decide_about(connection, "confirm", [person], by="ada", reason="seen", now=datetime.now(UTC))
    assert mine.ask("select count(*) > 0 from hub.person_due") == [(True,)]

    cycle(mine)

    assert mine.ask(
        "select distinct person_confidence from unified.unified_participants where global_participant_id = %s", person
    ) == [(1.0,)]
    assert mine.ask("select count(*) from hub.person_due") == [(0,)]


def test_what_the_gate_stopped_and_a_later_cycle_mended_is_nobodys_news(mine):
    before = persons(mine)
    _, keys = of_several(mine)
    key = next(key for key in keys if key.startswith("chronotrack/"))
    rename(mine, key)
    mine.ask(KEEP)
    mine.ask(BREAK)
    with pytest.raises(ActionNeeded, match="the gate stopped"):
        cycle(mine)
    assert mine.ask("select person_id from hub.person_records where record_key = %s", key) != [(before[key],)]
    mine.ask(MEND)
    rename(mine, key, RESTORED)

    cycle(mine, "mended")

    assert persons(mine) == before
    assert mine.ask("select * from unified.person_changes") == []


@pytest.mark.parametrize("command", ["show", "confirm", "split", "merge"])
def test_the_example_in_the_help_works(mine, command):
    help_text = mine.p88("person", command, "--help").stdout
    _, _, rest = help_text.partition("Example:")
    example = rest.partition("Options:")[0].strip()

    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{example}"], capture_output=True, text=True, check=False, timeout=120,
        env=mine.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip

    assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
    if command != "show":
        assert mine.ask("select kind from hub.person_decisions") == [(command,)]
