"""Who finished when: the rows of the results service, short as listed and whole as told one by one."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

from sandbox.providers.common import Record
from sandbox.providers.raceroster.records import Records
from sandbox.providers.raceroster.wire import (
    GENDER_WORDS,
    RESULT_BASE,
    RESULT_EVENT_BASE,
    RESULT_SUB_EVENT_BASE,
    clock,
    number_of_code,
    participant_id,
    public_code,
    result_number,
)
from sandbox.state import State
from sandbox.world import BLOCK, Distance, Entrant

# Results of an event's distances have numbers from here on, those of events below.
_RESULTS_OF_ENTRIES = 1 << 20
# What a list row has of the whole one (section 5.4): no bib, no age.
LISTED = (
    "id", "advertising", "hasAward", "overallPlace", "name", "chipTime", "overallPace", "division", "divisionPlace",
    "fromCity", "fromProvState", "initials",
)  # fmt: skip


class Results:
    """Rows of results in Race Roster's words."""

    def __init__(self, state: State, records: Records) -> None:
        """Write from this state; `records` knows who registered."""
        self.state = state
        self.records = records
        self._ranked: dict[tuple[int, int], tuple[int, dict[int, Record]]] = {}

    # -- which there are ----------------------------------------------------------------------------

    def code(self, distance: Distance, index: int) -> str:
        """Return a result's public id."""
        return public_code(_RESULTS_OF_ENTRIES + result_number(distance, index))

    def locate(self, given: str) -> tuple[Distance, int] | None:
        """Return where a result's public id belongs, or None."""
        number = number_of_code(given)
        if number is None or number < _RESULTS_OF_ENTRIES:
            return None
        uid, index = divmod(number - _RESULTS_OF_ENTRIES, BLOCK)
        distance = self.state.season.distance(uid) if uid < 1 << 32 else None
        known = distance is not None and self.records.is_listed(distance.uid // 4)
        return (distance, index) if distance is not None and known else None

    def has_results(self, partner: int, distance: Distance) -> bool:
        """Return whether a distance has results."""
        changes = self.records.changes(partner, distance)
        return bool(changes.scored(distance) or changes.corrected)

    def indexes(self, partner: int, distance: Distance) -> Iterator[tuple[int, int | None]]:
        """Yield the rows of a distance as (entry, position); those made for entries without a finish come last."""
        changes = self.records.changes(partner, distance)
        end = changes.scored(distance)
        if end >= distance.finishers:
            end = distance.finishers + distance.did_not_finish + distance.disqualified
        met = set()
        for position in range(end):
            index = self.state.season.index_at(distance, position)
            met.add(index)
            if index not in changes.result_gone:
                yield index, position
        for index in sorted(changes.corrected):
            if index not in met and index not in changes.result_gone:
                yield index, None

    # -- one of them --------------------------------------------------------------------------------

    def rows(self, partner: int, distance: Distance) -> dict[int, Record]:
        """Return all rows of a distance by entry, places reckoned; kept until something changes."""
        version, kept = self._ranked.get((partner, distance.uid), (-1, {}))
        if version == self.state.version:
            return kept
        rows = {index: self._row(partner, distance, index, at) for index, at in self.indexes(partner, distance)}
        self._rank(rows)
        for index, row in rows.items():
            row.update(self.records.changes(partner, distance).result_patches.get(index, {}))
        self._ranked[partner, distance.uid] = self.state.version, rows
        return rows

    @staticmethod
    def _rank(rows: dict[int, Record]) -> None:
        """Put places into the rows; who did not finish has none."""
        placed = [row for row in rows.values() if row["raceStatus"] == "COMPLETE"]
        in_division = Counter(row["division"] for row in placed)
        genders: Counter[str] = Counter()
        divisions: Counter[str | None] = Counter()
        for place, row in enumerate(placed, 1):
            genders[row["gender"]] += 1
            divisions[row["division"]] += 1
            row["overallPlace"], row["genderPlace"] = place, genders[row["gender"]]
            if row["division"]:
                row["divisionPlace"] = f"{divisions[row['division']]} / {in_division[row['division']]}"

    def _row(self, partner: int, distance: Distance, index: int, position: int | None) -> Record:
        season = self.state.season
        changes = self.records.changes(partner, distance)
        who = season.timer_copy(distance, index, changes.persons.get(index))
        registered = index < distance.registered or index in changes.added
        timing = season.timing(distance, position if position is not None else distance.finishers - 1)
        gun = changes.corrected.get(index, timing.gun)
        finished = (position is not None and position < distance.finishers) or index in changes.corrected
        status = "COMPLETE"
        if not finished:
            after = position is not None and position < distance.finishers + distance.did_not_finish
            status = "DNF" if after else "DQ"
        if index in changes.disqualified:
            # DNF and DNS were seen; DQ is assumed.
            status, finished = "DQ", False
        net = max(1, gun - timing.offset)
        kilometres = season.occasion(distance.uid // 4).venue[3] != "US"
        per = distance.course.metres / (1000 if kilometres else 1609.344)
        gender = GENDER_WORDS.get(who.gender, "Unknown")
        first, last = who.first.strip(), who.last.strip()
        return {
            "id": self.code(distance, index),
            "advertising": "#",
            "hasAward": False,
            "overallPlace": None,
            "name": f"{first} {last}",
            "chipTime": clock(net) if finished else None,
            # With a space behind it, in lists too (section 5.4).
            "overallPace": f"{clock(int(net / per)).partition('.')[0]} " if finished else "",
            "genderSexId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"gender/{gender}")),
            "division": self._division(who),
            "divisionPlace": "",
            "fromCity": who.city,
            "fromProvState": who.region,
            "initials": f"{first[:1]}{last[:1]}".upper(),
            "resultId": RESULT_BASE + result_number(distance, index),
            "resultEventId": RESULT_EVENT_BASE + distance.uid // 4,
            "resultSubEventId": RESULT_SUB_EVENT_BASE + distance.uid,
            "participantNum": str(uuid.uuid5(uuid.NAMESPACE_URL, f"participant/{participant_id(distance, index)}")),
            "teamUuid": None,
            "teamName": who.team if registered else None,
            "gender": gender,
            "bib": who.bib,
            "gunTimeSec": gun // 10 if finished else None,
            "chipTimeSec": net // 10 if finished else None,
            "finalTimeSec": net // 10 if finished else None,
            "gunTime": clock(gun) if finished else None,
            "finalTime": clock(net) if finished else None,
            "overallPaceUnits": "min/km" if kilometres else "min/mi",
            "genderPlace": None,
            "age": who.age,
            "fromCountry": who.country,
            "nationality": None,
            "raceStatus": status,
            "custom": [{"mapId": 9100 + distance.number, "value": "B" if index % 2 else "A"}],
            "questions": [],
        }

    @staticmethod
    def _division(who: Entrant) -> str | None:
        if who.gender not in ("F", "M") or who.age is None or not 0 < who.age < 120:
            return None
        low = who.age // 10 * 10
        return f"{who.gender}{low}-{low + 9}"

    @staticmethod
    def listed(row: Record) -> Record:
        """Return what a list shows of a row: words for the gender, and no bib."""
        return {name: row[name] for name in LISTED if name in row} | {"genderSexId": row.get("gender")}
