"""The seam to `project88.identity`: records that are new or differ in, whole groups of records out.

What the linkage keeps (a file) and what the registry keeps (tables) cannot be written in one transaction. So a token
goes into both: the file's says before it changes which one it will have; the registry takes it over with what it was
told. Where they do not meet, a process died in between, and all groups are told again, or the file is made again.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from project88.errors import ActionNeeded
from project88.identity.base import Base
from project88.identity.scoring import Parameters

# How rare a value is, and the weights, are learned again when there are so many times as many different records.
MOST_GROWTH = 1.5
STATE = "state.json"


@dataclass
class Groups:
    """What was found; with it the registry keeps `state`, in the transaction in which it follows.

    `groups` (Arrow: record_id, group, confidence, wide_group, wide_confidence) has every record of each group that was
    touched. `links` (record_id, other_record_id, score): pairs of records with their bits.
    """

    groups: pa.Table
    links: pa.Table
    state: dict[str, Any]


class Linkage:
    """Who is together, within each timing partner as if it were alone, and over all of them."""

    def __init__(self, folder: Path) -> None:
        """Work in a folder of one's own; what is in it can be made again."""
        self._folder = folder

    def look(
        self,
        changed: pa.Table,
        gone: Sequence[str],
        everything: Callable[[], pa.Table],
        state: dict[str, Any] | None,
        erased: Sequence[str] = (),
    ) -> Groups:
        """Take in records that are new or say something new, and forget those that are gone.

        Of the `erased` ones nothing stays in the folder, not even in blocks that are free.

        `state` is what the registry was told last; None before the first. `everything` reads all records, the changed
        ones among them, where that is needed. `kept` must follow when the registry has committed.
        """
        if erased:
            # What a kill left of a file that was being made.
            for left_over in self._folder.glob(".making-*"):
                shutil.rmtree(left_over, ignore_errors=True)
        base = self._opened(state)
        if base is None:
            return self._made(everything(), state, (state or {}).get("parameters"))
        with base:
            was_interrupted = self._states()[1] is not None
            following = self._begin(state)
            if was_interrupted:
                return self._told_again(base, everything(), following, erase=bool(erased))
            left = base.remove([*gone, *erased], erase=bool(erased)) if gone or erased else None
            came = base.add(changed) if changed.num_rows else None
            if base.growth < MOST_GROWTH:
                groups = [one.groups for one in (came, left) if one is not None]
                links = pa.concat_tables([one.links for one in (came, left) if one is not None])
                return Groups(_latest(groups), links, self._state(following, base))
        return self._made(everything(), state, None)

    def kept(self) -> None:
        """Note that the registry has committed what it was told last."""
        _, following = self._states()
        self._write(following, None)

    def _opened(self, state: dict[str, Any] | None) -> Base | None:
        """Return what is kept, or None where it is not there, not to be used, or not what the registry was told of."""
        token, following = self._states()
        if state is None or state["token"] not in {token, following} - {None}:
            return None
        if state["token"] == following:
            # Killed after the registry's commit.
            self._write(following, None)
        try:
            return Base.open(self._folder)
        except ActionNeeded as error:
            if "another process" in str(error):
                raise
            return None

    def _made(self, records: pa.Table, state: dict[str, Any] | None, parameters: dict[str, Any] | None) -> Groups:
        following = self._begin(state)
        known = _parameters(parameters)
        with Base.make(self._folder, records, known, within=("timing_partner",)) as base:
            found = base.found()
            return Groups(found.groups, found.links, self._state(following, base))

    def _told_again(self, base: Base, there: pa.Table, following: str, *, erase: bool) -> Groups:
        """Take in what came, went or differs from what a process that died had taken in, and tell of all groups.

        Also of what the registry holds to be unchanged: it may have changed and changed back since.
        """
        kept = base.found().groups.column("record_id")
        strange = kept.filter(pc.invert(pc.is_in(kept, there.column("record_id")))).to_pylist()
        base.remove(strange, erase=erase)
        # What says what it said is passed over.
        base.add(there)
        found = base.found()
        return Groups(found.groups, found.links, self._state(following, base))

    # the token

    def _begin(self, state: dict[str, Any] | None) -> str:
        """Say which token the file will have; returns it."""
        following = uuid.uuid4().hex
        self._write((state or {}).get("token"), following)
        return following

    def _state(self, token: str, base: Base) -> dict[str, Any]:
        return {"token": token, "parameters": base.parameters.to_dict()}

    def _states(self) -> tuple[str | None, str | None]:
        try:
            found = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None, None
        return found["token"], found["following"]

    def _write(self, token: str | None, following: str | None) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        written = self._folder / f"{STATE}.new"
        written.write_text(json.dumps({"token": token, "following": following}), encoding="utf-8")
        written.replace(self._folder / STATE)


def _parameters(told: dict[str, Any] | None) -> Parameters | None:
    try:
        return Parameters.from_dict(told) if told else None
    except ActionNeeded:
        # Of another version: they are learned again.
        return None


def _not_in(table: pa.Table, other: pa.Table) -> Any:
    return pc.invert(pc.is_in(table.column("record_id"), other.column("record_id")))


def _latest(tables: list[pa.Table]) -> pa.Table:
    """Return the rows of the first table, and of each later one those of records that are in none before."""
    found = tables[0]
    for table in tables[1:]:
        found = pa.concat_tables([found, table.filter(_not_in(table, found))])
    return found
