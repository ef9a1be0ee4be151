"""Who was seen where and when: result rows, and which rows there are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.providers.chronotrack.ranks import Ranks
from sandbox.providers.chronotrack.records import Records
from sandbox.providers.chronotrack.wire import (
    BANDS,
    band_of,
    bracket_id,
    duration,
    entry_id,
    interval_id,
    race_id,
    text,
)
from sandbox.providers.common import Record
from sandbox.state import State
from sandbox.world import START, Distance, Entrant

# What an edited entry shows on its result rows too: they are one database.
SHARED_FIELDS = {
    "athlete_first_name": "results_first_name",
    "athlete_last_name": "results_last_name",
    "athlete_sex": "results_sex",
    "entry_bib": "results_bib",
    "entry_race_age": "results_age",
    "location_city": "results_city",
    "location_region": "results_state_code",
    "location_country": "results_country_code",
}


@dataclass(slots=True)
class Rows:
    """A stretch of a race's result rows: one interval, positions a..b-1 of which some are gone."""

    distance: Distance
    interval: int
    start: int
    stop: int
    gone: list[int]
    # Entries with a result that control gave them, beyond the positions.
    extras: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.stop - self.start - len(self.gone) + len(self.extras)

    def slice(self, start: int, stop: int) -> Iterator[int]:
        """Yield positions; extras as -1 - index."""
        position = self.start + start
        for gone in self.gone:
            if gone <= position:
                position += 1
        left, missing = stop - start, set(self.gone)
        while position < self.stop and left > 0:
            if position not in missing:
                yield position
                left -= 1
            position += 1
        first = max(0, start - (self.stop - self.start - len(self.gone)))
        yield from (-1 - index for index in self.extras[first : first + max(0, left)])


