"""Faults that control switches on: how a provider's answers go wrong."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sandbox.providers import PROVIDERS
from sandbox.providers.common import Answer, Call, Provider, Record

# Faults of the connection or of the whole answer.
WHOLE = (
    "status_429",
    "status_500",
    "status_502_html",
    "cut_json",
    "slow",
    "expired_token",
    "limit_reached",
    "non_json",
    "drop_connection",
)
# Faults of the world: something happens while a client turns pages.
BETWEEN = ("row_between_pages", "row_gone_between_pages")
# Faults of the rows in an answer.
ROWS = ("missing_field", "changed_type", "bad_record", "no_key", "unknown_enum", "empty_answer")
KINDS = (*WHOLE, *BETWEEN, *ROWS)


@dataclass(slots=True)
class Fault:
    """One fault, for as many matching calls as `times` says; None means until it is taken back."""

    provider: str
    kind: str
    times: int | None = 1
    path_contains: str | None = None
    partner: int | None = None
    retry_after: float | None = None
    seconds: float = 2.0
    field: str | None = None
    stream: str | None = None
    before_body: bool = False
    hits: int = 0

    def matches(self, provider: Provider, call: Call, partner: int | None, address: str) -> bool:
        """Return whether this call is one to go wrong."""
        if self.provider not in (provider.name, "*") or (self.times is not None and self.times <= 0):
            return False
        if self.kind not in (*KINDS, *provider.own_faults):
            return False
        if self.partner is not None and self.partner != partner:
            return False
        if self.path_contains and self.path_contains.lower() not in address.lower():
            return False
        if self.kind in BETWEEN:
            return provider.is_later_page(call)
        return True


class Faults:
    """The faults switched on now, oldest first."""

    def __init__(self) -> None:
        """Start without any."""
        self.active: list[Fault] = []

    def add(self, given: Record) -> Fault:
        """Switch a fault on; raise ValueError where it is not one."""
        known = set(Fault.__dataclass_fields__) - {"hits"}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}: a fault takes {', '.join(sorted(known))}")
        name, kind = given.get("provider"), given.get("kind")
        if name not in PROVIDERS and name != "*":
            raise ValueError(f"unknown provider {name!r}: {', '.join(PROVIDERS)} or *")
        asked = [each for each in PROVIDERS.values() if name in (each.name, "*")]
        kinds = (*KINDS, *(own for each in asked for own in each.own_faults))
        if kind not in kinds:
            raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(kinds)}")
        fault = Fault(**given)
        self.active.append(fault)
        return fault

    def take(self, provider: Provider, call: Call, partner: int | None, address: str) -> Fault | None:
        """Return the fault this call meets, and count it."""
        for fault in self.active:
            if fault.matches(provider, call, partner, address):
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def listed(self) -> list[Record]:
        """Return all faults with how often they struck."""
        return [asdict(fault) for fault in self.active]


def put(row: Record, name: str, value: Any) -> None:
    """Set a field that may lie one level down."""
    outer, _, inner = name.partition(".")
    if inner and isinstance(row.get(outer), dict):
        row[outer][inner] = value
    else:
        row[outer] = value


def spoil(fault: Fault, provider: Provider, answer: Answer) -> None:
    """Change the rows of an answer as the fault says."""
    rows, stream = answer.rows, answer.stream
    aimed = provider.spoils.get(fault.stream or "")
    if aimed is not None and aimed.within is not None and aimed.within[0] == stream:
        # These rows come inside others.
        rows, stream = [inner for row in rows for inner in aimed.within[1](row)], fault.stream or ""
    known = provider.spoils.get(stream, provider.spoils[""])
    # One record in the middle: the first one is what a careless check looks at.
    row = rows[len(rows) // 2] if rows else None
    if fault.kind == "missing_field":
        for each in rows:
            each.pop(fault.field or known.key, None)
    elif fault.kind == "changed_type":
        field, wrong = known.typed
        for each in rows:
            put(each, fault.field or field, wrong if fault.field in (None, field) else {"changed": True})
    elif row is not None and fault.kind == "no_key":
        row.pop(known.key, None)
    elif row is not None and fault.kind == "unknown_enum":
        put(row, fault.field or known.enum[0], known.enum[1])
    elif row is not None and fault.kind == "bad_record":
        known.contradict(row)
