"""The benchmark of a full season, at a size that tells nothing: all rows arrive, are published, and cycles follow."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import cycle, full
from benchmarks.hub import own_hub, query


@pytest.mark.slow
def test_a_tiny_season_goes_all_the_way_and_changed_rows_are_published(tmp_path: Path):
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "1_first.sql").write_text("create table entries as select entry_id from raw_chronotrack.entries")
    (plain / "2_second.sql").write_text("create table again as select * from entries where entry_id like '%'")
    console = Console(file=io.StringIO(), width=160)

    hub = full.one_hub(console, tmp_path, 0.0005, keep=True, at_once=2, sql=plain)
    found = cycle.measure(console, tmp_path, runs=1, with_tap=False)
    with own_hub(tmp_path) as dsn:
        published = query(dsn, "select count(*) from unified.unified_participants")[0][0]
        schemas = {name for (name,) in query(dsn, "select nspname from pg_namespace")}
    text = full.tell(console, hub, {"full": found, "small": found})

    assert published == hub.counts["participants"] + hub.counts["rsu_removed"]
    assert list(hub.plain) == ["1_first", "2_second"]
    assert "plain" not in schemas
    assert found["changed_rows"]["unchanged"] == 0
    assert found["changed_rows"]["changed"] > 0
    assert "load, rows/s" in text
    assert "times that at a hundredth of the size" in text
    assert not (tmp_path / "home").exists()
