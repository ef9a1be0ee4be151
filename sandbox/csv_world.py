"""A folder of result CSVs, served as the ChronoTrack seasons of one timing partner.

A small mapping file says what the columns mean: `world.toml` in the folder, or the one of `mappings/` that fits
a file's columns. A file is kept as its bytes and the places where its rows begin; rows are read when asked for.
"""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from array import array
from collections.abc import Callable
from datetime import date, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.world import BLOCK, CHRONOTRACK, DAY, Course, Distance, Entrant, Occasion, Timing, local

PARTNER = 1
MOST_ROWS = BLOCK - 100
MAPPINGS = Path(__file__).parent / "mappings"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
NTH = ("first", "second", "third", "fourth", "fifth")
GENDERS = {"m": "M", "male": "M", "f": "F", "female": "F", "w": "F", "x": "X", "nb": "X"}


def day_by_rule(rule: str, year: int) -> date:
    """Return the day of a rule such as 'third monday of april'."""
    words = rule.lower().split()
    try:
        nth, weekday, month = NTH.index(words[0]), WEEKDAYS.index(words[1]), MONTHS.index(words[3]) + 1
    except (IndexError, ValueError):
        raise ValueError(f"event.day: {rule!r} is not like 'third monday of april'") from None
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * nth)


class ResultFile:
    """One CSV: its bytes, where rows begin, and what its columns mean."""

    def __init__(self, path: Path, mapping: dict[str, Any]) -> None:
        """Read the file."""
        self.path = path
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        self.data = data.removeprefix(b"\xef\xbb\xbf")
        self.starts = array("I")
        position, inside = 0, False
        for line in self.data.splitlines(keepends=True):
            if not inside and line.strip():
                self.starts.append(position)
            # A row goes on in the next line while a quote is open.
            inside ^= line.count(b'"') % 2 == 1
            position += len(line)
        self.starts.append(position)
        self.header = self._parsed(0) if len(self.starts) > 1 else []
        self.rows = max(0, len(self.starts) - 2)
        if self.rows > MOST_ROWS:
            raise ValueError(f"{path.name}: {self.rows} rows; a file may hold {MOST_ROWS}, split it")
        self.mapping = mapping
        columns = mapping.get("columns", {})
        self.at = {what: self.header.index(name) for what, name in columns.items() if name in self.header}
        self.splits = [split for split in mapping.get("splits", ()) if split["column"] in self.header]
        self.split_at = [self.header.index(split["column"]) for split in self.splits]
        self.missing = set(mapping.get("times", {}).get("missing", ["-", ""]))
        self.style = mapping.get("times", {}).get("style", "clock")
        self._last: tuple[int, list[str]] = (-1, [])
        # A net column that is empty from the top on is no net column.
        self.has_net = "net_time" in self.at and any(self.text(n, "net_time") for n in range(min(self.rows, 500)))
        self._order: tuple[array[int], array[int]] | None = None

    def _parsed(self, number: int) -> list[str]:
        raw = self.data[self.starts[number] : self.starts[number + 1]].decode("utf-8", "replace")
        return (
            next(csv.reader([raw.rstrip("\r\n")]))
            if "\n" not in raw.rstrip("\r\n")
            else next(csv.reader(raw.splitlines(keepends=True)))
        )

    def row(self, index: int) -> list[str]:
        """Return a row's fields."""
        last, fields = self._last
        if last != index:
            fields = self._parsed(index + 1)
            self._last = index, fields
        return fields

    def text(self, index: int, what: str) -> str:
        """Return a field by its meaning; empty where the file has none."""
        place = self.at.get(what)
        fields = self.row(index)
        return fields[place].strip() if place is not None and place < len(fields) else ""

    def tenths(self, text: str) -> int | None:
        """Return a time in tenths of a second; None where there is none."""
        if text in self.missing:
            return None
        try:
            if self.style == "minutes":
                return round(float(text) * 60) * 10
            if self.style == "seconds":
                return round(float(text) * 10)
            seconds = 0.0
            for part in text.split(":"):
                seconds = seconds * 60 + float(part)
            return round(seconds * 10)
        except ValueError:
            return None

    def time(self, index: int, what: str) -> int | None:
        """Return a time by its meaning."""
        return self.tenths(self.text(index, what))

    def rank(self, index: int) -> int | None:
        """Return the overall place the file gives."""
        found = re.match(r"\d+", self.text(index, "rank"))
        return int(found[0]) if found else None

    def order(self) -> tuple[array[int], array[int]]:
        """Return rows by rank, and where each row stands in it."""
        if self._order is None:
            ranks = array("I", (self.rank(n) or 4_000_000_000 for n in range(self.rows)))
            rows = array("I", sorted(range(self.rows), key=ranks.__getitem__))
            back = array("I", bytes(4 * self.rows))
            for position, row in enumerate(rows):
                back[row] = position
            self._order = rows, back
        return self._order


