"""How often the linkage is right: FEBRL 1 to 4, the sandbox's season, Boston; beside other ways, on the same records.

`make bench-identity`, or `python -m benchmarks.identity --sets febrl4 --ways project88`. Nothing is set per data set.
`--scale` measures time and memory instead, on invented people (`identity_people`), at each size given.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from rich.console import Console

from benchmarks import identity_scale
from benchmarks.measure import MEGABYTE
from benchmarks.report import machine, replace_section, show, terminal
from project88 import identity, settings

BENCH_PYTHON = settings.CHECKOUT / ".venv-bench" / "bin" / "python"
BOSTON = settings.CHECKOUT.parent / "shared" / "data" / "boston"
GENERATION = 18
# What must be reached: the measure, of which set.
NEEDED = {
    ("febrl4, all fields", "f1"): 0.995,
    ("febrl4, race-like", "f1"): 0.98,
    ("sandbox", "precision"): 0.998,
    ("sandbox", "recall"): 0.95,
    ("boston", "whole"): 0.99,
    ("boston", "split"): 0.97,
}
RACE_LIKE = {
    "first_name": "given_name",
    "last_name": "surname",
    "birth_date": "date_of_birth",
    "city": "suburb",
    "region": "state",
}


@dataclass
class Sample:
    """Records in the linkage's columns, and who each really is where that is known."""

    name: str
    records: pd.DataFrame
    truth: pd.Series | None = None


# -- the samples ---------------------------------------------------------------------------------------------------


def febrl(folder: Path, number: int) -> Iterator[Sample]:
    """Yield one of FEBRL's sets, with all fields and with race-like ones only."""
    file = folder / f"febrl{number}.parquet"
    if not file.exists():
        others({"way": "febrl", "folder": str(folder)}, folder)
    given = pd.read_parquet(file)
    truth = given["rec_id"].str.extract(r"rec-(\d+)-")[0]
    race_like = pd.DataFrame(
        {"record_id": given["rec_id"]} | {ours: given[theirs] for ours, theirs in RACE_LIKE.items()}
    )
    street = given["street_number"].fillna("") + " " + given["address_1"].fillna("")
    whole = race_like.assign(postcode=given["postcode"], address=street.str.strip(), member_id=given["soc_sec_id"])
    yield Sample(f"febrl{number}, all fields", whole, truth)
    yield Sample(f"febrl{number}, race-like", race_like, truth)


