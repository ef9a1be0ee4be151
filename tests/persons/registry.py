"""A registry in memory: what the database keeps, for histories that hypothesis makes up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from project88.persons.decisions import Decision, standing
from project88.persons.matching import Known, Link, Outcome, Place, match

PARTNER = 1


class Registry:
    """One partner's persons, through one match after another."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.since: dict[str, int] = {}
        self.minted: dict[str, int] = {}
        self.last = 0
        self.aliases: dict[str, str | None] = {}
        self.ever: list[str] = []
        self.decisions: list[Decision] = []

    def known(self, persons: Collection[str] | None = None) -> Known:
        """Return all, or what a look at some persons finds."""
        return Known(
            {key: place for key, place in self.places.items() if persons is None or place.person_id in persons},
            {one: since for one, since in self.since.items() if persons is None or one in persons},
            self.last,
            self.minted,
        )

    def follow(
        self,
        clusters: Iterable[Collection[str] | Mapping[str, float]],
        *,
        persons: Collection[str] | None = None,
        links: list[Link] | None = None,
        changed: Collection[str] = (),
        gone: Collection[str] = (),
    ) -> Outcome:
        """Match clusters and write down what comes of it."""
        weighed = [one if isinstance(one, Mapping) else dict.fromkeys(one, 0.9) for one in clusters]
        outcome = match(
            PARTNER, weighed, self.known(persons), decided=standing(self.decisions), links=links or [],
            changed=changed, gone=gone,
        )  # fmt: skip
        self.places |= outcome.places
        for key in outcome.gone:
            del self.places[key]
        for one in outcome.minted:
            self.ever.append(one.person_id)
            self.since[one.person_id] = one.since
            self.last = max(self.last, one.since)
            self.minted[one.first_record] = one.nth + 1
        for person, successor in outcome.retired.items():
            del self.since[person]
            self.aliases[person] = successor
        return outcome

    def decide(self, kind: str, records: Collection[str], others: Collection[str] = ()) -> Outcome:
        """Note a decision and let it be followed."""
        self.decisions.append(Decision(kind, frozenset(records), frozenset(others)))  # type: ignore[arg-type]
        return self.follow([])

    def people(self) -> dict[str, set[str]]:
        """Return the records of each person."""
        found: dict[str, set[str]] = {}
        for key, place in self.places.items():
            found.setdefault(place.person_id, set()).add(key)
        return found

    def groups(self) -> set[frozenset[str]]:
        """Return who is together."""
        return {frozenset(records) for records in self.people().values()}

    def person(self, key: str) -> str:
        """Return the person of a record."""
        return self.places[key].person_id

    def today(self, person: str) -> str | None:
        """Return who a person is now."""
        while person in self.aliases:
            found = self.aliases[person]
            if found is None:
                return None
            person = found
        return person
