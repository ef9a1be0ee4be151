"""What a provider's part and the sandbox around it say to each other: calls, answers, and the protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sandbox.state import Changes, OccasionChanges, Roster, State
from sandbox.world import PARTNERS, Distance, Occasion

Record = dict[str, Any]

# Changes that control can make; a provider takes part in those that mean something to it.
ENTRY_CHANGES = (
    "add_entry",
    "edit_entry",
    "cancel",
    "refund",
    "clear",
    "transfer",
    "defer",
    "delete",
    "restore",
    "assign_bibs",
)
RESULT_CHANGES = ("disqualify", "post_results", "correct_result", "delete_result")
EVENT_CHANGES = ("move_event", "rename_event")
CHANGES = (*ENTRY_CHANGES, *RESULT_CHANGES, *EVENT_CHANGES)


class ControlError(Exception):
    """Something asked of control that cannot be done, in one line."""


@dataclass(slots=True)
class Quota:
    """How a credential stands with its hourly limit; `resets_in` is in seconds of real time."""

    limit: int
    left: int
    resets_in: int


@dataclass(slots=True)
class Call:
    """One HTTP request, signed in or not.

    `path` is in lower case, for routes; `written` is the same path as the client wrote it, for ids and names.
    """

    method: str
    path: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    partner: int | None = None
    slash: bool = False
    written: tuple[str, ...] = ()
    quota: Quota | None = None

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes-or-no parameter in any of the ways clients write it."""
        given = self.query.get(name)
        return default if given is None else given.lower() in ("t", "true", "1", "yes", "y")

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """Return a whole number from 1 on; the default where it is missing or nonsense."""
        given = self.query.get(name, "")
        value = int(given) if given.isascii() and given.isdigit() and int(given) > 0 else default
        return value if most is None else min(value, most)

    def cut(self, head: str) -> None:
        """Take the first part off the path where it is this one."""
        if self.path[:1] == (head,):
            self.path, self.written = self.path[1:], self.written[1:]


@dataclass(slots=True)
class Answer:
    """What goes back: a JSON-able body, and the rows inside it for a fault to spoil."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    rows: list[Record] = field(default_factory=list)
    stream: str = ""
    distances: list[Any] = field(default_factory=list)
    raw: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often a credential may call when the sandbox starts, and the status of a refusal."""

    calls_per_hour: int = 100_000
    in_flight: int = 0
    status: int = 429


@dataclass(frozen=True, slots=True)
class Spoil:
    """What the faults of rows do to one stream. A field may lie one level down: `user.gender`."""

    key: str
    typed: tuple[str, Any]  # a field, and a value of another type
    enum: tuple[str, Any]  # a field, and a value nobody knows
    contradict: Callable[[Record], None]
    # For rows that come inside those of another stream: its name, and how to find them in one of its rows.
    within: tuple[str, Callable[[Record], Iterable[Record]]] | None = None


class View:
    """A state as one provider sees it: what is listed there, and what control changed there."""

    name: ClassVar[str]

    def __init__(self, state: State) -> None:
        """Look at this state."""
        self.state = state

    def is_listed(self, uid: int) -> bool:
        """Return whether an occasion is listed here."""
        return self.name in self.state.source.occasion(uid).on

    def changes(self, partner: int, distance: Distance) -> Changes:
        """Return what changed in a distance; do not write to it."""
        return self.state.changes(self.name, partner, distance)

    def occasion_changes(self, partner: int, occasion: Occasion) -> OccasionChanges:
        """Return what changed in an occasion; do not write to it."""
        return self.state.occasion_changes(self.name, partner, occasion)


