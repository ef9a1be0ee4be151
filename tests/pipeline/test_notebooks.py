"""The notebooks, run from top to bottom as they are opened: by whom, and on how much, they must not mind."""

from __future__ import annotations

import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.harness import CHECKOUT, Hub

LAB = CHECKOUT / ".venv-lab" / "bin"
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
FILL_UP, SEASON, RETURN, GATE, WHO = (path.stem for path in NOTEBOOKS)
PLOT = '<div class="jp-RenderedImage'
PUBLISHED = ("unified_events", "unified_participants", "unified_results")
SIX = ("chronotrack", "copernico", "haku", "letsdothis", "raceroster", "runsignup")
CAUGHT = {1: 3, 2: 5}
"""Rows that the gate held back this week, by partner; each has one more of last month."""

pytestmark = [
    pytest.mark.skipif(not (LAB / "jupyter").exists(), reason="the lab's environment is made by `make test`"),
    pytest.mark.slow,
]


def _read(hub: Hub, reader: str, folder: Path) -> dict[str, str]:
    """Run all notebooks as a reader and return the pages they become, by their names."""
    ((database,),) = hub.ask("select current_database()::text")
    done = subprocess.run(
        [
            str(LAB / "jupyter"), "nbconvert", "--to", "html", "--execute", "--output-dir", str(folder),
            *map(str, NOTEBOOKS),
        ],
        env=hub.environment | {
            "P88_NOTEBOOK_URL": hub.dsn, "P88_NOTEBOOK_ROLE": f"{database}_{reader}",
            "PYTHONPATH": str(CHECKOUT / "src"),
        },
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return {path.stem: html.unescape((folder / f"{path.stem}.html").read_text(encoding="utf-8")) for path in NOTEBOOKS}


def _shown(page: str) -> str:
    """Return what a page shows below its code, without its tags."""
    outputs = re.findall(r'<div class="jp-OutputArea.*?(?=<div class="jp-Cell-inputWrapper"|\Z)', page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", " ".join(outputs)).split())


@pytest.fixture(scope="module")
def caught(season: Hub, copies) -> Iterator[Hub]:
    """A hub of two providers whose gate caught something this week, of both partners."""
    with copies(season) as hub:
        for relation in PUBLISHED:
            hub.ask(
                f"update unified.{relation} set source_provider = "  # noqa: S608
                "case when source_provider in ('chronotrack', 'copernico') then 'chronotrack' else 'runsignup' end"
            )
        for partner, rows in CAUGHT.items():
            hub.ask(
                """
                insert into hub.quarantine (
                    timing_partner_id, source_provider, stage, relation, row_key, rule, reason, first_seen_at,
                    resolved_at
                )
                select
                    %s, 'runsignup', 'arrival', 'unified_participants', 'runsignup/' || %s || '/' || n,
                    'born_in_the_past', 'its birth date is in the future',
                    now() - case when n = 0 then interval '1 month' else '1 day' end, case when n = 1 then now() end
                from generate_series(0, %s) as n
                """,
                partner, partner, rows,
            )  # fmt: skip
        yield hub


@pytest.fixture(scope="module")
def six(season: Hub, copies) -> Iterator[Hub]:
    """A hub whose events are shared out among six providers."""
    with copies(season) as hub:
        for relation in PUBLISHED:
            hub.ask(
                f"""
                with shares as (
                    -- One after the other, so that each has its share of every year.
                    select event_key, row_number() over (order by event_date, event_key) as number
                    from unified.unified_events
                )

                update unified.{relation} as r set source_provider = (%s::text[])[1 + s.number %% 6]
                from shares as s where r.event_key = s.event_key
                """,  # noqa: S608
                list(SIX),
            )
        yield hub


@pytest.fixture(scope="module")
def as_analyst(caught: Hub, tmp_path_factory) -> dict[str, str]:
    return _read(caught, "analyst", tmp_path_factory.mktemp("analyst"))


@pytest.fixture(scope="module")
def as_harbour(caught: Hub, tmp_path_factory) -> dict[str, str]:
    return _read(caught, "partner_1", tmp_path_factory.mktemp("harbour"))


@pytest.fixture(scope="module")
def of_six(six: Hub, tmp_path_factory) -> dict[str, str]:
    return _read(six, "analyst", tmp_path_factory.mktemp("six"))


@pytest.fixture(scope="module")
def of_nothing(connected: Hub, copies, tmp_path_factory) -> Iterator[dict[str, str]]:
    with copies(connected) as hub:
        yield _read(hub, "analyst", tmp_path_factory.mktemp("nothing"))


@pytest.mark.parametrize("notebook", [path.stem for path in NOTEBOOKS])
def test_a_notebook_answers_its_question_with_a_plot(notebook, as_analyst, as_harbour):
    for page in (as_analyst[notebook], as_harbour[notebook]):
        assert page.count(PLOT) == (3 if notebook == WHO else 1)
        assert "There is nothing here yet" not in _shown(page)


def test_an_answer_is_the_one_that_the_published_rows_give(caught, as_analyst):
    ((entries, finishes),) = caught.ask(
        """
        select count(*), (
            select count(*) from unified.unified_results join unified.unified_events using (event_key)
            where unified_results.status = 'finished' and extract(year from event_date) = 2026
        )
        from unified.unified_participants join unified.unified_events using (event_key)
        where extract(year from event_date) = 2026
        """
    )

    assert f"2026 has {entries:,} entries and {finishes:,} finishes in" in _shown(as_analyst[SEASON])
    assert "No day of registration is known from chronotrack." in _shown(as_analyst[FILL_UP])
    assert re.search(
        r"Of \d+ people who entered in 2026, \d+ \(\d+ %\) had entered in an earlier", _shown(as_analyst[RETURN])
    )


def test_people_and_what_is_to_be_looked_at_are_the_published_ones(caught, as_analyst, as_harbour):
    people = caught.ask(
        """
        select count(distinct (p.timing_partner_id, p.global_participant_id)),
            count(distinct p.global_participant_id) filter (where p.timing_partner_id = 1)
        from unified.unified_participants as p join unified.unified_events as e using (event_key)
        where not p.is_removed and e.event_date is not null
        """
    )
    ((least, partner),) = caught.ask(
        """
        select global_participant_id, timing_partner_id from unified.unified_participants where not is_removed
        group by 1, 2 having count(*) > 1 and min(person_confidence) < 1 order by min(person_confidence), 2, 1 limit 1
        """
    )

    for page, number in zip((as_analyst[WHO], as_harbour[WHO]), people[0], strict=True):
        assert f"entries are of {number:,} people" in _shown(page)
    assert f"For the first of them: p88 person show {least}" in _shown(as_analyst[WHO])
    assert partner == 1 or least not in as_harbour[WHO]


def test_a_partner_s_reader_is_told_of_its_own_rows_only(as_analyst, as_harbour):
    everybody, own = CAUGHT[1] + CAUGHT[2], CAUGHT[1]

    assert f"{everybody} rows were caught in the last 7 days; {everybody - 2} are still" in _shown(as_analyst[GATE])
    assert f"{own} rows were caught in the last 7 days; {own - 1} are still" in _shown(as_harbour[GATE])
    assert "for 2 timing partners." in _shown(as_analyst[SEASON])
    assert "for 1 timing partner." in _shown(as_harbour[SEASON])


@pytest.mark.parametrize("notebook", [FILL_UP, SEASON])
def test_a_notebook_shows_as_many_providers_as_there_are(notebook, of_six, as_analyst):
    assert [name for name in SIX if name not in _shown(of_six[notebook])] == []
    assert "haku" not in _shown(as_analyst[notebook])


@pytest.mark.parametrize("notebook", [path.stem for path in NOTEBOOKS])
def test_in_an_empty_hub_a_notebook_says_so(notebook, of_nothing):
    assert re.search("[Nn]othing has been published", _shown(of_nothing[notebook]))
    assert PLOT not in of_nothing[notebook]


@pytest.mark.parametrize("notebook", [path.stem for path in NOTEBOOKS])
def test_a_notebook_reads_published_relations_only(notebook):
    text = (CHECKOUT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8")

    assert not re.search(r"\b(hub|candidate|staging|intermediate|raw_\w+)\.\w", text)


def test_notebooks_are_kept_without_outputs():
    done = subprocess.run(
        [str(LAB / "nbstripout"), "--verify", *map(str, NOTEBOOKS)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
