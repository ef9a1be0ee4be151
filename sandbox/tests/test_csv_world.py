"""A folder of result CSVs as a timing partner's seasons."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BOSTON = ROOT.parent / "shared" / "data" / "boston"

HEADER = "division,name,city,gender,age,official,bib,overall,state,genderdiv,net,country\n"
ROWS_2019 = [
    '1 / 2,"Okonkwo-Reyes, Imani J.",Moorestown,F,34,132.50,147,2 / 3,NJ,1 / 1,131.92,USA',
    '1 / 2,"Abernathy, Bill",Beacon,M,40,120.00,W1,1 / 3,NY,1 / 2,119.98,USA',
    '2 / 2,"Li, Wei",,M,51,-,147,3 / 3,,2 / 2,-,CHN',
]
HEADER_2020 = "age,name,division,10k,gender,half,official,bib,ctz,country,overall,pace,state,5k,genderdiv,city,40k\n"
ROWS_2020 = ['28,"Søren ""Sø"", Åsa",9,40.10,F,-,180.25,F1,,SWE,1,6.9,,20.00,1,Malmö,170.5']


@pytest.fixture
def folder(tmp_path: Any) -> Any:
    (tmp_path / "2019.csv").write_text(HEADER + "\n".join(ROWS_2019) + "\n", encoding="utf-8")
    with gzip.open(tmp_path / "2020.csv.gz", "wt", encoding="utf-8") as file:
        file.write(HEADER_2020 + "\n".join(ROWS_2020) + "\n")
    return tmp_path


@pytest.fixture
def seasons(starting: Any, folder: Any) -> Any:
    return starting("--world", str(folder))


def test_only_one_timing_account_is_offered(seasons: Any) -> None:
    assert [(c["provider"], c["timing_partner_id"], c["slug"]) for c in seasons.connections] == [
        ("chronotrack", 1, "harbour")
    ]


def test_a_file_is_an_event_with_one_race_and_one_entry_a_row(seasons: Any) -> None:
    events = seasons.ct_rows("/event")
    entries = seasons.ct_rows(f"/event/{events[0]['event_id']}/entry")

    assert [e["event_name"] for e in events] == ["Boston Marathon 2019", "Boston Marathon 2020"]
    assert events[0]["event_start_time"] == "1555336800"  # Patriots' Day, 10:00 in Boston
    assert [len(seasons.ct_rows(f"/event/{e['event_id']}/race")) for e in events] == [1, 1]
    assert [(e["athlete_first_name"], e["athlete_last_name"], e["entry_bib"]) for e in entries] == [
        ("Imani J.", "Okonkwo-Reyes", "147"),
        ("Bill", "Abernathy", "W1"),
        ("Wei", "Li", "147"),
    ]
    assert len({e["entry_id"] for e in entries}) == 3


def test_times_are_texts_in_order_of_rank_and_a_dash_is_empty(seasons: Any) -> None:
    event = seasons.ct_rows("/event")[0]["event_id"]

    rows = seasons.ct_rows(f"/event/{event}/results", interval="ALL", size=2)

    assert [(r["results_bib"], r["results_rank"], r["results_gun_time"], r["results_time"]) for r in rows] == [
        ("W1", "1", "02:00:00", "01:59:59"),
        ("147", "2", "02:12:30", "02:11:55"),
        ("147", "3", "", ""),
    ]
    assert rows == seasons.holds("chronotrack", 1, "results")[:3]


def test_splits_come_as_intervals_where_the_file_has_them(seasons: Any) -> None:
    event = seasons.ct_rows("/event")[1]["event_id"]

    rows = seasons.ct_rows(f"/event/{event}/results", interval="ALL")

    assert [(r["results_interval_name"], r["results_time"], r["results_gun_time"]) for r in rows] == [
        ("5K Split", "00:20:00", ""),
        ("10K Split", "00:40:06", ""),
        ("Half Split", "", ""),
        ("40K Split", "02:50:30", ""),
        ("Full Course", "03:00:15", ""),
    ]
    assert rows[0]["results_last_name"] == 'Søren "Sø"'


def test_rows_can_be_changed_and_deleted_by_control(seasons: Any) -> None:
    event = seasons.ct_rows("/event")[0]["event_id"]
    one = seasons.ct_rows(f"/event/{event}/entry")[1]["entry_id"]

    seasons.change("edit_entry", "chronotrack", event, id=one, fields={"athlete_first_name": "William"})
    assert seasons.ct_rows(f"/event/{event}/results")[0]["results_first_name"] == "William"
    seasons.change("delete", "chronotrack", event, id=one)
    assert len(seasons.ct_rows(f"/event/{event}/entry")) == 2
    assert len(seasons.ct_rows(f"/event/{event}/results")) == 2


def test_a_mapping_beside_the_files_names_other_columns(starting: Any, tmp_path: Any) -> None:
    (tmp_path / "spring.csv").write_text("No,First,Last,Time\n12,Ana,Moreau,1:02:03.4\n", encoding="utf-8")
    (tmp_path / "world.toml").write_text(
        '[event]\nname = "Spring {stem}"\nrace = "10K"\nmetres = 10000\nzone = "Europe/London"\n'
        '[files."spring.csv"]\ndate = 2024-03-31\n'
        '[columns]\nbib = "No"\nfirst_name = "First"\nlast_name = "Last"\ngun_time = "Time"\n'
        '[times]\nstyle = "clock"\nonly_one_is = "gun"\n',
        encoding="utf-8",
    )

    other = starting("--world", str(tmp_path))

    (event,) = other.ct_rows("/event")
    (row,) = other.ct_rows(f"/event/{event['event_id']}/results")
    assert (event["event_name"], event["event_start_time"]) == ("Spring spring", "1711872000")
    assert (row["results_gun_time"], row["results_time"], row["results_last_name"]) == ("01:02:03", "", "Moreau")


def test_files_nobody_can_read_are_refused_in_one_line(tmp_path: Any) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "sandbox.server", "--world", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 2
    assert "a.csv: no mapping fits its columns" in done.stderr.splitlines()[-1]


@pytest.mark.shared
@pytest.mark.skipif(not BOSTON.is_dir(), reason="../shared/data/boston is not there")
def test_boston_serves_every_finisher_of_fourteen_years(starting: Any) -> None:
    boston = starting("--world", str(BOSTON))

    events = boston.ct_rows("/event")
    counts = [int(boston.ct(f"/event/{e['event_id']}/entry", size=1).headers["X-Ctlive-Row-Count"]) for e in events]
    last = events[-1]["event_id"]
    page = boston.ct(f"/event/{last}/results", size=1000, page=280, interval="ALL")

    assert len(events) == 14
    assert sum(counts) == 280_893
    assert page.headers["X-Ctlive-Row-Count"] == str(31_984 * 9)
    assert len(page.json()["event_results"]) == 1000
