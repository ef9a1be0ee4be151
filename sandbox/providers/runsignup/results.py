"""Who finished when: result sets, their rows, and which rows there are."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.providers.common import Record
from sandbox.providers.runsignup.records import Records
from sandbox.providers.runsignup.wire import SET_BASE, SPLIT_BASE, clock, number_of, registration_id, result_id, tf
from sandbox.state import State
from sandbox.world import ADDED, BLOCK, PARTNERS, START, Distance


class Results:
    """Result sets and their rows in RunSignUp's words."""

    def __init__(self, state: State, records: Records) -> None:
        """Write from this state; `records` knows who registered."""
        self.state = state
        self.records = records

    def has_results(self, partner: int, distance: Distance) -> bool:
        """Return whether an event has a result set."""
        changes = self.records.changes(partner, distance)
        return bool(changes.scored(distance) or changes.corrected)

    def result_set_id(self, distance: Distance) -> int:
        """Return the id of an event's result set."""
        return SET_BASE + distance.uid

    def indexes(self, partner: int, distance: Distance) -> list[tuple[int, int | None]]:
        """Return all result rows of an event as (entry, position)."""
        return list(self.slice(partner, distance, 0, BLOCK))

    def finishers(self, partner: int, distance: Distance) -> int:
        """Return how many have finished and kept their result."""
        changes = self.records.changes(partner, distance)
        scored = changes.scored(distance)
        places = (self.state.season.position_of(distance, index) for index in changes.result_gone)
        return scored - sum(place is not None and place < scored for place in places)

    def slice(self, partner: int, distance: Distance, start: int, stop: int) -> Iterator[tuple[int, int | None]]:
        """Yield result rows by position; those control made for entries without one come last."""
        season = self.state.season
        changes = self.records.changes(partner, distance)
        scored = changes.scored(distance)
        end = scored
        if scored >= distance.finishers:
            end = distance.finishers + distance.did_not_finish + distance.disqualified
        gone = sorted(p for i in changes.result_gone if (p := season.position_of(distance, i)) is not None and p < end)
        # Skip `start` rows that are still there without looking at each of them.
        position = start
        for p in gone:
            if p <= position:
                position += 1
        left = stop - start
        missing = set(gone)
        while position < end and left > 0:
            if position not in missing:
                yield season.index_at(distance, position), position
                left -= 1
            position += 1
        extras = [
            i
            for i in sorted(changes.corrected)
            if i not in changes.result_gone and ((p := season.position_of(distance, i)) is None or p >= end)
        ]
        first = max(0, start - (end - len(gone)))
        yield from ((i, None) for i in extras[first : first + max(0, left)])

    def modified_at(self, partner: int, distance: Distance, index: int, position: int | None) -> int:
        """Return when a result row was last touched."""
        changes = self.records.changes(partner, distance)
        if index in changes.result_modified:
            return changes.result_modified[index]
        if position is None:
            return START
        posted = changes.posted_at(distance, position)
        if posted is not None:
            return posted
        return min(distance.start + self.state.season.timing(distance, position).gun // 10 + 1800, START - 60)

    def splits(self, distance: Distance) -> list[tuple[int, str]]:
        """Return the ids and names of an event's splits."""
        return [(SPLIT_BASE + distance.uid * 8 + n, name) for n, (name, _) in enumerate(distance.course.splits)]

    def result(
        self, partner: int, distance: Distance, index: int, position: int | None, supports_nb: bool = True
    ) -> Record:
        """Return a result row as RunSignUp writes it."""
        season = self.state.season
        changes = self.records.changes(partner, distance)
        entrant = self.records.entrant(changes, distance, index)
        style = (distance.uid // 4) % 3
        gender = None if entrant.gender == "X" and not supports_nb else entrant.gender
        registered = index < distance.registered or index >= ADDED
        record: Record = {
            "result_id": result_id(distance, index),
            "place": None,
            "bib": number_of(entrant.bib),
            "registration_id": registration_id(distance, index) if registered else None,
            "first_name": entrant.first,
            "last_name": entrant.last,
            "gender": gender,
            "age": entrant.age,
            "city": entrant.city,
            "state": entrant.region,
            "country_code": entrant.country,
            "clock_time": "",
            "chip_time": "",
            "pace": "",
        }
        timing = season.timing(distance, position if position is not None else distance.finishers - 1)
        gun = changes.corrected.get(index, timing.gun)
        finished = position is not None and position < distance.finishers
        if index in changes.corrected or finished:
            record["place"] = position + 1 if position is not None else None
            record["clock_time"] = clock(gun, style)
            # Some timers upload gun times only; the chip time is then an empty text.
            untimed = (distance.uid // 4) % 7 == 3
            record["chip_time"] = "" if untimed else clock(max(1, gun - timing.offset), style)
            record["pace"] = clock(int(gun / (distance.course.metres / 1609.344)) // 10 * 10, 0)
            if timing.flaw and index not in changes.corrected:
                record["clock_time"] = ("1:6x:22", "0:00:07", "-0:03:11")[timing.flaw - 1]
                record["chip_time"] = record["clock_time"] if record["chip_time"] else ""
        else:
            text = "DNF" if position is not None and position < distance.finishers + distance.did_not_finish else "DQ"
            record["clock_time"] = text
        if index in changes.disqualified:
            record["place"], record["clock_time"], record["chip_time"] = None, "DQ", ""
        for number, (split_id, _) in enumerate(self.splits(distance)):
            passed = position is not None and (finished or number == 0)
            split = season.split(distance, position, number) if passed and position is not None else None
            record[f"split-{split_id}"] = clock(max(1, split - timing.offset), style) if split is not None else ""
        patch = changes.result_patches.get(index)
        if patch:
            record.update(patch)
        return record

    def result_set(self, partner: int, distance: Distance) -> Record:
        """Return the heading of an event's result set."""
        changes = self.records.changes(partner, distance)
        labels = {
            "place": "Place", "bib": "Bib", "first_name": "First Name", "last_name": "Last Name", "gender": "Gender",
            "age": "Age", "city": "City", "state": "State", "country_code": "Country", "clock_time": "Clock Time",
            "chip_time": "Chip Time", "pace": "Pace",
        }  # fmt: skip
        labels |= {f"split-{split_id}": name for split_id, name in self.splits(distance)}
        return {
            "individual_result_set_id": self.result_set_id(distance),
            "individual_result_set_name": "Overall Results",
            "public_results": "T",
            "preliminary_results": tf(changes.scored(distance) < distance.finishers),
            "pace_type": "T",
            "sort_order": 0,
            "team_column_display_type": 1,
            "results_source_name": PARTNERS[partner][0],
            "results_source_url": None,
            "alt_event_ids": [],
            "hide_splits_in_results": "F",
            "results_headers": labels,
        }
