"""The four shapes in which Copernico tells of an athlete, each turned into one row of who it is and one of its times.

A preset's row, an athlete's answer (in both nestings), a row of the leaders, a row of a ranking file: copernico.md,
section 5. What concerns the person goes to `participants`, what moves during the race to `results`, so that a split is
no change of a participant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tap_shared.columns import Record

from tap_copernico.columns import inside, milliseconds, place

START_TOKEN, FINISH_TOKEN = ":::start:::", ":::finish:::"
# Columns of a preset that are worked out from times, by the beginnings of their ids.
COMPUTED = re.compile(r"(times\.|rankings[._]|netrankings[._]|intervalaverages[._])")
TIME = re.compile(r"times\.(official|real)_(.+)")
RANKING = re.compile(r"(net)?rankings(_|\.gen_|\.cat_):::full-1:::")
# Fields of an athlete's event that move while it runs.
SPORTING = frozenset(
    {
        "times", "rankings", "calculatedTimes", "predictive", "leader", "leader_weight", "backups", "mst",
        "custom-rankings", "commentator", "commentatorTimes", "splitsSeen", "splitsMissing",
        "maxConsecutiveSplitsMissing", "issuesCount", "last_split_seen", "startTime", "startRawTime", "startNetTime",
        "waveTime", "penalties", "realStatus",
    }
)  # fmt: skip
# What both kinds of row show.
SHARED = frozenset({"id", "dorsal", "name", "surname", "gender", "category", "event", "status", "nationality", "club"})
# Who has none of these and was not seen anywhere has no result.
OUT = frozenset({"finished", "dnf", "dsq", "running", "started", "active", "disqualified", "retired", "abandoned"})
PLACES = ("pos", "pos_gender", "pos_category")

Times = dict[str, Any]


def athlete_entries(data: Mapping[str, Any]) -> Iterator[Record]:
    """Yield an athlete's answer as one flat record for each of its events.

    Production nests them in `events`; the demo has one on the athlete itself, which is what the others become.
    """
    events = data.get("events")
    if events is None:
        yield dict(data)
        return
    if not isinstance(events, list) or not all(isinstance(entry, Mapping) for entry in events):
        # Left as it is: the typer refuses it, since it names no event.
        yield dict(data)
        return
    person = {name: value for name, value in data.items() if name != "events"}
    yield from (person | entry for entry in events)


def person_of(record: Record) -> Record:
    """Return what is not about times."""
    return {k: v for k, v in record.items() if k not in SPORTING and not COMPUTED.match(k)}


def sport_of(record: Record) -> Record:
    """Return what is about times, with enough to say whose they are."""
    return {k: v for k, v in record.items() if k in SHARED or k in SPORTING or COMPUTED.match(k)}


def whole(record: Record) -> Record:
    """Return a record that is about times only, as a row of the leaders is."""
    return record


def mats_of(rows: list[Any]) -> set[str]:
    """Return the mats that any of these rows was seen at, as the columns or objects are named."""
    found: set[str] = set()
    for row in rows:
        if isinstance(row, dict):
            found |= {name for name, value in row.items() if value and TIME.fullmatch(name)}
            if isinstance(row.get("times"), dict):
                found |= row["times"].keys()
    return found


# --- times ------------------------------------------------------------------------------------------


def preset_times(record: Record, start: str, finish: str) -> Times:
    """Return the times of a preset's row: columns named after splits, in the order in which they were chosen."""
    official: dict[str, int | None] = {}
    real: dict[str, int | None] = {}
    places: dict[tuple[str | None, str], int | None] = {}
    for name, value in record.items():
        if found := TIME.fullmatch(name):
            put = official if found[1] == "official" else real
            put[found[2]] = read(name, milliseconds, value)
        elif found := RANKING.fullmatch(name):
            places[found[1], found[2]] = read(name, place, value)
    ends = {START_TOKEN, start, FINISH_TOKEN, finish}
    splits = [
        {"name": name, "official_ms": official.get(name), "real_ms": real.get(name)}
        for name in dict.fromkeys((*official, *real))
        if name not in ends and (official.get(name) or real.get(name))
    ]
    return {
        "start_ms": official.get(START_TOKEN, official.get(start)),
        "official_ms": official.get(FINISH_TOKEN, official.get(finish)),
        "real_ms": real.get(FINISH_TOKEN, real.get(finish)),
        "splits": splits,
        **{column: places.get((None, kind)) for column, kind in zip(PLACES, ("_", ".gen_", ".cat_"), strict=True)},
        **{
            f"net_{column}": places.get(("net", kind))
            for column, kind in zip(PLACES, ("_", ".gen_", ".cat_"), strict=True)
        },
    }