class Season:
    """The sandbox's season over HTTP: entries as two providers tell of them, and the person behind each."""

    def __init__(self, folder: Path, size: str) -> None:
        """Start the sandbox."""
        file = folder / "sandbox.url"
        command = [
            sys.executable,
            "-m",
            "sandbox.server",
            "--size",
            size,
            "--port-file",
            str(file),
            "--providers",
            "runsignup,chronotrack",
        ]
        self.process = subprocess.Popen(command, cwd=settings.CHECKOUT, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        self.url = file.read_text(encoding="utf-8").strip()

    def close(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(30)

    def ask(self, path: str) -> list[dict[str, Any]]:
        """Return what a control endpoint lists."""
        import requests

        answer = requests.get(f"{self.url}/control/{path}", timeout=600)
        answer.raise_for_status()
        return list(answer.json())

    def sample(self) -> Sample:
        """Return all entries of both partners at both providers."""
        rows = [row for partner in (1, 2) for row in (*self._runsignup(partner), *self._chronotrack(partner))]
        records = pd.DataFrame(rows)
        known = {
            f"{one['provider']}/{one['timing_partner_id']}/{one['id']}": one["person_id"] for one in self.ask("truth")
        }
        truth = records["record_id"].map(known)
        told = truth.notna()
        return Sample("sandbox", records[told].reset_index(drop=True), truth[told].reset_index(drop=True))

    def _runsignup(self, partner: int) -> Iterator[dict[str, Any]]:
        day = {
            str(event["record"]["event_id"]): datetime.strptime(event["record"]["start_time"], "%m/%d/%Y %H:%M").date()  # noqa: DTZ007
            for event in self.ask(f"holds/runsignup/{partner}/events?context=1")
        }
        for stream in ("participants", "removed_participants"):
            for one in self.ask(f"holds/runsignup/{partner}/{stream}?context=1"):
                record, event = one["record"], str(one.get("event_id") or one["record"].get("event_id"))
                user = record["user"]
                yield {
                    "record_id": f"runsignup/{partner}/{record['registration_id']}",
                    **{name: user[name] for name in ("first_name", "middle_name", "last_name", "email", "gender", "phone")},
                    "birth_date": user["dob"], "age": record["age"], "event_date": str(day.get(event, "")),
                    "city": user["address"]["city"], "region": user["address"]["state"],
                    "country": user["address"]["country_code"], "postcode": user["address"]["zipcode"],
                    "address": user["address"]["street"], "club": record.get("team_name"), "bib": record.get("bib_num"),
                    "event": f"{partner}/{event}", "provider": "runsignup",
                }  # fmt: skip

    def _chronotrack(self, partner: int) -> Iterator[dict[str, Any]]:
        day = {}
        for event in self.ask(f"holds/chronotrack/{partner}/events"):
            zone = ZoneInfo(event["location_time_zone"])
            day[event["event_id"]] = datetime.fromtimestamp(int(event["event_start_time"]), UTC).astimezone(zone).date()
        for record in self.ask(f"holds/chronotrack/{partner}/entries"):
            yield {
                "record_id": f"chronotrack/{partner}/{record['entry_id']}",
                "first_name": record["athlete_first_name"], "middle_name": None, "last_name": record["athlete_last_name"],
                "email": record["athlete_email"], "gender": record["athlete_sex"], "phone": record["athlete_mobile_phone"],
                "birth_date": record["athlete_birthdate"], "age": record["entry_race_age"],
                "event_date": str(day.get(record["event_id"], "")), "city": record["location_city"],
                "region": record["location_region"], "country": record["location_country"],
                "postcode": record["location_postal_code"], "address": record["location_street"],
                "club": record["team_name"], "bib": record["entry_bib"],
                # A runner in two races of a day has two entries: the race is what is entered once.
                "event": f"{partner}/{record['race_id']}", "provider": "chronotrack",
            }  # fmt: skip


def boston(years: list[int] | None = None) -> Sample:
    """Return the finishers of the Boston Marathon, each with the age on its day."""
    parts = []
    for file in sorted(BOSTON.glob("*.csv.gz")):
        year = int(file.name[:4])
        if years and year not in years:
            continue
        part = pd.read_csv(file, dtype=str, usecols=["name", "age", "gender", "city", "state", "country", "bib"])
        april = date(year, 4, 1)
        day = april + timedelta(days=(7 - april.weekday()) % 7 + 14)  # the third Monday
        parts.append(part.assign(event=str(year), event_date=day.isoformat()))
    records = pd.concat(parts, ignore_index=True)
    records.insert(0, "record_id", [f"{n:06d}" for n in range(len(records))])
    return Sample("boston", records)


# -- the ways ------------------------------------------------------------------------------------------------------


def ours(sample: Sample, folder: Path) -> pd.Series:
    """Link with this project."""
    del folder
    return identity.link(sample.records).persons["person_id"]


def exact(sample: Sample, folder: Path) -> pd.Series:
    """Link what agrees on the normalised name and the birth date (the year of birth where there are ages only)."""
    del folder
    records = sample.records
    name = (
        records["name"]
        if "name" in records
        else records["first_name"].fillna("") + " " + records["last_name"].fillna("")
    )
    name = name.str.normalize("NFKD").str.lower().str.replace(r"[^a-z ]", "", regex=True).str.strip()
    if "birth_date" in records:
        born = records["birth_date"].replace("", None)
    else:
        born = (records["event_date"].str[:4].astype(int) - pd.to_numeric(records["age"], errors="coerce")).astype(
            "string"
        )
    whole = (name != "") & born.notna()
    return (name + "|" + born.astype("string")).where(whole, records["record_id"])


def _other(way: str) -> Callable[[Sample, Path], pd.Series]:
    def link(sample: Sample, folder: Path) -> pd.Series:
        records = sample.records
        if "name" in records:
            parts = records["name"].str.extract(r"^(?P<last>[^,]*), *(?P<first>\S*)")
            born = records["event_date"].str[:4].astype(int) - pd.to_numeric(records["age"], errors="coerce")
            records = records.assign(
                first_name=parts["first"],
                last_name=parts["last"],
                birth_date=born.astype("string"),
                region=records["state"],
            )
        texts = records.astype("string").replace("", None).apply(lambda column: column.str.lower().str.strip())
        texts = texts.assign(record_id=records["record_id"])
        file, out = folder / "records.parquet", folder / "persons.parquet"
        texts.to_parquet(file)
        others({"way": way, "records": str(file), "out": str(out)}, folder)
        found = pd.read_parquet(out).set_index("record_id")["person_id"]
        return records["record_id"].map(found)

    return link


def others(work: dict[str, str], folder: Path) -> None:
    """Run `with_linkers` in its own environment."""
    file = folder / "work.json"
    file.write_text(json.dumps(work), encoding="utf-8")
    command = [str(BENCH_PYTHON), str(Path(__file__).with_name("with_linkers.py")), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{work['way']}: {' / '.join(done.stderr.strip().splitlines()[-3:])}")


WAYS: dict[str, tuple[str, Callable[[Sample, Path], pd.Series]]] = {
    "project88": ("project88", ours),
    "exact": ("exact name and birth date", exact),
    "ecm": ("recordlinkage ECM", _other("ecm")),
    "splink": ("Splink out of the box", _other("splink")),
}
# ECM holds all pairs of a block in memory; Splink trains on blocks of one birth date, which are millions of pairs where
# there is only a year.
TOO_LARGE = {"ecm": 50_000, "splink": 50_000}


# -- the measures --------------------------------------------------------------------------------------------------


def quality(truth: pd.Series, found: pd.Series) -> dict[str, float]:
    """Return precision, recall and F1, of pairs and as B-cubed."""
    frame = pd.DataFrame({"t": pd.factorize(truth)[0], "f": pd.factorize(found)[0]})
    both = frame.groupby(["t", "f"]).size()
    of_truth, of_found = frame.groupby("t").size(), frame.groupby("f").size()

    def pairs(sizes: pd.Series) -> float:
        return float((sizes * (sizes - 1) // 2).sum())

    precision = pairs(both) / max(pairs(of_found), 1)
    recall = pairs(both) / max(pairs(of_truth), 1)
    square = both.astype(float) ** 2
    b_precision = float((square / of_found.loc[both.index.get_level_values("f")].to_numpy()).sum()) / len(frame)
    b_recall = float((square / of_truth.loc[both.index.get_level_values("t")].to_numpy()).sum()) / len(frame)
    return {
        "precision": precision, "recall": recall, "f1": harmonic(precision, recall),
        "b_precision": b_precision, "b_recall": b_recall, "b_f1": harmonic(b_precision, b_recall),
    }  # fmt: skip


def harmonic(one: float, two: float) -> float:
    """Return the harmonic mean."""
    return 2 * one * two / (one + two) if one + two else 0.0


def plausible(records: pd.DataFrame, found: pd.Series) -> dict[str, float]:
    """Return, for Boston, the share of groups that stay whole and of namesakes that stay split.

    A group is two or more finishes of different years under one name as printed, sex and town, whose years of birth
    (year less age) are at most one apart. Namesakes are two finishes under one name and sex, born 18 years apart or more.
    """
    key = ["name", "gender", "city", "state", "country"]
    frame = records[[*key, "event"]].fillna("").apply(lambda column: column.str.lower().str.strip())
    frame["name"] = frame["name"].str.replace(r"[^a-z, ]", "", regex=True)
    frame["born"] = records["event"].astype(int) - pd.to_numeric(records["age"], errors="coerce")
    frame["person"] = found.to_numpy()
    frame = frame[frame["born"].notna()].sort_values([*key, "born"])
    fresh = (frame[key] != frame[key].shift()).any(axis=1) | (frame["born"] - frame["born"].shift() > 1)
    groups = frame.groupby(fresh.cumsum()).agg(
        finishes=("person", "size"),
        low=("born", "min"),
        high=("born", "max"),
        years=("event", "nunique"),
        persons=("person", "nunique"),
    )
    alike = groups[
        (groups["finishes"] > 1) & (groups["high"] - groups["low"] <= 1) & (groups["years"] == groups["finishes"])
    ]
    one = frame[["name", "gender", "born", "person"]].drop_duplicates()
    pairs = one.merge(one, on=["name", "gender"])
    pairs = pairs[pairs["born_y"] - pairs["born_x"] >= GENERATION]
    return {
        "groups": float(len(alike)), "whole": float((alike["persons"] == 1).mean()),
        "namesakes": float(len(pairs)), "split": float((pairs["person_x"] != pairs["person_y"]).mean()),
    }  # fmt: skip


# -- the run -------------------------------------------------------------------------------------------------------


def samples(sets: list[str], folder: Path, size: str) -> Iterator[Sample]:
    """Yield the samples asked for, in that order, those that are there."""
    for one in sets:
        if one.startswith("febrl"):
            yield from febrl(folder, int(one[-1]))
        elif one == "sandbox":
            season = Season(folder, size)
            try:
                yield season.sample()
            finally:
                season.close()
        elif BOSTON.is_dir():
            yield boston()
        else:
            print(f"boston: no folder {BOSTON}, left out", file=sys.stderr)


def report(known: list[list[str]], plain: list[list[str]], write: bool, quiet: bool = False) -> None:
    """Print the tables, and write them to the README where asked to."""
    console = Console(quiet=True) if quiet else terminal()
    tables = []
    if known:
        columns = ["records", "number", "way", "precision", "recall", "F1", "B3 precision", "B3 recall", "B3 F1", "s"]
        tables.append(show(console, "Where the truth is known", columns, known))
    if plain:
        columns = ["Boston", "records", "groups", "whole", "namesakes", "split", "s"]
        title = "Where it is not: groups that look like one person, namesakes a generation apart"
        tables.append(show(console, title, columns, plain))
    if write:
        replace_section("identity", "\n\n".join([machine(("duckdb",)), *tables]))


def scaled(sizes: list[int], write: bool) -> int:
    """Link as many invented entries as each size says, then add a thousand; print what that took."""
    columns = ["entries", "s", "CPU s", "peak MB", "file MB", "precision", "recall", "of all: precision", "recall",
               "1,000 added: s", "CPU s", "peak MB", "told of"]  # fmt: skip
    rows, slow = [], []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="p88-identity-") as folder:
            made, added, found = identity_scale.measure(Path(folder) / "scale", size)
        rows.append([
            f"{size:,}", f"{made.seconds:,.0f}", f"{made.cpu:,.0f}", f"{made.peak / MEGABYTE:,.0f}", f"{made.told['file'] / MEGABYTE:,.0f}",
            *(f"{one:.4f}" for one in found.values()),
            f"{added.seconds:,.1f}", f"{added.cpu:,.1f}", f"{added.peak / MEGABYTE:,.0f}", f"{added.told['touched']:,}",
        ])  # fmt: skip
        print(f"{size:,}: {rows[-1]}", file=sys.stderr, flush=True)
        slow += [
            f"{size:,} entries: {what} {took:,.0f}, needed is {most:,.0f}"
            for what, took, most in (
                ("seconds", made.seconds, 1_200), ("megabytes", made.peak / 1e6, 8_000), ("seconds for 1,000", added.seconds, 20),
            ) if took > most
        ]  # fmt: skip
    table = show(terminal(), "Growing: linked within 13 timing partners and across them", columns, rows)
    if write:
        replace_section("identity-scale", f"{machine(('duckdb',))}\n\n{table}")
    for one in slow:
        print(one, file=sys.stderr)
    return 1 if slow else 0


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and write to the README where asked to; 1 where something needed is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity", description=(__doc__ or "").split("\n")[0])
    every = ["febrl1", "febrl2", "febrl3", "febrl4", "sandbox", "boston"]
    parser.add_argument("--sets", nargs="+", choices=every, default=every)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--size", default="small", help="of the sandbox's season")
    parser.add_argument(
        "--scale", nargs="*", type=int, metavar="ENTRIES", help="time and memory at these sizes, instead"
    )
    parser.add_argument("--write", action="store_true", help="write the section in README.md")
    given = parser.parse_args(arguments)
    if given.scale is not None:
        return scaled(given.scale or list(identity_scale.SIZES), given.write)

    known, plain, missed = [], [], []
    with tempfile.TemporaryDirectory(prefix="p88-identity-") as name:
        folder = Path(name)
        for sample in samples(given.sets, folder, given.size):
            for way in given.ways:
                if len(sample.records) > TOO_LARGE.get(way, 10**9):
                    continue
                title, link = WAYS[way]
                began = time.monotonic()
                try:
                    found = link(sample, folder)
                except RuntimeError as error:
                    print(f"{sample.name}: {error}", file=sys.stderr)
                    continue
                seconds = f"{time.monotonic() - began:,.0f}"
                if sample.truth is not None:
                    measured = quality(sample.truth, found)
                    known.append(
                        [
                            sample.name,
                            f"{len(sample.records):,}",
                            title,
                            *(f"{one:.4f}" for one in measured.values()),
                            seconds,
                        ]
                    )
                else:
                    measured = plausible(sample.records, found)
                    plain.append([title, f"{len(sample.records):,}", f"{measured['groups']:,.0f}", f"{measured['whole']:.4f}",
                                  f"{measured['namesakes']:,.0f}", f"{measured['split']:.4f}", seconds])  # fmt: skip
                print(
                    f"{sample.name}, {title}: " + ", ".join(f"{key} {one:.4f}" for key, one in measured.items()),
                    file=sys.stderr,
                    flush=True,
                )
                missed += [
                    f"{sample.name}: {measure} {measured[measure]:.4f}, needed is {least}"
                    for (of, measure), least in NEEDED.items()
                    if way == "project88" and of == sample.name and measured[measure] < least
                ]
            if given.write:
                # What was measured is kept when a later set cannot be.
                report(known, plain, write=True, quiet=True)
    report(known, plain, given.write)
    for one in missed:
        print(one, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
