"""Ranks, worked out anew from places, corrections and disqualifications whenever they are asked for."""

from __future__ import annotations

from typing import Any

from sandbox.providers.chronotrack.records import Records
from sandbox.providers.chronotrack.wire import BANDS, BRACKET_NAMES, SEXES, band_of, bracket_id
from sandbox.state import State
from sandbox.world import Distance


class Ranks:
    """Ranks of finishers, overall and in brackets."""

    def __init__(self, state: State, records: Records) -> None:
        """Rank by this state; `records` knows who entered."""
        self.state = state
        self.records = records
        self._codes: dict[tuple[int, int, int], tuple[bytes, bytes]] = {}

    def codes(self, partner: int, distance: Distance) -> tuple[bytes, bytes]:
        """Return sex and age group of every finishing position; kept for the last few races asked for."""
        key = (partner, distance.uid, self.state.version)
        if key not in self._codes:
            if len(self._codes) >= 4:
                self._codes.clear()
            changes = self.records.changes(partner, distance)
            sexes, ages = bytearray(), bytearray()
            for position in range(distance.finishers):
                index = self.state.source.index_at(distance, position)
                who = self.records.entrant(partner, distance, index)
                sex = str(changes.patches.get(index, {}).get("athlete_sex", who.gender))
                code = SEXES.index(sex) if sex in SEXES else 3
                sexes.append(code)
                ages.append(code * 10 + band_of(who.age) if code < 2 else 20)
            self._codes[key] = bytes(sexes), bytes(ages)
        return self._codes[key]

    def rank(
        self, partner: int, distance: Distance, interval: int, position: int, index: int, codes: bytes | None
    ) -> str:
        """Return the rank of a row in the bracket asked for, with what control changed taken in."""
        source = self.state.source
        changes = self.records.changes(partner, distance)
        if index in changes.disqualified or changes.status.get(index) == "DQ":
            return ""
        full = interval == len(distance.course.splits)
        corrected = changes.corrected.get(index) if full else None
        if corrected is None and (position < 0 or position >= distance.finishers):
            return ""
        if codes is None and corrected is None and not changes.rescored_at:
            known = source.rank(distance, position)
            if known is not None:
                return str(known)
        code = codes[position] if codes is not None and 0 <= position < len(codes) else None
        mine = corrected if corrected is not None else None
        place = position if mine is None else self._faster(distance, mine)
        ahead = codes.count(code, 0, place) if codes is not None and code is not None else place
        gone = {**changes.result_gone, **changes.removed, **changes.disqualified}
        if full:
            gone |= changes.corrected
        for other in gone:
            at = source.position_of(distance, other)
            if at is not None and at < min(place, distance.finishers) and (codes is None or codes[at] == code):
                ahead -= 1
        if full:
            timing = source.timing(distance, position) if position >= 0 else None
            own = mine if mine is not None else timing.gun if timing else 0
            for other, gun in changes.corrected.items():
                at = source.position_of(distance, other)
                out = other in changes.result_gone or other in changes.removed or other in changes.disqualified
                same = codes is None or (at is not None and at < len(codes) and codes[at] == code)
                if other != index and not out and same and gun < own:
                    ahead += 1
        return str(ahead + 1)

    def _faster(self, distance: Distance, gun: int) -> int:
        low, high = 0, distance.finishers
        while low < high:
            middle = (low + high) // 2
            timing = self.state.source.timing(distance, middle)
            if timing is not None and timing.gun < gun:
                low = middle + 1
            else:
                high = middle
        return low

    def named(self, distance: Distance, bracket: str) -> str | None:
        for n, (name, _) in enumerate(BRACKET_NAMES):
            if bracket.lower() == name.lower() or bracket == bracket_id(distance, n):
                return name
        return None

    def keeps(self, partner: int, distance: Distance, bracket: str) -> Any:
        """Return True for every row, (codes, code) for those of a bracket, None for none."""
        if bracket.upper() in ("", "SEX", "AGE"):
            return True
        name = self.named(distance, bracket)
        if name is None:
            return None
        if name == "Overall":
            return True
        sexes, ages = self.codes(partner, distance)
        if name in ("Female", "Male", "Non-binary"):
            return sexes, ("Female", "Male", "Non-binary").index(name)
        return ages, SEXES.index(name[0]) * 10 + BANDS.index(name[1:])

    def codes_of(self, partner: int, distance: Distance, bracket: str) -> bytes | None:
        if bracket.upper() == "SEX":
            return self.codes(partner, distance)[0]
        if bracket.upper() == "AGE":
            return self.codes(partner, distance)[1]
        kept = self.keeps(partner, distance, bracket)
        return kept[0] if isinstance(kept, tuple) else None