def athlete_times(record: Record, start: str, finish: str) -> Times:
    """Return the times of an athlete's event, or of a row of a ranking file, by what its splits say of themselves."""
    times, rankings = inside(record, "times"), inside(record, "rankings")
    metres = record.get("distance")
    seen = []
    started: int | None = None
    end = ""
    for name in dict.fromkeys((*times, *rankings)):
        one, ranked = inside(times, name), inside(rankings, name)
        order, at = one.get("order"), one.get("distance")
        official = read(name, milliseconds, one.get("time", ranked.get("time")))
        real = read(name, milliseconds, one.get("netTime", ranked.get("net")))
        if order == 0 or at == 0 or name == start:
            started = official
            continue
        if name == finish or (metres and at == metres):
            end = name
        if official or real:
            seen.append({"name": name, "order": order, "distance_m": at, "official_ms": official, "real_ms": real})
    seen.sort(key=lambda split: (split["order"] is None, split["order"], split["official_ms"] or split["real_ms"]))
    last = next((split for split in seen if split["name"] == end), {})
    ranked = inside(rankings, end) if end else {}
    custom = record.get("custom-rankings")
    places = {
        "pos": ("pos", "posGen", "posCat"),
        "net": ("posNet", "posGenNet", "posCatNet"),
    }
    found = {column: read(kind, place, ranked.get(kind)) for column, kind in zip(PLACES, places["pos"], strict=True)}
    if found["pos"] is None and isinstance(custom, list) and custom and isinstance(custom[0], Mapping):
        # Where the split's ranking is 0 the organiser's own may hold it (copernico.md, section 5).
        found["pos"] = read("custom-rankings", place, custom[0].get("pos"))
    return {
        "start_ms": started,
        "official_ms": last.get("official_ms"),
        "real_ms": last.get("real_ms"),
        "splits": [split for split in seen if split["name"] != end],
        **found,
        **{f"net_{c}": read(k, place, ranked.get(k)) for c, k in zip(PLACES, places["net"], strict=True)},
    }


def leader_times(record: Record, start: str, finish: str) -> Times:
    """Return the times of a row of the leaders: one mat, the last that saw the athlete. `pos` is that of the filter."""
    official = read("time", milliseconds, record.get("time"))
    split = record.get("split")
    at_finish = split in (finish, FINISH_TOKEN)
    return {
        "start_ms": None,
        "official_ms": official if at_finish else None,
        "real_ms": None,
        "splits": [] if at_finish or not official else [{"name": split, "official_ms": official, "real_ms": None}],
        "pos": None,
        # assumed: leaders are asked for by gender, so a place among them is one in the gender
        "pos_gender": read("pos", place, record.get("pos")) if at_finish else None,
        "pos_category": None,
        **{f"net_{column}": None for column in PLACES},
    }


class Unreadable(Exception):  # noqa: N818 - it becomes a reject
    """A time or a place that is none."""

    def __init__(self, field: str, reason: str) -> None:
        """Name the provider's field."""
        super().__init__(reason)
        self.field = field


def read(field: str, convert: Callable[[Any], int | None], value: Any) -> int | None:
    """Return a value, or say which field holds none."""
    try:
        return convert(value)
    except (ValueError, TypeError) as error:
        raise Unreadable(field, str(error)) from None


def was_seen(times: Times, status: Any) -> bool:
    """Tell whether there is a result: a time at any mat, or a status that says how the race ended."""
    return bool(times["splits"] or times["official_ms"] or times["real_ms"] or times["start_ms"] or status in OUT)


TIMES: dict[str, Callable[[Record, str, str], Times]] = {
    "presets": preset_times,
    "athletes": athlete_times,
    "leaders": leader_times,
    "ranking_files": athlete_times,
}
