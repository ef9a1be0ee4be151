"""How time and memory of the linkage grow with the records: a process of its own for each piece of work.

`python -m benchmarks.identity --scale` runs it; `python -m benchmarks.identity_scale make FOLDER` and `add FOLDER` are the
pieces, which read what lies in the folder and print what they took as JSON.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.identity_people import entries
from benchmarks.measure import wait
from project88 import identity, settings

SIZES = (100_000, 300_000, 1_000_000, 2_400_000)
# So many are added to those that are linked: half of them new, half of them changed.
ADDED = 1_000
MEMORY = "3GB"


@dataclass
class Piece:
    """What a piece of work took, and what it told."""

    seconds: float
    cpu: float
    peak: int
    told: dict[str, Any]


def run(what: str, folder: Path) -> Piece:
    """Do a piece of work in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.identity_scale", what, str(folder)]
    with subprocess.Popen(command, cwd=settings.CHECKOUT, stdout=subprocess.PIPE) as child:
        assert child.stdout
        text = child.stdout.read()
        ended = wait(child)
    if ended.code:
        raise RuntimeError(f"{what} ended with {ended.code}")
    told = json.loads(text)
    return Piece(told.pop("seconds"), ended.cpu, ended.peak, told)


def people(folder: Path, count: int) -> None:
    """Write the records to be linked first, those to be added, and who they all are."""
    table, truth = entries(count + ADDED // 2)
    old, new = table.slice(0, table.num_rows - ADDED // 2), table.slice(table.num_rows - ADDED // 2)
    changed = old.slice(0, ADDED // 2)
    changed = changed.set_column(
        changed.column_names.index("bib"), "bib", pc.binary_join_element_wise(changed["bib"], "9", "")
    )
    pq.write_table(old, folder / "records.parquet")
    pq.write_table(pa.concat_tables([new, changed]), folder / "added.parquet")
    pq.write_table(pa.table({"record_id": table["record_id"], "truth": truth}), folder / "truth.parquet")


def pairs(sizes: pd.Series) -> float:
    """Return how many pairs groups of these sizes hold."""
    return float((sizes * (sizes - 1) // 2).sum())


def right(truth: Any, found: Any) -> tuple[float, float]:
    """Return precision and recall of pairs."""
    frame = pd.DataFrame({"t": pd.factorize(np.asarray(truth))[0], "f": pd.factorize(np.asarray(found))[0]})
    both = pairs(frame.groupby(["t", "f"]).size())
    return both / max(pairs(frame.groupby("f").size()), 1), both / max(pairs(frame.groupby("t").size()), 1)


def quality(folder: Path) -> dict[str, float]:
    """Return how right the groups are, of each timing partner and over all."""
    found = (
        pq.read_table(folder / "groups.parquet").to_pandas().merge(pq.read_table(folder / "truth.parquet").to_pandas())
    )
    partner = found["record_id"].str.partition("/")[0]
    near = right(partner + "/" + found["truth"].astype(str), found["group"])
    far = right(found["truth"], found["wide_group"])
    return {"precision": near[0], "recall": near[1], "wide_precision": far[0], "wide_recall": far[1]}


def measure(folder: Path, count: int) -> tuple[Piece, Piece, dict[str, float]]:
    """Return what linking `count` entries took, what adding a thousand took, and how right the groups are."""
    folder.mkdir()
    try:
        people(folder, count)
        made = run("make", folder)
        added = run("add", folder)
        return made, added, quality(folder)
    finally:
        shutil.rmtree(folder)


def main(what: str, folder: Path) -> None:
    """Do one piece of work."""
    if what == "make":
        records = pq.read_table(folder / "records.parquet")
        began = time.perf_counter()

        def say(text: str) -> None:
            used = f"{time.perf_counter() - began:7.1f} s, {time.process_time():7.1f} s of processor time"
            print(f"  {used}: {text}", file=sys.stderr, flush=True)

        with identity.Base.make(folder / "base", records, within=("timing_partner",), memory=MEMORY, say=say) as base:
            seconds = time.perf_counter() - began
            file = (folder / "base" / "identity.duckdb").stat().st_size
            del records
            pq.write_table(base.found().groups, folder / "groups.parquet")
        print(json.dumps({"seconds": seconds, "file": file}))
    else:
        records = pq.read_table(folder / "added.parquet")
        began = time.perf_counter()
        with identity.Base.open(folder / "base", memory=MEMORY) as base:
            opened = time.perf_counter() - began
            groups = base.add(records).groups
        print(json.dumps({"seconds": time.perf_counter() - began, "opened": opened, "touched": groups.num_rows}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
