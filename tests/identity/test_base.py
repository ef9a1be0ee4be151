"""Records that are kept linked: adding a few gives what linking all at once gives, and nothing is ever half done."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.identity_people import entries
from project88 import identity
from project88.errors import ActionNeeded
from project88.identity import profiles
from project88.identity.columns import as_arrow
from tests.identity.test_stories import ONE_PERSON, PARTED, SEPARATE
from tests.identity.town import strangers

Pairs = set[tuple[str, str]]
ADA = {"first_name": "Ada", "last_name": "Quillfeather", "birth_date": "1984-03-07", "city": "Beacon"}


@pytest.fixture(scope="module")
def season() -> pa.Table:
    """Return entries of some seasons, with all that goes wrong with names, dates and places."""
    return entries(3_000, seed=5)[0]


@pytest.fixture(scope="module")
def at_once(season: pa.Table) -> identity.Linked:
    """Link them all."""
    return identity.link(season)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[identity.Base]:
    """Return a base of strangers."""
    with identity.Base.make(tmp_path / "base", strangers(60)) as made:
        yield made


def groups_of(table: pa.Table, group: str = "group") -> dict[str, str]:
    """Return the group of each record."""
    return dict(zip(table.column("record_id").to_pylist(), table.column(group).to_pylist(), strict=True))


def pairs_of(groups: dict[str, str]) -> Pairs:
    """Return the pairs of records that are in one group."""
    members: dict[str, list[str]] = {}
    for record, group in sorted(groups.items()):
        members.setdefault(group, []).append(record)
    return {pair for held in members.values() for pair in itertools.combinations(held, 2)}


def alike(one: Pairs, two: Pairs) -> float:
    """Return the share of pairs that both have."""
    return len(one & two) / len(one | two)


def told(records: list[dict[str, Any]]) -> pa.Table:
    """Return records as a table."""
    return as_arrow(records)


# -- the same as at once -------------------------------------------------------------------------------------------


# With the small one, the season is a large scope, of whose common values nothing is counted again.
@pytest.mark.parametrize(("seed", "large", "common"), [(1, profiles.LARGE, profiles.COMMON), (2, 500, 5)])
def test_adding_in_pieces_in_any_order_gives_the_pairs_of_linking_at_once(
    seed: int, large: int, common: int, season: pa.Table, at_once: identity.Linked, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(profiles, "LARGE", large)
    monkeypatch.setattr(profiles, "COMMON", common)
    rows = list(range(season.num_rows))
    random.Random(seed).shuffle(rows)
    known: dict[str, str] = {}
    entry = dict(zip(season.column("record_id").to_pylist(), season.column("event").to_pylist(), strict=True))

    with identity.Base.make(tmp_path, season.take(rows[:1_500])) as base:
        known |= groups_of(base.found().groups)
        for start in range(1_500, len(rows), 500):
            # What is told of each step is enough to keep up with it.
            known |= groups_of(base.add(season.take(rows[start : start + 500])).groups)
            # Each has a bib of its own, so two entries of one event are two people.
            assert max(Counter((group, entry[record]) for record, group in known.items()).values()) == 1
        found = base.found().groups

    expected = pairs_of(groups_of(at_once.persons, "person_id"))
    assert alike(pairs_of(groups_of(found)), expected) >= 0.99
    assert known == groups_of(found)
    assert len(expected) > 1_000


STORIES = {**ONE_PERSON, **SEPARATE, **{name: records for name, (records, _) in PARTED.items()}}


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_every_story_ends_the_same_when_it_is_told_record_by_record(backward: bool, tmp_path: Path) -> None:
    tales = {
        name: [{"record_id": f"{name}-{n}", **one} for n, one in enumerate(records)]
        for name, records in STORIES.items()
    }
    columns = dict.fromkeys(key for tale in tales.values() for record in tale for key in record)
    most = max(map(len, tales.values()))
    whole = groups_of(identity.link([*strangers(), *itertools.chain(*tales.values())]).persons, "person_id")

    with identity.Base.make(
        tmp_path, told([*strangers(), dict.fromkeys(columns) | {"record_id": "x", "event_date": "2026-05-02"}])
    ) as base:
        for n in reversed(range(most)) if backward else range(most):
            base.add(told([tale[n] for tale in tales.values() if n < len(tale)]))
        found = groups_of(base.found().groups)

    for name, tale in tales.items():
        ids = [one["record_id"] for one in tale]
        assert pairs_of({one: found[one] for one in ids}) == pairs_of({one: whole[one] for one in ids}), name


# -- twice, changed, gone ------------------------------------------------------------------------------------------


def test_adding_a_record_twice_changes_nothing(base: identity.Base) -> None:
    new = [
        {"record_id": "ada", **ADA, "event": "spring", "bib": "12"},
        {"record_id": "ada-again", **ADA, "event": "autumn", "bib": "7"},
        {"record_id": "anon", "full_name": "Anonymous"},
    ]
    first = base.add(told(new))
    before = base.found()

    again = base.add(told(new))

    assert groups_of(first.groups) == {"ada": "ada", "ada-again": "ada", "anon": "anon"}
    assert again.groups.num_rows == again.links.num_rows == 0
    after = base.found()
    assert after.groups.equals(before.groups)
    assert after.links.equals(before.links)


def test_a_changed_record_leaves_its_group_and_joins_another(base: identity.Base) -> None:
    otto = {"first_name": "Otto", "last_name": "Farrowdale", "birth_date": "1971-01-02", "city": "Beacon"}
    base.add(told([{"record_id": "1", **ADA}, {"record_id": "2", **ADA}, {"record_id": "3", **otto}]))

    found = base.add(told([{"record_id": "2", **otto}]))

    assert groups_of(found.groups) == {"1": "1", "2": "2", "3": "2"}


def test_a_record_that_held_two_together_is_removed(base: identity.Base) -> None:
    mail, phone = {"email": "henrike@example.org"}, {"phone": "+1 845 220 1188"}
    one = {"first_name": "Henrike", "last_name": "Oldenbruch", "birth_date": "1984-03-07"}
    two = {"first_name": "Henrike", "last_name": "Vandermeer", "birth_date": "1984-03-07"}
    base.add(
        told(
            [
                {"record_id": "1", **one},
                {"record_id": "2", **two, **mail, **phone},
                {"record_id": "3", **one, **mail, **phone},
            ]
        )
    )
    assert {groups_of(base.found().groups)[one] for one in "123"} == {"1"}

    found = base.remove(["3", "nobody has this id"])

    assert groups_of(found.groups) == {"1": "1", "2": "2"}
    assert base.records == len(strangers(60)) + 2
    assert base.remove(["3"]).groups.num_rows == 0


def test_what_is_erased_is_not_in_the_file(base: identity.Base) -> None:
    base.add(told([{"record_id": "ada", **ADA, "email": "quillfeather@example.org"}]))
    assert base.folder
    file = base.folder / "identity.duckdb"
    base.close()
    assert b"quillfeather" in file.read_bytes()
    base = identity.Base.open(file.parent)

    base.remove(["ada"], erase=True)

    assert base.records == len(strangers(60))
    base.add(told([{"record_id": "otto", **ADA, "first_name": "Otto", "last_name": "Farrowdale"}]))
    base.close()
    assert [one.name for one in file.parent.iterdir() if b"quillfeather" in one.read_bytes()] == []


def test_a_new_surname_takes_no_older_record_away_that_tells_an_age_in_place_of_a_birth_date(
    base: identity.Base,
) -> None:
    christina = {"first_name": "Christina", "city": "Astoria", "region": "OR"}
    born = {"birth_date": "1970-07-16", "email": "christina.g@example.org"}
    before = [
        {"record_id": "born", **christina, **born, "last_name": "Gallaghan", "event_date": "2019-06-30"},
        {"record_id": "aged", **christina, "last_name": "Gallaghan", "age": "49", "event_date": "2020-06-30"},
    ]
    assert groups_of(base.add(told(before)).groups) == dict.fromkeys(("aged", "born"), "aged")

    base.add(told([{"record_id": "wed", **christina, **born, "last_name": "Vosburgh", "event_date": "2022-06-30"}]))

    found = groups_of(base.found().groups)
    assert {found[key] for key in ("aged", "born", "wed")} == {"aged"}


def test_an_id_that_is_there_twice_changes_nothing(base: identity.Base) -> None:
    before = base.found().groups

    with pytest.raises(ActionNeeded, match="record_id is not unique: ada"):
        base.add(told([{"record_id": "ada", **ADA}, {"record_id": "ada", **ADA}]))

    assert base.found().groups.equals(before)


def test_a_base_of_nothing_can_be_added_to(tmp_path: Path) -> None:
    nothing = pa.table({name: pa.array([], pa.string()) for name in ("record_id", *ADA, "timing_partner")})

    with identity.Base.make(tmp_path, nothing, within=("timing_partner",)) as base:
        assert base.add(nothing).groups.num_rows == 0
        # Without a partner: those are a scope of their own.
        records = [("1", None), ("2", None), ("3", "7"), ("4", "7")]
        found = base.add(told([{"record_id": one, "timing_partner": partner, **ADA} for one, partner in records]))

    assert groups_of(found.groups) == {"1": "1", "2": "1", "3": "3", "4": "3"}
    assert groups_of(found.groups, "wide_group") == dict.fromkeys("1234", "1")


# -- scopes --------------------------------------------------------------------------------------------------------


def test_each_scope_is_linked_as_if_it_were_alone(season: pa.Table, tmp_path: Path) -> None:
    partners = season.column("timing_partner").to_pylist()

    with identity.Base.make(tmp_path, season, within=("timing_partner",)) as base:
        found, parameters = base.found(), base.parameters
    confidence = dict(zip(found.groups["record_id"].to_pylist(), found.groups["confidence"].to_pylist(), strict=True))

    for partner in ("1", "7"):
        alone = identity.link(season.filter([one == partner for one in partners]), parameters=parameters).persons
        expected = groups_of(alone, "person_id")
        assert pairs_of({one: groups_of(found.groups)[one] for one in expected}) == pairs_of(expected)
        assert [confidence[one] for one in expected] == alone.column("confidence").to_pylist()


def test_what_others_add_changes_nothing_of_a_scope(season: pa.Table, tmp_path: Path) -> None:
    partners = season.column("timing_partner").to_pylist()
    mine, others = (season.filter([(one == "1") is is_mine for one in partners]) for is_mine in (True, False))
    theobald = {"first_name": "Theobald", "last_name": "Grimsdyke", "city": "Beacon"}

    def with_him(table: pa.Table, *told_of: tuple[str, int, str]) -> pa.Table:
        """Add entries: record_id, age, day."""
        him = [
            {**theobald, "record_id": one, "timing_partner": one[0], "age": str(age), "event_date": day}
            for one, age, day in told_of
        ]
        return pa.concat_tables([table, pa.Table.from_pylist(him)], promote_options="default")

    with identity.Base.make(
        tmp_path,
        with_him(mine.slice(0, 300), ("1/a", 40, "2024-05-04"), ("1/b", 41, "2025-05-03")),
        within=("timing_partner",),
    ) as base:
        # A namesake, who makes the name less rare. As he is not like the two, their link waits for its next look.
        base.add(with_him(mine.slice(300), ("1/c", 75, "2025-05-03")))
        before = base.found().groups
        base.add(with_him(others, ("2/a", 40, "2024-06-04")))
        after = base.found().groups

    is_mine = [one.startswith("1/") for one in after.column("record_id").to_pylist()]
    seen = ["record_id", "group", "confidence"]
    assert after.filter(is_mine).select(seen).equals(before.select(seen))
    assert groups_of(after)["1/b"] == "1/a"
    met = {group for one, group in groups_of(after, "wide_group").items() if not one.startswith("1/")}
    assert len([one for one in met if one.startswith("1/")]) > 20


def test_across_scopes_whole_groups_are_joined(season: pa.Table, at_once: identity.Linked, tmp_path: Path) -> None:
    with identity.Base.make(tmp_path, season.slice(0, 2_000), within=("timing_partner",)) as base:
        for start in range(2_000, season.num_rows, 500):
            base.add(season.slice(start, 500))
        found = base.found()

    near, far = groups_of(found.groups), groups_of(found.groups, "wide_group")
    assert all(one.split("/")[0] == group.split("/")[0] for one, group in near.items())
    assert all(far[one] == far[group] for one, group in near.items())
    assert len(pairs_of(far)) > 1.2 * len(pairs_of(near))
    assert alike(pairs_of(far), pairs_of(groups_of(at_once.persons, "person_id"))) > 0.9
    across = [one for one in found.links.to_pylist() if one["across"]]
    assert across
    assert all(one["record_id"].split("/")[0] != one["other_record_id"].split("/")[0] for one in across)


def test_across_scopes_no_group_is_torn_or_contradicts_itself(tmp_path: Path) -> None:
    son = {
        "first_name": "Theobald",
        "last_name": "Grimsdyke",
        "city": "Beacon",
        "region": "NY",
        "birth_date": "1987-04-02",
    }
    records: list[dict[str, Any]] = [
        {"record_id": "a1", "timing_partner": "a", **son},
        {"record_id": "a2", "timing_partner": "a", **son, "city": "Duluth", "region": "MN"},
        {"record_id": "b1", "timing_partner": "b", **son},
        {"record_id": "b2", "timing_partner": "b", **son, "birth_date": "1955-08-19"},
        {"record_id": "c1", "timing_partner": "c", **{**son, "birth_date": None}},
    ]

    with identity.Base.make(tmp_path, told(strangers() + records), within=("timing_partner",)) as base:
        found = base.found().groups

    assert {one: group for one, group in groups_of(found).items() if len(one) == 2} == {
        "a1": "a1", "a2": "a1", "b1": "b1", "b2": "b2", "c1": "c1",
    }  # fmt: skip
    assert {one: group for one, group in groups_of(found, "wide_group").items() if len(one) == 2} == {
        "a1": "a1", "a2": "a1", "b1": "a1", "b2": "b2", "c1": "c1",
    }  # fmt: skip


# -- kept ----------------------------------------------------------------------------------------------------------


def test_parameters_survive_as_json(base: identity.Base, tmp_path: Path) -> None:
    text = json.dumps(base.parameters.to_dict())

    parameters = identity.Parameters.from_dict(json.loads(text))

    with identity.Base.make(tmp_path / "second", strangers(60), parameters=parameters) as second:
        assert second.parameters == base.parameters
        assert second.found().groups.equals(base.found().groups)


def test_parameters_of_other_fields_are_refused(base: identity.Base) -> None:
    other = base.parameters.to_dict()
    other["same"] = {**other["same"], "birth": [0.5, 0.5]}

    with pytest.raises(ActionNeeded, match="another version's"):
        identity.Parameters.from_dict(other)


def test_what_was_kept_is_there_after_opening_it_again(base: identity.Base) -> None:
    base.add(told([{"record_id": "ada", **ADA}]))
    before = base.found()
    base.close()
    assert base.folder

    with identity.Base.open(base.folder) as opened:
        assert opened.found().groups.equals(before.groups)
        assert groups_of(opened.add(told([{"record_id": "bea", **ADA}])).groups) == {"ada": "ada", "bea": "ada"}


def test_nothing_kept_another_version_and_damage_are_told_with_the_way_out(base: identity.Base, tmp_path: Path) -> None:
    with pytest.raises(ActionNeeded, match="make it again"):
        identity.Base.open(tmp_path / "nowhere")
    assert base.folder
    base.close()
    file = base.folder / "identity.duckdb"
    with duckdb.connect(str(file)) as db:
        db.execute("update about set value = '0' where name = 'format'")
    with pytest.raises(ActionNeeded, match=r"another version .*make it again"):
        identity.Base.open(base.folder)
    file.write_bytes(b"not a database" * 1_000)
    with pytest.raises(ActionNeeded, match="make it again"):
        identity.Base.open(base.folder)

    with identity.Base.make(base.folder, strangers(60)) as again:
        assert again.records == len(strangers(60))


def test_what_an_ended_process_left_is_no_part_of_a_new_base(base: identity.Base) -> None:
    assert base.folder
    base.close()
    code = (
        f"import os; from project88.identity import Base; base = Base.open({str(base.folder)!r})\n"
        f"base.add([{{'record_id': 'ada', **{ADA!r}}}]); os._exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7
    assert (base.folder / "identity.duckdb.wal").exists()
    (base.folder / ".making-before").mkdir()

    with identity.Base.make(base.folder, strangers(30)) as again:
        assert again.records == len(strangers(30))
        assert [one.name for one in base.folder.iterdir() if one.name.startswith(".making")] == []


def test_a_file_that_another_process_has_open_is_told(base: identity.Base) -> None:
    code = f"from project88.identity import Base; Base.open({str(base.folder)!r})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "another process has it open" in done.stderr


def test_a_kill_leaves_the_old_or_the_new(season: pa.Table, tmp_path: Path) -> None:
    """A process that adds is killed at some moment of it, several times; each time all or nothing of it was kept."""
    folder, file = tmp_path / "base", tmp_path / "more.parquet"
    pq.write_table(season.slice(1_000, 600), file)
    with identity.Base.make(folder, season.slice(0, 1_000)) as base:
        old = groups_of(base.found().groups)
    code = (
        "import sys, pyarrow.parquet as pq; from project88.identity import Base\n"
        f"base = Base.open({str(folder)!r}); more = pq.read_table({str(file)!r})\n"
        "print('adding', flush=True); base.add(more); print('added', flush=True)"
    )
    seen = set()

    for wait in (0.0, 0.4, 1.0, None):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "adding\n"
            if wait is None:
                assert process.stdout.readline() == "added\n"
            else:
                time.sleep(wait)
            os.kill(process.pid, signal.SIGKILL)
        with identity.Base.open(folder) as base:
            found = groups_of(base.found().groups)
        assert len(found) in (1_000, 1_600)
        if len(found) == 1_000:
            assert found == old
        seen.add(len(found))

    assert 1_600 in seen
