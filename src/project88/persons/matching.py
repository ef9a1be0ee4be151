"""From clusters to persons whose ids last: a pure function of clusters, of who was who, and of what people decided.

Clusters are matched to persons by shared records, the oldest person first. It takes the cluster with most of its
records; a cluster that nobody takes gets a new id, a person that finds none is retired with a pointer to whoever has
its records now. So merges keep the older id and splits leave it with the larger part. An id is a hash of the
partner and of the first record it was made for: it tells neither age nor number, and two hubs with one history have the
same ids.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from project88.persons.decisions import Standing

# Bits by which a record must be nearer to one of two persons whom somebody parted; else it is neither's.
MARGIN = 2.0
DECIDED = 1.0

ChangeKind = Literal["merged", "split", "moved", "ended"]
Link = tuple[str, str, float]


def mint(timing_partner_id: int, record_key: str, nth: int = 0) -> str:
    """Return the id of the `nth` person (from 0) whose first record this was; dbt makes the same of a new record."""
    name = f"person|{timing_partner_id}|{record_key}" + (f"|{nth}" if nth else "")
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a record belongs, and how surely (0 to 1)."""

    person_id: str
    confidence: float


@dataclass(frozen=True)
class Known:
    """What the registry holds of the persons in question: all records of each.

    `since`: the order in which living persons were made; `last` is the latest of the partner's, whoever that was.
    `minted`: how many ids each record key has been the first of.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)
    last: int = 0
    minted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Minted:
    """A new person."""

    person_id: str
    first_record: str
    nth: int
    since: int


@dataclass(frozen=True)
class Change:
    """What became of records that had another id: `records` of `person_id` are now `other_person_id`'s.

    merged: person_id is retired. split: the other is new. moved: both were there. ended: no record is left.
    """

    kind: ChangeKind
    person_id: str
    other_person_id: str | None
    records: int


@dataclass
class Outcome:
    """What the registry has to write: places that are new or differ, records gone, persons who came and went."""

    places: dict[str, Place] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    minted: list[Minted] = field(default_factory=list)
    retired: dict[str, str | None] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


def match(
    timing_partner_id: int,
    clusters: Iterable[Mapping[str, float]],
    known: Known,
    *,
    decided: Standing = Standing(),  # noqa: B008 - it cannot be changed
    links: Sequence[Link] = (),
    changed: Collection[str] = (),
    gone: Collection[str] = (),
) -> Outcome:
    """Return what becomes of one partner's persons.

    `clusters` hold every record of each group that was touched, with its confidence; records of known persons that are
    in none of them stay together as they were. `links` (two records, bits) say where records belong whose cluster a
    decision parts. `changed` are records whose content is new: a cluster without one that is just what a person was
    keeps its confidences. `gone` are records that are no more. Raises ValueError for a record in two clusters.
    """
    found = _complete(clusters, known, set(gone))
    parts = _decide(found, known, decided, links)
    owners = _claim(parts, known)
    outcome = Outcome(gone=sorted(key for key in gone if key in known.places))
    _mint(timing_partner_id, parts, owners, known, outcome)
    _place(parts, owners, known, outcome, (set(changed), decided.named))
    _tell(parts, owners, known, outcome)
    return outcome


def _complete(clusters: Iterable[Mapping[str, float]], known: Known, gone: set[str]) -> list[dict[str, float]]:
    """Return the clusters, and one more for what is left of each known person."""
    found = []
    seen: set[str] = set()
    for cluster in clusters:
        kept = {key: value for key, value in cluster.items() if key not in gone}
        if twice := seen & kept.keys():
            raise ValueError(f"{min(twice)} is in two clusters")
        seen |= kept.keys()
        if kept:
            found.append(kept)
    rest: dict[str, dict[str, float]] = defaultdict(dict)
    for key, place in known.places.items():
        if key not in seen and key not in gone:
            rest[place.person_id][key] = place.confidence
    return [*found, *rest.values()]


# decisions


class _Parts:
    """Records joined to parts, under pairs of sets that may not meet."""

    def __init__(self, records: Iterable[str], apart: Sequence[tuple[frozenset[str], frozenset[str]]]) -> None:
        self.part = {key: {key} for key in records}
        # Of which sides each record is: (number of the pair, which of the two).
        self._sides: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for number, pair in enumerate(apart):
            for side in (0, 1):
                for key in pair[side]:
                    self._sides[key].add((number, side))

    def clash(self, one: str, two: str) -> bool:
        """Return whether the parts of two records may not be one."""
        return not self._opposed(one).isdisjoint(self._held(two))

    def _held(self, key: str) -> set[tuple[int, int]]:
        return {side for each in self.part[key] for side in self._sides.get(each, ())}

    def _opposed(self, key: str) -> set[tuple[int, int]]:
        return {(number, 1 - side) for number, side in self._held(key)}

    def join(self, one: str, two: str) -> bool:
        """Make the parts of two records one, unless they clash; returns whether they are."""
        if self.part[one] is self.part[two]:
            return True
        if self.clash(one, two):
            return False
        larger, smaller = sorted((self.part[one], self.part[two]), key=len, reverse=True)
        larger |= smaller
        for key in smaller:
            self.part[key] = larger
        return True

    def all(self) -> list[set[str]]:
        """Return the parts, by their first record."""
        return sorted({id(part): part for part in self.part.values()}.values(), key=min)


def _decide(
    clusters: list[dict[str, float]], known: Known, decided: Standing, links: Sequence[Link]
) -> list[dict[str, float]]:
    """Return the clusters, joined and parted as people decided."""
    if not decided.together and not decided.apart:
        return clusters
    named = decided.named
    untouched: list[dict[str, float]] = []
    touched: list[dict[str, float]] = []
    for cluster in clusters:
        (untouched if named.isdisjoint(cluster) else touched).append(cluster)
    if not touched:
        return clusters
    confidence = {key: value for cluster in touched for key, value in cluster.items()}
    of_cluster = {key: number for number, cluster in enumerate(touched) for key in cluster}
    parts = _Parts(confidence, decided.apart)
    for group in decided.together:
        _gather(parts, sorted(group & confidence.keys()))
    # A cluster that nobody's word parts stays whole; of another, what was one person stays one.
    for cluster in touched:
        keys = sorted(cluster)
        if not _clashes(keys, decided):
            _gather(parts, keys)
            continue
        by_person: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            if key in known.places:
                by_person[known.places[key].person_id].append(key)
        for person in sorted(by_person, key=lambda one: (known.since.get(one, 0), one)):
            _gather(parts, by_person[person])
    inside = [
        link for link in links
        if link[0] in of_cluster and link[1] in of_cluster and of_cluster[link[0]] == of_cluster[link[1]]
    ]  # fmt: skip
    _follow(parts, inside)
    return [*untouched, *({key: confidence[key] for key in sorted(part)} for part in parts.all())]


def _clashes(keys: list[str], decided: Standing) -> bool:
    return any(not left.isdisjoint(keys) and not right.isdisjoint(keys) for left, right in decided.apart)


def _gather(parts: _Parts, keys: list[str]) -> None:
    """Join records to as few parts as they may be."""
    heads: list[str] = []
    for key in keys:
        if not any(parts.join(head, key) for head in heads):
            heads.append(key)


def _follow(parts: _Parts, links: Sequence[Link]) -> None:
    """Join by links, the strongest first; who is as near to one as to another parted from him goes to neither."""
    near: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for one, two, bits in links:
        near[one].append((bits, two))
        near[two].append((bits, one))

    def torn(key: str, to: str, bits: float) -> bool:
        return any(
            other_bits > bits - MARGIN and parts.clash(to, other)
            for each in parts.part[key]
            for other_bits, other in near[each]
        )

    for one, two, bits in sorted(links, key=lambda link: (-link[2], link[0], link[1])):
        if not torn(one, two, bits) and not torn(two, one, bits):
            parts.join(one, two)


# ids


def _claim(parts: list[dict[str, float]], known: Known) -> dict[int, str]:
    """Return the persons that take a cluster, by its number: the oldest first, each that with most of its records."""
    shared: dict[str, Counter[int]] = defaultdict(Counter)
    for number, part in enumerate(parts):
        for key in part:
            if key in known.places:
                shared[known.places[key].person_id][number] += 1
    owners: dict[int, str] = {}
    first: dict[int, str] = {}
    for person in sorted(shared, key=lambda one: (known.since[one], one)):
        free = [number for number in shared[person] if number not in owners]
        if not free:
            continue
        if len(free) > 1:
            for number in free:
                first.setdefault(number, min(parts[number]))
        owners[min(free, key=lambda number: (-shared[person][number], first.get(number, "")))] = person
    return owners


def _mint(
    timing_partner_id: int, parts: list[dict[str, float]], owners: dict[int, str], known: Known, outcome: Outcome
) -> None:
    """Make persons for clusters that nobody took, in the order of their first records."""
    since = known.last
    unclaimed = sorted((min(part), number) for number, part in enumerate(parts) if number not in owners)
    for first_record, number in unclaimed:
        since += 1
        nth = known.minted.get(first_record, 0)
        made = Minted(mint(timing_partner_id, first_record, nth), first_record, nth, since)
        owners[number] = made.person_id
        outcome.minted.append(made)


def _place(
    parts: list[dict[str, float]],
    owners: dict[int, str],
    known: Known,
    outcome: Outcome,
    said: tuple[set[str], frozenset[str]],
) -> None:
    changed, decided = said
    sizes = Counter(place.person_id for place in known.places.values())
    for number, part in enumerate(parts):
        person = owners[number]
        is_as_it_was = (
            len(part) == sizes[person]
            and changed.isdisjoint(part)
            and all(key in known.places and known.places[key].person_id == person for key in part)
        )
        for key, confidence in part.items():
            before = known.places.get(key)
            if key in decided:
                confidence = DECIDED  # noqa: PLW2901
            elif is_as_it_was and before is not None:
                continue
            place = Place(person, confidence)
            if place != before:
                outcome.places[key] = place


def _tell(parts: list[dict[str, float]], owners: dict[int, str], known: Known, outcome: Outcome) -> None:
    """Note who retired, and the way of records from one person to another."""
    went: dict[str, Counter[str]] = defaultdict(Counter)
    for number, part in enumerate(parts):
        for key in part:
            if key in known.places:
                went[known.places[key].person_id][owners[number]] += 1
    made = {one.person_id for one in outcome.minted}
    age = {**known.since, **{one.person_id: one.since for one in outcome.minted}}
    living = set(owners.values())
    before = {place.person_id for place in known.places.values()}
    for person in sorted(before, key=lambda one: (known.since[one], one)):
        targets = sorted(
            ((count, other) for other, count in went[person].items() if other != person),
            key=lambda one: (-one[0], age[one[1]], one[1]),
        )
        if person not in living:
            outcome.retired[person] = targets[0][1] if targets else None
            if not targets:
                outcome.changes.append(Change("ended", person, None, 0))
        for nth, (count, other) in enumerate(targets):
            is_merged = person not in living and nth == 0
            kind: ChangeKind = "merged" if is_merged else "split" if other in made else "moved"
            outcome.changes.append(Change(kind, person, other, count))
