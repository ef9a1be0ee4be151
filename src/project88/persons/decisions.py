"""What people decided about who is who: kept in the order of deciding; a later word replaces an earlier one.

A decision is about records, not about persons: persons change as data grow, and the decision must survive that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["merge", "split", "confirm"]


@dataclass(frozen=True)
class Decision:
    """A person's word. merge and confirm: `records` are one person; split: they are none of the `others`."""

    kind: Kind
    records: frozenset[str]
    others: frozenset[str] = frozenset()

    @property
    def named(self) -> frozenset[str]:
        """Every record that it speaks of."""
        return self.records | self.others


@dataclass(frozen=True)
class Standing:
    """What still stands: groups that are one person, the latest word first, and pairs of sets that never are."""

    together: tuple[frozenset[str], ...] = ()
    apart: tuple[tuple[frozenset[str], frozenset[str]], ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """Every record that a standing word speaks of."""
        return frozenset().union(*self.together, *(side for pair in self.apart for side in pair))


def standing(decisions: Iterable[Decision]) -> Standing:
    """Return what stands of decisions given from the first to the last."""
    together: list[frozenset[str]] = []
    apart: list[tuple[frozenset[str], frozenset[str]]] = []
    for one in decisions:
        if one.kind == "split":
            together = [
                part
                for group in together
                for part in (group - one.named, group & one.records, group & one.others)
                if len(part) > 1
            ]
            apart.append((one.records, one.others))
        else:
            # Whoever is together now was apart from those only who are not part of it.
            apart = [
                (left, right)
                for was, never in apart
                for left, right in ((was - one.records, never), (was & one.records, never - one.records))
                if left and right
            ]
            together.append(one.records)
    return Standing(tuple(reversed(together)), tuple(apart))
