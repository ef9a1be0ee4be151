"""What has happened since the season started: the clock, changes made through control, rosters that show them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.world import ADDED, START, Distance, Entrant, Occasion, Season, Timing, holes_before

Record = dict[str, Any]


class Source(Protocol):
    """Where occasions and their entrants come from: the fictional season or a folder of results."""

    def uids(self, partner: int) -> list[int]: ...
    def serves(self, partner: int, uid: int) -> bool: ...
    def occasion(self, uid: int, /) -> Occasion: ...
    def distance(self, uid: int) -> Distance | None: ...
    def index_at(self, distance: Distance, position: int) -> int: ...
    def position_of(self, distance: Distance, index: int) -> int | None: ...
    def timing(self, distance: Distance, position: int) -> Timing | None: ...
    def split(self, distance: Distance, position: int, split: int) -> int | None: ...
    def rank(self, distance: Distance, position: int) -> int | None: ...
    def timer_copy(self, distance: Distance, index: int, person: int | None = None) -> Entrant: ...
    def person_of(self, distance: Distance, index: int) -> int: ...


@dataclass(slots=True)
class Removal:
    """Why and when a registration or entry went away."""

    reason: str
    at: int
    new_id: int | None = None


@dataclass(slots=True)
class Changes:
    """Everything that control did to one distance, as one partner sees it at one provider."""

    removed: dict[int, Removal] = field(default_factory=dict)
    restored: set[int] = field(default_factory=set)
    added: list[int] = field(default_factory=list)
    persons: dict[int, int] = field(default_factory=dict)
    added_at: dict[int, int] = field(default_factory=dict)
    patches: dict[int, Record] = field(default_factory=dict)
    modified: dict[int, int] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    posts: list[tuple[int, int]] = field(default_factory=list)
    corrected: dict[int, int] = field(default_factory=dict)
    disqualified: dict[int, int] = field(default_factory=dict)
    result_gone: dict[int, int] = field(default_factory=dict)
    result_modified: dict[int, int] = field(default_factory=dict)
    result_patches: dict[int, Record] = field(default_factory=dict)
    rescored_at: int = 0
    # A transfer's two ends, by the ids of the other one.
    successors: dict[int, Any] = field(default_factory=dict)
    predecessors: dict[int, Any] = field(default_factory=dict)

    def scored(self, distance: Distance) -> int:
        """Return how many finishers are in."""
        return self.posts[-1][0] if self.posts else distance.scored

    def posted_at(self, distance: Distance, position: int, lead: int = 0) -> int | None:
        """Return when control posted a row; None for one that was in from the start."""
        if position < min(distance.finishers, distance.scored + lead) and distance.scored:
            return None
        for count, at in self.posts:
            if position < min(distance.finishers, count + lead) or count >= distance.finishers:
                return at
        return None


NOTHING = Changes()


@dataclass(slots=True)
class OccasionChanges:
    """What control did to an occasion itself."""

    shift: int = 0
    name: str | None = None
    names: dict[int, str] = field(default_factory=dict)
    modified: int = 0


UNCHANGED = OccasionChanges()


class Roster:
    """The live entries of a distance, addressed by position without walking them."""

    def __init__(self, base: int, holes_below: int, changes: Changes) -> None:
        """Take generated entries 0..base-1, of which those below `holes_below` have gaps."""
        self.base = base
        self.holes_below = holes_below
        self.gone = sorted(i for i in changes.removed if i < base)
        self.back = sorted(changes.restored)
        self.added = [i for i in changes.added if i not in changes.removed]
        self.base_live = self._before(base)

    def __len__(self) -> int:
        return self.base_live + len(self.added)

    def _before(self, index: int) -> int:
        holes = holes_before(min(index, self.holes_below))
        return index - holes - bisect_left(self.gone, index) + bisect_left(self.back, index)

    def at(self, position: int) -> int:
        """Return the index of the entry at a position, oldest first."""
        if position >= self.base_live:
            return self.added[position - self.base_live]
        low, high = position, self.base - 1
        while low < high:
            middle = (low + high) // 2
            if self._before(middle + 1) > position:
                high = middle
            else:
                low = middle + 1
        return low

    def position(self, index: int) -> int:
        """Return how many live entries come before an index."""
        if index >= self.base:
            return self.base_live + bisect_left(self.added, index)
        return self._before(index)

    def __contains__(self, index: int) -> bool:
        if index >= self.base:
            return index in self.added
        return index >= 0 and self._before(index + 1) > self._before(index)

    def slice(self, start: int, stop: int) -> Iterator[int]:
        """Yield the entries at these positions, oldest first."""
        stop = min(stop, len(self))
        if start >= stop:
            return
        if start < self.base_live:
            index, left = self.at(start), min(stop, self.base_live) - start
            while left:
                if index in self:
                    yield index
                    left -= 1
                index += 1
        yield from self.added[max(0, start - self.base_live) : max(0, stop - self.base_live)]

    def slice_newest_first(self, start: int, stop: int) -> list[int]:
        """Return the entries at these positions, newest first."""
        count = len(self)
        found = list(self.slice(max(0, count - stop), max(0, count - start)))
        found.reverse()
        return found


class State:
    """The season, its clock and all changes since it started."""

    def __init__(self, source: Source) -> None:
        """Start at the season's own beginning."""
        self.source = source
        self.now = START
        # Counts changes, so that what was worked out before one is not used after it.
        self.version = 0
        self._changes: dict[tuple[str, int, int], Changes] = {}
        self._occasions: dict[tuple[str, int, int], OccasionChanges] = {}

    @property
    def season(self) -> Season:
        """Return the fictional season; a registration platform needs more than a source gives."""
        if not isinstance(self.source, Season):
            raise TypeError("this world is a folder of results: it has no registrations")
        return self.source

    def changes(self, provider: str, partner: int, distance: Distance) -> Changes:
        """Return what changed in a distance; do not write to it."""
        return self._changes.get((provider, partner, distance.uid), NOTHING)

    def changing(self, provider: str, partner: int, distance: Distance) -> Changes:
        """Return the changes of a distance to write to."""
        return self._changes.setdefault((provider, partner, distance.uid), Changes())

    def occasion_changes(self, provider: str, partner: int, occasion: Occasion) -> OccasionChanges:
        """Return what changed in an occasion; do not write to it."""
        return self._occasions.get((provider, partner, occasion.uid), UNCHANGED)

    def occasion_changing(self, provider: str, partner: int, occasion: Occasion) -> OccasionChanges:
        """Return the changes of an occasion to write to."""
        return self._occasions.setdefault((provider, partner, occasion.uid), OccasionChanges())


def next_added(changes: Changes) -> int:
    """Return the index of the next entry to add."""
    return ADDED + len(changes.added)
