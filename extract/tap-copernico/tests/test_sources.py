"""Every source gives the same people and times; what is assumed stands behind its own setting."""

from __future__ import annotations

import json

import pytest
from copernico_season import CopernicoTarget, expected_results
from tap_testing.runs import Run

FACTS = ("dorsal", "status", "official_ms", "real_ms", "pos", "pos_gender", "pos_category")


@pytest.mark.parametrize("source", ["athletes", "ranking_files"])
def test_athletes_and_files_tell_what_presets_do(season, run, source):
    season.quirks(rich_races=True)
    presets, other = CopernicoTarget().load(run()), CopernicoTarget().load(run(source=source))

    assert other.table("participants").keys() == presets.table("participants").keys()
    assert other.table("results").keys() == presets.table("results").keys()
    for key, row in presets.table("results").items():
        assert [other.table("results")[key][fact] for fact in FACTS] == [row[fact] for fact in FACTS]
        named = {split["name"]: split["official_ms"] for split in row["splits"]}
        assert {split["name"]: split["official_ms"] for split in other.table("results")[key]["splits"]} == named


def test_both_nestings_are_one_record(season, run):
    nested = run(source="athletes")
    season.quirks(demo_nesting=True)
    flat = run(source="athletes")
    after = run(nested.state, source="athletes")

    def records(one: Run) -> dict:
        return {(row["event_id"], row["participant_id"]): row["record"] for row in one.rows("participants")}

    assert records(nested) == records(flat)
    assert nested.rows("participants")[0]["chip"]
    assert nested.rows("participants")[0]["import_id"] is not None
    assert after.sent == {}


def test_athletes_are_asked_for_only_where_the_presets_row_moved(season, run):
    first = run(source="athletes")
    season.forget_calls()
    event_id, row = season.finisher()
    season.change("edit_entry", event_id, id=row["id"], fields={"club": "Elsewhere"})

    again = run(first.state, source="athletes")

    assert [call for call in season.calls() if "athlete" in call] == [
        call for call in season.calls() if row["id"] in call
    ]
    assert again.sent == {"participants": 1, "results": 1}
    assert again.rows("removals") == []


def test_an_athlete_who_is_gone_between_list_and_answer_is_a_removal(season, run, make_tap):
    first = run(source="athletes")
    event_id, row = season.finisher()
    season.change("delete", event_id, id=row["id"])

    again = run(first.state, source="athletes")

    assert list(again.removals("participants")) == [f"{event_id}/{row['id']}"]


def test_leaders_give_gun_times_and_places_by_gender(season, run):
    first = run(source="leaders")

    _, sent = season.finisher()
    row = first.row("results", participant_id=sent["id"])
    assert row["official_ms"] == sent["times.official_:::finish:::"]
    assert row["pos_gender"] == sent["rankings.gen_:::full-1:::"]
    assert (row["real_ms"], row["pos"]) == (None, None)
    assert len(first.rows("participants")) == len(season.rows())


def test_ranking_files_need_to_know_where_they_are(season, run):
    race = season.live()
    season.quirks(rich_races=True)
    (rich,) = [one["record"] for one in season.holds("races") if one["race_id"] == race]
    season.quirks(rich_races=False)
    told = {race: {"competition_id": rich["competitionId"], "read": rich["events"]}}

    first = run(source="ranking_files", race_map=json.dumps(told))

    assert {row["race_id"] for row in first.rows("participants")} == {race}
    assert "setting race_map" in first.error


# --- presets -----------------------------------------------------------------------------------------


def test_a_preset_that_is_too_large_is_read_by_event(season, run, target):
    season.quirks(preset_limit_bytes=13_000)
    names = {race: {"read": ["10K", "Half Marathon"]} for race in {one["race_id"] for one in season.holds("races")}}

    unknown = run()
    first = run(race_map=json.dumps(names))
    again = run(first.state)

    assert "too large (413)" in unknown.error and "race_map" in unknown.error
    assert first.error is None
    assert target.load(first).table("participants").keys() == season.rows().keys()
    # From the second run on the bookmarks know the events.
    assert again.error is None
    assert again.sent == {}


