"""Who was seen where and when, and how they are placed: worked out for a whole distance, as Copernico sends it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sandbox.providers.common import View
from sandbox.state import Changes, Roster, State
from sandbox.world import COPERNICO, Distance, Entrant, Timing

RETRACTED = "retracted"
Ranks = tuple[int, int, int]


@dataclass(slots=True)
class Standing:
    """One athlete in one event. Times are milliseconds from the gun, one for each mat after the start."""

    distance: Distance
    index: int
    who: Entrant
    status: str
    offset: int | None = None
    passed: list[int | None] = field(default_factory=list)
    flaw: int = 0
    # By mat: overall, in the gender, in the category; by gun time and by net time.
    ranks: list[Ranks | None] = field(default_factory=list)
    net_ranks: list[Ranks | None] = field(default_factory=list)

    @property
    def finish(self) -> int | None:
        """Return the gun time."""
        return self.passed[-1] if self.passed else None

    def net(self, mat: int) -> int | None:
        """Return the time at a mat from one's own start."""
        gun = self.passed[mat]
        return None if gun is None else max(1, gun - (self.offset or 0))


class Standings(View):
    """The standings of each distance; kept until something changes."""

    name = COPERNICO

    def __init__(self, state: State) -> None:
        """Work from this state."""
        super().__init__(state)
        self._kept: dict[tuple[int, int, int], dict[int, Standing]] = {}

    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the athletes of a distance: who withdrew stays, who was deleted is gone."""
        return Roster(distance.entered, 0, self.changes(partner, distance))

    def of(self, partner: int, distance: Distance) -> dict[int, Standing]:
        """Return the standings of a distance by index."""
        key = (partner, distance.uid, self.state.version)
        if key not in self._kept:
            if len(self._kept) >= 64:
                self._kept.clear()
            changes = self.changes(partner, distance)
            roster = self.roster(partner, distance)
            found = {i: self._standing(changes, distance, i) for i in roster.slice(0, len(roster))}
            self._place(list(found.values()), changes)
            self._kept[key] = found
        return self._kept[key]

    def _standing(self, changes: Changes, distance: Distance, index: int) -> Standing:
        source = self.state.source
        who = source.timer_copy(distance, index, changes.persons.get(index))
        position = source.position_of(distance, index)
        made = Standing(distance, index, who, "notstarted")
        made.passed = [None] * (len(distance.course.splits) + 1)
        timing = source.timing(distance, position) if position is not None else None
        if position is not None and timing is not None:
            self._pass_mats(made, changes, position, timing)
        if index in changes.corrected:
            made.passed[-1] = changes.corrected[index] * 100
            made.offset = made.offset or 0
        if index in changes.result_gone:
            made.offset, made.passed, made.flaw = None, [None] * len(made.passed), 0
        for _ in range(int(changes.result_patches.get(index, {}).get(RETRACTED, 0))):
            self._retract(made)
        made.status = self._status(made, changes, position)
        return made

    def _pass_mats(self, made: Standing, changes: Changes, position: int, timing: Timing) -> None:
        distance = made.distance
        scored = changes.scored(distance)
        if not scored:
            return
        mats = len(distance.course.splits)
        lead = -(-distance.finishers // 5)
        after = distance.finishers + distance.did_not_finish
        done = scored >= distance.finishers
        if done and position >= after + distance.disqualified:
            return
        made.offset = timing.offset * 100
        for mat in range(mats + 1):
            seen = position < min(distance.finishers, scored + lead * (mats - mat))
            if done and position >= distance.finishers:
                # Who dropped out passed the first mats only; who was disqualified all of them.
                seen = position >= after or mat < (mats + 1) // 2
            if seen:
                gun = timing.gun if mat == mats else self.state.source.split(distance, position, mat) or 0
                made.passed[mat] = gun * 100
        made.flaw = timing.flaw if made.finish is not None else 0

    @staticmethod
    def _retract(made: Standing) -> None:
        """Take back what was seen last."""
        for mat in reversed(range(len(made.passed))):
            if made.passed[mat] is not None:
                made.passed[mat] = None
                return
        made.offset = None

    def _status(self, made: Standing, changes: Changes, position: int | None) -> str:
        index, distance = made.index, made.distance
        if index in changes.status:
            return changes.status[index]
        if position is None and index < distance.entered:
            return "withdrawn"
        if made.finish is not None:
            after = distance.finishers + distance.did_not_finish
            out = position is not None and after <= position < after + distance.disqualified
            return "dsq" if out and index not in changes.corrected else "finished"
        if made.offset is None:
            return "notstarted"
        return "dnf" if changes.scored(distance) >= distance.finishers else "running"

    @staticmethod
    def _place(all_of_them: list[Standing], changes: Changes) -> None:
        from sandbox.providers.copernico.wire import category

        mats = len(all_of_them[0].passed) if all_of_them else 0
        for one in all_of_them:
            one.ranks, one.net_ranks = [None] * mats, [None] * mats
        ranked = [one for one in all_of_them if one.status in ("finished", "running", "dnf")]
        for mat in range(mats):
            there = [one for one in ranked if one.passed[mat] is not None]
            by_gun = sorted(there, key=lambda one: (one.passed[mat] or 0, one.index))
            by_net = sorted(there, key=lambda one: (one.net(mat) or 0, one.index))
            for ordered, put in ((by_gun, "ranks"), (by_net, "net_ranks")):
                counts: Counter[str] = Counter()
                for one in ordered:
                    gender = str(changes.patches.get(one.index, {}).get("gender", one.who.gender))
                    groups = ("all", f"g {gender}", f"c {category(one.who.gender, one.who.age)}")
                    counts.update(groups)
                    getattr(one, put)[mat] = tuple(counts[group] for group in groups)