class Results:
    """Result rows in ChronoTrack's words."""

    def __init__(self, state: State, records: Records) -> None:
        """Write from this state; `records` knows who entered."""
        self.state = state
        self.records = records
        self.ranks = Ranks(state, records)

    # -- which there are ----------------------------------------------------------------------------

    def _lead(self, distance: Distance, interval: int) -> int:
        """Return how many more athletes have passed this mat than have finished."""
        return -(-distance.finishers // 5) * (len(distance.course.splits) - interval)

    def stretches(self, partner: int, distance: Distance, wanted: list[int]) -> list[Rows]:
        """Return the stretches of result rows of these intervals."""
        changes = self.records.changes(partner, distance)
        source = self.state.source
        scored = changes.scored(distance)
        full = len(distance.course.splits)
        lost = sorted(
            p for i in {**changes.result_gone, **changes.removed} if (p := source.position_of(distance, i)) is not None
        )
        done = scored >= distance.finishers and scored > 0
        after = distance.finishers + distance.did_not_finish
        last = after + distance.disqualified
        found = []
        for interval in wanted:
            count = min(distance.finishers, scored + self._lead(distance, interval)) if scored else 0
            stretches = [(0, count)]
            if done:
                # Who dropped out passed the first mats only, and has a begin time on the whole course.
                seen = interval == full or interval < (full + 1) // 2
                stretches = [(0, last)] if seen else [(0, distance.finishers), (after, last)]
            end = stretches[-1][1]
            extras: tuple[int, ...] = ()
            if interval == full and changes.corrected:
                extras = tuple(
                    i
                    for i in sorted(changes.corrected)
                    if i not in changes.result_gone
                    and i not in changes.removed
                    and ((p := source.position_of(distance, i)) is None or p >= end)
                )
            for a, b in stretches:
                gone = lost[bisect_left(lost, a) : bisect_left(lost, b)]
                found.append(Rows(distance, interval, a, b, gone, extras if b == end else ()))
        return found

    # -- when they were touched ---------------------------------------------------------------------

    def modified_at(self, partner: int, distance: Distance, interval: int, position: int, index: int) -> int:
        """Return when a result row was last touched; a re-score touches the whole race."""
        changes = self.records.changes(partner, distance)
        at = max(changes.rescored_at, changes.result_modified.get(index, 0))
        if position < 0:
            return at or START
        posted = changes.posted_at(distance, position, self._lead(distance, interval))
        if posted is None:
            # Who did not finish was entered when the last one had.
            last = min(position, distance.finishers - 1)
            posted = min(distance.start + self._passed(distance, interval, last) // 10, START)
        return max(at, posted)

    def _passed(self, distance: Distance, interval: int, position: int) -> int:
        source = self.state.source
        if interval < len(distance.course.splits):
            return source.split(distance, position, interval) or 0
        timing = source.timing(distance, position)
        return timing.gun if timing else 0

    def latest(self, partner: int, stretch: Rows) -> int:
        changes = self.records.changes(partner, stretch.distance)
        touched = [changes.rescored_at, *changes.result_modified.values(), *(at for _, at in changes.posts)]
        last = min(stretch.stop, stretch.distance.finishers) - 1
        if stretch.distance.from_file:
            touched.append(self.state.source.occasion(stretch.distance.uid // 4).end)
        elif last >= 0:
            touched.append(
                min(stretch.distance.start + self._passed(stretch.distance, stretch.interval, last) // 10, START)
            )
        return max(touched)

    def is_live(self, partner: int, distances: list[Distance]) -> bool:
        scored = [(self.records.changes(partner, d).scored(d), d.finishers) for d in distances]
        return any(0 < count < finishers for count, finishers in scored)

    # -- one of them --------------------------------------------------------------------------------

    def result(
        self, partner: int, distance: Distance, interval: int, position: int, codes: bytes | None = None
    ) -> Record:
        """Return one row: an athlete at an interval."""
        source = self.state.source
        changes = self.records.changes(partner, distance)
        occasion = source.occasion(distance.uid // 4)
        index = source.index_at(distance, position) if position >= 0 else -1 - position
        who = self.records.entrant(partner, distance, index)
        full = interval == len(distance.course.splits)
        style = 1 if distance.from_file else occasion.uid % 4 // 2
        name, metres = ("Full Course", distance.course.metres) if full else distance.course.splits[interval]
        timing = source.timing(distance, max(0, position))
        offset = timing.offset if timing is not None else 0
        gun: int | None
        if full:
            gun = changes.corrected.get(index)
            if gun is None and (
                position < 0 or position < distance.finishers or self._was_disqualified(distance, position)
            ):
                gun = timing.gun if timing is not None else None
        else:
            gun = source.split(distance, position, interval)
        shift = self.records.occasion_changes(partner, occasion).shift
        start = distance.start + shift
        net = max(1, gun - offset) if gun is not None else None
        reached = gun
        if not full and distance.from_file:
            gun, net = None, gun  # files give times on the way from the start mat on
        if full and timing is not None and index not in changes.corrected:
            gun, net = gun if timing.has_gun else None, net if timing.has_net else None
        kilometres = occasion.venue[3] != "US"
        per = metres / (1000 if kilometres else 1609.344)
        record: Record = {
            "results_entry_id": entry_id(distance, index),
            "results_bib": who.bib,
            "results_first_name": who.first,
            "results_last_name": who.last,
            "results_sex": who.gender,
            "results_age": text(who.age),
            "results_hometown": ", ".join(part for part in (who.city, who.region, who.country) if part),
            "results_city": who.city,
            "results_state_code": who.region,
            "results_country_code": who.country,
            "results_event_name": occasion.name,
            "results_race_id": race_id(distance),
            "results_race_name": distance.name,
            "results_interval_id": interval_id(distance, interval),
            "results_interval_name": name,
            "results_interval_full": "1" if full else "0",
            "results_bracket_name": "Overall",
            "results_primary_bracket_id": bracket_id(distance, self._bracket_number(who)),
            "results_primary_bracket_name": self.records.bracket_name(who),
            "results_rank": self.ranks.rank(partner, distance, interval, position, index, codes),
            "results_time": duration(net, style) if net is not None else "",
            "results_gun_time": duration(gun, style) if gun is not None else "",
            "results_pace": duration(int(net / per) // 10 * 10, 1) if net is not None else "",
            "results_gun_pace": duration(int(gun / per) // 10 * 10, 1) if gun is not None else "",
            "results_pace_unit": "min/km" if kilometres else "min/mi",
            "results_start_time": str(start),
            "results_begin_chip_time": f"{start + offset / 10:.2f}",
            "results_end_chip_time": f"{start + reached / 10:.2f}" if reached is not None else "",
            "results_penalty_time": "",
            "results_time_with_penalty": "",
            "results_gun_time_with_penalty": "",
        }
        if full and timing is not None and timing.flaw and index not in changes.corrected:
            if timing.flaw == 2:
                begin, end = record["results_begin_chip_time"], record["results_end_chip_time"]
                record |= {"results_begin_chip_time": end, "results_end_chip_time": begin}
            else:
                record["results_time"] = "1:6x:22" if timing.flaw == 1 else "-0:03:11"
        for given, shown in SHARED_FIELDS.items():
            if given in changes.patches.get(index, ()):
                record[shown] = text(changes.patches[index][given])
        if full and index in changes.result_patches:
            record |= {k: text(v) for k, v in changes.result_patches[index].items()}
        return record

    @staticmethod
    def _was_disqualified(distance: Distance, position: int) -> bool:
        after = distance.finishers + distance.did_not_finish
        return after <= position < after + distance.disqualified

    def _bracket_number(self, who: Entrant) -> int:
        if who.gender not in ("F", "M"):
            return 3
        return 4 + ("F", "M").index(who.gender) * len(BANDS) + band_of(who.age)