def test_a_preset_divided_by_columns_is_joined_again(season, run, target):
    season.quirks(preset_limit_bytes=13_000)

    first = run(presets="people,times", race_map=json.dumps({season.live(): {"read": ["10K", "Half Marathon"]}}))

    _, row = season.finisher()
    person = first.row("participants", participant_id=row["id"])
    assert person["record"]["Talla camiseta"]
    assert first.row("results", participant_id=row["id"])["official_ms"] == row["times.official_:::finish:::"]


def test_an_event_whose_part_is_empty_loses_nobody(season, run):
    season.quirks(preset_limit_bytes=13_000)
    names = json.dumps({one["race_id"]: {"read": ["10K", "Half Marathon"]} for one in season.holds("races")})
    first = run(race_map=names)
    season.fault("empty_answer", times=None, path_contains="full/10K")

    again = run(first.state, race_map=names)

    assert again.error is None
    assert again.rows("removals") == []


def test_a_preset_without_ids_is_read_by_bib(season, run):
    first = run(presets="basic", participant_key="dorsal")
    again = run(first.state, presets="basic", participant_key="dorsal")

    held = season.holds("preset", preset="basic")
    bibs = [(one["race_id"], one["event"], one["record"]["dorsal"]) for one in held]
    assert {row["participant_id"] for row in first.rows("participants")} == {
        f"dorsal {bib}" for _, _, bib in bibs if bib
    }
    # Who has no bib, or that of one before, cannot be told apart from others.
    rejected = len(bibs) - len({bib for bib in bibs if bib[2]})
    assert sum(reject["stream"] == "participants" for reject in first.rows("rejects")) == rejected > 0
    assert again.sent == {}
    assert again.rows("removals") == []


def test_a_preset_may_be_an_object_that_tells_the_gun(season, run):
    season.quirks(preset_object=True)

    first = run(race_ids=season.live(), api_key=None)

    assert len(first.rows("participants")) > 10
    assert {row["gun_time"] for row in first.rows("events")} == {"2026-09-19T12:30:00+00:00"}


def test_answers_that_are_compressed_without_a_word_are_read(season, run, target):
    season.quirks(unasked_gzip=True)

    first = run()

    assert first.error is None
    assert target.load(first).table("participants").keys() == season.rows().keys()


# --- the target API: assumed -------------------------------------------------------------------------


def test_the_target_api_gives_the_same_people(season, run, target):
    season.quirks(target_api=True)

    first = run(source="target_api", page_size=5)

    assert first.error is None
    held = [one["record"] for one in season.holds("brrm_participants")]
    assert sorted(row["participant_id"] for row in first.rows("participants")) == sorted(
        one["participant_id"] for one in held
    )
    assert {row["participant_id"] for row in first.rows("results")} == {
        key.rsplit("/", 1)[1] for key in expected_results(season)
    }
    assert {row["distance_m"] for row in first.rows("events")} == {10000, 21097.5}


def test_the_target_api_is_asked_for_what_was_updated_since(season, run):
    season.quirks(target_api=True)
    first = run(source="target_api")
    season.advance(minutes=30)
    second = run(first.state, source="target_api")
    season.forget_calls()
    event_id, row = season.finisher()
    season.change("edit_entry", event_id, id=row["id"], fields={"birthdate": "1990-02-03"})

    third = run(second.state, source="target_api")

    assert second.sent == {}
    assert all("updatedSince" in call for call in season.calls() if "participants" in call or "results" in call)
    assert third.sent == {"participants": 1, "results": 1}


def test_a_deleted_participant_of_the_target_api_stays_as_cancelled(season, run):
    season.quirks(target_api=True)
    first = run(source="target_api")
    season.advance(minutes=30)
    event_id, row = season.finisher()
    season.change("delete", event_id, id=row["id"])

    again = run(first.state, source="target_api")
    whole = run(again.state, source="target_api", whole_read_minutes=0)

    assert again.row("participants", participant_id=row["id"])["status"] == "cancelled"
    assert again.removals("participants") == {}
    assert [key.rsplit("/", 1)[1] for key in whole.removals("results")] == [row["id"]]


def test_the_target_api_that_is_not_there_ends_in_one_line(season, run):
    first = run(source="target_api")

    assert "not found (404)" in first.error
    assert "\n" not in first.error
