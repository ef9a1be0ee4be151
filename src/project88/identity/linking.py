"""`link`: records in, persons and the links between their records out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project88.identity import columns, duck, scoring
from project88.identity.base import FILE, Base, Say

# Below so many records the work fits into memory without a file beside it.
SMALL = 300_000


@dataclass
class Linked:
    """Persons and links, as Arrow tables (pandas where pandas came in), and what was learned on the way.

    `persons`: record_id, person_id, confidence; every record once, in the order given. person_id is the smallest
    record_id of the person, so it is no lasting name for one. confidence is how likely the record belongs with the
    others of its person, or, where it is alone, how likely it belongs with nobody.
    `links`: record_id, other_record_id, score (bits for against), probability, agreed, disagreed, rule.
    """

    persons: Any
    links: Any
    parameters: scoring.Parameters | None


def link(
    records: Any,
    *,
    names: Mapping[str, str] | None = None,
    threshold: float | None = None,
    parameters: scoring.Parameters | None = None,
    seed: int = 88,
    memory: str = "4GB",
    threads: int | None = None,
    say: Say | None = None,
) -> Linked:
    """Return who is who among records (Arrow or pandas) with some of the columns of `COLUMNS`.

    `names` tells the caller's names of columns, ours first: {"city": "Wohnort"}. `parameters` are those of an earlier
    link, where they are not to be learned anew. What is drawn at random follows from `seed` and the content of the records,
    so the same records give the same persons, in whatever order they come. Raises ActionNeeded
    for a column that is not there and for a record_id that is there twice.
    """
    given = columns.standard(records, names)
    with tempfile.TemporaryDirectory(prefix="p88-link-") as folder:
        db = duck.connect(Path(folder) / FILE, memory, threads, in_memory=given.num_rows < SMALL)
        try:
            base = Base(db)
            base.link(given, parameters, (), threshold, seed, say or (lambda _: None))
            found = base.found()
            db.register("given", given.select(["record_id"]))
            db.register("found", found.groups)
            persons = db.sql("""
                select record_id, "group" as person_id, confidence
                from (select record_id, row_number() over () as n from given) join found using (record_id) order by n
            """).to_arrow_table()
        finally:
            db.close()
    return _as_given(records, Linked(persons, found.links.drop_columns(["across"]), base.parameters))


def _as_given(records: Any, linked: Linked) -> Linked:
    if columns.is_pandas(records):
        linked.persons, linked.links = linked.persons.to_pandas(), linked.links.to_pandas()
    return linked
