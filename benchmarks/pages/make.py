"""Write a season to a folder: rows one after the other, and where each begins. Any page is then a stretch of a file.

`python -m benchmarks.pages.make FOLDER [--scale 0.01]` makes one by hand.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from array import array
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson

from benchmarks.pages import records
from benchmarks.pages.season import CHRONOTRACK, RUNSIGNUP, Event, Season, Wanted, plan

# A piece of work: enough of them to keep two cores busy to the end, and to show progress.
ROWS_A_SHARD = 120_000
INDEX = "season.json"

Block = tuple[int, int]


class Shard:
    """One file of rows with a comma after each, and one of where they begin."""

    def __init__(self, folder: Path, number: int) -> None:
        """Open both files."""
        self.number = number
        self._rows = (folder / f"{number:04d}.rows").open("wb", buffering=1 << 20)
        self._starts = (folder / f"{number:04d}.at").open("wb")
        self._end = 0
        self._count = 0
        # Event id by provider -> stream -> (first row, rows).
        self.blocks: dict[str, dict[str, dict[str, Block]]] = {CHRONOTRACK: {}, RUNSIGNUP: {}}

    def add(self, provider: str, event_id: int, stream: str, stretches: Iterable[list[bytes]]) -> None:
        """Write the rows of a stream of an event."""
        first = self._count
        for rows in stretches:
            if not rows:
                continue
            # Each is followed by a comma.
            *starts, self._end = accumulate((len(row) + 1 for row in rows), initial=self._end)
            array("Q", starts).tofile(self._starts)
            self._rows.write(b",".join(rows))
            self._rows.write(b",")
            self._count += len(rows)
        self.blocks[provider].setdefault(str(event_id), {})[stream] = (first, self._count - first)

    def close(self) -> None:
        """Write where the last row ends."""
        array("Q", [self._end]).tofile(self._starts)
        self._rows.close()
        self._starts.close()


@dataclasses.dataclass
class Work:
    """The events of one shard."""

    folder: Path
    number: int
    seed: int
    # (event, size of its partner's pool of people)
    events: list[tuple[Event, int]]


def _write(work: Work) -> tuple[int, int, dict[str, dict[str, dict[str, Block]]]]:
    shard = Shard(work.folder, work.number)
    rows = 0
    for event, pool in work.events:
        if event.holder:
            _runsignup(shard, event, pool, work.seed)
        else:
            _chronotrack(shard, event, pool, work.seed)
        rows += event.entries + event.rows
    shard.close()
    return work.number, rows, shard.blocks


def _chronotrack(shard: Shard, event: Event, pool: int, seed: int) -> None:
    event_id = records.EVENT + event.number
    writer = records.CtWriter(event, pool, seed)
    shard.add(CHRONOTRACK, event_id, "race", [records.ct_races(event)])
    shard.add(CHRONOTRACK, event_id, "bracket", [records.ct_brackets(event)])
    shard.add(CHRONOTRACK, event_id, "interval", [records.ct_intervals(event)])
    shard.add(CHRONOTRACK, event_id, "entry", writer.entries())
    shard.add(CHRONOTRACK, event_id, "results", writer.results())


def _runsignup(shard: Shard, event: Event, pool: int, seed: int) -> None:
    event_id = records.RSU_EVENT + event.number
    writer = records.RsuWriter(event, pool, seed)
    shard.add(RUNSIGNUP, event_id, "participants", writer.participants())
    shard.add(RUNSIGNUP, event_id, "removed-participants", [writer.removed()])
    shard.add(RUNSIGNUP, event_id, "results", [writer.results()])


def pools(season: Season) -> dict[int, int]:
    """Return how many people each partner knows: each of them enters about twice."""
    entries: dict[int, int] = {}
    for event in [*season.ct_events, *season.rsu_events]:
        entries[event.partner] = entries.get(event.partner, 0) + event.entries
    return {partner: max(50, count // 2) for partner, count in entries.items()}


def make(
    folder: Path, wanted: Wanted, *, processes: int = 2, progress: Callable[[int, int], None] | None = None
) -> dict[str, int]:
    """Write a season's rows below a folder and return what it holds; progress gets rows written and rows in all."""
    folder.mkdir(parents=True, exist_ok=True)
    season = plan(wanted)
    people = pools(season)
    works: list[Work] = []
    rows = ROWS_A_SHARD
    for event in [*season.ct_events, *season.rsu_events]:
        if rows >= ROWS_A_SHARD:
            works.append(Work(folder, len(works), wanted.seed, []))
            rows = 0
        works[-1].events.append((event, people[event.partner]))
        rows += event.entries + event.rows
    total = sum(event.entries + event.rows for event in [*season.ct_events, *season.rsu_events])
    shards: dict[str, Any] = {}
    written = 0
    # The largest first, or the end would wait for one of them.
    works.sort(key=lambda work: -sum(event.entries + event.rows for event, _ in work.events))
    with multiprocessing.get_context("spawn").Pool(processes) if len(works) > 1 else _Here() as pool:
        for number, count, blocks in pool.imap_unordered(_write, works):
            shards[str(number)] = blocks
            written += count
            if progress is not None:
                progress(written, total)
    index = {
        "wanted": dataclasses.asdict(wanted),
        "counts": season.counts(),
        "shards": shards,
        "accounts": _accounts(season),
    }
    (folder / INDEX).write_bytes(orjson.dumps(index))
    return season.counts()


class _Here:
    """A pool of one, for a season so small that starting processes would take longer."""

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def imap_unordered(self, do: Callable[[Work], Any], works: Iterable[Work]) -> Iterable[Any]:
        return map(do, works)


def _accounts(season: Season) -> list[dict[str, Any]]:
    found = []
    for partner in range(1, season.wanted.partners + 1):
        races: dict[int, list[Event]] = {}
        for event in season.rsu_events:
            if event.partner == partner:
                races.setdefault(event.holder, []).append(event)
        found.append(
            {
                "partner": partner,
                "chronotrack": [
                    {
                        "id": records.EVENT + event.number,
                        "end": event.end,
                        "record": records.ct_event(event).decode(),
                    }
                    for event in season.ct_events
                    if event.partner == partner
                ],
                "runsignup": [
                    {
                        "id": records.RSU_RACE + holder,
                        "record": records.rsu_race(events).decode(),
                        "modified": min(events[0].start, records.NOW) - 30 * records.DAY,
                        "events": [
                            {
                                "id": records.RSU_EVENT + event.number,
                                "first": records.REGISTRATION + event.first_entry,
                                "set": records.rsu_result_set(event) if event.has_results else None,
                            }
                            for event in events
                        ],
                    }
                    for holder, events in races.items()
                ],
            }
        )
    return found


def main() -> None:
    """Make a season from the command line."""
    import argparse
    import time

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=0.01)
    arguments = parser.parse_args()
    began = time.monotonic()
    counts = make(
        arguments.folder,
        Wanted().scaled(arguments.scale),
        progress=lambda done, total: print(f"\r{done:,} of {total:,} rows", end="", flush=True),
    )
    print(f"\n{counts} in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
