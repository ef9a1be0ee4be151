"""What tests do to the season: change, cancel, transfer and delete entries, post and correct results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.providers import PROVIDERS
from sandbox.providers.common import CHANGES, ControlError, Provider
from sandbox.state import Changes, Record, Removal, State, next_added
from sandbox.world import PARTNERS, Distance, Occasion, Season, is_hole

# Changes after which an entry is as good as gone, though some providers go on showing it.
WITHDRAWALS = ("cancel", "refund", "clear", "transfer", "defer")


class Control:
    """Changes to the state, asked for in the providers' own ids."""

    def __init__(self, state: State, providers: Mapping[str, Provider]) -> None:
        """Work on this state, in the words of these providers."""
        self.state = state
        self.providers = providers

    def change(self, asked: Record) -> Record:
        """Make one change and return what was touched."""
        kind, provider = asked.get("kind"), self._provider(asked.get("provider"))
        known = (*CHANGES, *(own for each in self.providers.values() for own in each.own_changes))
        if kind not in known:
            raise ControlError(f"unknown kind {kind!r}: choose one of {', '.join(known)}")
        if kind not in (*provider.changes_known, *provider.own_changes):
            raise ControlError(f"{provider.name} knows no {kind}")
        partners, occasion, distances = self._event(provider, asked)
        changed: list[Any] = []
        new: list[Any] = []
        self.state.version += 1
        for partner in partners:
            made = Change(self, provider, partner, occasion, distances, asked)
            made.run(kind)
            changed, new = made.changed, made.new
        return {
            "kind": kind,
            "provider": provider.name,
            "partners": partners,
            "event_id": asked.get("event_id"),
            "at": datetime.fromtimestamp(self.state.now, UTC).isoformat(),
            "changed": changed,
            "new": new,
        }

    def _provider(self, name: Any) -> Provider:
        if name not in PROVIDERS:
            raise ControlError(f"unknown provider {name!r}: {', '.join(PROVIDERS)}")
        found = self.providers.get(name)
        if found is None and not isinstance(self.state.source, Season):
            raise ControlError(f"this world is a folder of results: it has no {PROVIDERS[name].title} account")
        if found is None:
            raise ControlError(f"this sandbox was started without {name}: see --providers")
        return found

    def _event(self, provider: Provider, asked: Record) -> tuple[list[int], Occasion, list[Distance]]:
        source = self.state.source
        text = str(asked.get("event_id", ""))
        distances = provider.distances_asked(asked)
        if not distances:
            raise ControlError(f"{provider.name} has no event {text or '(event_id is missing)'}")
        uid = distances[0].uid // 4
        partners = [p for p in PARTNERS if source.serves(p, uid)]
        if asked.get("partner") is not None:
            partners = [p for p in partners if p == int(asked["partner"])]
            if not partners:
                raise ControlError(f"partner {asked['partner']} does not serve event {text}")
        return partners, source.occasion(uid), distances


