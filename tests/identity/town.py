"""A small town whose people run: strangers for a background, and stories told by a few records each."""

from __future__ import annotations

import random
from typing import Any

from sandbox import names

Record = dict[str, Any]

TOWNS = [
    ("Beacon", "NY"),
    ("Moorestown", "NJ"),
    ("Astoria", "OR"),
    ("Duluth", "MN"),
    ("Boulder", "CO"),
    ("Whitby", "ME"),
]


def strangers(count: int = 300, seed: int = 88) -> list[Record]:
    """Return people who have nothing to do with one another, a third of them in two events."""
    luck = random.Random(seed)
    made: list[Record] = []
    for n in range(count):
        city, region = luck.choice(TOWNS)
        born = f"{luck.randint(1945, 2008)}-{luck.randint(1, 12):02d}-{luck.randint(1, 28):02d}"
        person = {
            "first_name": luck.choice(names.FEMALE + names.MALE)[0],
            "last_name": luck.choice(names.LAST),
            "birth_date": born,
            "email": f"runner{n}@example.org",
            "city": city,
            "region": region,
        }
        for time in range(1 + (n % 3 == 0)):
            made.append(
                {"record_id": f"stranger-{n}-{time}", **person, "event": f"spring-{time}", "event_date": "2026-05-02"}
            )
    return made


class Stories:
    """Stories told by name; their records get ids of their own, and each speaks of a surname of its own."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ids: dict[str, list[str]] = {}

    def tell(self, story: str, *records: Record) -> None:
        """Add a story's records."""
        self.ids[story] = [f"{story}-{n}" for n in range(len(records))]
        for record_id, record in zip(self.ids[story], records, strict=True):
            self.records.append({"record_id": record_id, **record})


def persons_of(linked: Any, ids: list[str]) -> list[str]:
    """Return the person of each record."""
    found = dict(
        zip(linked.persons.column("record_id").to_pylist(), linked.persons.column("person_id").to_pylist(), strict=True)
    )
    return [found[one] for one in ids]
