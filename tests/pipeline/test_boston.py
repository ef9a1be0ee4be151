"""Real results through the whole path: every row ends published or in quarantine, and the counts add up.

Runs where the folder of results is; prints and keeps no row of it. Two years, the second cut short: 2013 has splits.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import pytest

from tests.pipeline.harness import CHECKOUT, Hub, Sandbox

RESULTS = CHECKOUT.parent / "shared" / "data" / "boston"
ROWS_OF_2013 = 2_000

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not RESULTS.is_dir(), reason="../shared/data/boston is not here"),
]


class BostonHub(Hub):
    """A hub whose sandbox serves a folder of results."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment `p88` runs in."""
        return super().environment | {"P88_WORLD": str(self.folder)}


def _rows(file: Path) -> int:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text)) - 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years of results."""
    folder = tmp_path_factory.mktemp("boston")
    (folder / "2001.csv.gz").symlink_to(RESULTS / "2001.csv.gz")
    with (
        gzip.open(RESULTS / "2013.csv.gz", "rt", encoding="utf-8", newline="") as whole,
        gzip.open(folder / "2013.csv.gz", "wt", encoding="utf-8", newline="") as part,
    ):
        part.writelines(itertools.islice(whole, ROWS_OF_2013 + 1))
    return folder


@pytest.fixture(scope="module")
def boston(embedded_dsn_of_module: str, folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """A hub through which these two years have gone."""
    home = tmp_path_factory.mktemp("boston-hub") / "home"
    home.mkdir(mode=0o711)
    # It starts a sandbox of its own.
    hub = BostonHub(embedded_dsn_of_module, home, Sandbox(""))
    hub.folder = folder
    hub.p88("demo")
    yield hub
    hub.p88("sandbox", "stop")


def _one(hub: Hub, query: str) -> int:
    return int(hub.ask(query)[0][0])


def test_every_row_of_the_files_arrives_once(boston, folder):
    in_files = sum(_rows(file) for file in folder.glob("*.csv.gz"))

    refused = _one(boston, "select count(*) from raw_chronotrack.rejects where stream = 'entries'")

    assert _one(boston, "select count(*) from raw_chronotrack.entries") + refused == in_files


@pytest.mark.parametrize("relation", ["unified_participants", "unified_results"])
def test_every_row_is_published_or_in_quarantine(boston, relation):
    candidates = _one(boston, f"select count(*) from candidate.{relation}")  # noqa: S608
    published = _one(boston, f"select count(*) from unified.{relation}")  # noqa: S608
    held = _one(
        boston,
        "select count(distinct row_key) from hub.quarantine "  # noqa: S608
        f"where resolved_at is null and relation = '{relation}'",
    )

    assert published + held == candidates
    assert published > 0.99 * candidates


def test_nothing_is_unaccounted_for(boston):
    assert boston.ask("select stream, unaccounted from candidate.reconciliation where unaccounted <> 0") == []


def test_a_finish_has_its_seconds_and_a_year_with_splits_has_them(boston):
    seconds = boston.ask("select min(chip_seconds), max(chip_seconds) from unified.unified_results")
    splits = _one(
        boston,
        "select count(*) from unified.unified_results r join unified.unified_events e using (event_key) "
        "where extract(year from e.event_date) = 2013 and jsonb_array_length(r.splits) >= 8",
    )

    # Wheelchairs are the fastest.
    assert 3600 < seconds[0][0] < 3 * 3600
    assert seconds[0][1] < 12 * 3600
    assert splits > 0.9 * ROWS_OF_2013


def test_a_second_run_asks_little_and_publishes_nothing(boston):
    done = boston.p88("demo")

    assert "nothing changed, nothing published" in done.stderr