class Change:
    """One change at one provider, as one partner will see it."""

    def __init__(
        self,
        control: Control,
        provider: Provider,
        partner: int,
        occasion: Occasion,
        distances: list[Distance],
        asked: Record,
    ) -> None:
        """Prepare; nothing is touched before `run`."""
        self.state = control.state
        self.provider, self.partner = provider, partner
        self.occasion, self.distances = occasion, distances
        self.fields: Record = dict(asked.get("fields") or {})
        self.count: int | None = asked.get("count")
        given = asked.get("ids") or ([asked["id"]] if asked.get("id") is not None else [])
        self.ids = [self._locate(i) for i in given]
        self.changed: list[Any] = []
        self.new: list[Any] = []

    def run(self, kind: str) -> None:
        """Do it."""
        steps: dict[str, Callable[[], None]] = {
            "add_entry": self._add,
            "edit_entry": self._edit,
            "delete": self._delete,
            "restore": self._restore,
            "disqualify": self._disqualify,
            "assign_bibs": self._assign_bibs,
            "post_results": self._post_results,
            "correct_result": self._correct_result,
            "delete_result": self._delete_result,
            "move_event": self._move,
            "rename_event": self._rename,
        }
        if kind in WITHDRAWALS:
            self._withdraw(kind)
        elif kind in steps:
            steps[kind]()
        else:
            self._own(kind)

    # -- finding -----------------------------------------------------------------------------------

    def _locate(self, given: Any) -> tuple[Distance, int]:
        found = self.provider.locate(given)
        if found is None or found[0].uid not in {d.uid for d in self.distances}:
            raise ControlError(f"event has no {self.provider.name} record {given}")
        return found

    def _id(self, distance: Distance, index: int) -> Any:
        return self.provider.entry_key(distance, index)

    def _result_id(self, distance: Distance, index: int) -> Any:
        return self.provider.result_key(distance, index)

    def _changes(self, distance: Distance) -> Changes:
        return self.state.changing(self.provider.name, self.partner, distance)

    def _picked(self, default: int = 1) -> list[tuple[Distance, int]]:
        if self.ids:
            return self.ids
        left = self.count or default
        found: list[tuple[Distance, int]] = []
        for distance in self.distances:
            roster = self.provider.roster(self.partner, distance)
            taken = self._changes(distance).status
            for index in roster.slice(0, left + len(taken)):
                if index not in taken and len(found) < (self.count or default):
                    found.append((distance, index))
        if not found:
            raise ControlError("the event has no entry to change")
        return found

    def _picked_results(self) -> list[tuple[Distance, int]]:
        if self.ids:
            return self.ids
        left = self.count or 1
        found: list[tuple[Distance, int]] = []
        for distance in self.distances:
            changes = self._changes(distance)
            for position in range(changes.scored(distance)):
                index = self.state.source.index_at(distance, position)
                if left and index not in changes.result_gone and index not in changes.corrected:
                    found.append((distance, index))
                    left -= 1
        if not found:
            raise ControlError("the event has no result to change")
        return found

    def _touch(self, distance: Distance, index: int) -> Changes:
        changes = self._changes(distance)
        changes.modified[index] = self.state.now
        self.changed.append(self._id(distance, index))
        return changes

    # -- entries -----------------------------------------------------------------------------------

    def _append(self, distance: Distance, person: int | None, patch: Record) -> int:
        changes = self._changes(distance)
        index = next_added(changes)
        # Ids are the same for both partners of a joint event.
        changes.added.append(index)
        changes.added_at[index] = changes.modified[index] = self.state.now
        if person is not None:
            changes.persons[index] = person
        if patch:
            changes.patches[index] = dict(patch)
        self.new.append(self._id(distance, index))
        return index

    def _add(self) -> None:
        person = self.fields.pop("person_id", None)
        if not isinstance(self.state.source, Season):
            raise ControlError("a world of result files takes no new entries")
        for _ in range(self.count or 1):
            index = self._append(self.distances[0], person, self.fields)
            self.changed.append(self._id(self.distances[0], index))

    def _edit(self) -> None:
        if not self.fields:
            raise ControlError('edit_entry needs "fields", in the names the provider uses')
        for distance, index in self._picked():
            changes = self._touch(distance, index)
            changes.patches[index] = changes.patches.get(index, {}) | self.fields
            if self.provider.entries_show_on_results:
                changes.result_modified[index] = self.state.now

    def _own(self, kind: str) -> None:
        for distance, index in self._picked():
            self.provider.own_change(kind, self._touch(distance, index), distance, index, self.fields)

    def _withdraw(self, kind: str) -> None:
        picked = self._picked()
        for distance, index in picked:
            successor = self._successor(distance, index) if kind == "transfer" else None
            changes = self._touch(distance, index)
            word = self.provider.words[kind]
            if self.provider.keeps_withdrawn:
                changes.status[index] = word
            else:
                changes.removed[index] = Removal(word, self.state.now, successor)
                changes.restored.discard(index)

    def _successor(self, distance: Distance, index: int) -> Any:
        others = [d for d in self.occasion.distances if d.uid != distance.uid]
        to = self.fields.get("to_event_id", self.fields.get("to_race_id"))
        if to is not None:
            others = [d for d in others if str(self.provider.place_key(d)) == str(to)]
        if not others:
            raise ControlError("this race has no other event to transfer to: choose one with two distances")
        person = self._changes(distance).persons.get(index)
        if person is None:
            person = self.state.source.person_of(distance, index)
        patch = self.provider.identity(self.partner, distance, index)
        new = self._append(others[0], person, patch)
        key = self._id(others[0], new)
        self._changes(distance).successors[index] = key
        self._changes(others[0]).predecessors[new] = self._id(distance, index)
        return key

    def _delete(self) -> None:
        for distance, index in self._picked():
            changes = self._touch(distance, index)
            # A removal without a reason leaves no trace.
            reason = self.provider.words.get("delete", "") if self.fields.get("trace", True) else ""
            changes.removed[index] = Removal(reason, self.state.now)
            changes.restored.discard(index)
            changes.rescored_at = self.state.now

    def _restore(self) -> None:
        picked = self.ids or [
            (d, i) for d in self.distances for i in [*self._changes(d).removed, *self._changes(d).status]
        ]
        for distance, index in picked[: self.count or None]:
            changes = self._touch(distance, index)
            changes.removed.pop(index, None)
            changes.status.pop(index, None)
            changes.disqualified.pop(index, None)
            changes.result_modified[index] = self.state.now
            if index < self.provider.roster(self.partner, distance).holes_below and is_hole(index):
                changes.restored.add(index)
            changes.rescored_at = self.state.now

    def _assign_bibs(self) -> None:
        left = self.count or 1_000_000
        for distance in self.distances:
            for index in self.provider.without_bib(self.partner, distance):
                if left <= 0:
                    return
                changes = self._touch(distance, index)
                number = 20_000 + distance.number * 5_000 + index % 30_000
                changes.patches[index] = changes.patches.get(index, {}) | self.provider.bib_patch(number)
                changes.result_modified[index] = self.state.now
                left -= 1

    # -- results -----------------------------------------------------------------------------------

    def _disqualify(self) -> None:
        for distance, index in self.ids or self._picked_results():
            changes = self._touch(distance, index)
            changes.disqualified[index] = self.state.now
            changes.result_modified[index] = self.state.now
            changes.rescored_at = self.state.now
            if "disqualify" in self.provider.words:
                changes.status[index] = self.provider.words["disqualify"]

    def _post_results(self) -> None:
        left = self.count or 10
        for distance in self.distances:
            changes = self._changes(distance)
            before = changes.scored(distance)
            after = min(distance.finishers, before + left)
            if after > before:
                changes.posts.append((after, self.state.now))
                left -= after - before
                self.changed += [
                    self._result_id(distance, self.state.source.index_at(distance, p)) for p in range(before, after)
                ]
            if left <= 0:
                break

    def _correct_result(self) -> None:
        seconds = self.fields.pop("seconds", None)
        for distance, index in self._picked_results():
            changes = self._changes(distance)
            position = self.state.source.position_of(distance, index)
            timing = self.state.source.timing(distance, position) if position is not None else None
            before = changes.corrected.get(index, timing.gun if timing else 36_000)
            if seconds is not None or not self.fields:
                changes.corrected[index] = int(float(seconds) * 10) if seconds is not None else before + 73
            if self.fields:
                changes.result_patches[index] = changes.result_patches.get(index, {}) | self.fields
            changes.result_modified[index] = self.state.now
            changes.rescored_at = self.state.now
            self.changed.append(self._result_id(distance, index))

    def _delete_result(self) -> None:
        for distance, index in self._picked_results():
            changes = self._changes(distance)
            changes.result_gone[index] = self.state.now
            changes.rescored_at = self.state.now
            self.changed.append(self._result_id(distance, index))

    # -- events ------------------------------------------------------------------------------------

    def _move(self) -> None:
        changes = self.state.occasion_changing(self.provider.name, self.partner, self.occasion)
        if "start_time" in self.fields:
            start = datetime.fromisoformat(str(self.fields["start_time"]))
            changes.shift = int(start.timestamp()) - self.occasion.start
        else:
            changes.shift += int(self.fields.get("days", 1)) * 86400 + int(self.fields.get("seconds", 0))
        changes.modified = self.state.now
        self.changed = [self.provider.event_key(d) for d in self.occasion.distances]

    def _rename(self) -> None:
        changes = self.state.occasion_changing(self.provider.name, self.partner, self.occasion)
        name = str(self.fields.get("name", "Renamed"))
        if self.provider.event_is_distance:
            changes.names[self.distances[0].number] = name
        else:
            changes.name = name
        changes.modified = self.state.now
        self.changed = [self.provider.event_key(self.distances[0])]