class CsvWorld:
    """Occasions and entrants read from a folder of result files."""

    def __init__(self, folder: Path) -> None:
        """Find the files and what their columns mean; nothing is read yet beyond first lines."""
        self.paths = sorted(path for path in folder.iterdir() if path.name.lower().endswith((".csv", ".csv.gz")))
        if not self.paths:
            raise ValueError(f"--world {folder}: no *.csv or *.csv.gz in it")
        own = folder / "world.toml"
        self.own = self._toml(own) if own.exists() else None
        self.known = [self._toml(path) for path in sorted(MAPPINGS.glob("*.toml"))]
        for path in self.paths:
            self.mapping(path)
        self.occasion: Callable[[int], Occasion] = lru_cache(maxsize=1024)(self._occasion)
        # A few files at a time are kept in memory, whatever the folder holds.
        self.file: Callable[[int], ResultFile] = lru_cache(maxsize=6)(self._file)

    @staticmethod
    def _toml(path: Path) -> dict[str, Any]:
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as problem:
            raise ValueError(f"{path}: {problem}") from None

    def mapping(self, path: Path) -> dict[str, Any]:
        """Return what the columns of a file mean."""
        if self.own is not None:
            return self.own
        raw = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115 - closed just below
        with raw:
            header = set(next(csv.reader([raw.readline().decode("utf-8-sig", "replace")]), []))
        for mapping in sorted(self.known, key=lambda m: -len(m["match"]["columns"])):
            if set(mapping["match"]["columns"]) <= header:
                return mapping
        raise ValueError(
            f"{path.name}: no mapping fits its columns; write {path.parent.name}/world.toml (see sandbox/mappings)"
        )

    def _file(self, uid: int) -> ResultFile:
        path = self.paths[(uid >> 1) - 1]
        return ResultFile(path, self.mapping(path))

    def _occasion(self, uid: int) -> Occasion:
        file = self.file(uid)
        stem = file.path.name.split(".")[0]
        event = file.mapping.get("event", {}) | file.mapping.get("files", {}).get(file.path.name, {})
        found = re.search(r"\d{4}", stem)
        year = int(found[0]) if found else 2020
        day = event.get("date") or day_by_rule(str(event.get("day", "first sunday of october")), year)
        zone = str(event.get("zone", "America/New_York"))
        clock = time.fromisoformat(str(event.get("start", "09:00")))
        start = local(ZoneInfo(zone), day, clock.hour, clock.minute)
        venue = tuple(str(event.get(k, "")) for k in ("city", "region", "postal_code", "country"))
        occasion = Occasion(
            uid=uid,
            partners=(PARTNER,),
            on=frozenset({CHRONOTRACK}),
            name=str(event.get("name", "{stem}")).format(year=year, stem=stem),
            venue=(venue[0], venue[1], venue[2], venue[3], zone),
            zone=ZoneInfo(zone),
            start=start,
            end=start + int(event.get("hours", 8)) * 3600,
            opens=start - 150 * DAY,
            race_uid=uid,
        )
        splits = tuple((str(split["name"]), float(split["metres"])) for split in file.splits)
        course = Course(str(event.get("race", "Race")), float(event.get("metres", 0)), 0, 6 * 3600, 0, splits)
        rows = file.rows
        occasion.distances.append(
            Distance(
                uid * 4, 0, course, start, 0, 0, rows, 1, 0, max(1, rows), finishers=rows, scored=rows, from_file=True
            )
        )
        return occasion

    # -- what a source gives -------------------------------------------------------------------------

    def uids(self, partner: int) -> list[int]:
        """Return the numbers of a partner's occasions."""
        return [2 * k for k in range(1, len(self.paths) + 1)] if partner == PARTNER else []

    def serves(self, partner: int, uid: int) -> bool:
        """Return whether a partner serves this occasion."""
        return partner == PARTNER and uid % 2 == 0 and 1 <= uid >> 1 <= len(self.paths)

    def distance(self, uid: int) -> Distance | None:
        """Return a distance by its number, or None."""
        return self.occasion(uid // 4).distances[0] if uid % 4 == 0 and self.serves(PARTNER, uid // 4) else None

    def index_at(self, distance: Distance, position: int) -> int:
        """Return the row at a position."""
        return self.file(distance.uid // 4).order()[0][position]

    def position_of(self, distance: Distance, index: int) -> int | None:
        """Return the position of a row."""
        return self.file(distance.uid // 4).order()[1][index] if index < distance.walkups else None

    def timing(self, distance: Distance, position: int) -> Timing | None:
        """Return a row's times; None where it has none."""
        file = self.file(distance.uid // 4)
        row = self.index_at(distance, position)
        gun = file.time(row, "gun_time")
        net = file.time(row, "net_time") if file.has_net else None
        if gun is None and net is None:
            return None
        if gun is not None and net is not None:
            return Timing(gun, gun - net)
        only = gun if gun is not None else net or 0
        one_is_net = file.mapping.get("times", {}).get("only_one_is", "net") == "net" and not file.has_net
        has_net = gun is None or one_is_net
        return Timing(only, 0, has_gun=not has_net, has_net=has_net)

    def split(self, distance: Distance, position: int, split: int) -> int | None:
        """Return the time at a mat on the way."""
        file = self.file(distance.uid // 4)
        fields = file.row(self.index_at(distance, position))
        place = file.split_at[split]
        return file.tenths(fields[place].strip()) if place < len(fields) else None

    def rank(self, distance: Distance, position: int) -> int | None:
        """Return the place the file gives."""
        return self.file(distance.uid // 4).rank(self.index_at(distance, position))

    def person_of(self, distance: Distance, index: int) -> int:
        """Return a number of its own for every row: who is who is not known here."""
        return distance.uid * BLOCK + index

    def timer_copy(self, distance: Distance, index: int, person: int | None = None) -> Entrant:
        """Return a row as an entry."""
        file = self.file(distance.uid // 4)
        first, last = file.text(index, "first_name"), file.text(index, "last_name")
        name = file.text(index, "name")
        if name and not last:
            if file.mapping["columns"].get("name_style", "last, first") == "last, first":
                last, _, first = (part.strip() for part in name.partition(","))
            else:
                first, _, last = name.rpartition(" ")
        age = file.text(index, "age")
        gender = file.text(index, "gender")
        return Entrant(
            self.person_of(distance, index),
            first,
            None,
            last,
            GENDERS.get(gender.lower(), gender),
            None,
            int(age) if age.isascii() and age.isdigit() else None,
            file.text(index, "email") or None,
            None,
            None,
            file.text(index, "city"),
            file.text(index, "region"),
            file.text(index, "postal_code"),
            file.text(index, "country"),
            file.text(index, "bib"),
            0,
            None,
            (),
        )
