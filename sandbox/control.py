"""What tests do to the season: change, cancel, transfer and delete entries, post and correct results."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.providers.chronotrack import ChronoTrack
from sandbox.providers.runsignup import RunSignup
from sandbox.state import CHRONOTRACK, RUNSIGNUP, Changes, Record, Removal, State, next_added
from sandbox.world import PARTNERS, Distance, Occasion, Season, is_hole

KINDS = (
    "add_entry",
    "edit_entry",
    "cancel",
    "refund",
    "clear",
    "transfer",
    "defer",
    "delete",
    "restore",
    "disqualify",
    "assign_bibs",
    "post_results",
    "correct_result",
    "delete_result",
    "move_event",
    "rename_event",
)
REASONS = {"cancel": "removed", "refund": "removed", "clear": "cleared", "transfer": "transferred", "defer": "deferred"}
STATUSES = {"cancel": "WD", "refund": "WD", "clear": "WD", "defer": "WD", "transfer": "TRANS"}


class ControlError(Exception):
    """A change that cannot be made, in one line."""


class Control:
    """Changes to the state, asked for in the providers' own ids."""

    def __init__(self, state: State, runsignup: RunSignup | None, chronotrack: ChronoTrack) -> None:
        """Work on this state, in the words of these providers."""
        self.state = state
        self.runsignup = runsignup
        self.chronotrack = chronotrack

    def change(self, asked: Record) -> Record:
        """Make one change and return what was touched."""
        kind, provider = asked.get("kind"), asked.get("provider")
        if kind not in KINDS:
            raise ControlError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
        if provider == RUNSIGNUP and self.runsignup is None:
            raise ControlError("this world is a folder of results: it has no RunSignUp account")
        if provider not in (RUNSIGNUP, CHRONOTRACK):
            raise ControlError(f"unknown provider {provider!r}: runsignup or chronotrack")
        partners, occasion, distances = self._event(provider, asked)
        changed: list[Any] = []
        new: list[Any] = []
        self.state.version += 1
        for partner in partners:
            made = Change(self, provider, partner, occasion, distances, asked)
            made.run(str(kind))
            changed, new = made.changed, made.new
        return {
            "kind": kind,
            "provider": provider,
            "partners": partners,
            "event_id": asked.get("event_id"),
            "at": datetime.fromtimestamp(self.state.now, UTC).isoformat(),
            "changed": changed,
            "new": new,
        }

    def _event(self, provider: str, asked: Record) -> tuple[list[int], Occasion, list[Distance]]:
        source = self.state.source
        text = str(asked.get("event_id", ""))
        number = int(text) if text.isdigit() else -1
        if provider == RUNSIGNUP and self.runsignup is not None:
            distance = self.runsignup.event_at(number)
            uid = distance.uid // 4 if distance else None
            distances = [distance] if distance else []
        else:
            uid = self.chronotrack.occasion_uid(text)
            distances = self.chronotrack.distances(uid) if uid is not None else []
            race = asked.get("race_id")
            if race is not None:
                distances = [d for d in distances if self.chronotrack.race_id(d) == str(race)]
        if uid is None or not distances:
            raise ControlError(f"{provider} has no event {text or '(event_id is missing)'}")
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
        provider: str,
        partner: int,
        occasion: Occasion,
        distances: list[Distance],
        asked: Record,
    ) -> None:
        """Prepare; nothing is touched before `run`."""
        self.state = control.state
        self.control = control
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
        if kind in steps:
            steps[kind]()
        else:
            self._withdraw(kind)

    # -- finding -----------------------------------------------------------------------------------

    def _api(self) -> RunSignup | ChronoTrack:
        if self.provider == RUNSIGNUP and self.control.runsignup is not None:
            return self.control.runsignup
        return self.control.chronotrack

    def _locate(self, given: Any) -> tuple[Distance, int]:
        found = self._api().locate(given)
        if found is None or found[0].uid not in {d.uid for d in self.distances}:
            raise ControlError(f"event has no {self.provider} record {given}")
        return found

    def _id(self, distance: Distance, index: int) -> Any:
        return self._api().entry_key(distance, index)

    def _result_id(self, distance: Distance, index: int) -> Any:
        return self._api().result_key(distance, index)

    def _changes(self, distance: Distance) -> Changes:
        return self.state.changing(self.provider, self.partner, distance)

    def _picked(self, default: int = 1) -> list[tuple[Distance, int]]:
        if self.ids:
            return self.ids
        left = self.count or default
        found: list[tuple[Distance, int]] = []
        for distance in self.distances:
            if self.provider == RUNSIGNUP:
                roster = self.state.registrations(self.partner, distance)
            else:
                roster = self.state.entries(self.partner, distance)
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
            if self.provider == CHRONOTRACK:
                changes.result_modified[index] = self.state.now

    def _withdraw(self, kind: str) -> None:
        picked = self._picked()
        for distance, index in picked:
            successor = self._successor(distance, index) if kind == "transfer" else None
            changes = self._touch(distance, index)
            if self.provider == RUNSIGNUP:
                changes.removed[index] = Removal(REASONS[kind], self.state.now, successor)
                changes.restored.discard(index)
            else:
                changes.status[index] = STATUSES[kind]

    def _successor(self, distance: Distance, index: int) -> Any:
        others = [d for d in self.occasion.distances if d.uid != distance.uid]
        to = self.fields.get("to_event_id", self.fields.get("to_race_id"))
        if to is not None:
            others = [d for d in others if str(self._api().place_key(d)) == str(to)]
        if not others:
            raise ControlError("this race has no other event to transfer to: choose one with two distances")
        person = self._changes(distance).persons.get(index)
        if person is None:
            person = self.state.source.person_of(distance, index)
        patch = self._api().identity(self.partner, distance, index)
        new = self._append(others[0], person, patch)
        return self._id(others[0], new)

    def _delete(self) -> None:
        for distance, index in self._picked():
            changes = self._touch(distance, index)
            trace = self.fields.get("trace", True) and self.provider == RUNSIGNUP
            changes.removed[index] = Removal("removed" if trace else "", self.state.now)
            changes.restored.discard(index)
            if self.provider == CHRONOTRACK:
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
            if self.provider == RUNSIGNUP and index < distance.own and is_hole(index):
                changes.restored.add(index)
            if self.provider == CHRONOTRACK:
                changes.rescored_at = self.state.now

    def _assign_bibs(self) -> None:
        left = self.count or 1_000_000
        for distance in self.distances:
            api = self._api()
            for index in api.without_bib(self.partner, distance):
                if left <= 0:
                    return
                changes = self._touch(distance, index)
                number = 20_000 + distance.number * 5_000 + index % 30_000
                patch: Record = {"bib_num": number} if self.provider == RUNSIGNUP else {"entry_bib": str(number)}
                changes.patches[index] = changes.patches.get(index, {}) | patch
                changes.result_modified[index] = self.state.now
                left -= 1

    # -- results -----------------------------------------------------------------------------------

    def _disqualify(self) -> None:
        for distance, index in self.ids or self._picked_results():
            changes = self._touch(distance, index)
            changes.disqualified[index] = self.state.now
            changes.result_modified[index] = self.state.now
            if self.provider == CHRONOTRACK:
                changes.status[index] = "DQ"
                changes.rescored_at = self.state.now

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
        changes = self.state.occasion_changing(self.provider, self.partner, self.occasion)
        if "start_time" in self.fields:
            start = datetime.fromisoformat(str(self.fields["start_time"]))
            changes.shift = int(start.timestamp()) - self.occasion.start
        else:
            changes.shift += int(self.fields.get("days", 1)) * 86400 + int(self.fields.get("seconds", 0))
        changes.modified = self.state.now
        self.changed = [self._api().event_key(d) for d in self.occasion.distances]

    def _rename(self) -> None:
        changes = self.state.occasion_changing(self.provider, self.partner, self.occasion)
        name = str(self.fields.get("name", "Renamed"))
        if self.provider == RUNSIGNUP:
            changes.names[self.distances[0].number] = name
        else:
            changes.name = name
        changes.modified = self.state.now
        self.changed = [self._api().event_key(self.distances[0])]


def truth(control: Control, provider: str, partner: int) -> Any:
    """Yield who is behind each record that people entered."""
    api: RunSignup | ChronoTrack | None = control.runsignup if provider == RUNSIGNUP else control.chronotrack
    if api is not None:
        yield from api.people(partner)