class Provider(View, ABC):
    """One provider's API over the sandbox's world: all that server, faults, limits and control ask of it.

    A state has one of each provider it serves. `Changes` are kept per provider and partner, so that a change at
    one is not seen at another.
    """

    # -- what it is --------------------------------------------------------------------------------

    title: ClassVar[str]  # as people write it
    base: ClassVar[str] = ""  # what stands between /{name} and a route; calls may leave it out
    streams: ClassVar[tuple[str, ...]]
    limit: ClassVar[Limit] = Limit()
    reads_files: ClassVar[bool] = False  # whether a folder of results can be its world
    secret_parameters: ClassVar[tuple[str, ...]] = ()  # query parameters that are not logged
    # Surprises that can be switched, as they are at first. No two providers have one of the same name.
    quirks_at_first: ClassVar[Mapping[str, Any]] = {}

    # -- what it calls things ----------------------------------------------------------------------

    spoils: ClassVar[Mapping[str, Spoil]]  # by stream; "" for rows of any other
    own_faults: ClassVar[tuple[str, ...]] = ()
    changes_known: ClassVar[tuple[str, ...]] = CHANGES
    own_changes: ClassVar[tuple[str, ...]] = ()
    # What a record says after cancel, refund, clear, defer, transfer, disqualify or delete. Without a word for
    # "disqualify" only the result tells of it; without one for "delete" an entry goes without a trace.
    words: ClassVar[Mapping[str, str]]
    keeps_withdrawn: ClassVar[bool]  # True: the row stays with the word as its status; False: it leaves the list
    event_is_distance: ClassVar[bool] = False  # True where what it calls an event is one distance
    entries_show_on_results: ClassVar[bool] = False  # True where an edited entry touches its result rows

    def __init__(self, state: State) -> None:
        """Answer from this state."""
        super().__init__(state)
        self.quirks: Record = dict(self.quirks_at_first)

    # -- signing in --------------------------------------------------------------------------------

    @abstractmethod
    def credential(self, call: Call) -> str:
        """Return which credential a call carries, without its secret; 'anonymous' for none."""

    @abstractmethod
    def partner_of(self, call: Call) -> int | None:
        """Return whose credential a call carries, right or wrong."""

    @abstractmethod
    def connection(self, partner: int, root: str) -> tuple[Record, Record]:
        """Return the settings and the secrets a tap needs for a partner's account; `root` is this provider's URL."""

    @classmethod
    @abstractmethod
    def refused(cls) -> Answer:
        """Return what a credential meets that nobody gave out."""

    def expired(self, call: Call) -> Answer:
        """Let the sign-in of a call expire and return what the call meets; a provider with tokens forgets one."""
        return self.refused()

    @abstractmethod
    def throttled(self, call: Call, status: int) -> Answer:
        """Return what a call too many meets; `call.quota` tells of the limit, Retry-After is added for a 429."""

    # -- answering ---------------------------------------------------------------------------------

    @abstractmethod
    def answer(self, call: Call) -> Answer:
        """Return what the provider answers, sign-in and errors included."""

    def own_fault(self, kind: str, call: Call) -> Answer:
        """Return the answer to a call that meets one of `own_faults`."""
        raise NotImplementedError

    def route(self, call: Call) -> str:
        """Return a call's path with `{id}` for every id, by which calls are counted."""
        return "/".join("{id}" if part.isdigit() else part for part in call.path)

    @abstractmethod
    def empty(self, answer: Answer) -> None:
        """Take every row out of an answer and keep its shape."""

    @abstractmethod
    def event_asked(self, call: Call) -> str | None:
        """Return the event a call is about, in the id that control takes; None for any or none."""

    def asks_results(self, call: Call) -> bool:
        """Return whether a call reads results, and not entries."""
        return call.path[-1].endswith("results")

    def is_later_page(self, call: Call) -> bool:
        """Return whether a call asks for a page after the first."""
        return call.number("page", 1) > 1

    # -- ids ---------------------------------------------------------------------------------------

    @abstractmethod
    def distances_asked(self, asked: Record) -> list[Distance]:
        """Return the distances that a change is about, by the ids in it; none where there is no such event."""

    @abstractmethod
    def locate(self, given: Any) -> tuple[Distance, int] | None:
        """Return where an entry's id belongs, or None; a result's id is as good."""

    @abstractmethod
    def entry_key(self, distance: Distance, index: int) -> Any:
        """Return an entry's id."""

    @abstractmethod
    def result_key(self, distance: Distance, index: int) -> Any:
        """Return the id of an entry's result row."""

    @abstractmethod
    def event_key(self, distance: Distance) -> Any:
        """Return the id of the event a distance belongs to."""

    @abstractmethod
    def place_key(self, distance: Distance) -> Any:
        """Return the id by which a transfer names its target."""

    @classmethod
    def pushed_id(cls, distance: Distance, index: int) -> str:
        """Return the id that a registration carries when it is pushed to a timer; empty for a timer itself."""
        return ""

    # -- entries -----------------------------------------------------------------------------------

    @abstractmethod
    def distances(self, partner: int) -> Iterator[Distance]:
        """Yield the distances whose entries a partner's account shows."""

    @abstractmethod
    def roster(self, partner: int, distance: Distance) -> Roster:
        """Return the entries that the provider lists."""

    def entries_known(self, partner: int, distance: Distance) -> Iterator[int]:
        """Yield every entry that appears in some stream; those listed, unless there is a list of what went away."""
        roster = self.roster(partner, distance)
        return roster.slice(0, len(roster))

    @abstractmethod
    def identity(self, partner: int, distance: Distance, index: int) -> Record:
        """Return who an entry is, as fields for another entry of theirs."""

    @abstractmethod
    def without_bib(self, partner: int, distance: Distance) -> list[int]:
        """Return the live entries that have no bib yet."""

    @abstractmethod
    def bib_patch(self, number: int) -> Record:
        """Return the fields that give an entry this bib."""

    def own_change(self, kind: str, changes: Changes, distance: Distance, index: int, fields: Record) -> None:
        """Make one of `own_changes` to an entry; it is marked as touched already."""
        raise NotImplementedError

    # -- for tests ---------------------------------------------------------------------------------

    @abstractmethod
    def holds(self, partner: int, stream: str, call: Call) -> Iterator[tuple[Record, Record]]:
        """Yield every record of a stream as it would be sent now, with the ids around it."""

    def people(self, partner: int) -> Iterator[Record]:
        """Yield who is behind each entry."""
        for distance in self.distances(partner):
            changes = self.changes(partner, distance)
            for index in self.entries_known(partner, distance):
                person = changes.persons.get(index)
                yield {
                    "provider": self.name,
                    "timing_partner_id": partner,
                    "event_id": self.event_key(distance),
                    "id": self.entry_key(distance, index),
                    "person_id": self.state.source.person_of(distance, index) if person is None else person,
                }

    # -- shared by all -----------------------------------------------------------------------------

    def partners(self) -> list[int]:
        """Return the partners that have an account."""
        return [partner for partner in PARTNERS if self.state.source.uids(partner)]

    def set_quirks(self, asked: Record) -> None:
        """Switch those of the surprises asked for that are this provider's; numbers stay numbers."""
        for name, value in asked.items():
            if name in self.quirks:
                kind = type(self.quirks_at_first[name])
                self.quirks[name] = max(0, int(value)) if kind is int else kind(value)


def pushed_id(occasion: Occasion, distance: Distance, index: int) -> str:
    """Return the id that the occasion's registration platform pushed to its timer with an entry; empty for none."""
    # Imported late: the registry imports the providers, and these import this module.
    from sandbox.providers import PROVIDERS

    found = (PROVIDERS[name].pushed_id(distance, index) for name in sorted(occasion.on & PROVIDERS.keys()))
    return next(filter(None, found), "")
